"""Counting words, and the words that the classifier reads, compiled: both from one folded text."""

# C code points of a text

import numpy as np
from numpy.typing import NDArray

from seekmath.mine.compiled import kernel
from seekmath.mine.fold import CJK, DIGIT, LETTER, Codes, classes, fold

_CODES_A_WORD = 40
_ROOM = 2  # a word of one character, and the space after it

Classes = NDArray[np.uint8]


def count_words(text: str) -> int:
    """Number of words; the token count of budgets and reports before a tokenizer exists.

    A word is a run of letters and digits, or one Chinese, Japanese or Korean character.
    """
    return _count(fold(text), classes())


def count_and_score(text: str, most: int) -> tuple[int, str]:
    """``count_words``, and what the classifier reads: at most ``most`` words, parted by spaces.

    Compatibility forms are unified (NFKC) and letters small. A LaTeX command, a CJK character and
    each of the signs ``$ ^ _ = +`` are words of their own, and a number becomes ``0`` with one zero
    for each digit of its whole part (5 at most), so that 2019 and 1987 are one word but 7 is
    another. Of the signs only those that formulas are made of count: commas and brackets stand on
    every page and, as the largest part of the mean that fastText takes, make its training swing.
    Of a very long text the first 40 characters for each word are read.
    """
    codes_C = fold(text)
    read_C = codes_C[: most * _CODES_A_WORD]
    found = np.empty(_ROOM * len(read_C) + 1, np.uint32)
    length = _scored(read_C, classes(), most, found)
    return _count(codes_C, classes()), found[:length].tobytes().decode("utf-32-le", "replace")


@kernel
def _count(codes_C: Codes, classes: Classes) -> int:
    count = 0
    inside = False
    for code in codes_C:
        kind = classes[code]
        if kind & CJK:
            count += 1
            inside = False
        elif kind & (LETTER | DIGIT):
            count += not inside
            inside = True
        else:
            inside = False
    return count


@kernel
def _scored(codes_C: Codes, classes: Classes, most: int, found: Codes) -> int:
    """Write the words into ``found``; how long it has become."""
    at, end, words = 0, 0, 0
    count = len(codes_C)
    while at < count and words < most:
        code = codes_C[at]
        kind = classes[code]
        start = at
        at += 1
        zeros = 0
        if kind & CJK:
            pass
        elif kind & DIGIT:
            while at < count and classes[codes_C[at]] & DIGIT:
                at += 1
            zeros = min(at - start, 5)
            # The decimals, and what stands behind separators of thousands.
            while (
                at + 1 < count
                and (codes_C[at] == 46 or codes_C[at] == 44)
                and classes[codes_C[at + 1]] & DIGIT
            ):
                at += 1
                while at < count and classes[codes_C[at]] & DIGIT:
                    at += 1
        elif kind & LETTER:
            while at < count and classes[codes_C[at]] & (LETTER | DIGIT | CJK) == LETTER:
                at += 1
        elif code == 92:  # a backslash
            while at < count and 97 <= codes_C[at] <= 122:
                at += 1
            if at == start + 1:
                continue
        elif not (code == 36 or code == 94 or code == 95 or code == 61 or code == 43):
            continue
        if words:
            found[end] = 32
            end += 1
        words += 1
        if zeros:
            found[end : end + zeros] = 48
            end += zeros
        else:
            found[end : end + at - start] = codes_C[start:at]
            end += at - start
    return end
