"""The gzip members of a WARC file (RFC 1952), and the next one after any damage.

A crawl's record is a member of its own. Most are inflated in one call: the next member's head is
searched, so the size and the checksum before it are known beforehand. Anything else (a damaged
head, bytes between members, a whole file in one member) takes the slow way, chunk by chunk.

Memory is bounded: one call makes at most ``MOST_HELD`` bytes, whatever a head or trailer claims.
"""

from collections.abc import Generator, Iterator
from enum import Enum, auto
from itertools import islice
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from deflate import DeflateError, deflate_decompress
from isal import isal_zlib

from seekmath.mine.damage import Damage
from seekmath.mine.record import PlainPage, Record
from seekmath.mine.warc_head import block_digest_agrees, target_url
from seekmath.mine.window import Data, Window

if TYPE_CHECKING:
    from seekmath.mine.member_kernel import Batches, BatchRecord

MAGIC = b"\x1f\x8b\x08"
#: Most bytes that are inflated before any is given on: a member's checksum stands at its end.
MOST_HELD = 32 << 20
#: What isal raises on bytes that do not inflate; its stub states an instance.
_BROKEN: type[Exception] = isal_zlib.error  # type: ignore[assignment]
_PLAIN_HEAD = MAGIC + b"\0"
_NO_TIME = b"\0\0\0\0"
_HEAD = 10
_TRAILER = Struct("<II")  # checksum, size
_LEAST = _HEAD + 8
_STRETCH = 29_000
# A compressed record above this goes the slow way, so that the window stays small.
_MOST_AT_ONCE = 16 << 20
_INPUT, _OUTPUT = 1 << 16, 1 << 16
# Deflate makes at most 1,032 bytes of one.
_MOST_RATIO = 1032
_LEAST_FOR_BATCHES = 1 << 20
_NEXT_RECORD = b"\r\n\r\nWARC/1."


class State(Enum):
    """What a piece of inflated bytes is."""

    WHOLE = auto()  # a member whose checksum agrees
    PART = auto()  # of a member too large to hold; more follows
    LAST = auto()  # the end of such a member
    CUT = auto()  # what could be inflated of a member that breaks off


class Piece(NamedTuple):
    """Inflated bytes, and the member they come from."""

    offset: int
    length: int  # of the member; 0 while it goes on
    content: bytes | bytearray
    state: State


def read_members(window: Window, damage: Damage) -> Iterator[Piece | Record | PlainPage]:
    """Yield what inflates, in the order of the file; what does not is told to ``damage``.

    Members of a large file that hold one record come as records or plain pages; what is no page
    (requests, metadata) may be left out.
    """
    window.reach(0, _LEAST_FOR_BATCHES)
    if window.end() < _LEAST_FOR_BATCHES:
        yield from _members(window, damage, None)
        return
    # Loading compiled code takes longer than reading a small file.
    from seekmath.mine.member_kernel import Batches

    with Batches() as batches:
        yield from _members(window, damage, batches)


def _members(
    window: Window, damage: Damage, batches: "Batches | None"
) -> Iterator[Piece | Record | PlainPage]:
    place = 0
    while True:
        data, at = window.data, place - window.start
        if batches is not None and 0 <= at < len(data) and batches.usable():
            found, end = batches.inflate(data, at)
            for one in found:
                yield _found(batches.content, one, window.start)
            place = window.start + end
            if end > at:
                continue
        # The usual case, without a call: a whole member whose successor's head is in the window.
        end = _next_like(data, at) if at >= 0 else -1
        content = _checked(data, at + _HEAD, end) if end >= 0 else None
        if content:
            yield Piece(place, end - at, content, State.WHOLE)
            place += end - at
        elif window.reach(place, 1):
            place = yield from _not_in_window(window, place, damage)
        else:
            return


def _found(content: memoryview, one: "BatchRecord", base: int) -> Record | PlainPage:
    if one.body:
        url = str(content[one.url : one.url_end], "utf-8", "replace")
        media = str(content[one.media : one.media_end], "latin-1") if one.media else ""
        body = bytes(content[one.body : one.stop - 4])
        return PlainPage(url, media, body, base + one.at, one.length)
    head = bytes(content[one.start : one.head_end])
    start, stop = one.head_end + 4, one.stop - 4
    return Record(head, head.lower(), content, start, stop, base + one.at, one.length)


