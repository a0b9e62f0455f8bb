"""HTML bytes to tokens, compiled: one pass, no tree.

The rules are those of the HTML standard (tokenisation) as far as text needs them. Kernels see bytes
only through bounds that they check themselves; the tables of names come in as arguments, so that a
cached kernel never holds an old table. Bytes are looked at 64 at once where the page goes on for so
long; a tag that the page has written before, byte for byte, is not read again.
"""

import numpy as np
from numpy.typing import NDArray

from seekmath.mine.byte_masks import (
    WIDTH,
    closes,
    equal,
    first,
    ones,
    opens,
    same,
    slashes,
    visible,
    word,
)
from seekmath.mine.compiled import kernel, leaf

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int32]

# Properties of a tag (``html_names.PROPERTIES``).
VOID, RAW, SKIPPED, BLOCK, SPECIAL, BARRIER, CLOSES_P, TABLE_PART = (1 << n for n in range(8))
HEAD_CONTENT, IGNORED, FOREIGN, SOFT, ROLE_ONLY, CONTAINER = (1 << n for n in range(8, 14))
# The tags that the nesting rules name; ``html_names.TAGS`` starts with them in this order.
NESTED = """p li dt dd tr td th tbody thead tfoot table a head title option ul ol h1 h2 h3 h4 h5 h6
    div address span"""
(
    P, LI, DT, DD, TR, TD, TH, TBODY, THEAD, TFOOT, TABLE, A, HEAD, TITLE, OPTION, UL, OL,
    H1, H2, H3, H4, H5, H6, DIV, ADDRESS, SPAN,
) = range(1, 27)  # fmt: skip
KNOWN = 256
# Columns of a token: its kind (0 for text, a tag's number for a start tag, its negative for an end
# tag); where it starts and what is behind it, in bytes; the flags of its attributes, or of a text
# the number of its visible characters; and by ``nest`` the token before which its element ends, the
# visible characters before it, and by ``find_formulas`` the number of its formula.
KIND, START, BEHIND, FLAGS, CLOSE, BEFORE, FORMULA = range(7)
_COLUMNS = 8
# Flags of a start tag, from its attributes; a formula's role stands above them.
LINK, BOILERPLATE, MAIN, HIDDEN, SELF_CLOSING, KEPT, COMMENTS = (1 << n for n in range(7))
ROLE_SHIFT = 8
# A tag that holds a formula by its name carries the role above its properties.
TAG_ROLE_SHIFT = 16
# What an attribute's name means.
CLASS, STYLE, HIDDEN_NAME, ARIA_HIDDEN, TYPE, HREF, SOURCE, ALT, DATA_TEX = range(1, 10)
# Roles of elements that may hold a formula (``formulas.py``).
(
    ROLE_MATH, ROLE_SCRIPT, ROLE_CONTAINER, ROLE_KATEX, ROLE_KATEX_DISPLAY, ROLE_WIKIPEDIA,
    ROLE_IMAGE, ROLE_TEX, ROLE_RENDERED, ROLE_PREVIEW, ROLE_HTML, ROLE_DATA, ROLE_NUMBER,
) = range(1, 14)  # fmt: skip
_HASH, _PRIME = np.uint32(2166136261), np.uint32(16777619)
_ATTRIBUTE_SCAN = 600
# Tags of a page seen before, by a hash of their bytes: a page writes few different ones.
_NO_TAG = 1 << 30
_SEEN_TAGS, _MIX = 256, 0x1E3779B97F4A7C15


@leaf
def _look_up(table: NDArray[np.uint32], key: np.uint32) -> int:
    """Value of a hash in a table of (key, value) rows with open addressing; 0 if absent."""
    mask = len(table) - 1
    at = int(key) & mask
    while table[at, 0] != 0:
        if table[at, 0] == key:
            return int(table[at, 1])
        at = (at + 1) & mask
    return 0


@leaf
def _is_space(byte: int) -> bool:
    return byte == 32 or (9 <= byte <= 13)


@leaf
def _lower(byte: int) -> int:
    return byte + 32 if 65 <= byte <= 90 else byte


@leaf
def _is_letter(byte: int) -> bool:
    return 97 <= (byte | 32) <= 122


@leaf
def _joined(flags: int, more: int) -> int:
    """Both sets of flags; the first role stays, except that data give way to a named form."""
    low = (1 << ROLE_SHIFT) - 1
    role, new = flags >> ROLE_SHIFT, more >> ROLE_SHIFT
    if role == 0 or (role == ROLE_DATA and new != 0):
        role = new
    return ((flags | more) & low) | role << ROLE_SHIFT


