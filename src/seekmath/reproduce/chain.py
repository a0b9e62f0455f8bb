"""Stages that experiments share, by the names that they have in every run directory."""

from collections.abc import Sequence
from typing import Any

from seekmath.reproduce.experiment import Stages
from seekmath.reproduce.sizes import Size


def on(size: Size, body: dict[str, Any]) -> dict[str, Any]:
    """``body`` with where it runs."""
    return {**body, "threads": size.threads, "device": size.device}


def mined(size: Size) -> Stages:
    """A web and what is mined of it; the embedded one's labels serve measuring only."""
    if not size.embedded:
        given = {"seeds": "data/seeds.txt", "benchmarks": size.benchmarks}
        return {"mine": {**given, **size.mine}}
    return {
        "world": dict(size.world),
        "mine": {
            "crawl": ["world/warc"],
            "seeds": "world/seeds.txt",
            "benchmarks": size.benchmarks,
            "labels": "world/truth.parquet",
            **size.mine,
        },
    }


def tuned(size: Size) -> Stages:
    """From the web to the SFT model that reinforcement starts from."""
    return {
        **mined(size),
        "tokenize": {"corpus": {"math": "mine/corpus"}, "vocab_size": size.vocab_size},
        "pretrain": on(size, {"tokens": "tokenize", **size.pretrain}),
        "sft": on(size, {"model": "pretrain/model", "problems": size.problems, **size.sft}),
    }


def reinforced(size: Size, model: str = "sft/model", **changes: Any) -> dict[str, Any]:
    """A stage of type grpo on the chain-of-thought problems."""
    return on(
        size, {"type": "grpo", "model": model, "problems": size.problems, **size.grpo, **changes}
    )


def measured(
    size: Size, models: dict[str, str], benchmarks: Sequence[str], **changes: Any
) -> dict[str, Any]:
    """A stage of type evaluate on the named benchmarks, greedy unless ``changes`` say more."""
    return on(
        size,
        {
            "type": "evaluate",
            "models": models,
            "benchmarks": {name: f"{size.benchmarks}/{name}.jsonl" for name in benchmarks},
            "max_new_tokens": size.max_new_tokens,
            **changes,
        },
    )