def _not_in_window(window: Window, place: int, damage: Damage) -> Generator[Piece, None, int]:
    """The member at ``place``, more of the file read; returns where to go on."""
    piece = _at_once(window, place)
    if piece is None:
        return (yield from _slowly(window, place, damage))
    yield piece
    return place + piece.length


def _next_like(data: Data, at: int) -> int:
    """Where the next member's head stands after the one at ``at``; -1 when it does not."""
    head = data[at : at + _HEAD]
    if head[:4] != _PLAIN_HEAD:
        return -1
    # Records of one writer share a head without a time; the long pattern is found faster, and
    # in a short stretch faster still.
    pattern = head if head[4:8] == _NO_TIME else MAGIC
    start = at + _LEAST
    end = data.find(pattern, start, start + _STRETCH)
    return end if end >= 0 else data.find(pattern, start)


def _at_once(window: Window, place: int) -> Piece | None:
    """The member at ``place`` in one call, if it is whole and ends where the next head stands."""
    window.reach(place, _LEAST)
    data, at = window.data, place - window.start
    end = _next_like(data, at)
    while end < 0 and not window.at_end and len(data) - at < _MOST_AT_ONCE:
        window.reach(place, len(data) - at + 1)
        data, at = window.data, place - window.start
        end = _next_like(data, at)
    if end < 0:
        if not window.at_end:
            return None
        end = len(data)
    content = _checked(data, at + _HEAD, end)
    return None if content is None else Piece(place, end - at, content, State.WHOLE)


def _checked(data: Data, start: int, end: int) -> bytearray | None:
    """The deflate stream ``data[start : end - 8]``, if the trailer after it agrees."""
    if end - start < 8:
        return None
    checksum, size = _TRAILER.unpack_from(data, end - 8)
    # Zeros after a member would pass for the trailer of nothing.
    if size == 0 or size > MOST_HELD or size > _MOST_RATIO * (end - start):
        return None
    try:
        content: bytearray = deflate_decompress(memoryview(data)[start : end - 8], size)
    except DeflateError:
        return None
    return content if len(content) == size and isal_zlib.crc32(content) == checksum else None


class _Inflation:
    """A deflate stream inflated in steps; what comes before a fault is still given."""

    def __init__(self, window: Window, start: int) -> None:
        self._window = window
        self.place = start  # how far the file was read
        self.ended = False
        self.end = start  # after the trailer
        self.size = 0
        self.checksum = 0
        self.chunks = self._chunks()

    def _chunks(self) -> Iterator[bytes]:
        inflater = isal_zlib.decompressobj(wbits=-15)
        while not inflater.eof:
            given = inflater.unconsumed_tail
            if not given:
                given = self._window.get(self.place, _INPUT)
                self.place += len(given)
            if not given:
                return
            try:
                content = inflater.decompress(given, _OUTPUT)
            except _BROKEN:
                return
            if content:
                self.size += len(content)
                self.checksum = isal_zlib.crc32(content, self.checksum)
                yield content
        self.ended = True
        self.end = self.place - len(inflater.unused_data) + 8

    def hold(self) -> bytes:
        """The content, or the first ``MOST_HELD`` bytes of it and a little more."""
        held: list[bytes] = []
        for chunk in self.chunks:
            held.append(chunk)
            if self.size > MOST_HELD:
                break
        return b"".join(held)

    def agrees(self) -> bool:
        """Whether the stream ended, with the checksum and size that its trailer states."""
        if not self.ended:
            return False
        return self._trailer() == _TRAILER.pack(self.checksum, self.size & 0xFFFFFFFF)

    def nearly_agrees(self) -> bool:
        """Whether so much of the trailer agrees that only the trailer can be what is damaged."""
        if not self.ended:
            return False
        found = self._trailer()
        stated = _TRAILER.pack(self.checksum, self.size & 0xFFFFFFFF)
        same = sum(a == b for a, b in zip(found, stated, strict=False))
        # Another content has another checksum, of which two bytes agree once in 10,000 times. At
        # the end of a cut file, what is there must agree.
        return found[:4] == stated[:4] or same >= (6 if len(found) == 8 else len(found))

    def _trailer(self) -> bytes:
        return self._window.get(self.end - 8, 8)


