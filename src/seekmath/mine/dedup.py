"""One of each page: equal URLs, equal texts, and near-duplicates by MinHash-LSH (section 2.1).

The paper removes near-duplicates before scoring and leaves the algorithm open; this is the
common one (Broder 1997; 14 bands of 8 rows as in FineWeb). Pages that share a band are joined to
groups; within a group the most wanted page is kept, and with it every page that is unlike all
those kept before. What is kept follows from the pages alone: neither from the order nor the
number of the shards, nor from the memory that it is done in.

Memory: the budget (``Plan.memory_bytes``), one shard's signatures, and 17 bytes for each page,
those of earlier runs included. What is compared passes through files in a scratch folder: 32 bytes
for each page, 16 for each of its bands, and for each page that shares a band with another 16 and
its signature.
"""

# N pages of a shard (in all, where it says so), P permutations, B bands, n rows of a partition

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from seekmath.mine.dedup_kernels import (
    band_rows,
    count_gone,
    flatten,
    keep_most_wanted,
    keep_unlike,
    unite,
)
from seekmath.mine.shuffle import Shuffle, partitions_for

#: Drops: an equal URL, an equal text, a near-duplicate, or any of these kept by an earlier run.
REASONS = ("same_url", "same_text", "near_duplicate", "earlier_run")

Progress = Callable[[str, int], None]


@dataclass(frozen=True)
class Keys:
    """What pages are compared by before their signatures; shape (N,) each.

    Attributes:
        order: the lower, the more wanted; no two pages have the same.
        url: hash of the normalised URL.
        text: hash of the text; 0 where there is none, which equals nothing.
    """

    order: NDArray[np.uint64]
    url: NDArray[np.uint64]
    text: NDArray[np.uint64]


class Pages(Protocol):
    """A shard of pages; each method is called once or twice, and its result then forgotten."""

    def __len__(self) -> int:
        """How many pages there are."""

    def keys(self) -> Keys:
        """The keys of the pages."""

    def signatures(self) -> NDArray[np.uint32]:
        """Their MinHash signatures; shape (N, P)."""


@dataclass(frozen=True)
class Plan:
    """How alike is alike, and how much memory the work may take.

    Attributes:
        bands: B, the bands of a signature.
        rows: minima in a band; P is B times as many.
        jaccard: least share of equal minima.
        memory_bytes: of a partition while it is worked on.
    """

    bands: int = 14
    rows: int = 8
    jaccard: float = 0.8
    memory_bytes: int = 256 << 20


@dataclass(frozen=True)
class Stands:
    """Which page stands for which; pages are numbered shard after shard.

    Attributes:
        starts: the number of each shard's first page, and at last the number of pages.
        roots: for each page the kept page that stands for it, itself where it is kept, or a
            number past the last page where one of an earlier run does; shape (N,), N in all.
        dropped: pages dropped by reason.
    """

    starts: list[int]
    roots: NDArray[np.uint32]
    dropped: dict[str, int]

    def of_shard(self, shard: int) -> NDArray[np.uint32]:
        """The roots of a shard's pages; shape (N,)."""
        return self.roots[self.starts[shard] : self.starts[shard + 1]]

    def numbers(self, shard: int) -> NDArray[np.uint32]:
        """The numbers of a shard's pages; shape (N,)."""
        return np.arange(self.starts[shard], self.starts[shard + 1], dtype=np.uint32)

    def kept(self, shard: int) -> NDArray[np.bool_]:
        """Which pages of a shard are kept; shape (N,)."""
        return self.of_shard(shard) == self.numbers(shard)

    def shard_of(self, pages: NDArray[np.uint32]) -> NDArray[np.int64]:
        """The shard in which each page lies; the number of shards for one of an earlier run."""
        return np.searchsorted(np.array(self.starts), pages, "right") - 1


def one_of_each(
    shards: Sequence[Pages],
    plan: Plan,
    scratch: Path,
    earlier: Sequence[Pages] = (),
    progress: Progress = lambda step, done: None,
) -> Stands:
    """Find one page of each kind in ``shards`` that no page in ``earlier`` is like.

    Args:
        shards: the pages to choose from.
        plan: how.
        scratch: a folder for what passes through files; they are removed as they are read.
        earlier: pages of earlier runs, which all stay kept; their ``order`` is not looked at.
        progress: told the step and how many shards or partitions of it are done.
    """
    inputs = [*shards, *earlier]
    starts = [0, *accumulate(len(pages) for pages in inputs)]
    count, ours = starts[-1], starts[len(shards)]
    assert count < 0xFFFFFFFF, "page numbers have 32 bits"
    stands_N = np.arange(count, dtype=np.uint32)
    work = _Work(inputs, starts, ours, plan, scratch, progress, stands_N)
    dropped = Counter(dict.fromkeys(REASONS, 0))
    for reason in work.steps():
        _count_drops(stands_N, ours, reason, dropped)
    # A page stands for one of its URL, that one for one of its text, that one for a like one.
    roots = stands_N[stands_N[stands_N]]
    return Stands(starts[: len(shards) + 1], roots[:ours], dict(dropped))


