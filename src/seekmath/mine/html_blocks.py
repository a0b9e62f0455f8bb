"""Tokens of a page to blocks of text in one output buffer (compiled).

A paragraph, a heading, a list item, a table cell, a code block: each is a block, with its visible
characters and how many of them are links. Entities are decoded, spaces collapsed, elements that
carry a formula replaced by their LaTeX between private marks.
"""

import numpy as np
from numpy.typing import NDArray

from seekmath.mine.byte_masks import WIDTH, copy, first, ones, spaces, special, visible
from seekmath.mine.compiled import kernel, leaf
from seekmath.mine.html_tokens import (
    BEFORE,
    BEHIND,
    BLOCK,
    BOILERPLATE,
    CLOSE,
    COMMENTS,
    FLAGS,
    FORMULA,
    H1,
    H6,
    HIDDEN,
    KEPT,
    KIND,
    KNOWN,
    LI,
    LINK,
    OL,
    SKIPPED,
    SOFT,
    START,
    TD,
    TH,
    TR,
    UL,
    Bytes,
    Ints,
)

# Columns of a block.
BEGIN, END, TYPE, TOKEN, LETTERS, LINKED, ROW, INDENT, SPECIAL_SIGNS = range(9)
_COLUMNS = 9
# Where writing stands, the array ``at``. The block under way is row FILLED of the blocks; LINKS and
# CODES are open; EMPTY_CELL: a cell began and has no text yet.
PLACE, FILLED, DEPTH, LINKS, CODES, BOUNDARIES, EMPTY_CELL = range(7)
_STATE = 7
# Columns of an open element: its token, where its effect began, and then the linked characters of
# the block under way, and how many boundaries of blocks there had been.
_OPENED, _EFFECT_AT, _LINKED_THEN, _BOUNDARIES_THEN = range(4)
# Types of a block; 1 to 6 are headings.
PLAIN, ITEM, CELL, CODE = 0, 7, 8, 9
# Effects of an element on its text.
SUP, SUB, SPAN_OF_CODE, PRE, BREAK = range(1, 6)
# What stands in a block's text beside letters.
HAS_TEX, HAS_SCRIPT = 1, 2
# Elements that more text than this share of the page stands in are never boilerplate.
_MOST_BOILERPLATE = 0.5
# A cell with more characters belongs to a table that lays out the page.
_MOST_CELL = 400
_PRIVATE = 0xE000
# First letters of formulas in [tex], [latex], [math], [imath], [dmath].
_TAG_STARTS = (116, 108, 109, 105, 100)


@leaf
def _put(out: Bytes, at: int, point: int) -> int:
    """Write a character as UTF-8; the place behind it."""
    if point < 0x80:
        out[at] = point
        return at + 1
    if point < 0x800:
        out[at], out[at + 1] = 0xC0 | point >> 6, 0x80 | (point & 63)
        return at + 2
    if point < 0x10000:
        out[at], out[at + 1] = 0xE0 | point >> 12, 0x80 | (point >> 6 & 63)
        out[at + 2] = 0x80 | (point & 63)
        return at + 3
    out[at], out[at + 1] = 0xF0 | point >> 18, 0x80 | (point >> 12 & 63)
    out[at + 2], out[at + 3] = 0x80 | (point >> 6 & 63), 0x80 | (point & 63)
    return at + 4


@leaf
def _number(source: Bytes, at: int, end: int, windows: Ints) -> tuple[int, int]:
    """A numeric reference behind ``&#``: the place behind it, and its character (-1: none)."""
    base = 10
    if at < end and (source[at] | 32) == 120:
        base = 16
        at += 1
    point, digits = 0, 0
    while at < end:
        byte = int(source[at])
        if 48 <= byte <= 57:
            digit = byte - 48
        elif base == 16 and 97 <= (byte | 32) <= 102:
            digit = (byte | 32) - 87
        else:
            break
        point = min(point * base + digit, 0x110000)
        digits += 1
        at += 1
    if digits == 0:
        return at, -1
    if at < end and source[at] == 59:
        at += 1
    if 128 <= point < 160:
        point = int(windows[point - 128])
    if point > 0x10FFFF or 0xD800 <= point < 0xE000:
        point = 0xFFFD
    return at, point