def _slowly(window: Window, place: int, damage: Damage) -> Generator[Piece, None, int]:
    """Yield what can be had at ``place``; return where to go on."""
    body = _body(window, place)
    content, breaks_off = b"", False
    if body >= 0:
        stream = _Inflation(window, body)
        content = stream.hold()
        if stream.size > MOST_HELD:
            return (yield from _large(window, place, stream, content, damage))
        if stream.agrees():
            if not content:
                damage.mended["empty gzip member"] += 1
            yield Piece(place, stream.end - place, content, State.WHOLE)
            return stream.end
        if stream.nearly_agrees() and block_digest_agrees(content):
            damage.mended["wrong gzip trailer"] += 1
            end = min(stream.end, _next_head(window, stream.end - 8))
            yield Piece(place, end - place, content, State.WHOLE)
            return end
        breaks_off = not window.get(stream.place, 1)
    # The head may be all that is damaged; ten bytes long is what writers make it.
    stream = _Inflation(window, place + _HEAD)
    mended = stream.hold()
    if mended and stream.agrees():
        damage.mended["broken gzip head"] += 1
        yield Piece(place, stream.end - place, mended, State.WHOLE)
        return stream.end
    following = _next_head(window, place + 1)
    breaks_off = breaks_off and not window.get(following, 1)
    _report(window, place, following, body >= 0, breaks_off, content, damage)
    # A digest vouches for a record's block but not for its head: of a single record, a broken
    # checksum may mean either.
    kept = content if _NEXT_RECORD in content else b""
    yield Piece(place, following - place, kept, State.CUT)
    return following


def _report(
    window: Window,
    place: int,
    following: int,
    member: bool,
    breaks_off: bool,
    content: bytes,
    damage: Damage,
) -> None:
    if breaks_off:
        reason = "file ends inside a gzip member"
    elif member:
        reason = "damaged gzip member"
    elif not window.get(place, min(following - place, _MOST_AT_ONCE)).strip(b"\0"):
        damage.mended["zero padding"] += 1
        return
    else:
        reason = "bytes between members"
    damage.lose(reason, place, following - place, target_url(content))


def _large(
    window: Window, place: int, stream: _Inflation, content: bytes, damage: Damage
) -> Generator[Piece, None, int]:
    """A file gzipped whole; a single record that large is given up."""
    if _NEXT_RECORD not in content:
        following = _next_head(window, place + 1)
        damage.lose("record over 32 MiB", place, following - place, target_url(content))
        return following
    yield Piece(place, 0, content, State.PART)
    while chunks := list(islice(stream.chunks, 16)):
        yield Piece(place, 0, b"".join(chunks), State.PART)
    if stream.agrees():
        yield Piece(place, stream.end - place, b"", State.LAST)
        return stream.end
    # Inflating may have run on past the end of this member, but not far.
    following = _next_head(window, max(place + 1, stream.place - (1 << 20)))
    breaks_off = not window.get(following, 1) and not stream.ended
    reason = "file ends inside a gzip member" if breaks_off else "damaged gzip member"
    damage.lose(reason, place, following - place)
    yield Piece(place, following - place, b"", State.CUT)
    return following


def _body(window: Window, place: int) -> int:
    """Where the deflate stream of the member at ``place`` begins; -1 when it has no gzip head."""
    head = window.get(place, _HEAD)
    if len(head) < _HEAD or head[:3] != MAGIC or head[3] & 0xE0:
        return -1
    flags, at = head[3], place + _HEAD
    if flags & 4:
        at += 2 + int.from_bytes(window.get(at, 2), "little")
    for flag in (8, 16):  # file name, comment
        if flags & flag:
            ending = window.get(at, 1 << 12).find(b"\0")
            if ending < 0:
                return -1
            at += ending + 1
    return at + 2 if flags & 2 else at


def _next_head(window: Window, offset: int) -> int:
    """Where the next member begins at or after ``offset``; the end of the file if none does."""
    while (found := window.find(MAGIC, offset)) >= 0:
        if _begins_member(window, found):
            return found
        offset = found + 1
    return window.end()


def _begins_member(window: Window, place: int) -> bool:
    """Whether these are more than three bytes that look like a head inside compressed ones."""
    body = _body(window, place)
    if body < 0:
        return False
    try:
        first = isal_zlib.decompressobj(wbits=-15).decompress(window.get(body, 1 << 10), 64)
    except _BROKEN:
        return False
    return first.startswith(b"WARC/") or _at_once(window, place) is not None