@leaf
def _word_flags(source: Bytes, start: int, end: int, words: NDArray[np.uint32]) -> int:
    """Flags of the words of a class, id or role: whole, squeezed (side-bar), and each part."""
    flags = 0
    whole, part, squeezed = _HASH, _HASH, _HASH
    parts = 0
    for at in range(start, end + 1):
        byte = 32 if at == end else _lower(source[at])
        separator = byte == 45 or byte == 95
        if separator or _is_space(byte):
            if part != _HASH:
                flags = _joined(flags, _look_up(words, part))
                parts += 1
            part = _HASH
        else:
            part = np.uint32((part ^ np.uint32(byte)) * _PRIME)
            squeezed = np.uint32((squeezed ^ np.uint32(byte)) * _PRIME)
        if _is_space(byte):
            if whole != _HASH:
                # The keys of names that count only as a whole differ from those of parts.
                flags = _joined(flags, _look_up(words, np.uint32(whole ^ np.uint32(1))))
            if parts > 1:
                flags = _joined(flags, _look_up(words, squeezed))
            whole, squeezed, parts = _HASH, _HASH, 0
        else:
            whole = np.uint32((whole ^ np.uint32(byte)) * _PRIME)
    return flags


@leaf
def _contains(source: Bytes, start: int, end: int, needle: Bytes) -> bool:
    """Does a value hold a lower-case needle, letter case and spaces aside?"""
    matched = 0
    for at in range(start, min(end, start + _ATTRIBUTE_SCAN)):
        byte = _lower(source[at])
        if _is_space(byte):
            continue
        if byte == needle[matched]:
            matched += 1
            if matched == len(needle):
                return True
        else:
            matched = 1 if byte == needle[0] else 0
    return False


@leaf
def _value_flags(
    source: Bytes, name: int, start: int, end: int, words: NDArray[np.uint32], needles: Bytes
) -> int:
    """Flags that one attribute gives its element."""
    if name == CLASS:
        return _word_flags(source, start, end, words)
    if name == HREF:
        return LINK
    if name == HIDDEN_NAME:
        return HIDDEN
    if name == STYLE:
        hides = _contains(source, start, end, needles[0, :12]) or _contains(
            source, start, end, needles[1, :17]
        )
        return HIDDEN if hides else 0
    if name == ARIA_HIDDEN:
        return HIDDEN if end - start == 4 and _lower(source[start]) == 116 else 0
    if name == TYPE:
        return ROLE_SCRIPT << ROLE_SHIFT if _contains(source, start, end, needles[2, :5]) else 0
    if name == DATA_TEX:
        return ROLE_DATA << ROLE_SHIFT if end > start else 0
    if name == ALT:
        for at in range(start, min(end, start + 40)):
            if source[at] == 92 or source[at] == 36 or source[at] == 94 or source[at] == 95:
                return ROLE_IMAGE << ROLE_SHIFT
    if name == SOURCE and not _contains(source, start, min(end, start + 5), needles[6, :5]):
        for row in range(3, 6):
            width = 3 if row == 3 else 4 if row == 4 else 6
            if _contains(source, start, end, needles[row, :width]):
                return ROLE_IMAGE << ROLE_SHIFT
    return 0


@leaf
def _attributes(
    source: Bytes,
    at: int,
    names: NDArray[np.uint32],
    words: NDArray[np.uint32],
    needles: Bytes,
) -> tuple[int, int]:
    """Read attributes to the end of the tag: the place behind it (-1: the page ends), flags."""
    length = len(source)
    flags = 0
    while at < length:
        byte = source[at]
        if byte == 62:
            return at + 1, flags
        if byte == 47:
            if at + 1 < length and source[at + 1] == 62:
                flags |= SELF_CLOSING
            at += 1
            continue
        if _is_space(byte):
            at += 1
            continue
        key = _HASH
        first = True
        while at < length and (first or source[at] != 61):
            byte = source[at]
            if _is_space(byte) or byte == 47 or byte == 62:
                break
            key = np.uint32((key ^ np.uint32(_lower(byte))) * _PRIME)
            first = False
            at += 1
        while at < length and _is_space(source[at]):
            at += 1
        start = end = at
        if at < length and source[at] == 61:
            at += 1
            while at < length and _is_space(source[at]):
                at += 1
            if at < length and (source[at] == 34 or source[at] == 39):
                start = at + 1
                end = _find(source, start, source[at])
                at = end + 1
            else:
                start = at
                while at < length and source[at] != 62 and not _is_space(source[at]):
                    at += 1
                end = at
        name = _look_up(names, key)
        if name != 0:
            flags = _joined(flags, _value_flags(source, name, start, end, words, needles))
    return -1, flags


@leaf
def _name(source: Bytes, at: int, tags: NDArray[np.uint32]) -> tuple[int, int]:
    """A tag's name: the place behind it, and its number (above ``KNOWN`` for a name unknown)."""
    key = _HASH
    length = len(source)
    while at < length:
        byte = source[at]
        if _is_space(byte) or byte == 47 or byte == 62:
            break
        key = np.uint32((key ^ np.uint32(_lower(byte))) * _PRIME)
        at += 1
    number = _look_up(tags, key)
    return at, number if number else KNOWN + (int(key) & 0x3FFFFFFF)


