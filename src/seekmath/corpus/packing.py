"""Rows of a fixed context length, cut out of a stream of documents or packed from examples."""

# B rows, T context

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from seekmath.corpus.shards import Shard

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """A batch ready for the decoder; attention and positions stay inside a document.

    Attributes:
        tokens_BT: inputs.
        targets_BT: the next token of each.
        positions_BT: place in the document.
        documents_BT: number of the document in the row.
        loss_BT: true where the next token is to be learned.
    """

    tokens_BT: Ints
    targets_BT: Ints
    positions_BT: Ints
    documents_BT: Ints
    loss_BT: NDArray[np.bool_]


def rows_of(shard: Shard, context: int) -> int:
    """How many whole rows a shard gives (the last, shorter one is left out)."""
    return max(0, (len(shard.tokens) - 1) // context)


def stream_row(shard: Shard, number: int, context: int) -> tuple[Ints, Ints, NDArray[np.bool_]]:
    """Row ``number`` of the stream: tokens with one to spare, documents, and loss mask.

    The first token of a document is not learned from the end of the one before.
    """
    start = number * context
    tokens = np.asarray(shard.tokens[start : start + context + 1], dtype=np.int64)
    documents = np.searchsorted(shard.ends, np.arange(start, start + context + 1), side="right")
    documents -= documents[0]
    return tokens, documents, documents[1:] == documents[:-1]


def stack(rows: list[tuple[Ints, Ints, NDArray[np.bool_]]]) -> Rows:
    """Rows of ``(T + 1 tokens, T + 1 documents, T loss flags)`` as one batch."""
    tokens = np.stack([tokens for tokens, _, _ in rows])
    documents = np.stack([documents for _, documents, _ in rows])[:, :-1]
    return Rows(
        tokens[:, :-1],
        tokens[:, 1:],
        positions(documents),
        documents,
        np.stack([loss for _, _, loss in rows]),
    )


def without_loss(rows: Rows) -> Rows:
    """The same rows with nothing to learn."""
    return replace(rows, loss_BT=np.zeros_like(rows.loss_BT))


def positions(documents_BT: Ints) -> Ints:
    """Each token's place in its document, counted from the row's beginning or the last change."""
    places = np.broadcast_to(np.arange(documents_BT.shape[1]), documents_BT.shape)
    starts = np.zeros(documents_BT.shape, dtype=bool)
    starts[:, 1:] = documents_BT[:, 1:] != documents_BT[:, :-1]
    return places - np.maximum.accumulate(np.where(starts, places, 0), axis=1)


def pack_examples(
    examples: list[tuple[list[int], list[bool]]], context: int
) -> list[tuple[Ints, Ints, NDArray[np.bool_]]]:
    """Lay examples end to end, in order, into rows of ``context``; none is cut, rows are padded.

    An example longer than ``context`` must have been left out by the caller.
    """
    rows: list[list[tuple[list[int], list[bool]]]] = []
    room = 0
    for example in examples:
        if len(example[0]) > room:
            rows.append([])
            room = context + 1
        rows[-1].append(example)
        room -= len(example[0])
    return [_packed(row, context) for row in rows]


def _packed(
    row: list[tuple[list[int], list[bool]]], context: int
) -> tuple[Ints, Ints, NDArray[np.bool_]]:
    tokens = np.zeros(context + 1, dtype=np.int64)
    documents = np.full(context + 1, len(row), dtype=np.int64)  # padding is a document of its own
    learned = np.zeros(context + 1, dtype=bool)
    start = 0
    for number, (ids, mask) in enumerate(row):
        end = start + len(ids)
        tokens[start:end] = ids
        documents[start:end] = number
        # A prompt's first token is never learned, so no example is learned from the one before.
        learned[start:end] = [False, *mask[1:]]
        start = end
    return tokens, documents, learned[1:]
