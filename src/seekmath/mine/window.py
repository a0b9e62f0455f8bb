"""A file seen through a window of bytes, so that readers hold megabytes of it, never all."""

from typing import BinaryIO

_BLOCK = 1 << 19


class Window:
    """Bytes ``start`` to ``start + len(data)`` of a seekable file; moves forward, or back."""

    def __init__(self, file: BinaryIO, block: int = _BLOCK) -> None:
        self._file = file
        self._block = block
        self._place = 0
        self.data = b""
        self.start = 0
        self.at_end = False  # data reaches the end of the file

    def reach(self, offset: int, size: int) -> bool:
        """Let ``data`` begin at ``offset`` or before and hold ``size`` bytes from it on.

        Returns:
            whether that many are there; at the end of the file fewer may be.
        """
        if offset < self.start or offset > self.start + len(self.data):
            self.data, self.start, self.at_end = b"", offset, False
        while self.start + len(self.data) < offset + size and not self.at_end:
            self._load(offset)
        return self.start + len(self.data) >= offset + size

    def get(self, offset: int, size: int) -> bytes:
        """``size`` bytes from ``offset`` on; fewer at the end of the file."""
        self.reach(offset, size)
        return self.data[offset - self.start : offset - self.start + size]

    def find(self, pattern: bytes, offset: int) -> int:
        """Where ``pattern`` first stands at or after ``offset``; -1 when it does not."""
        while self.reach(offset, len(pattern)):
            found = self.data.find(pattern, offset - self.start)
            if found >= 0:
                return self.start + found
            # What is searched is given up, but for a pattern that goes on in the next block.
            offset = self.start + len(self.data) - len(pattern) + 1
        return -1

    def end(self) -> int:
        """Where what was read so far ends."""
        return self.start + len(self.data)

    def _load(self, keep_from: int) -> None:
        kept = self.data[keep_from - self.start :]
        after = self.start + len(self.data)
        if self._place != after:
            self._file.seek(after)
        block = self._file.read(self._block)
        self.data, self.start = kept + block, keep_from
        self._place = after + len(block)
        self.at_end = not block
