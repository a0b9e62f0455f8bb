"""Which blocks of a page are its content, and their joining to one text (compiled)."""

import numpy as np
from numpy.typing import NDArray

from seekmath.mine.compiled import kernel
from seekmath.mine.html_blocks import (
    BEGIN,
    CELL,
    CODE,
    END,
    HAS_SCRIPT,
    HAS_TEX,
    INDENT,
    ITEM,
    LETTERS,
    LINKED,
    ROW,
    SPECIAL_SIGNS,
    TOKEN,
    TYPE,
)
from seekmath.mine.html_tokens import CLOSE, CONTAINER, FLAGS, KIND, KNOWN, MAIN, Bytes, Ints

# A block of running text: so many characters, and few of them links.
_GOOD_LETTERS, _GOOD_LINKS = 60, 0.2
# The share of a page's running text that the element with its content holds.
_SHARE, _MAIN_SHARE = 0.75, 0.4
_LINK_DENSE = 0.6


@kernel
def _running(blocks: Ints, count: int) -> Ints:
    """Characters of running text before each token, one entry more than tokens.

    Where most of the text stands in short blocks, they count as much as the long ones.
    """
    long = short = 0
    for row in range(len(blocks)):
        letters = blocks[row, LETTERS]
        if blocks[row, LINKED] <= _GOOD_LINKS * letters:
            if letters >= _GOOD_LETTERS:
                long += letters
            else:
                short += letters
    least = _GOOD_LETTERS if long >= short else 0
    good = np.zeros(count + 2, np.int32)
    for row in range(len(blocks)):
        letters = blocks[row, LETTERS]
        if letters >= least and blocks[row, LINKED] <= _GOOD_LINKS * letters:
            good[blocks[row, TOKEN] + 1] += letters
    for token in range(1, count + 2):
        good[token] += good[token - 1]
    return good


@kernel
def _content_range(blocks: Ints, count: int, tokens: Ints, properties: Ints) -> tuple[int, int]:
    """First and last token (exclusive) of the element that holds the page's content.

    The innermost element that says it is the content and holds half of the running text; else
    the innermost container that holds most of it.
    """
    good = _running(blocks, count)
    total = good[count + 1]
    best, named = -1, -1
    for token in range(count):
        tag, behind = tokens[token, KIND], tokens[token, CLOSE]
        if tag <= 0 or behind <= token + 1:
            continue
        bits = properties[tag] if tag < KNOWN else 0
        share = good[behind] - good[token]
        if tokens[token, FLAGS] & MAIN and share >= _MAIN_SHARE * total:
            named = token
        if bits & CONTAINER and share >= _SHARE * total:
            best = token
    if total == 0 or (named < 0 and best < 0):
        return 0, count + 1
    chosen = named if named >= 0 else best
    return chosen, tokens[chosen, CLOSE]


@kernel
def _keep_blocks(blocks: Ints, low: int, high: int) -> NDArray[np.bool_]:
    """Blocks of the content: inside its element, not mostly links; whole rows of tables."""
    keep = np.zeros(len(blocks), np.bool_)
    row = 0
    while row < len(blocks):
        last = row + 1
        if blocks[row, TYPE] == CELL:
            while (
                last < len(blocks)
                and blocks[last, TYPE] == CELL
                and blocks[last, ROW] == blocks[row, ROW]
            ):
                last += 1
        letters = linked = 0
        for each in range(row, last):
            letters += blocks[each, LETTERS]
            linked += blocks[each, LINKED]
        inside = low <= blocks[row, TOKEN] < high
        heading = 1 <= blocks[row, TYPE] <= 6
        dense = linked > _LINK_DENSE * letters and not heading
        if inside and letters and not dense:
            keep[row:last] = True
        row = last
    return keep


@kernel
def _join_blocks(
    out: Bytes, blocks: Ints, keep: NDArray[np.bool_]
) -> tuple[Bytes, NDArray[np.int64]]:
    """The kept blocks as one text, and (begin, end, signs) of those that may hold formulas."""
    size = 16
    for row in range(len(blocks)):
        if keep[row]:
            size += blocks[row, END] - blocks[row, BEGIN] + 20 + 2 * max(0, blocks[row, INDENT])
    text = np.empty(size, np.uint8)
    special = np.zeros((len(blocks), 3), np.int64)
    at = found = 0
    last_type, last_row = -1, -1
    for row in range(len(blocks)):
        if not keep[row]:
            continue
        kind = blocks[row, TYPE]
        same_row = kind == CELL and last_type == CELL and blocks[row, ROW] == last_row
        if last_type == CELL and not same_row:
            text[at], text[at + 1], text[at + 2] = 32, 124, 10
            at += 3
        if (
            last_type >= 0
            and not same_row
            and (kind != last_type or (kind != ITEM and kind != CELL))
        ):
            text[at] = 10
            at += 1
        if 1 <= kind <= 6:
            text[at : at + kind] = 35
            text[at + kind] = 32
            at += kind + 1
        elif kind == ITEM:
            for _ in range(2 * (min(blocks[row, INDENT], 20) - 1)):
                text[at] = 32
                at += 1
            text[at], text[at + 1] = 45, 32
            at += 2
        elif kind == CELL:
            if same_row:
                text[at] = 32
                at += 1
            text[at], text[at + 1] = 124, 32
            at += 2
        elif kind == CODE:
            text[at], text[at + 1], text[at + 2], text[at + 3] = 96, 96, 96, 10
            at += 4
        begin = at
        first = blocks[row, BEGIN]
        while kind == CODE and first < blocks[row, END] and out[first] == 10:
            first += 1
        for each in range(first, blocks[row, END]):
            byte = out[each]
            text[at] = 32 if byte == 10 and kind == CELL else byte
            at += 1
        if blocks[row, SPECIAL_SIGNS] & (HAS_TEX | HAS_SCRIPT) and kind != CODE:
            special[found, 0], special[found, 1] = begin, at
            special[found, 2] = blocks[row, SPECIAL_SIGNS]
            found += 1
        if kind == CODE:
            text[at], text[at + 1], text[at + 2], text[at + 3] = 10, 96, 96, 96
            at += 4
        if kind != CELL:
            text[at] = 10
            at += 1
        last_type, last_row = kind, blocks[row, ROW]
    if last_type == CELL:
        text[at], text[at + 1] = 32, 124
        at += 2
    return text[:at], special[:found]


@kernel
def content(
    out: Bytes, blocks: Ints, count: int, tokens: Ints, properties: Ints
) -> tuple[Bytes, NDArray[np.int64]]:
    """The content of a page as one text, and (begin, end, signs) where it may hold formulas.

    Args:
        out, blocks: ``write_blocks``.
        count, tokens: ``tokenize`` and ``nest``.
        properties: bits of each known tag.
    """
    low, high = _content_range(blocks, count, tokens, properties)
    return _join_blocks(out, blocks, _keep_blocks(blocks, low, high))