@leaf
def _find(source: Bytes, at: int, byte: int) -> int:
    """The next place of a byte; the end of the page if there is none."""
    length = len(source)
    while at + WIDTH <= length:
        found = first(equal(source, at, byte))
        if found < WIDTH:
            return at + found
        at += WIDTH
    while at < length and source[at] != byte:
        at += 1
    return at


@leaf
def _below(size: int) -> int:
    """The lowest bits, so many."""
    return (1 << size) - 1 if size < WIDTH else -1


@leaf
def _visible(source: Bytes, at: int, end: int) -> int:
    """Characters that are not spaces; a Chinese character counts once."""
    letters = 0
    while at + WIDTH <= len(source) and at < end:
        letters += ones(visible(source, at) & _below(end - at))
        at += WIDTH
    while at < end:
        letters += source[at] > 32 and (source[at] & 0xC0) != 0x80
        at += 1
    return letters


@leaf
def _next_tag(source: Bytes, at: int) -> tuple[int, int]:
    """The next place of ``<`` (the end if there is none), and the visible characters before it."""
    length, letters = len(source), 0
    while at + WIDTH <= length:
        found = first(opens(source, at))
        letters += ones(visible(source, at) & _below(found))
        if found < WIDTH:
            return at + found, letters
        at += WIDTH
    while at < length and source[at] != 60:
        letters += source[at] > 32 and (source[at] & 0xC0) != 0x80
        at += 1
    return at, letters


@leaf
def _behind_markup(source: Bytes, at: int) -> int:
    """The place behind a comment, doctype or processing instruction that starts at ``at``."""
    length = len(source)
    if at + 3 < length and source[at + 2] == 45 and source[at + 3] == 45:
        at += 2
        while at < length:
            at = _find(source, at, 62)
            if at < length and (
                (source[at - 1] == 45 and source[at - 2] == 45)
                or (source[at - 1] == 33 and source[at - 2] == 45 and source[at - 3] == 45)
            ):
                return at + 1
            at += 1
        return length
    return min(length, _find(source, at, 62) + 1)


@leaf
def _raw_end(source: Bytes, at: int, opened: int) -> int:
    """Where the end tag of the raw text element (script, style, title …) that opened begins."""
    length = len(source)
    name_start, size = opened + 1, 0
    while not (_is_space(source[name_start + size]) or source[name_start + size] in (47, 62)):
        size += 1
    while at + 2 + size <= length:
        if at + WIDTH < length:
            found = first(opens(source, at) & slashes(source, at + 1))
            if found == WIDTH:
                at += WIDTH
                continue
            at += found
        if at + 2 + size <= length and source[at] == 60 and source[at + 1] == 47:
            same_name = True
            for offset in range(size):
                if _lower(source[at + 2 + offset]) != _lower(source[name_start + offset]):
                    same_name = False
                    break
            if same_name:
                return at
        at += 1
    return length


@leaf
def _count_opens(source: Bytes) -> int:
    found = 0
    for byte in source:
        found += byte == 60
    return found


@leaf
def _count_tags(source: Bytes) -> int:
    found = 0
    for at in range(len(source) - 1):
        if source[at] == 60:
            byte = source[at + 1]
            found += _is_letter(byte) or byte == 47 or byte == 33 or byte == 63
    return found


@leaf
def _tag_row(source: Bytes, at: int, size: int) -> int:
    """Where among the tags seen before one of these bytes stands, from its first and last eight."""
    mask = _below(8 * (size - 1))
    head, tail = word(source, at + 1) & mask, word(source, at + max(1, size - 8)) & mask
    return ((head ^ tail * _MIX) * _MIX >> 40) & (_SEEN_TAGS - 1)


@leaf
def _is_seen(source: Bytes, at: int, size: int, seen: Ints, row: int) -> bool:
    """Is the tag here the same as one before, in a row (size, place, tag, flags)?"""
    if size == 0 or size > WIDTH or seen[row, 0] != size:
        return False
    return bool(first(~same(source, at, seen[row, 1])) >= size)


