"""A file seen through a window of bytes, so that readers hold megabytes of it, never all."""

import mmap
import os
from typing import BinaryIO

_BLOCK = 8 << 20
#: What slices to bytes and can be searched.
Data = bytes | mmap.mmap


class Window:
    """Bytes ``start`` to ``start + len(data)`` of a seekable file; moves forward, or back.

    A file on disk is mapped piece by piece, any other is read.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._place = 0
        try:
            self._mapped_size = os.fstat(file.fileno()).st_size
        except OSError:  # not on disk
            self._mapped_size = 0
        self.data: Data = b""
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
        after = self.start + len(self.data)
        if self._mapped_size:
            self._map(keep_from, min(after + _BLOCK, self._mapped_size))
            return
        if self._place != after:
            self._file.seek(after)
        block = self._file.read(_BLOCK)
        self.data, self.start = self.data[keep_from - self.start :] + block, keep_from
        self._place = after + len(block)
        self.at_end = not block

    def _map(self, start: int, end: int) -> None:
        self.at_end = end == self._mapped_size
        if start >= end:
            return
        start -= start % mmap.ALLOCATIONGRANULARITY
        number = self._file.fileno()
        self.data = mmap.mmap(number, end - start, access=mmap.ACCESS_READ, offset=start)
        self.start = start
