"""A shuffle through files: rows go to P partitions by their key, and are read one partition at a
time, so that what has the same key meets whatever the size of the whole.
"""

# n rows, w numbers of a row

from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from seekmath.mine.compiled import kernel

#: A row is its key, mixed, and w - 1 more numbers.
Rows = NDArray[np.uint64]
_MOST_PARTITIONS = 512
# Partitions are smaller than the budget while that makes no more than this many of them.
_SMALL_BYTES, _MOST_SMALL = 24 << 20, 64
_BATCH = 1 << 17


def partitions_for(total_bytes: int, budget_bytes: int) -> int:
    """The power of two of partitions of which each fits the budget; at most 512.

    Up to 64 they are of 24 MiB at most, so that a million pages take hardly more than ten thousand.
    """
    small = min(-(-total_bytes // _SMALL_BYTES), _MOST_SMALL)
    wanted = max(1, small, -(-total_bytes // max(budget_bytes, 1)))
    return min(1 << (wanted - 1).bit_length(), _MOST_PARTITIONS)


class Shuffle:
    """Partitions in ``folder``; rows of ``width`` 64-bit numbers, the key first.

    The highest bits of the key choose the partition. Writing takes 2 MiB for each number of a row
    and 16 KiB for each partition; reading, one partition.
    """

    def __init__(self, folder: Path, partitions: int, width: int) -> None:
        assert partitions & (partitions - 1) == 0, partitions
        folder.mkdir(parents=True, exist_ok=True)
        self.partitions = partitions
        self._width = width
        self._paths = [folder / f"{number:03d}.rows" for number in range(partitions)]
        self._files: list[BinaryIO] = []

    def __enter__(self) -> "Shuffle":
        self._files = [open(path, "wb", buffering=1 << 14) for path in self._paths]
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files:
            file.close()

    def add(self, rows_nw: Rows) -> None:
        """Append rows; their order within a partition is kept."""
        for start in range(0, len(rows_nw), _BATCH):
            batch = rows_nw[start : start + _BATCH]
            sorted_nw = np.empty_like(batch)
            ends = _scatter(batch, self.partitions, sorted_nw)
            begin = 0
            for file, end in zip(self._files, ends.tolist(), strict=True):
                if end > begin:
                    file.write(sorted_nw[begin:end].data)
                begin = end

    def partition(self, number: int) -> Rows:
        """All rows of a partition, whose file is then removed; shape (n, w)."""
        rows = np.fromfile(self._paths[number], np.uint64)
        self._paths[number].unlink()
        return rows.reshape(-1, self._width)


@kernel
def _scatter(rows_nw: Rows, partitions: int, sorted_nw: Rows) -> NDArray[np.int64]:
    """Copy the rows to ``sorted_nw`` partition by partition; where each partition ends."""
    bits = 0
    while (1 << bits) < partitions:
        bits += 1
    at = np.zeros(partitions + 1, np.int64)
    for row in range(len(rows_nw)):
        at[_partition(rows_nw[row, 0], bits) + 1] += 1
    at = np.cumsum(at)
    for row in range(len(rows_nw)):
        number = _partition(rows_nw[row, 0], bits)
        for column in range(rows_nw.shape[1]):
            sorted_nw[at[number], column] = rows_nw[row, column]
        at[number] += 1
    return at[:partitions]


@kernel
def _partition(key: np.uint64, bits: int) -> np.int64:
    return np.int64(key >> np.uint64(64 - bits)) if bits else np.int64(0)
