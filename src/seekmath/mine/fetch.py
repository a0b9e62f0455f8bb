"""Files by path or URL (HTTP(S), S3, whatever fsspec speaks), read as ``manners`` has it.

What was cut off is asked for from where it broke off, as long as the server allows ranges.
"""

import io
import re
import tempfile
from pathlib import Path
from typing import Any, BinaryIO, cast

from seekmath.core.files import BadInput
from seekmath.mine.manners import Manners, ask

#: Bytes asked for at once.
BLOCK = 8 << 20
_SILENCE_S = 60.0
_TOTAL = re.compile(r"bytes .*/(\d+)")


def is_url(place: str) -> bool:
    """Whether ``place`` is a URL rather than a local path."""
    return "://" in place


def open_place(place: str, block: int = 0) -> BinaryIO:
    """Open a local file or a URL for reading with random access.

    Args:
        place: the path or URL.
        block: bytes asked of a URL at once; 0: ``BLOCK``.

    Raises:
        BadInput: there is no such file, or its server could not be read.
    """
    if is_url(place):
        return _remote(place).open(block or BLOCK)
    if not Path(place).is_file():
        raise BadInput(f"{place}: no such file")
    return open(place, "rb", buffering=0)


def read_range(place: str, offset: int, length: int) -> bytes:
    """At most ``length`` bytes of a file from ``offset`` on.

    Raises:
        BadInput: as ``open_place``.
    """
    if is_url(place):
        return _remote(place).range(offset, offset + length)
    with open_place(place) as file:
        file.seek(offset)
        return file.read(length)


def read_whole(place: str) -> bytes:
    """A small file or answer.

    Raises:
        BadInput: as ``open_place``.
    """
    with _remote(place).copied() if is_url(place) else open_place(place) as file:
        return file.read()


def _remote(url: str) -> "_Remote":
    return (_Http if url.startswith(("http://", "https://")) else _Remote)(url)


class _Remote:
    """One URL: its file system, and how it is asked."""

    def __init__(self, url: str) -> None:
        import fsspec

        self.url = url
        self.manners = Manners.of_environment()
        try:
            self.system, self.path = fsspec.core.url_to_fs(url, **self._options())
        except ImportError as error:
            raise BadInput(f"{url}: cannot be read here: {error}") from None
        except ValueError as error:
            raise BadInput(f"{url}: {error}") from None

    def _options(self) -> dict[str, Any]:
        if self.url.startswith("s3://"):
            return {"config_kwargs": {"user_agent_extra": self.manners.user_agent}}
        return {}

    def open(self, block: int) -> BinaryIO:
        """The file with random access."""
        size = ask(self.url, self.manners, lambda: self.system.info(self.path))["size"]
        return cast(BinaryIO, _RangedFile(self, int(size), block))

    def range(self, start: int, end: int) -> bytes:
        """The bytes ``start`` to ``end``, or to the end of the file."""
        return ask(
            self.url,
            self.manners,
            lambda: bytes(self.system.cat_file(self.path, start=start, end=end)),
        )

    def copied(self) -> BinaryIO:
        """The whole file."""
        return ask(self.url, self.manners, lambda: io.BytesIO(self.system.cat_file(self.path)))


class _Http(_Remote):
    """HTTP(S), through fsspec's session: what a server answers to a range tells if it does them."""

    def _options(self) -> dict[str, Any]:
        import aiohttp

        # Bytes must come as they lie on the server, or ranges of them mean nothing.
        headers = {"User-Agent": self.manners.user_agent, "Accept-Encoding": "identity"}
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_SILENCE_S, sock_read=_SILENCE_S)
        client = {"headers": headers, "timeout": timeout, "auto_decompress": False}
        return {"client_kwargs": client}

    def open(self, block: int) -> BinaryIO:
        """The file with random access; a copy of it when the server does not do ranges."""
        first = bytearray()
        total = self._get(first, 0, block)
        if total is None:
            return self.copied()
        return cast(BinaryIO, _RangedFile(self, total, block, bytes(first)))

    def range(self, start: int, end: int) -> bytes:
        """The bytes ``start`` to ``end``, or to the end of the file."""
        found = bytearray()
        if self._get(found, start, end) is not None:
            return bytes(found)
        with self.copied() as file:
            file.seek(start)
            return file.read(end - start)

    def copied(self) -> BinaryIO:
        """The whole file, in a temporary one."""
        local = tempfile.TemporaryFile()

        def request() -> None:
            local.seek(0)
            local.truncate()
            self._sync(self._body, {}, local.write)

        try:
            ask(self.url, self.manners, request)
        except BaseException:
            local.close()
            raise
        local.seek(0)
        return local

    def _get(self, found: bytearray, start: int, end: int) -> int | None:
        """Add the bytes ``start`` to ``end`` to ``found``; the file's size, or None: no ranges."""

        total: int | None = None

        def request() -> int | None:
            nonlocal total
            # What came before a connection was cut is not asked for again.
            if len(found) < end - start:
                span = f"bytes={start + len(found)}-{end - 1}"
                total = self._sync(self._body, {"Range": span}, found.extend)
            return total

        return ask(self.url, self.manners, request)

    def _sync(self, function: Any, *arguments: Any) -> Any:
        from fsspec.asyn import sync

        return sync(self.system.loop, function, *arguments)

    async def _body(self, headers: dict[str, str], take: Any) -> int | None:
        """Hand the body to ``take`` as it comes, unless it is not the range asked for."""
        session = await self.system.set_session()
        async with session.get(self.system.encode_url(self.path), headers=headers) as answer:
            if answer.status in (404, 410):
                raise FileNotFoundError(self.url)
            total = _TOTAL.match(answer.headers.get("Content-Range", ""))
            if answer.status == 416 and total:
                return int(total[1])
            answer.raise_for_status()
            if headers and not (answer.status == 206 and total):
                return None
            async for chunk in answer.content.iter_any():
                take(chunk)
            return int(total[1]) if total else None


class _RangedFile(io.RawIOBase):
    """A remote file as one with random access, read in blocks; the last two are kept."""

    def __init__(self, remote: _Remote, size: int, block: int, first: bytes | None = None) -> None:
        super().__init__()
        self._remote, self._size, self._place = remote, size, 0
        self._length = block
        self._blocks: dict[int, bytes] = {} if first is None else {0: first}

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place; nothing is read."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = max(0, base + offset)
        return self._place

    def tell(self) -> int:
        """The place."""
        return self._place

    def readinto(self, buffer: Any) -> int:
        """At most the rest of the block at this place."""
        number, at = divmod(self._place, self._length)
        part = self._block(number)[at : at + len(buffer)] if self._place < self._size else b""
        buffer[: len(part)] = part
        self._place += len(part)
        return len(part)

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            while len(self._blocks) > 1:
                del self._blocks[next(iter(self._blocks))]
            start = number * self._length
            end = min(start + self._length, self._size)
            block = self._remote.range(start, end)
            if len(block) < end - start:
                raise BadInput(f"{self._remote.url}: became shorter while it was read")
            self._blocks[number] = block
        return self._blocks[number]
