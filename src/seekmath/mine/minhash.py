"""MinHash signatures of texts (Broder 1997), compiled.

Two texts agree on each of P minima with the probability that is their Jaccard similarity: the
share of n-grams they have in common. A gram is n words, of Chinese n characters.
"""

# P permutations, S shingles, N texts, C code points, W words

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from seekmath.core.seeds import rng
from seekmath.mine.compiled import kernel
from seekmath.mine.fold import CJK, DIGIT, LETTER, Codes, classes, fold

#: What an empty set of shingles has in place of minima; such texts are never near-duplicates.
EMPTY = np.uint32(0xFFFFFFFF)

_WORD = LETTER | DIGIT
_CHAR_FACTOR = np.uint64(0x9FB21C651E98DF25)
_GRAM_FACTOR = np.uint64(0x9E3779B97F4A7C15)


def signatures(
    texts: Sequence[str], shingle: int = 5, permutations: int = 112
) -> NDArray[np.uint32]:
    """MinHash signatures of ``texts``; shape (N, P).

    A text shorter than ``shingle`` words has ``EMPTY`` in every place. Needs 4 P bytes for each
    text, and 20 for each character of the longest.
    """
    minima_NP = np.empty((len(texts), permutations), np.uint32)
    factors_P, shifts_P = _permutations(permutations)
    # One piece of memory for all texts: fresh large pieces cost more than the hashing.
    hashes_W = np.empty(0, np.uint64)
    for text, minima_P in zip(texts, minima_NP, strict=True):
        codes_C = fold(text)
        if len(codes_C) >= len(hashes_W):
            hashes_W = np.empty(2 * len(codes_C) + 1, np.uint64)
        _signature(codes_C, classes(), shingle, factors_P, shifts_P, hashes_W, minima_P)
    return minima_NP


def shingles(text: str, shingle: int = 5) -> NDArray[np.uint32]:
    """32-bit hashes of the n-grams of words of ``text``, in order; shape (max(W - n + 1, 0),)."""
    codes_C = fold(text)
    hashes_W = np.empty(len(codes_C) + 1, np.uint64)
    count = _hash_words(codes_C, classes(), hashes_W)
    return _grams(hashes_W[:count], shingle)


@lru_cache(maxsize=4)
def _permutations(count: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """x → a x + b modulo 2^32 with odd a: permutations of the 32-bit numbers."""
    draw = rng(0, "minhash", count)
    factors_P = draw.integers(0, 2**31, count, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    return factors_P, draw.integers(0, 2**32, count, dtype=np.uint32)


@kernel
def _signature(
    codes_C: Codes,
    classes: NDArray[np.uint8],
    shingle: int,
    factors_P: NDArray[np.uint32],
    shifts_P: NDArray[np.uint32],
    hashes_W: NDArray[np.uint64],
    minima_P: NDArray[np.uint32],
) -> None:
    count = _hash_words(codes_C, classes, hashes_W)
    _minima(_grams(hashes_W[:count], shingle), factors_P, shifts_P, minima_P)


@kernel
def _hash_words(codes_C: Codes, classes: NDArray[np.uint8], hashes_W: NDArray[np.uint64]) -> int:
    """One hash for each word into ``hashes_W``; how many are returned."""
    count = 0
    value = np.uint64(0)
    inside = False
    for code in codes_C:
        kind = classes[code]
        if kind & CJK:
            count += inside
            hashes_W[count] = (np.uint64(code) + np.uint64(1)) * _CHAR_FACTOR
            count += 1
            inside = False
            value = np.uint64(0)
            continue
        # Without a branch at the ends of words, which no processor can foresee. Rotate and xor,
        # since each character waits for the one before it.
        word = (kind & _WORD) != 0
        count += inside and not word
        turned = (value << np.uint64(7)) | (value >> np.uint64(57))
        value = turned ^ (np.uint64(code) * _CHAR_FACTOR) if word else np.uint64(0)
        hashes_W[count] = value
        inside = word
    return count + inside


@kernel
def _grams(hashes_W: NDArray[np.uint64], n: int) -> NDArray[np.uint32]:
    """A polynomial in the hashes of n words, rolled on from gram to gram."""
    count = max(len(hashes_W) - n + 1, 0)
    grams_S = np.empty(count, np.uint32)
    oldest = np.uint64(1)
    for _ in range(n):
        oldest *= _GRAM_FACTOR
    rolled = np.uint64(0)
    for at in range(len(hashes_W)):
        rolled = rolled * _GRAM_FACTOR + hashes_W[at]
        if at >= n:
            rolled -= hashes_W[at - n] * oldest
        if at >= n - 1:
            mixed = (rolled ^ (rolled >> np.uint64(32))) * _CHAR_FACTOR
            grams_S[at - n + 1] = np.uint32(mixed >> np.uint64(32))
    return grams_S


@kernel
def _minima(
    shingles_S: NDArray[np.uint32],
    factors_P: NDArray[np.uint32],
    shifts_P: NDArray[np.uint32],
    minima_P: NDArray[np.uint32],
) -> None:
    # Eight shingles at a time, the permutations innermost: one load and one store of a minimum
    # for eight products, and the compiler makes vectors of it. Ten times as fast as one by one.
    whole = len(shingles_S) // 8 * 8
    minima_P[:] = EMPTY
    for s in range(0, whole, 8):
        s0, s1, s2, s3 = shingles_S[s], shingles_S[s + 1], shingles_S[s + 2], shingles_S[s + 3]
        s4, s5, s6, s7 = shingles_S[s + 4], shingles_S[s + 5], shingles_S[s + 6], shingles_S[s + 7]
        for p in range(len(factors_P)):
            a, b = factors_P[p], shifts_P[p]
            first = min(np.uint32(s0 * a + b), np.uint32(s1 * a + b))
            second = min(np.uint32(s2 * a + b), np.uint32(s3 * a + b))
            third = min(np.uint32(s4 * a + b), np.uint32(s5 * a + b))
            fourth = min(np.uint32(s6 * a + b), np.uint32(s7 * a + b))
            minima_P[p] = min(minima_P[p], min(min(first, second), min(third, fourth)))
    for s in range(whole, len(shingles_S)):
        for p in range(len(factors_P)):
            value = np.uint32(shingles_S[s] * factors_P[p] + shifts_P[p])
            minima_P[p] = min(minima_P[p], value)
