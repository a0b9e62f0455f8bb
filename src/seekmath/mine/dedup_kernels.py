"""The loops of de-duplication, compiled: equal keys, groups of candidates, and one kept of each."""

# n rows of a partition, N pages, B bands, R rows of a band, P permutations (P = B * R), T slots

import numpy as np
from numpy.typing import NDArray

from seekmath.mine.compiled import kernel

_MIX = np.uint64(0x9E3779B97F4A7C15)
_NOBODY = np.uint32(0xFFFFFFFF)


@kernel
def band_rows(
    signatures_NP: NDArray[np.uint32], pages_N: NDArray[np.uint64], bands: int
) -> NDArray[np.uint64]:
    """(key of the band, page) of every band; shape (N B, 2). Pages without shingles have none."""
    count, permutations = signatures_NP.shape
    rows = np.empty((count * bands, 2), np.uint64)
    end = 0
    for page in range(count):
        if _is_empty(signatures_NP[page]):
            continue
        for band in range(bands):
            rows[end, 0] = _band_key(signatures_NP[page], band, permutations // bands)
            rows[end, 1] = pages_N[page]
            end += 1
    return rows[:end]


@kernel
def keep_most_wanted(
    rows_n2: NDArray[np.uint64], order_N: NDArray[np.uint64], stands_N: NDArray[np.uint32]
) -> None:
    """Of the rows (key, page) with one key the page of the least order stands for the others.

    Pages for which another stands already are left out; equal orders go by the page number. Pages
    of order 0 stay whatever they are equal to.
    """
    slots_T = _slots_for(rows_n2[:, 0])
    best_T = np.full(len(slots_T), _NOBODY, np.uint32)
    for row in range(len(rows_n2)):
        page = np.uint32(rows_n2[row, 1])
        if stands_N[page] != page:
            continue
        slot = _slot(rows_n2[row, 0], slots_T)
        slots_T[slot] = rows_n2[row, 0]
        best = best_T[slot]
        if best == _NOBODY or _before(order_N, page, best):
            best_T[slot] = page
    for row in range(len(rows_n2)):
        page = np.uint32(rows_n2[row, 1])
        if stands_N[page] == page and order_N[page]:
            stands_N[page] = best_T[_slot(rows_n2[row, 0], slots_T)]


@kernel
def unite(rows_n2: NDArray[np.uint64], parent_N: NDArray[np.uint32]) -> None:
    """Join the groups of pages of which rows (key, page) have a key in common.

    ``parent_N`` is a forest of groups (union-find); a tree's root is its least page.
    """
    slots_T = _slots_for(rows_n2[:, 0])
    first_T = np.empty(len(slots_T), np.uint32)
    for row in range(len(rows_n2)):
        slot = _slot(rows_n2[row, 0], slots_T)
        if slots_T[slot] == rows_n2[row, 0]:
            _join(parent_N, np.uint32(rows_n2[row, 1]), first_T[slot])
        else:
            slots_T[slot] = rows_n2[row, 0]
            first_T[slot] = rows_n2[row, 1]


@kernel
def count_gone(stands_N: NDArray[np.uint32], ours: int) -> tuple[int, int]:
    """Of the first ``ours`` pages, for how many another stands, and for how many a later one."""
    gone = by_later = 0
    for page in range(ours):
        gone += stands_N[page] != page
        by_later += stands_N[page] >= ours
    return gone, by_later


@kernel
def flatten(parent_N: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Let every page point at the root of its tree; which pages share a tree with another."""
    shared_N = np.zeros(len(parent_N), np.bool_)
    for page in range(len(parent_N)):
        root = _root(parent_N, np.uint32(page))
        parent_N[page] = root
        if root != page:
            shared_N[page] = True
            shared_N[root] = True
    return shared_N


@kernel
def keep_unlike(
    signatures_NP: NDArray[np.uint32], fixed_N: NDArray[np.bool_], bands: int, jaccard: float
) -> NDArray[np.int64]:
    """For each page, most wanted first, the kept page that it is a near-duplicate of, or itself.

    Greedy: a page is dropped when an earlier *kept* page shares a band with it and agrees on at
    least ``jaccard`` of the signature, an unbiased estimate of the Jaccard similarity. So no two
    kept pages that share a band are alike, and every dropped page is alike to the one that stands
    for it: no chains of a like b like c. Fixed pages are kept whatever they are like.
    """
    count, permutations = signatures_NP.shape
    stands_N = np.arange(count)
    least = np.ceil(jaccard * permutations - 1e-9)
    slots_T = np.zeros(_table_size(count * bands), np.uint64)
    head_T = np.full(len(slots_T), -1, np.int64)
    # Kept pages of a bucket as a list: the place of the next one, page * B + band.
    next_NB = np.full(count * bands, -1, np.int64)
    seen_N = np.full(count, -1, np.int64)
    keys_B = np.empty(bands, np.uint64)
    for page in range(count):
        if _is_empty(signatures_NP[page]):
            continue
        best, best_page = -1, page
        for band in range(bands):
            keys_B[band] = _band_key(signatures_NP[page], band, permutations // bands)
            at = head_T[_slot(keys_B[band], slots_T)]
            while at >= 0 and not fixed_N[page]:
                kept = at // bands
                if seen_N[kept] != page:
                    seen_N[kept] = page
                    agree = _agreement(signatures_NP[page], signatures_NP[kept])
                    if agree > best or (agree == best and kept < best_page):
                        best, best_page = agree, kept
                at = next_NB[at]
        if best >= least and best >= 0:
            stands_N[page] = best_page
            continue
        for band in range(bands):
            slot = _slot(keys_B[band], slots_T)
            slots_T[slot] = keys_B[band]
            next_NB[page * bands + band] = head_T[slot]
            head_T[slot] = page * bands + band
    return stands_N


@kernel
def _is_empty(signature_P: NDArray[np.uint32]) -> bool:
    return bool(signature_P.min() == 0xFFFFFFFF)


@kernel
def _band_key(signature_P: NDArray[np.uint32], band: int, rows: int) -> np.uint64:
    """A 64-bit hash of a band; never 0, which is an empty slot."""
    key = np.uint64(band + 1) * _MIX
    for row in range(band * rows, band * rows + rows):
        key = (key ^ (key >> np.uint64(29)) ^ np.uint64(signature_P[row])) * _MIX
    return (key ^ (key >> np.uint64(32))) * _MIX | np.uint64(1)


@kernel
def _agreement(a_P: NDArray[np.uint32], b_P: NDArray[np.uint32]) -> int:
    count = 0
    for p in range(len(a_P)):
        count += a_P[p] == b_P[p]
    return count


@kernel
def _before(order_N: NDArray[np.uint64], page: np.uint32, other: np.uint32) -> bool:
    return bool(
        order_N[page] < order_N[other] or (order_N[page] == order_N[other] and page < other)
    )


@kernel
def _slots_for(keys_n: NDArray[np.uint64]) -> NDArray[np.uint64]:
    return np.zeros(_table_size(len(keys_n)), np.uint64)


@kernel
def _table_size(entries: int) -> int:
    size = 16
    while size < 2 * entries:
        size *= 2
    return size


@kernel
def _slot(key: np.uint64, slots_T: NDArray[np.uint64]) -> np.int64:
    """The slot that holds ``key``, or the empty one where it would be."""
    last = np.int64(len(slots_T) - 1)
    slot = np.int64(key >> np.uint64(1)) & last
    while slots_T[slot] != 0 and slots_T[slot] != key:
        slot = (slot + 1) & last
    return slot


@kernel
def _root(parent_N: NDArray[np.uint32], page: np.uint32) -> np.uint32:
    while parent_N[page] != page:
        parent_N[page] = parent_N[parent_N[page]]
        page = parent_N[page]
    return page


@kernel
def _join(parent_N: NDArray[np.uint32], a: np.uint32, b: np.uint32) -> None:
    a, b = _root(parent_N, a), _root(parent_N, b)
    parent_N[max(a, b)] = min(a, b)
