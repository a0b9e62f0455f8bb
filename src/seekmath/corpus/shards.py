"""Corpora as memory-mapped token shards with document boundaries (stage ``tokenize``)."""

import itertools
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seekmath.core.files import (
    BadInput,
    read_json,
    rows_of_parquet,
    stream_parquet,
    whole_folder,
    write_json,
)
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

    Corpora are streamed: besides the tokenizer's own, memory holds three numbers a document.

    Raises:
        BadInput: a corpus is empty or has no column text.
    """
    sizes = {name: rows_of_parquet(path) for name, path in settings.corpus.items()}
    tokenizer = (
        Tokenizer.load(settings.tokenizer)
        if settings.tokenizer
        else Tokenizer.train(_sample(settings, sizes, job.seed), settings.vocab_size)
    )
    tokenizer.save(job.out / "tokenizer")
    metrics: dict[str, Any] = {"vocab_size": tokenizer.vocab_size}
    for name, path in settings.corpus.items():
        with whole_folder(job.out / "shards" / name) as folder:
            kind = np.dtype(np.uint16 if tokenizer.vocab_size <= 2**16 else np.uint32)
            encoded = _encode(path, tokenizer, folder / "unordered.bin", kind, settings, job, name)
            for part, chosen in _parts(encoded, job.seed).items():
                metrics[f"{name}/{part}"] = _write(folder / part, encoded, chosen)
            encoded.path.unlink()
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


def _texts(path: str) -> Iterator[list[str]]:
    for batch in stream_parquet(path, "text", _BATCH):
        yield [text or "" for text in batch]


def _sample(settings: TokenizeSettings, sizes: dict[str, int], seed: int) -> Iterator[str]:
    """Documents drawn from all corpora together."""
    every, most = sum(sizes.values()), settings.training_documents
    draw = rng(seed, "tokenizer")
    chosen = set(draw.choice(every, most, replace=False).tolist()) if every > most else None
    numbers = itertools.count()
    for path in settings.corpus.values():
        for batch in _texts(path):
            for text, number in zip(batch, numbers, strict=False):
                if chosen is None or number in chosen:
                    yield text


@dataclass(frozen=True)
class _Encoded:
    """A corpus's documents end to end, as they came.

    Attributes:
        path: their tokens.
        kind: of a token.
        ends: where each document ends.
        text_bytes: of each.
        heldout: which are held out.
    """

    path: Path
    kind: "np.dtype[Any]"
    ends: NDArray[np.int64]
    text_bytes: NDArray[np.int64]
    heldout: NDArray[np.bool_]


def _encode(
    path: str,
    tokenizer: Tokenizer,
    file: Path,
    kind: "np.dtype[Any]",
    settings: TokenizeSettings,
    job: Job,
    name: str,
) -> _Encoded:
    lengths, sizes, heldout = array("q"), array("q"), bytearray()
    total, share = rows_of_parquet(path), settings.heldout_share
    with open(file, "wb") as out:
        for texts in _texts(path):
            for text, ids in zip(texts, tokenizer.encode_many(texts), strict=True):
                out.write(np.array([*ids, tokenizer.eos_id], kind).data)
                lengths.append(len(ids) + 1)
                sizes.append(len(text.encode()))
                # From the text, so that no split ever holds a copy of the other's.
                heldout.append(derive(job.seed, "heldout", text) / 2**63 < share)
            job.progress(len(lengths), total, "documents", name)
    if not any(sizes):
        raise BadInput(f"{path}: holds no text")
    ends = np.cumsum(np.frombuffer(lengths, np.int64))
    texts_bytes = np.frombuffer(sizes, np.int64)
    return _Encoded(file, kind, ends, texts_bytes, np.frombuffer(heldout, np.bool_))


def _parts(encoded: _Encoded, seed: int) -> dict[str, NDArray[np.int64]]:
    """The documents of each split, those of training in an order of their own."""
    train = np.flatnonzero(~encoded.heldout)
    order = rng(seed, "order").permutation(len(train))
    return {"train": train[order], "heldout": np.flatnonzero(encoded.heldout)}


def _write(folder: Path, encoded: _Encoded, chosen: NDArray[np.int64]) -> dict[str, int]:
    # As a plain array: each slice of a memory map costs as much as a short document.
    tokens = np.asarray(np.memmap(encoded.path, encoded.kind, mode="r"))
    ends = encoded.ends[chosen]
    starts = np.where(chosen > 0, encoded.ends[chosen - 1], 0)
    folder.mkdir()
    with open(folder / "tokens.bin", "wb") as file:
        for first in range(0, len(chosen), _BATCH):
            spans = zip(starts[first : first + _BATCH], ends[first : first + _BATCH], strict=True)
            np.concatenate([tokens[start:end] for start, end in spans]).tofile(file)
    np.save(folder / "ends.npy", np.cumsum(ends - starts))
    counts = {
        "documents": len(chosen),
        "tokens": int((ends - starts).sum()),
        "text_bytes": int(encoded.text_bytes[chosen].sum()),
    }
    write_json(folder / "shard.json", {"dtype": encoded.kind.name, **counts})
    return counts
