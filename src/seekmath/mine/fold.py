"""Text as folded code points, the form in which kernels read it: compatibility forms unified
(NFKC) and lower-cased, as ``unicodedata.normalize("NFKC", text).lower()`` does, some ten times as
fast.
"""

import sys
import unicodedata
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from seekmath.mine.compiled import kernel
from seekmath.mine.words import is_cjk

Codes = NDArray[np.uint32]

#: Bits of a character's class.
LETTER, DIGIT, CJK, UNDERSCORE = 1, 2, 4, 8
_SPECIAL = np.uint32(0xFFFFFFFF)
# Past these lie private use and unassigned planes, which neither fold nor hold words.
_ASSIGNED = [range(0x33480), range(0xE0000, 0xE0200)]
_EXPANDS = np.uint32(0x80000000)


def fold(text: str) -> Codes:
    """The code points of the folded text."""
    if text.isascii():
        return np.frombuffer(text.lower().encode(), np.uint8).astype(np.uint32)
    codes = _code_points(text)
    single, expansions = _fold_table()
    count = _folded_length(codes, single, expansions)
    if count < 0:
        return _code_points(unicodedata.normalize("NFKC", text).lower())
    folded = np.empty(count, np.uint32)
    _fold_into(codes, single, expansions, folded)
    return folded


@lru_cache(maxsize=1)
def classes() -> NDArray[np.uint8]:
    """The class of every code point, as the expressions in ``words`` see it; shape (0x110000,)."""
    found = np.zeros(sys.maxunicode + 1, np.uint8)
    for point in (point for span in _ASSIGNED for point in span):
        char = chr(point)
        if char.isalnum():
            found[point] = DIGIT if char.isdecimal() else LETTER
        if is_cjk(char):
            found[point] |= CJK
    found[ord("_")] = UNDERSCORE
    return found


def _code_points(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint32)


@lru_cache(maxsize=1)
def _fold_table() -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """What each code point folds to, and the expansions of those that become several.

    An entry is the code point itself, ``_EXPANDS`` plus a place in the expansions (length first),
    or ``_SPECIAL`` where the neighbours count, and the text must be normalised as a whole.
    """
    single = np.arange(sys.maxunicode + 1, dtype=np.uint32)
    expansions: list[int] = []
    for point in (point for span in _ASSIGNED for point in span):
        char = chr(point)
        unified = unicodedata.normalize("NFKC", char)
        folded = unified.lower()
        if not _needs_neighbours().isdisjoint(map(ord, char + unified + folded)):
            single[point] = _SPECIAL
        elif len(folded) == 1:
            single[point] = ord(folded)
        else:
            single[point] = _EXPANDS + np.uint32(len(expansions))
            expansions += [len(folded), *map(ord, folded)]
    return single, np.array(expansions, np.uint32)


@lru_cache(maxsize=1)
def _needs_neighbours() -> frozenset[int]:
    """Characters that may move or join one before them, or whose lower case depends on it."""
    found = {ord("Σ"), *range(0x1160, 0x1200)}
    for point in (point for span in _ASSIGNED for point in span):
        char = chr(point)
        if unicodedata.combining(char):
            found.add(point)
        parts = unicodedata.decomposition(char).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            found.add(int(parts[1], 16))
    return frozenset(found)


@kernel
def _folded_length(
    codes: NDArray[np.uint32], single: NDArray[np.uint32], expansions: NDArray[np.uint32]
) -> int:
    count = 0
    for code in codes:
        to = single[code]
        if to < 0x80000000:
            count += 1
        elif to == 0xFFFFFFFF:
            return -1
        else:
            count += expansions[to - 0x80000000]
    return count


@kernel
def _fold_into(
    codes: NDArray[np.uint32],
    single: NDArray[np.uint32],
    expansions: NDArray[np.uint32],
    folded: NDArray[np.uint32],
) -> None:
    end = 0
    for code in codes:
        to = single[code]
        if to < 0x80000000:
            folded[end] = to
            end += 1
        else:
            at = to - 0x80000000
            for part in range(expansions[at]):
                folded[end] = expansions[at + 1 + part]
                end += 1