@leaf
def _entity(source: Bytes, at: int, end: int, entities: NDArray[np.uint32]) -> tuple[int, int]:
    """A named reference behind ``&``: the place behind it, and offset·16+length (0: none)."""
    mask = len(entities) - 1
    key = np.uint32(2166136261)
    found, behind = 0, at
    place = at
    while place < end and place < at + 33:
        byte = source[place]
        letter = 97 <= (byte | 32) <= 122 or 48 <= byte <= 57
        if not letter and byte != 59:
            break
        key = np.uint32((key ^ np.uint32(byte)) * np.uint32(16777619))
        place += 1
        if byte == 59 or place - at <= 6:
            row = int(key) & mask
            while entities[row, 0] != 0:
                if entities[row, 0] == key:
                    found, behind = int(entities[row, 1]), place
                    break
                row = (row + 1) & mask
        if byte == 59:
            break
    return behind, found


@leaf
def _write_text(
    source: Bytes,
    at: int,
    end: int,
    out: Bytes,
    place: int,
    begin: int,
    code: bool,
    entities: NDArray[np.uint32],
    blob: Bytes,
    windows: Ints,
) -> tuple[int, int, int]:
    """Write a text token: the place behind it, visible characters, special signs."""
    letters, signs = 0, 0
    while at < end:
        if at + WIDTH <= len(source):
            blank = spaces(source, at)
            halting = special(source, at)
            # In code every space is copied, elsewhere the first behind a letter.
            halting &= ~blank if code else ~blank | halting << 1 | 1
            size = min(first(halting), end - at)
            if size:
                copy(out, place, source, at)
                inside = (1 << size) - 1 if size < WIDTH else -1
                letters += ones(visible(source, at) & inside)
                place += size
                at += size
                continue
        byte = int(source[at])
        point = byte
        if byte == 38:  # &
            if at + 1 < end and source[at + 1] == 35:
                behind, number = _number(source, at + 2, end, windows)
                if number >= 0:
                    point, at = number, behind - 1
            else:
                behind, value = _entity(source, at + 1, end, entities)
                if value:
                    offset, size = value >> 4, value & 15
                    point = int(blob[offset])
                    at = behind - 1
                    if size > 1 and not (size == 2 and point == 0xC2 and blob[offset + 1] == 0xA0):
                        for each in range(size):
                            out[place + each] = blob[offset + each]
                        place += size
                        letters += 1
                        at += 1
                        continue
                    if size > 1:
                        point = 32
        elif byte >= 0x80:
            after = int(source[at + 1]) if at + 1 < end else 0
            if byte == 0xC2 and (after == 0xA0 or after == 0xAD):
                point = 32 if after == 0xA0 else 0
                at += 1
            elif (byte == 0xE2 and after == 0x80 and at + 2 < end and source[at + 2] == 0x8B) or (
                byte == 0xEE and after == 0x80 and at + 2 < end and source[at + 2] <= 0x83
            ):
                point = 0
                at += 2
            else:
                # U+2200 to U+22FF: the signs of mathematics.
                if byte == 0xE2 and 0x88 <= after <= 0x8B:
                    signs |= HAS_SCRIPT
                out[place] = byte
                place += 1
                letters += byte >= 0xC0
                at += 1
                continue
        at += 1
        if point == 0xA0 or point == 0x3000:
            point = 32
        if point == 32 or 9 <= point <= 13:
            if code:
                if point != 13:
                    out[place] = point
                    place += 1
            elif place > begin and out[place - 1] != 32 and out[place - 1] != 10:
                out[place] = 32
                place += 1
            continue
        if point < 32 or point == 0xAD or point == 0x200B or _PRIVATE <= point <= _PRIVATE + 3:
            continue
        if point in (36, 92, 96) or (point == 91 and at < end and (source[at] | 32) in _TAG_STARTS):
            signs |= HAS_TEX
        letters += 1
        place = _put(out, place, point)
    return place, letters, signs


