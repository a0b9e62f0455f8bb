"""Corpora as memory-mapped token shards with document boundaries (stage ``tokenize``)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seekmath.core.files import BadInput, read_json, read_parquet, whole_folder, write_json
from seekmath.core.job import Job
from seekmath.core.seeds import derive, rng
from seekmath.corpus.settings import TokenizeSettings
from seekmath.corpus.tokenizer import Tokenizer

_BATCH = 1000


@dataclass(frozen=True)
class Shard:
    """One split of one corpus: its tokens, memory-mapped, each document ended by end-of-text.

    Attributes:
        tokens: all documents end to end.
        ends: where each document ends in ``tokens``.
        text_bytes: UTF-8 bytes of the texts, for bits per byte.
    """

    tokens: NDArray[np.uint16] | NDArray[np.uint32]
    ends: NDArray[np.int64]
    text_bytes: int


def tokenize(settings: TokenizeSettings, job: Job) -> dict[str, Any]:
    """Train or take a tokenizer, then write ``tokenizer/`` and ``shards/<corpus>/<split>``.

    Raises:
        BadInput: a corpus is empty or has no column text.
    """
    texts = {name: _texts(Path(path)) for name, path in settings.corpus.items()}
    tokenizer = (
        Tokenizer.load(settings.tokenizer)
        if settings.tokenizer
        else Tokenizer.train(_sample(texts, settings, job.seed), settings.vocab_size)
    )
    tokenizer.save(job.out / "tokenizer")
    metrics: dict[str, Any] = {"vocab_size": tokenizer.vocab_size}
    for name, documents in texts.items():
        split = _split(documents, settings.heldout_share, job.seed)
        for part, chosen in split.items():
            counts = _write(job, tokenizer, name, part, chosen)
            metrics[f"{name}/{part}"] = counts
    return metrics


def open_shards(folder: str | Path, split: str) -> dict[str, Shard]:
    """The shards of one split ("train" or "heldout") by corpus, memory-mapped.

    Raises:
        BadInput: the folder was not written by ``seekmath tokenize``.
    """
    found = sorted(Path(folder, "shards").glob(f"*/{split}/shard.json"))
    if not found:
        raise BadInput(f"{folder}: holds no shards/*/{split}; make it with `seekmath tokenize`")
    return {path.parts[-3]: _open(path.parent) for path in found}


def _open(folder: Path) -> Shard:
    facts = read_json(folder / "shard.json")
    ends = np.load(folder / "ends.npy", allow_pickle=False)
    path = folder / "tokens.bin"
    kind = np.dtype(facts["dtype"])
    empty = path.stat().st_size == 0
    tokens = np.zeros(0, kind) if empty else np.memmap(path, dtype=kind, mode="r")
    return Shard(tokens, ends, facts["text_bytes"])


def _texts(path: Path) -> list[str]:
    texts = read_parquet(path, ["text"])["text"].to_pylist()
    if not any(texts):
        raise BadInput(f"{path}: holds no text")
    return texts


def _sample(texts: dict[str, list[str]], settings: TokenizeSettings, seed: int) -> Iterator[str]:
    every = [text for documents in texts.values() for text in documents]
    chosen = rng(seed, "tokenizer").permutation(len(every))[: settings.training_documents]
    yield from (every[place] for place in sorted(chosen.tolist()))


def _split(documents: list[str], share: float, seed: int) -> dict[str, list[str]]:
    """A document's split follows from its text, so no split ever holds a copy of the other's."""
    parts: dict[str, list[str]] = {"train": [], "heldout": []}
    for text in documents:
        heldout = derive(seed, "heldout", text) / 2**63 < share
        parts["heldout" if heldout else "train"].append(text)
    order = rng(seed, "order").permutation(len(parts["train"]))
    parts["train"] = [parts["train"][place] for place in order]
    return parts


def _write(
    job: Job, tokenizer: Tokenizer, name: str, part: str, documents: list[str]
) -> dict[str, int]:
    kind = np.uint16 if tokenizer.vocab_size <= 2**16 else np.uint32
    lengths: list[int] = []
    with whole_folder(job.out / "shards" / name / part) as folder:
        with open(folder / "tokens.bin", "wb") as file:
            for start in range(0, len(documents), _BATCH):
                for ids in tokenizer.encode_many(documents[start : start + _BATCH]):
                    np.array([*ids, tokenizer.eos_id], kind).tofile(file)
                    lengths.append(len(ids) + 1)
                job.progress(len(lengths), len(documents), "documents", f"{name} {part}")
        np.save(folder / "ends.npy", np.cumsum(lengths, dtype=np.int64))
        counts = {
            "documents": len(documents),
            "tokens": sum(lengths),
            "text_bytes": sum(len(text.encode()) for text in documents),
        }
        write_json(folder / "shard.json", {"dtype": np.dtype(kind).name, **counts})
    return counts
