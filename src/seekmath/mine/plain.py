"""``core.words.plain_words`` compiled: hashes of the same words, with the line each stands on."""

# C code points, W words

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from seekmath.mine.compiled import kernel, leaf
from seekmath.mine.fold import CJK, DIGIT, LETTER, Codes, classes, fold

_FACTOR = np.uint64(0x9FB21C651E98DF25)
_LONGEST_TAG = 200
_NEWLINE, _SPACE, _STAR, _COMMA, _SLASH = 10, 32, 42, 44, 47
_LESS, _GREATER, _BACKSLASH, _OPEN, _CLOSE = 60, 62, 92, 123, 125
_A, _Z = 97, 122


@dataclass
class PlainHasher:
    """Hashes the words of one text after another, in one piece of memory.

    Needs 12 bytes for each character of the longest text, and 5 more while it works.
    """

    _hashes: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))
    _lines: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))

    def hash(self, text: str) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
        """A 64-bit hash and the line number of each word of ``text``; both of shape (W,).

        Both are views that the next call overwrites. Lines are counted by newlines from 0.
        """
        codes_C = fold(text)
        if len(codes_C) >= len(self._hashes):
            size = 2 * len(codes_C) + 1
            self._hashes, self._lines = np.empty(size, np.uint64), np.empty(size, np.int32)
        count = _plain(codes_C, classes(), self._hashes, self._lines)
        return self._hashes[:count], self._lines[:count]


@kernel
def _plain(
    raw_C: Codes,
    classes: NDArray[np.uint8],
    hashes_W: NDArray[np.uint64],
    lines_W: NDArray[np.int32],
) -> int:
    """Hashes and lines of the words; how many there are is returned.

    A word is a run of letters, a run of digits, or one CJK character. Single letters that only
    spaces part are one word.
    """
    codes_C = _without_tags(raw_C)
    size = len(codes_C)
    count = line = at = 0
    joins = -1  # where a single letter would be one word with the single letter before it
    after_cjk = False
    while at < size:
        code = codes_C[at]
        kind = classes[code]
        if kind & CJK:
            hashes_W[count] = (np.uint64(code) + np.uint64(1)) * _FACTOR
            lines_W[count] = line
            count += 1
            at += 1
        elif kind & LETTER:
            end, value = _letters(codes_C, at, classes)
            single = end == at + 1 and _A <= code <= _Z and not after_cjk
            single = single and (end == size or not classes[codes_C[end]] & LETTER)
            if single and at == joins:
                hashes_W[count - 1] = _turn(hashes_W[count - 1], code)
            else:
                hashes_W[count] = value
                lines_W[count] = line
                count += 1
            at = end
            if single:
                joins = _after_spaces(codes_C, at)
        elif kind & DIGIT:
            at, hashes_W[count] = _number(codes_C, at, classes)
            lines_W[count] = line
            count += 1
        else:
            line += code == _NEWLINE
            at = _after_command(codes_C, at) if code == _BACKSLASH else at + 1
        after_cjk = (kind & CJK) and (kind & LETTER)
    return count


@leaf
def _turn(value: np.uint64, code: np.uint32) -> np.uint64:
    turned = (value << np.uint64(7)) | (value >> np.uint64(57))
    return turned ^ (np.uint64(code) * _FACTOR)


@leaf
def _letters(codes_C: Codes, at: int, classes: NDArray[np.uint8]) -> tuple[int, np.uint64]:
    """The end and the hash of the run of letters that begins at ``at``."""
    value = np.uint64(0)
    while at < len(codes_C) and classes[codes_C[at]] & (LETTER | CJK) == LETTER:
        value = _turn(value, codes_C[at])
        at += 1
    return at, value


@leaf
def _number(codes_C: Codes, at: int, classes: NDArray[np.uint8]) -> tuple[int, np.uint64]:
    """The end and the hash of the digits that begin at ``at``, thousands separators left out."""
    value = np.uint64(0)
    while at < len(codes_C):
        if not classes[codes_C[at]] & DIGIT:
            after = _after_separator(codes_C, at)
            if not _three_digits(codes_C, after, classes):
                break
            at = after
        value = _turn(value, codes_C[at])
        at += 1
    return at, value


@leaf
def _after_separator(codes_C: Codes, at: int) -> int:
    """Where a thousands separator (``,``, ``{,}`` or ``\\,``) at ``at`` ends; ``at`` if none."""
    left = len(codes_C) - at
    if codes_C[at] == _COMMA:
        return at + 1
    if left > 1 and codes_C[at] == _BACKSLASH and codes_C[at + 1] == _COMMA:
        return at + 2
    braced = left > 2 and codes_C[at] == _OPEN and codes_C[at + 1] == _COMMA
    return at + 3 if braced and codes_C[at + 2] == _CLOSE else at


@leaf
def _three_digits(codes_C: Codes, at: int, classes: NDArray[np.uint8]) -> bool:
    """Whether exactly three digits stand at ``at``."""
    end = at
    while end < len(codes_C) and end < at + 4 and classes[codes_C[end]] & DIGIT:
        end += 1
    return end == at + 3


@leaf
def _after_command(codes_C: Codes, at: int) -> int:
    """Where the LaTeX command that begins with the backslash at ``at`` ends."""
    end = at + 1
    while end < len(codes_C) and _A <= codes_C[end] <= _Z:
        end += 1
    if end > at + 1:
        return end + 1 if end < len(codes_C) and codes_C[end] == _STAR else end
    return end if end == len(codes_C) or codes_C[end] == _NEWLINE else end + 1


@leaf
def _after_spaces(codes_C: Codes, at: int) -> int:
    """Where the spaces at ``at`` end; a command is a space."""
    while at < len(codes_C):
        if codes_C[at] == _SPACE:
            at += 1
        elif codes_C[at] == _BACKSLASH and _after_command(codes_C, at) > at + 1:
            at = _after_command(codes_C, at)
        else:
            break
    return at


@kernel
def _without_tags(codes_C: Codes) -> Codes:
    """The text with a space for each tag; the same array where there is none."""
    first = 0
    while first < len(codes_C) and codes_C[first] != _LESS:
        first += 1
    if first == len(codes_C):
        return codes_C
    kept_C = codes_C.copy()
    count = at = first
    while at < len(codes_C):
        after = _after_tag(codes_C, at) if codes_C[at] == _LESS else at
        kept_C[count] = codes_C[at] if after == at else _SPACE
        count += 1
        at = max(after, at + 1)
    return kept_C[:count]


@leaf
def _after_tag(codes_C: Codes, at: int) -> int:
    """Where the tag that begins at ``at`` ends; ``at`` where it is none."""
    end = at + 1
    if end < len(codes_C) and codes_C[end] == _SLASH:
        end += 1
    if end >= len(codes_C) or not _A <= codes_C[end] <= _Z:
        return at
    longest = min(len(codes_C), end + 2 + _LONGEST_TAG)
    for close in range(end + 1, longest):
        code = codes_C[close]
        if code == _GREATER:
            return close + 1
        if code in (_LESS, _NEWLINE):
            return at
    return at