@leaf
def _type_of(tag: int, letters: int) -> int:
    if H1 <= tag <= H6:
        return tag - H1 + 1
    if tag == LI:
        return ITEM
    return CELL if (tag in (TD, TH)) and letters <= _MOST_CELL else PLAIN


@leaf
def _trimmed(out: Bytes, begin: int, end: int) -> int:
    while end > begin and (out[end - 1] == 32 or out[end - 1] == 10):
        end -= 1
    return end


@leaf
def _script_end(out: Bytes, opened: int, place: int, linked: bool) -> int:
    """Close ``^{`` or ``_{`` at ``opened``: one character needs no braces, nothing no script."""
    inner = opened + 2
    if place <= inner or linked:
        return opened
    first = out[inner]
    width = 1 if first < 0x80 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4
    if place - inner == width and first > 32:
        for each in range(width):
            out[opened + 1 + each] = out[inner + each]
        return opened + 1 + width
    out[place] = 125
    return place + 1


@leaf
def _holds_formulas(source: Bytes, count: int, tokens: Ints, token: int) -> bool:
    """Do comments of readers hold formulas, in elements or in their text?"""
    behind = tokens[token, CLOSE]
    for each in range(token, behind):
        if tokens[each, FORMULA] > 0:
            return True
    end = tokens[behind, START] if behind < count else len(source)
    dollars = 0
    for place in range(tokens[token, BEHIND], end - 1):
        byte, after = source[place], source[place + 1]
        if byte == 92 and (after == 40 or after == 91):
            return True
        dollars += byte == 36 and not 48 <= after <= 57
    return dollars > 3


@leaf
def _is_left_out(
    source: Bytes, count: int, tokens: Ints, token: int, bits: int, whole: int
) -> bool:
    """Is an element no text: of its kind, boilerplate that most of the page is not, comments?"""
    flags = tokens[token, FLAGS]
    if bits & SKIPPED or tokens[token, FORMULA] < 0:
        return True
    soft = (flags & BOILERPLATE or bits & SOFT) and not flags & KEPT
    if soft or flags & HIDDEN:
        size = tokens[tokens[token, CLOSE], BEFORE] - tokens[token, BEFORE]
        if size < _MOST_BOILERPLATE * whole:
            return True
    if flags & COMMENTS and not flags & KEPT:
        return not _holds_formulas(source, count, tokens, token)
    return False


@leaf
def _begin_effect(out: Bytes, place: int, effect: int, code: int) -> int:
    """Write how sup, sub and code begin; the place behind it."""
    if effect in (SUP, SUB):
        out[place], out[place + 1] = (94 if effect == SUP else 95), 123
        return place + 2
    if effect == SPAN_OF_CODE and not code:
        out[place] = 96
        return place + 1
    return place


@leaf
def _end_effect(out: Bytes, opened: int, place: int, effect: int, code: int, linked: bool) -> int:
    """Write how sup, sub and code end, which began at ``opened``; the place behind it."""
    if effect in (SUP, SUB):
        return _script_end(out, opened, place, linked and effect == SUP)
    if effect == SPAN_OF_CODE and not code:
        if place == opened + 1:
            return place - 1
        out[place] = 96
        return place + 1
    return place


@leaf
def _end_block(out: Bytes, blocks: Ints, at: Ints, empty: int) -> bool:
    """End the block under way and begin the next; whether it counts.

    It counts where it holds text, or as the empty cell of the token ``empty`` (-1: it is none).
    What does not count is taken back, and its type is left to the next.
    """
    filled, place = at[FILLED], at[PLACE]
    begin = blocks[filled, BEGIN]
    stop = _trimmed(out, begin, place)
    seen = blocks[filled, LETTERS]
    counts = (seen and stop > begin) or empty >= 0
    if counts:
        if not seen:
            stop = begin
            blocks[filled, TYPE], blocks[filled, TOKEN] = CELL, empty
        if at[CODES]:
            blocks[filled, TYPE] = CODE
        blocks[filled, END] = stop
        filled += 1
        blocks[filled, BEGIN], blocks[filled, TYPE] = place, PLAIN
        for column in (ROW, INDENT):
            blocks[filled, column] = blocks[filled - 1, column]
        at[FILLED], at[EMPTY_CELL] = filled, 0
    else:
        at[PLACE] = begin
    blocks[filled, LETTERS] = blocks[filled, LINKED] = blocks[filled, SPECIAL_SIGNS] = 0
    at[BOUNDARIES] += 1
    return counts


