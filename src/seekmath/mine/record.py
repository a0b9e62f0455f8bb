"""One record of a WARC file (ISO 28500)."""

from typing import NamedTuple

from seekmath.mine.warc_head import field


class Record(NamedTuple):
    """A WARC record: ``content[start:stop]`` is its block, ``lowered`` its head in lower case.

    ``offset`` and ``length`` are bytes of the file. A record that shares a gzip member with others
    has the member's offset, and its place and length in what that inflates to (``inner``).
    """

    head: bytes
    lowered: bytes
    content: bytes | bytearray | memoryview
    start: int
    stop: int
    offset: int
    length: int
    inner: int = -1

    def block(self) -> bytes:
        """What follows the head."""
        return bytes(memoryview(self.content)[self.start : self.stop])

    def place(self) -> str:
        """``offset:length``, with ``+inner`` after the offset in a shared member."""
        inner = f"+{self.inner}" if self.inner >= 0 else ""
        return f"{self.offset}{inner}:{self.length}"

    def field(self, name: bytes) -> str:
        """The value of a field of the head (see ``warc_head.field``), or ``""``."""
        return field(self.head, self.lowered, name)


class PlainPage(NamedTuple):
    """An HTML response with status 200 and no encoding to undo, found without its record."""

    url: str
    media: str  # the Content-Type, if it names a charset
    body: bytes
    offset: int
    length: int
