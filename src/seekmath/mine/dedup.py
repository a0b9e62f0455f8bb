"""One of each page: equal URLs, equal texts, and near-duplicates by MinHash-LSH (section 2.1).

The paper removes near-duplicates before scoring and leaves the algorithm open; this is the
common one (Broder 1997; 14 bands of 8 rows as in FineWeb). Pages are visited in an order of
their own (seeds first, then by normalised URL), so the result depends neither on the order of
the shards nor on their number.
"""

# P permutations, S shingles, B bands, R rows (P = B * R), N pages

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from seekmath.mine.minhash import EMPTY

Array = NDArray[np.generic]

_MIX = np.uint64(0x9E3779B97F4A7C15)


def keep_one(keys: Iterable[str]) -> list[int]:
    """For each position the first position with an equal key; an empty key equals nothing."""
    first: dict[str, int] = {}
    return [first.setdefault(key, at) if key else at for at, key in enumerate(keys)]


def keep_dissimilar(
    signatures_NP: NDArray[np.uint32],
    bands: int,
    jaccard: float,
    progress: Callable[[int], None] = lambda done: None,
) -> list[int]:
    """For each page, in priority order, the kept page that it is a near-duplicate of, or itself.

    Greedy: a page is dropped when an earlier *kept* page shares a band with it and agrees on at
    least ``jaccard`` of the signature, an unbiased estimate of the Jaccard similarity. So no two
    kept pages are alike, and every dropped page is alike to the one that stands for it: no chains
    of a like b like c.

    Args:
        signatures_NP: one signature for each page, most wanted page first.
        bands: B; P must be a multiple of it.
        jaccard: least share of equal minima.
        progress: told how many pages are done, now and then.
    """
    count = len(signatures_NP)
    band_keys = _band_keys(signatures_NP, bands)
    empty_N = (signatures_NP == EMPTY).all(axis=1)
    # Buckets hold kept pages only, so a bucket of a thousand copies holds one.
    buckets: list[dict[int, list[int]]] = [{} for _ in range(bands)]
    stands = list(range(count))
    for page in range(count):
        if page % 1000 == 0:
            progress(page)
        if empty_N[page]:
            continue
        keys = band_keys[page].tolist()
        found = {at for band, key in zip(buckets, keys, strict=True) for at in band.get(key, ())}
        if found:
            near = np.array(sorted(found))
            agree = (signatures_NP[near] == signatures_NP[page]).mean(axis=1)
            if agree.max() >= jaccard:
                stands[page] = int(near[agree.argmax()])
                continue
        for band, key in zip(buckets, keys, strict=True):
            band.setdefault(key, []).append(page)
    return stands


def _band_keys(signatures_NP: NDArray[np.uint32], bands: int) -> NDArray[np.uint64]:
    """One 64-bit key for each page and band; shape (N, B)."""
    count, permutations = signatures_NP.shape
    assert permutations % bands == 0, (permutations, bands)
    rows_NBR = signatures_NP.reshape(count, bands, permutations // bands)
    keys_NB = np.zeros((count, bands), np.uint64)
    for row in range(permutations // bands):
        keys_NB *= _MIX
        keys_NB ^= keys_NB >> np.uint64(31)
        keys_NB += rows_NBR[:, :, row]
    return keys_NB
