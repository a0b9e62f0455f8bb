"""Benchmarks through the package ``datasets``: from a hub, its cache, or a folder."""

import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from seekmath.core.files import BadInput
from seekmath.evaluate.problem import Benchmark, Row, known_name, own_problems
from seekmath.evaluate.published import PUBLISHED, read_published

_HUB = "https://huggingface.co"
_REACH_S = 5.0


def load_from_hub(item: str, question_field: str, answer_field: str, limit: int) -> Benchmark:
    """A benchmark through the package ``datasets``: ``NAME`` or ``NAME=OWNER/SET:CONFIG:SPLIT``."""
    name, equals, place = item.partition("=")
    if not equals:
        known_name("--hub", name, [n for n, spec in PUBLISHED.items() if spec.hub])
        place = PUBLISHED[name].hub
    dataset, config, split = [*place.split(":"), "", ""][:3]
    rows = _hub_rows(dataset, config, split or "test")
    if name in PUBLISHED:
        return read_published(name, rows, dataset, limit)
    return Benchmark(name, own_problems(rows, dataset, question_field, answer_field, limit))


def _hub_rows(dataset: str, config: str, split: str) -> Iterator[Row]:
    local = Path(dataset).exists()
    hub = "" if local else _unreachable_hub()
    if hub:
        # Else each file is asked for again and again, minutes long; what is cached still loads.
        os.environ["HF_HUB_OFFLINE"] = "1"
    import datasets

    try:
        yield from datasets.load_dataset(dataset, config or None, split=split)
    except (ValueError, OSError) as error:
        first = str(error).split("\n")[0]
        why = f"{hub} cannot be reached, and it is not in the cache" if hub else first
        fix = "" if local else "; or give a file: --benchmark NAME=FILE"
        raise BadInput(f"--hub: {dataset}:{config}:{split}: cannot be loaded: {why}{fix}") from None


def _unreachable_hub() -> str:
    """The hub's address where nothing answers there within seconds, else nothing."""
    hub = os.environ.get("HF_ENDPOINT", _HUB)
    if os.environ.get("HF_HUB_OFFLINE"):
        return hub
    try:
        with urllib.request.urlopen(urllib.request.Request(hub, method="HEAD"), timeout=_REACH_S):
            return ""
    except urllib.request.HTTPError:
        return ""  # it answers
    except (OSError, ValueError):
        return hub
