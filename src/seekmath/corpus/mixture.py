"""Weighted mixtures of corpora in an order that is a pure function of (seed, row number)."""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from seekmath.core.files import BadInput
from seekmath.core.seeds import rng
from seekmath.corpus.packing import Rows, rows_of, stack, stream_row
from seekmath.corpus.shards import Shard

# Each block of so many rows holds its corpora in the shares of the weights, as near as can be:
# so short that any 1,000 rows are within 1%, wherever they begin.
_BLOCK = 8
# Shares are fractions of 2^32: counts are whole numbers, exact for as long as a run may be.
_BITS = 32


@dataclass(frozen=True)
class Mixture:
    """Rows drawn from several shards.

    Row r of the run belongs to a corpus and is that corpus's k-th row; both follow from
    (seed, r) alone, whatever the number of workers, ranks or restarts.

    Attributes:
        shards: the corpora by name.
        weights: share of each, summing to 1.
        context: tokens of a row.
        seed: of the order.
        before: rows of each corpus that were read before row 0.
    """

    shards: dict[str, Shard]
    weights: dict[str, float]
    context: int
    seed: int
    before: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = set(self.weights) ^ set(self.shards)
        if unknown:
            raise BadInput(
                f"weights: name the corpora {sorted(self.shards)}, not {sorted(unknown)}"
            )
        if abs(sum(self.weights.values()) - 1) > 1e-6:
            raise BadInput(f"weights sum to {sum(self.weights.values()):.4f}; they must sum to 1")
        for name, shard in self.shards.items():
            if self.weights[name] > 0 and rows_of(shard, self.context) == 0:
                raise BadInput(f"corpus '{name}' holds no row of {self.context} tokens")

    def batch(self, first_row: int, rows: int) -> Rows:
        """Rows ``first_row`` to ``first_row + rows`` of the run."""
        return stack([self._row(row) for row in range(first_row, first_row + rows)])

    def epochs(self, rows_seen: int) -> dict[str, float]:
        """How often each corpus has been read after so many rows."""
        return {
            name: count / max(1, rows_of(self.shards[name], self.context))
            for name, count in self.read(rows_seen).items()
        }

    def read(self, rows_seen: int) -> dict[str, int]:
        """Rows of each corpus read after so many rows, those before row 0 among them."""
        block, offset = divmod(rows_seen, _BLOCK)
        labels, counts = _block(block, self.weights, self.seed)
        counts = counts + np.bincount(labels[:offset], minlength=len(counts))
        names = sorted(self.shards)
        return {
            name: self.before.get(name, 0) + int(count)
            for name, count in zip(names, counts, strict=True)
        }

    def _row(self, row: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        name, ordinal = self.place(row)
        shard = self.shards[name]
        total = rows_of(shard, self.context)
        epoch, place = divmod(ordinal, total)
        order = _order(self.seed, name, epoch, total)
        return stream_row(shard, int(order[place]), self.context)

    def place(self, row: int) -> tuple[str, int]:
        """The corpus of row ``row`` of the run, and which of that corpus's rows it is."""
        name, ordinal = mixture_place(row, self.weights, self.seed)
        return name, self.before.get(name, 0) + ordinal


def mixture_place(row: int, weights: Mapping[str, float], seed: int) -> tuple[str, int]:
    """Which part of a mixture row ``row`` belongs to, and which of that part's rows it is."""
    block, offset = divmod(row, _BLOCK)
    labels, counts = _block(block, weights, seed)
    which = int(labels[offset])
    return sorted(weights)[which], int(counts[which] + (labels[:offset] == which).sum())


def _block(
    block: int, weights: Mapping[str, float], seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The part of each row of a block, and the rows of each part in the blocks before."""
    before, after = (
        np.array(_share_out([weights[name] for name in sorted(weights)], rows))
        for rows in (block * _BLOCK, (block + 1) * _BLOCK)
    )
    labels = np.repeat(np.arange(len(before)), after - before)
    rng(seed, "block", block).shuffle(labels)
    return labels, before


@dataclass(frozen=True)
class Curriculum:
    """Mixtures one after the other; each corpus is read on from where the one before left it."""

    parts: tuple[Mixture, ...]
    rows: tuple[int, ...]

    @classmethod
    def of(
        cls,
        shards: dict[str, Shard],
        parts: Sequence[tuple[int, dict[str, float]]],
        context: int,
        seed: int,
    ) -> "Curriculum":
        """Mixtures of ``(rows, weights)`` in order."""
        mixtures: list[Mixture] = []
        before: dict[str, int] = {}
        for rows, weights in parts:
            mixtures.append(Mixture(shards, weights, context, seed, before))
            before = mixtures[-1].read(rows)
        return cls(tuple(mixtures), tuple(rows for rows, _ in parts))

    def batch(self, first_row: int, rows: int) -> Rows:
        """Rows ``first_row`` to ``first_row + rows`` of the run, which lie in one part."""
        mixture, offset = self._part(first_row)
        return mixture.batch(first_row - offset, rows)

    def epochs(self, rows_seen: int) -> dict[str, float]:
        """How often each corpus has been read after so many rows."""
        mixture, offset = self._part(max(0, rows_seen - 1))
        return mixture.epochs(rows_seen - offset)

    def weights(self, row: int) -> dict[str, float]:
        """The shares that hold at a row."""
        return self._part(row)[0].weights

    def _part(self, row: int) -> tuple[Mixture, int]:
        starts = [0, *accumulate(self.rows)][:-1]
        number = bisect_right(starts, row) - 1
        return self.parts[number], starts[number]


def _share_out(weights: list[float], rows: int) -> list[int]:
    """How many of the first ``rows`` rows each corpus has.

    Each takes its share, rounded, of what those before it have left. So no count is ever more than
    a few rows off, and none falls as ``rows`` grows (rounding all shares at once lets it).
    """
    counts = [0] * len(weights)
    left_rows, left_weight = rows, math.fsum(weights)
    positive = [place for place, weight in enumerate(weights) if weight > 0]
    for place in positive[:-1]:
        share = min(1 << _BITS, round(weights[place] / left_weight * (1 << _BITS)))
        counts[place] = (left_rows * share + (1 << (_BITS - 1))) >> _BITS
        left_rows -= counts[place]
        left_weight -= weights[place]
    counts[positive[-1]] = left_rows
    return counts


@lru_cache(maxsize=16)
def _order(seed: int, name: str, epoch: int, total: int) -> NDArray[np.int64]:
    """The order of a corpus's rows in an epoch; it does not depend on the weights."""
    return rng(seed, "rows", name, epoch).permutation(total)


def weights_by_size(shards: dict[str, Shard]) -> dict[str, float]:
    """Weights in proportion to the tokens of each corpus."""
    total = sum(len(shard.tokens) for shard in shards.values())
    return {name: len(shard.tokens) / total for name, shard in shards.items()}
