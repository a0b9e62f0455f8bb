"""Weighted mixtures of corpora in an order that is a pure function of (seed, row number)."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from seekmath.core.files import BadInput
from seekmath.core.seeds import rng
from seekmath.corpus.packing import Rows, rows_of, stack, stream_row
from seekmath.corpus.shards import Shard

# Each block of so many rows holds its corpora in the shares of the weights, as near as can be:
# so short that any 1,000 rows are within 1%, wherever they begin.
_BLOCK = 16


@dataclass(frozen=True)
class Mixture:
    """Rows drawn from several shards.

    Row r of the run belongs to a corpus and is that corpus's k-th row; both follow from
    (seed, r) alone, whatever the number of workers, ranks or restarts.
    """

    shards: dict[str, Shard]
    weights: dict[str, float]
    context: int
    seed: int

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
            name: rows_seen * weight / max(1, rows_of(self.shards[name], self.context))
            for name, weight in self.weights.items()
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
        names = sorted(self.shards)
        block, offset = divmod(row, _BLOCK)
        # Cumulative shares, rounded, so that what one block rounds off the next makes good.
        shares = np.cumsum([0.0] + [self.weights[name] for name in names])
        before = np.diff(np.round(shares * block * _BLOCK)).astype(int)
        after = np.diff(np.round(shares * (block + 1) * _BLOCK)).astype(int)
        labels = np.repeat(np.arange(len(names)), after - before)
        rng(self.seed, "block", block).shuffle(labels)
        which = int(labels[offset])
        return names[which], int(before[which] + (labels[:offset] == which).sum())


@lru_cache(maxsize=16)
def _order(seed: int, name: str, epoch: int, total: int) -> NDArray[np.int64]:
    """The order of a corpus's rows in an epoch; it does not depend on the weights."""
    return rng(seed, "rows", name, epoch).permutation(total)


def weights_by_size(shards: dict[str, Shard]) -> dict[str, float]:
    """Weights in proportion to the tokens of each corpus."""
    total = sum(len(shard.tokens) for shard in shards.values())
    return {name: len(shard.tokens) / total for name, shard in shards.items()}
