"""WARC records out of a file: gzipped record by record, gzipped whole, or plain.

A record whose length is wrong or missing ends where the next begins. Whatever cannot be read is
told to ``Damage`` with its place, and reading goes on at the next member or record head.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

from seekmath.mine.damage import Damage
from seekmath.mine.gzip_members import MAGIC, Piece, State, read_members
from seekmath.mine.record import PlainPage, Record
from seekmath.mine.warc_head import BLANK_LINE, block_digest_agrees, stated_length, target_url
from seekmath.mine.window import Window

#: A larger record is skipped.
MOST_RECORD = 32 << 20
_MOST_HEAD = 1 << 16
_VERSION = b"WARC/"
_NEXT = b"\r\n\r\nWARC/1."
_LINE_HEAD = re.compile(rb"(?:^|\n)(?=WARC/1\.)")
_NEWLINES = re.compile(rb"[\r\n]*")
_BLOCK = 1 << 20
# Answers of _stop that are no place.
_MORE, _NONE = -1, -2
_ZEROS = "zero padding"


def read_records(file: BinaryIO, damage: Damage) -> Iterator[Record | PlainPage]:
    """Yield every record that is whole and may be a page, in the order of the file.

    A record's content may be overwritten when the next is asked for.

    Args:
        file: seekable; the form is told from its first bytes.
        damage: told what was skipped.
    """
    window = Window(file)
    first = window.get(0, _BLOCK)
    plain, gzipped = first.find(_VERSION), first.find(MAGIC)
    if first.startswith(_VERSION) or (plain >= 0 and gzipped < 0):
        yield from _plain_records(window, damage)
    elif first:
        yield from _gzip_records(window, damage)


def _gzip_records(window: Window, damage: Damage) -> Iterator[Record | PlainPage]:
    splitter = _Splitter(damage)
    for piece in read_members(window, damage):
        if not isinstance(piece, Piece):
            yield from splitter.finish()
            yield piece
            continue
        record = None
        if piece.state is State.WHOLE and piece.content.startswith(_VERSION):
            yield from splitter.finish()  # a member that begins a record ends what was before
            record = _only_record(piece)
        if record is not None:
            yield record
        else:
            yield from splitter.feed(piece)
    yield from splitter.finish()


def _plain_records(window: Window, damage: Damage) -> Iterator[Record]:
    splitter = _Splitter(damage, plain=True)
    place = 0
    while block := window.get(place, _BLOCK):
        yield from splitter.feed(Piece(0, 0, block, State.PART))
        place += len(block)
    yield from splitter.finish()


def _only_record(piece: Piece) -> Record | None:
    """The record of a member that holds exactly one, as most do."""
    content = piece.content
    end = content.find(BLANK_LINE)
    if end < 0:
        return None
    head = bytes(content[:end])
    lowered = head.lower()
    stop = len(content) - 4
    if end + 4 + stated_length(lowered) != stop or not content.endswith(BLANK_LINE):
        return None
    return Record(head, lowered, content, end + 4, stop, piece.offset, piece.length)


class _Splitter:
    """Cuts bytes that come in pieces into records, wherever the pieces begin and end."""

    def __init__(self, damage: Damage, plain: bool = False) -> None:
        self._damage = damage
        self._plain = plain
        self._base = 0  # of held[0], counted over all pieces
        self._clear()

    def _clear(self) -> None:
        self.held = b""
        self._marks: list[tuple[int, int]] = []  # where a member's content begins; its offset
        self._at = 0  # in held: what lies before is done
        self._searched = 0  # in held: no boundary lies before
        self._lost: tuple[int, str, str] | None = None  # since where, why, of which URL

    def feed(self, piece: Piece) -> Iterator[Record]:
        """Take a piece and yield the records that are now whole."""
        if not self._plain and (not self._marks or self._marks[-1][1] != piece.offset):
            if piece.content.startswith(_VERSION):
                yield from self.finish()  # a member that begins a record ends what was before
            self._marks.append((self._base + len(self.held), piece.offset))
        self.held += piece.content
        if piece.state is State.CUT:
            yield from self._vouched()
        else:
            yield from self._drain(final=False)
            self._compact()

    def finish(self) -> Iterator[Record]:
        """No more comes: yield what the rest holds and report what it lacks."""
        if not self.held and self._lost is None:
            return
        yield from self._drain(final=True)
        self._found_again(len(self.held))
        self._base += len(self.held)
        self._clear()

    def _vouched(self) -> Iterator[Record]:
        """Of a member that breaks off, and was reported: the records whose digest agrees."""
        damage, self._damage = self._damage, Damage()
        for record in self._drain(final=True):
            if block_digest_agrees(record.head + BLANK_LINE + record.block()):
                yield record
        self._damage = damage
        self._base += len(self.held)
        self._clear()

    def _drain(self, final: bool) -> Iterator[Record]:
        while self._to_head(final):
            end = self.held.find(BLANK_LINE, self._at, self._at + _MOST_HEAD)
            if end < 0:
                if not final and len(self.held) - self._at < _MOST_HEAD:
                    return
                self._lose("record without end of head")
                continue
            head = self.held[self._at : end]
            lowered = head.lower()
            stop = self._stop(end + 4, stated_length(lowered), final)
            if stop == _MORE:
                return
            if stop != _NONE:
                start = end + 4 - self._at
                content = self.held[self._at : stop]
                offset, inner = self._place(self._at)
                size = len(content)
                yield Record(head, lowered, content, start, size, offset, size, inner)
                self._at = self._searched = self._behind(stop)

    def _to_head(self, final: bool) -> bool:
        """Go to the next record head; False when none is held (yet)."""
        self._at = _NEWLINES.match(self.held, self._at).end()  # type: ignore[union-attr]
        if len(self.held) - self._at < len(_VERSION) and not final:
            return False
        if self._lost is None and self.held.startswith(_VERSION, self._at):
            return True
        found = _LINE_HEAD.search(self.held, self._at)
        if found is None:
            if self._at < len(self.held):
                self._since(_junk(self.held[self._at :]))
                # The head may begin in what is held and end in the next piece.
                self._at = len(self.held) if final else max(self._at, len(self.held) - 16)
            return False
        if found.end() > self._at:
            self._since(_junk(self.held[self._at : found.end()]))
        self._at = found.end()
        self._found_again(self._at)
        return True

    def _stop(self, start: int, length: int, final: bool) -> int:
        """Where the block that begins at ``start`` ends; ``_MORE`` bytes needed, or ``_NONE``."""
        held = self.held
        if 0 <= length <= MOST_RECORD:
            stop = start + length
            if stop + 16 > len(held) and not final:
                return _MORE
            if stop <= len(held) and (_ends_well(held, stop) or _head_behind(held, stop)):
                return stop
        # The stated length is wrong or missing: the record ends where the next begins.
        boundary = held.find(_NEXT, max(start - 4, self._searched))
        if 0 <= boundary <= start + MOST_RECORD:
            self._damage.mended["wrong length"] += 1
            return max(boundary, start)
        self._searched = max(self._searched, len(held) - len(_NEXT))
        if boundary >= 0 or len(held) - start > MOST_RECORD:
            self._lose("record over 32 MiB")
            return _NONE
        if not final:
            return _MORE
        if held.endswith(BLANK_LINE) and len(held) - 4 >= start:
            self._damage.mended["wrong length"] += 1
            return len(held) - 4
        self._lose("record cut short")
        return _NONE

    def _behind(self, stop: int) -> int:
        """The place behind a block that ends at ``stop``, and behind what closes it if broken."""
        if _ends_well(self.held, stop) or not _head_behind(self.held, stop):
            return stop
        self._damage.mended["broken end of record"] += 1
        return stop + len(BLANK_LINE)

    def _lose(self, reason: str) -> None:
        """Give up the record at this place; what follows up to the next head is part of it."""
        self._since(reason, target_url(self.held[self._at : self._at + _MOST_HEAD]))
        self._at += len(_VERSION)

    def _since(self, reason: str, url: str = "") -> None:
        if self._lost is None:
            self._lost = (self._base + self._at, reason, url)
        elif self._lost[1] == _ZEROS:
            self._lost = (self._lost[0], reason, url)

    def _found_again(self, at: int) -> None:
        if self._lost is None:
            return
        since, reason, url = self._lost
        self._lost = None
        if reason == _ZEROS:
            self._damage.mended[_ZEROS] += 1
            return
        offset, _ = self._place(since - self._base)
        self._damage.lose(reason, offset, self._base + at - since, url)

    def _place(self, at: int) -> tuple[int, int]:
        """(offset in the file, place in the member's content or -1) of ``held[at]``."""
        place = self._base + at
        if self._plain:
            return place, -1
        begins, offset = next(mark for mark in reversed(self._marks) if mark[0] <= place)
        return offset, place - begins

    def _compact(self) -> None:
        place = self._base + self._at if self._lost is None else self._lost[0]
        while len(self._marks) > 1 and self._marks[1][0] <= place:
            del self._marks[0]
        self.held = self.held[self._at :]
        self._base += self._at
        self._searched = max(0, self._searched - self._at)
        self._at = 0


def _junk(between: bytes) -> str:
    return "bytes between records" if between.strip(b"\0\r\n") else _ZEROS


def _ends_well(held: bytes, stop: int) -> bool:
    """Whether a record that ends at ``stop`` is followed as one should be."""
    if held.startswith(BLANK_LINE, stop):
        return True
    after = _NEWLINES.match(held, stop).end()  # type: ignore[union-attr]
    return after == len(held) or held.startswith(_VERSION, after)


def _head_behind(held: bytes, stop: int) -> bool:
    """Whether a record's head stands where it must, whatever became of the lines between."""
    return held.startswith(_VERSION, stop + len(BLANK_LINE))