@leaf
def _begin_block(out: Bytes, tokens: Ints, token: int, blocks: Ints, at: Ints) -> None:
    """Begin the block of an element, which ends the one under way."""
    tag = tokens[token, KIND]
    own = _type_of(tag, tokens[tokens[token, CLOSE], BEFORE] - tokens[token, BEFORE])
    counted = _end_block(out, blocks, at, -1)
    type_ = blocks[at[FILLED], TYPE]
    # What stands in an item or a cell before its first text is of its type.
    if counted or own != PLAIN or (type_ != ITEM and type_ != CELL):
        blocks[at[FILLED], TYPE] = own
    blocks[at[FILLED], ROW] += tag == TR
    at[EMPTY_CELL] = own == CELL or (at[EMPTY_CELL] and tag != TR)


@leaf
def _end_element(
    out: Bytes, tokens: Ints, properties: Ints, effects: Ints, stack: Ints, blocks: Ints, at: Ints
) -> None:
    """End the innermost open element."""
    at[DEPTH] -= 1
    depth = at[DEPTH]
    ended = stack[depth, _OPENED]
    tag = tokens[ended, KIND]
    effect = effects[tag] if tag < KNOWN else 0
    filled = at[FILLED]
    at[LINKS] -= (tokens[ended, FLAGS] & LINK) != 0
    # A script or code span that a block interrupts is not closed.
    if effect and stack[depth, _BOUNDARIES_THEN] == at[BOUNDARIES]:
        linked = blocks[filled, LINKED] > stack[depth, _LINKED_THEN]
        at[PLACE] = _end_effect(out, stack[depth, _EFFECT_AT], at[PLACE], effect, at[CODES], linked)
        blocks[filled, SPECIAL_SIGNS] |= HAS_SCRIPT if effect in (SUP, SUB) else 0
    blocks[filled, INDENT] -= tag in (UL, OL)
    if tag < KNOWN and properties[tag] & BLOCK:
        cell = tag in (TD, TH)
        _end_block(out, blocks, at, ended if cell and at[EMPTY_CELL] else -1)
        if cell or tag in (LI, TR) or H1 <= tag <= H6:
            blocks[at[FILLED], TYPE] = PLAIN
        if cell:
            at[EMPTY_CELL] = 0
    at[CODES] -= effect == PRE


@leaf
def _begin_element(
    out: Bytes, tokens: Ints, token: int, effect: int, stack: Ints, blocks: Ints, at: Ints
) -> None:
    """Open an element that may hold something or has an effect."""
    tag, place, filled = tokens[token, KIND], at[PLACE], at[FILLED]
    depth = at[DEPTH]
    stack[depth, _OPENED], stack[depth, _EFFECT_AT] = token, place
    stack[depth, _LINKED_THEN] = blocks[filled, LINKED]
    stack[depth, _BOUNDARIES_THEN] = at[BOUNDARIES]
    at[DEPTH] = depth + 1
    at[LINKS] += (tokens[token, FLAGS] & LINK) != 0
    blocks[filled, INDENT] += tag in (UL, OL)
    at[PLACE] = _begin_effect(out, place, effect, at[CODES])
    at[CODES] += effect == PRE


