"""Where each element ends: implied end tags and scopes, without building a tree (compiled)."""

import numpy as np

from seekmath.mine.compiled import kernel, leaf
from seekmath.mine.html_tokens import (
    ADDRESS,
    BARRIER,
    BEFORE,
    CLOSE,
    CLOSES_P,
    DD,
    DIV,
    DT,
    FLAGS,
    FOREIGN,
    FORMULA,
    H1,
    H6,
    HEAD,
    HEAD_CONTENT,
    KEPT,
    KIND,
    KNOWN,
    LI,
    MAIN,
    OPTION,
    SELF_CLOSING,
    SKIPPED,
    SPECIAL,
    TABLE,
    TABLE_PART,
    TBODY,
    TD,
    TFOOT,
    TH,
    THEAD,
    TITLE,
    TR,
    VOID,
    A,
    Ints,
    P,
)

_SCAN = 512  # levels that a tag looks for its element: bounds the time of hostile nesting


@leaf
def _bits(properties: Ints, tag: int) -> int:
    return int(properties[tag]) if tag < KNOWN else 0


@leaf
def _find(stack: Ints, tokens: Ints, properties: Ints, depth: int, low: int, high: int) -> int:
    """Level of the nearest open element with a tag in low..high, no table part between; or -1."""
    for level in range(depth - 1, max(-1, depth - 1 - _SCAN), -1):
        tag = tokens[stack[level], KIND]
        if low <= tag <= high:
            return level
        if _bits(properties, tag) & BARRIER:
            return -1
    return -1


@leaf
def _item_level(
    stack: Ints, tokens: Ints, properties: Ints, depth: int, low: int, high: int
) -> int:
    """Level of the open list item that a new one ends; what stands between keeps it open."""
    for level in range(depth - 1, max(-1, depth - 1 - _SCAN), -1):
        tag = tokens[stack[level], KIND]
        if low <= tag <= high:
            return level
        if _bits(properties, tag) & SPECIAL and tag not in (P, DIV, ADDRESS):
            return -1
    return -1


@leaf
def _part_level(stack: Ints, tokens: Ints, depth: int, tag: int) -> int:
    """Level down to which a new row, cell or table section closes what is open in its table."""
    level = depth
    for at in range(depth - 1, max(-1, depth - 1 - _SCAN), -1):
        opened = tokens[stack[at], KIND]
        if opened == TABLE:
            return level
        if opened in (TD, TH):
            level = at
        elif opened == TR:
            if tag in (TD, TH):
                return level
            level = at
        elif opened in (TBODY, THEAD, TFOOT):
            if tag in (TR, TD, TH):
                return level
            level = at
    return depth


@leaf
def _level_for_start(stack: Ints, tokens: Ints, properties: Ints, depth: int, tag: int) -> int:
    """How many open elements stay open when an element starts."""
    bits = _bits(properties, tag)
    if depth and tokens[stack[depth - 1], KIND] == HEAD and not bits & HEAD_CONTENT:
        depth -= 1
    level = -1
    if bits & TABLE_PART:
        return _part_level(stack, tokens, depth, tag)
    if tag == LI:
        level = _item_level(stack, tokens, properties, depth, LI, LI)
    elif tag in (DT, DD):
        level = _item_level(stack, tokens, properties, depth, DT, DD)
    elif tag == A:
        level = _find(stack, tokens, properties, depth, A, A)
        for between in range(level + 1, depth):
            if _bits(properties, tokens[stack[between], KIND]) & SPECIAL:
                level = -1
                break
    elif (tag == OPTION and depth and tokens[stack[depth - 1], KIND] == OPTION) or (
        H1 <= tag <= H6 and depth and H1 <= tokens[stack[depth - 1], KIND] <= H6
    ):
        level = depth - 1
    depth = level if level >= 0 else depth
    if bits & CLOSES_P:
        level = _find(stack, tokens, properties, depth, P, P)
        depth = level if level >= 0 else depth
    return depth


@leaf
def _level_for_end(stack: Ints, tokens: Ints, properties: Ints, depth: int, tag: int) -> int:
    """How many open elements stay open behind an end tag; all of them if it has no element."""
    bits = _bits(properties, tag)
    heading = H1 <= tag <= H6
    for level in range(depth - 1, max(-1, depth - 1 - _SCAN), -1):
        opened = tokens[stack[level], KIND]
        if opened == tag or (heading and H1 <= opened <= H6):
            return level
        between = _bits(properties, opened)
        if between & BARRIER and not (bits & TABLE_PART or tag == TABLE):
            return depth
        if between & SPECIAL and not bits & SPECIAL:
            return depth
    return depth


@kernel
def nest(
    count: int,
    tokens: Ints,
    properties: Ints,
    most_depth: int,
) -> tuple[int, int, int]:
    """Where elements end: (deepest level, title, heading); -1 if nested too deep.

    Fills ``CLOSE`` (for a void element its own number + 1, for what is no start tag 0), ``BEFORE``
    and, with zeros, ``FORMULA`` of each token and of the row behind the last.

    Args:
        count, tokens: ``tokenize``.
        properties: bits of each known tag.
        most_depth: levels of open elements allowed.

    Returns:
        title and heading: the first title outside a drawing and the first h1, or -1.
    """
    stack = np.empty(most_depth + 1, np.int32)
    depth = deepest = skipped = foreign = letters = 0
    title = heading = -1
    for token in range(count):
        tag = tokens[token, KIND]
        tokens[token, CLOSE] = tokens[token, FORMULA] = 0
        tokens[token, BEFORE] = letters
        if tag == 0:
            visible = tokens[token, FLAGS]
            if depth and tokens[stack[depth - 1], KIND] == HEAD and visible:
                depth -= 1
                tokens[stack[depth], CLOSE] = token
                skipped -= 1
            if not skipped:
                letters += visible
            continue
        wanted = (
            _level_for_start(stack, tokens, properties, depth, tag)
            if tag > 0
            else _level_for_end(stack, tokens, properties, depth, -tag)
        )
        while depth > wanted:
            depth -= 1
            tokens[stack[depth], CLOSE] = token
            bits = _bits(properties, tokens[stack[depth], KIND])
            skipped -= (bits & SKIPPED) != 0
            foreign -= (bits & FOREIGN) != 0
        if tag < 0:
            continue
        if tag == TITLE and title < 0 and not foreign:
            title = token
        if tag == H1 and heading < 0:
            heading = token
        bits = _bits(properties, tag)
        if bits & VOID or (foreign and tokens[token, FLAGS] & SELF_CLOSING):
            tokens[token, CLOSE] = token + 1
            continue
        if depth >= most_depth:
            return -1, title, heading
        stack[depth] = token
        depth += 1
        if tokens[token, FLAGS] & MAIN:
            # What holds the content is no boilerplate, whatever its name.
            for level in range(depth - 2, -1, -1):
                if tokens[stack[level], FLAGS] & KEPT:
                    break
                tokens[stack[level], FLAGS] |= KEPT
        deepest = max(deepest, depth)
        skipped += (bits & SKIPPED) != 0
        foreign += (bits & FOREIGN) != 0
    tokens[count, KIND] = tokens[count, CLOSE] = tokens[count, FORMULA] = 0
    tokens[count, BEFORE] = letters
    while depth > 0:
        depth -= 1
        tokens[stack[depth], CLOSE] = count
    return deepest, title, heading