@leaf
def _read_tag(
    source: Bytes,
    at: int,
    tags: NDArray[np.uint32],
    properties: Ints,
    names: NDArray[np.uint32],
    words: NDArray[np.uint32],
    needles: Bytes,
) -> tuple[int, int, int]:
    """What stands at ``<``: a tag's number (negative for an end tag), its flags, what is behind it.

    The number is 0 for a comment and the like, ``_NO_TAG`` for text; where the page ends in the
    tag, -1 is behind it.
    """
    length = len(source)
    byte = source[at + 1] if at + 1 < length else 0
    closing = byte == 47 and at + 2 < length and _is_letter(source[at + 2])
    if not (_is_letter(byte) or closing):
        if byte == 33 or byte == 63 or byte == 47:
            return 0, 0, _behind_markup(source, at)
        return _NO_TAG, 0, at
    behind, tag = _name(source, at + (2 if closing else 1), tags)
    seen = 0
    if behind < length and source[behind] == 62:
        behind += 1
    else:
        behind, seen = _attributes(source, behind, names, words, needles)
    bits = properties[tag] if tag < KNOWN else 0
    seen = _joined(bits >> TAG_ROLE_SHIFT << ROLE_SHIFT, seen)
    return -tag if closing else tag, seen, behind


@leaf
def _closes_plain_span(tokens: Ints, number: int) -> bool:
    """Are the last tokens a span without a meaning and visible text, which needs no span?"""
    return (
        number > 1
        and tokens[number - 1, KIND] == 0
        and tokens[number - 1, FLAGS] > 0
        and tokens[number - 2, KIND] == SPAN
        and tokens[number - 2, FLAGS] == 0
    )


@leaf
def _put(tokens: Ints, number: int, kind: int, start: int, behind: int, flags: int) -> int:
    """Add a token; how many there are."""
    tokens[number, KIND], tokens[number, START] = kind, start
    tokens[number, BEHIND], tokens[number, FLAGS] = behind, flags
    return number + 1


@kernel
def tokenize(
    source: Bytes,
    tags: NDArray[np.uint32],
    properties: Ints,
    names: NDArray[np.uint32],
    words: NDArray[np.uint32],
    needles: Bytes,
    most_tags: int,
) -> tuple[int, Ints, bool]:
    """Tokens of a page: (number, tokens, roles); number -1 for too many tags.

    Args:
        source: the page in UTF-8.
        tags, names, words: hash tables of tag names, attribute names and class words.
        properties: bits of each known tag.
        needles: patterns looked for in attribute values, one a row.
        most_tags: pages with more are not read.

    Returns:
        tokens: one row each, columns as named in this file, and room for one more; roles tells
        whether any element holds the role of a formula.
    """
    found = _count_opens(source)
    if found > most_tags:
        found = _count_tags(source)
    room = 2 * min(found, most_tags) + 4
    tokens = np.empty((room + 1, _COLUMNS), np.int32)
    if found > most_tags:
        return -1, tokens, False
    seen_tags = np.zeros((_SEEN_TAGS, 4), np.int32)
    number, at, text, length, every, letters = 0, 0, 0, len(source), 0, 0
    while True:
        at, more = _next_tag(source, at)
        letters += more
        if at >= length:
            break
        row = size = 0
        if at + WIDTH <= length:
            size = first(closes(source, at)) + 1
            row = _tag_row(source, at, size)
        if _is_seen(source, at, size, seen_tags, row):
            tag, seen, behind = seen_tags[row, 2], seen_tags[row, 3], at + size
        else:
            tag, seen, behind = _read_tag(source, at, tags, properties, names, words, needles)
            if tag == _NO_TAG:
                at += 1
                letters += 1
                continue
            bits = properties[abs(tag)] if abs(tag) < KNOWN else 0
            if behind - at == size and tag and not bits & RAW:
                seen_tags[row, 0], seen_tags[row, 1] = size, at
                seen_tags[row, 2], seen_tags[row, 3] = tag, seen
        if at > text:
            number = _put(tokens, number, 0, text, at, letters)
        letters = 0
        if tag == 0:
            at = text = behind
            continue
        if behind < 0:
            text = length
            break
        start = at
        at = text = behind
        if tag == -SPAN and _closes_plain_span(tokens, number):
            number = _put(
                tokens, number - 2, 0, tokens[number - 1, START], tokens[number - 1, BEHIND],
                tokens[number - 1, FLAGS],
            )  # fmt: skip
            continue
        bits = properties[abs(tag)] if abs(tag) < KNOWN else 0
        if bits & IGNORED or (bits & ROLE_ONLY and seen >> ROLE_SHIFT == 0):
            continue
        flags = 0 if tag < 0 else seen if tag == A else seen & ~LINK
        number = _put(tokens, number, tag, start, behind, flags)
        every |= seen if tag > 0 else 0
        if bits & RAW and tag > 0:
            at = _raw_end(source, at, start)
            if at > text and number < room:
                inside = bits & SKIPPED and not seen & SELF_CLOSING
                visible_inside = 0 if inside else _visible(source, text, at)
                number = _put(tokens, number, 0, text, at, visible_inside)
            text = at
    if text < length and number < room:
        number = _put(tokens, number, 0, text, length, letters)
    return number, tokens, every >> ROLE_SHIFT != 0