@leaf
def _add_text(
    source: Bytes,
    tokens: Ints,
    token: int,
    out: Bytes,
    blocks: Ints,
    at: Ints,
    entities: NDArray[np.uint32],
    blob: Bytes,
    windows: Ints,
) -> None:
    """Write a text token into the block under way."""
    filled = at[FILLED]
    at[PLACE], letters, signs = _write_text(
        source, tokens[token, START], tokens[token, BEHIND], out, at[PLACE], blocks[filled, BEGIN],
        at[CODES] > 0, entities, blob, windows,
    )  # fmt: skip
    if not blocks[filled, LETTERS]:
        blocks[filled, TOKEN] = token
    blocks[filled, LETTERS] += letters
    blocks[filled, LINKED] += letters if at[LINKS] else 0
    blocks[filled, SPECIAL_SIGNS] |= signs


@leaf
def _add_formula(
    latex: Bytes, low: int, high: int, token: int, out: Bytes, blocks: Ints, at: Ints
) -> None:
    """Write the LaTeX of an element into the block under way."""
    filled, place = at[FILLED], at[PLACE]
    low += place == blocks[filled, BEGIN] and latex[low] == 32
    for each in range(low, high):
        out[place] = latex[each]
        place += 1
    if not blocks[filled, LETTERS]:
        blocks[filled, TOKEN] = token
    blocks[filled, LETTERS] += high - low
    at[PLACE] = place


@kernel
def write_blocks(
    source: Bytes,
    count: int,
    tokens: Ints,
    properties: Ints,
    effects: Ints,
    latex: Bytes,
    ends: Ints,
    entities: NDArray[np.uint32],
    blob: Bytes,
    windows: Ints,
    most_depth: int,
) -> tuple[Bytes, Ints]:
    """The text of a page and its blocks, in the order of the page.

    Args:
        source, count, tokens: ``tokenize``, ``nest`` and ``find_formulas``; ``FORMULA`` is 0, -1
            (leave its element out), or 1 + the number of a formula.
        properties: bits of each known tag.
        effects: 1 sup, 2 sub, 3 code, 4 pre, 5 br of each known tag; 0 for others.
        latex, ends: the formulas with their marks, and where each ends in ``latex``, a 0 first.
        entities, blob, windows: named references and the repair of numbers 128 to 159.
        most_depth: as ``nest`` was given.

    Returns:
        out: the text in UTF-8; blocks: one row each, columns as named in this file.
    """
    # An entity takes at most twice its name; a formula stands once.
    out = np.empty(2 * len(source) + len(latex) + 4 * count + 128, np.uint8)
    blocks = np.empty((count + 3, _COLUMNS), np.int32)
    blocks[0] = 0
    stack = np.empty((most_depth + 1, 4), np.int32)
    at = np.zeros(_STATE, np.int32)
    token = 0
    while True:
        while at[DEPTH] and (
            token == count or tokens[stack[at[DEPTH] - 1, _OPENED], CLOSE] <= token
        ):
            _end_element(out, tokens, properties, effects, stack, blocks, at)
        if token == count:
            break
        tag, which = tokens[token, KIND], tokens[token, FORMULA]
        if tag < 0:
            token += 1
            continue
        if tag == 0:
            _add_text(source, tokens, token, out, blocks, at, entities, blob, windows)
            token += 1
            continue
        bits = properties[tag] if tag < KNOWN else 0
        effect = effects[tag] if tag < KNOWN else 0
        if which > 0:
            _add_formula(latex, ends[which - 1], ends[which], token, out, blocks, at)
            token = tokens[token, CLOSE]
        elif _is_left_out(source, count, tokens, token, bits, tokens[count, BEFORE]):
            token = tokens[token, CLOSE]
        elif effect == BREAK:
            if at[CODES] or at[PLACE] > blocks[at[FILLED], BEGIN]:
                out[at[PLACE]] = 10
                at[PLACE] += 1
            token += 1
        else:
            if bits & BLOCK:
                _begin_block(out, tokens, token, blocks, at)
            if tokens[token, CLOSE] > token + 1 or effect or tag in (TD, TH):
                _begin_element(out, tokens, token, effect, stack, blocks, at)
            token += 1
    _end_block(out, blocks, at, -1)
    return out, blocks[: at[FILLED]]