def _count_drops(
    stands_N: NDArray[np.uint32], ours: int, reason: str, dropped: Counter[str]
) -> None:
    """Add the drops since the last count under ``reason``, or to those that an earlier run made."""
    gone, by_earlier = count_gone(stands_N, ours)
    new = gone - sum(dropped.values())
    dropped[reason] += new - (by_earlier - dropped["earlier_run"])
    dropped["earlier_run"] = by_earlier


@dataclass
class _Work:
    """The three steps over the same pages."""

    inputs: list[Pages]
    starts: list[int]
    ours: int
    plan: Plan
    scratch: Path
    progress: Progress
    stands_N: NDArray[np.uint32]

    def steps(self) -> Iterator[str]:
        """Do step after step; yield its name when it is done."""
        order_N, shuffles = self._shuffle_keys()
        for reason, shuffle in shuffles.items():
            for number in range(shuffle.partitions):
                keep_most_wanted(shuffle.partition(number), order_N, self.stands_N)
                self.progress(reason, number + 1)
            yield reason
        self._keep_unlike(order_N)
        yield "near_duplicate"

    def _shuffle_keys(self) -> tuple[NDArray[np.uint64], dict[str, Shuffle]]:
        count = self.starts[-1]
        order_N = np.zeros(count, np.uint64)  # pages of earlier runs come before all others
        # A row, and 2 to 4 slots of a table with 12 bytes each.
        partitions = partitions_for(64 * count, self.plan.memory_bytes)
        urls, texts = (
            Shuffle(self.scratch / name, partitions, 2) for name in ("same_url", "same_text")
        )
        with urls, texts:
            for number, pages in enumerate(self.inputs):
                keys = pages.keys()
                numbers = self._numbers(number)
                if self.starts[number] < self.ours:
                    order_N[numbers] = keys.order | np.uint64(1)
                urls.add(_rows(keys.url, numbers))
                texts.add(_rows(keys.text, numbers)[keys.text != 0])
                self.progress("keys", number + 1)
        return order_N, {"same_url": urls, "same_text": texts}

    def _keep_unlike(self, order_N: NDArray[np.uint64]) -> None:
        """Join what shares a band to groups, then keep in each group what is unlike the others."""
        parent_N = self._groups()
        shared_N = flatten(parent_N)
        width = self.plan.bands * self.plan.rows
        shuffle = self._shuffle_signatures(parent_N, shared_N, width)
        for number in range(shuffle.partitions):
            rows = shuffle.partition(number)
            order = np.lexsort((rows[:, 1], order_N[rows[:, 1]]))
            pages = rows[order, 1]
            signatures_NP = np.ascontiguousarray(rows[order, 2:]).view(np.uint32)[:, :width]
            del rows
            fixed = pages >= self.ours
            kept = keep_unlike(signatures_NP, fixed, self.plan.bands, self.plan.jaccard)
            self.stands_N[pages] = pages[kept]
            self.progress("near_duplicate", number + 1)

    def _groups(self) -> NDArray[np.uint32]:
        """The forest of pages that share bands, over the pages left."""
        left = len(self.stands_N) - count_gone(self.stands_N, len(self.stands_N))[0]
        partitions = partitions_for(64 * left * self.plan.bands, self.plan.memory_bytes)
        with Shuffle(self.scratch / "bands", partitions, 2) as shuffle:
            for number, pages in enumerate(self.inputs):
                numbers = self._numbers(number)
                keep = self.stands_N[numbers] == numbers
                signatures_NP = pages.signatures()[keep]
                shuffle.add(band_rows(signatures_NP, numbers[keep], self.plan.bands))
                self.progress("bands", number + 1)
        parent_N = np.arange(len(self.stands_N), dtype=np.uint32)
        for number in range(shuffle.partitions):
            unite(shuffle.partition(number), parent_N)
            self.progress("groups", number + 1)
        return parent_N

    def _shuffle_signatures(
        self, parent_N: NDArray[np.uint32], shared_N: NDArray[np.bool_], width: int
    ) -> Shuffle:
        """Rows (group, page, signature) of the pages that share a group."""
        row = 2 + -(-width // 2)
        # Read, in order, and the buckets of each band.
        row_bytes = 24 * row + 64 * self.plan.bands
        partitions = partitions_for(row_bytes * int(shared_N.sum()), self.plan.memory_bytes)
        with Shuffle(self.scratch / "signatures", partitions, row) as shuffle:
            for number, pages in enumerate(self.inputs):
                numbers = self._numbers(number)
                shared = numbers[shared_N[numbers]]
                rows = np.zeros((len(shared), row), np.uint64)
                rows[:, :2] = _rows(parent_N[shared], shared)
                if len(shared):
                    minima = pages.signatures()[shared_N[numbers]]
                    rows[:, 2:].view(np.uint32)[:, :width] = minima
                shuffle.add(rows)
                self.progress("signatures", number + 1)
        return shuffle

    def _numbers(self, shard: int) -> NDArray[np.uint64]:
        return np.arange(self.starts[shard], self.starts[shard + 1], dtype=np.uint64)


def _rows(keys_N: NDArray[np.unsignedinteger], pages_N: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """(key, page), the key mixed so that its high bits are even and it is never 0."""
    mixed = keys_N.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(32)
    mixed *= np.uint64(0xD6E8FEB86659FD93)
    return np.stack([mixed | np.uint64(1), pages_N], axis=1)
