"""Gzip members that hold one WARC record each, many in one call from compiled code.

The kernel inflates with libdeflate, which the package ``deflate`` carries, straight into one
buffer, sorts out requests and metadata before Python sees them, and finds the fields of plain HTML
responses. Whatever is not a whole member with exactly one well-formed record ends the batch:
``gzip_members`` takes it from there. Where the library's functions cannot be called, everything
goes that way.
"""

import ctypes
from typing import Any, NamedTuple

import deflate._deflate
import llvmlite.binding
import numba
import numpy as np
from numpy.typing import NDArray

from seekmath.mine.compiled import kernel, leaf
from seekmath.mine.window import Data

Bytes = NDArray[np.uint8]
#: A batch ends when this many inflated bytes are held; a larger record is left to others.
_BUFFER = 4 << 20
_MOST_ROWS = 256
# Members in a row that were for others: the file is not written record by record.
_MOST_FRUITLESS = 8
# Columns of a row: the member's place and length; its content; where the record's head ends; of a
# plain HTML response where its URL, its media type (if that names a charset) and its body are.
_AT, _USED, _FROM, _TO, _HEAD_END, _URL, _URL_END, _MEDIA, _MEDIA_END, _BODY = range(10)
_MOST_HEAD = 1 << 16
_LENGTH = np.frombuffer(b"content-length:", np.uint8)
_TYPE = np.frombuffer(b"warc-type:", np.uint8)
_TARGET = np.frombuffer(b"warc-target-uri:", np.uint8)
_CONTENT_TYPE = np.frombuffer(b"content-type:", np.uint8)
_CONTENT_CODING = np.frombuffer(b"content-encoding:", np.uint8)
_TRANSFER_CODING = np.frombuffer(b"transfer-encoding:", np.uint8)
_HTTP = np.frombuffer(b"http/", np.uint8)
_STATUS_200 = np.frombuffer(b" 200", np.uint8)
_MEDIA_HTML = np.frombuffer(b"html", np.uint8)
_CHARSET = np.frombuffer(b"charset", np.uint8)
_RESPONSE = np.frombuffer(b"response", np.uint8)
_CONVERSION = np.frombuffer(b"conversion", np.uint8)
# libdeflate_gzip_decompress_ex(decompressor, in, in size, out, out size, *used, *made) -> status
_inflate: Any = numba.types.ExternalFunction(
    "libdeflate_gzip_decompress_ex",
    numba.types.int32(*[numba.types.uintp] * 7),
)


class BatchRecord(NamedTuple):
    """A record in the batch's buffer: ``content[start:stop]``, its head up to ``head_end``."""

    at: int
    length: int
    start: int
    stop: int
    head_end: int
    url: int  # this and what follows: of a plain HTML response, else 0
    url_end: int
    media: int
    media_end: int
    body: int


class Batches:
    """Inflates batches of members into one buffer, which the next batch overwrites."""

    def __init__(self) -> None:
        self._library = _library()
        allocate = self._library and self._library.libdeflate_alloc_decompressor
        self._decompressor: int = allocate() or 0 if allocate else 0
        self._buffer = np.empty(_BUFFER, np.uint8)
        self._sizes = np.zeros(2, np.uint64)
        self._rows = np.zeros((_MOST_ROWS, 10), np.int64)
        self.content = memoryview(self._buffer)  # type: ignore[arg-type]
        self._fruitless = 0

    def __enter__(self) -> "Batches":
        return self

    def __exit__(self, *_: object) -> None:
        if self._library is not None:
            self._library.libdeflate_free_decompressor(self._decompressor)
        self._decompressor = 0

    def usable(self) -> bool:
        """Whether it can be called, and the file is one that it is of use for."""
        return self._decompressor != 0 and self._fruitless < _MOST_FRUITLESS

    def inflate(self, data: Data, at: int) -> tuple[list[BatchRecord], int]:
        """The records that may be pages from ``data[at]`` on, and where the batch ends.

        ``at`` itself is returned when the member there is for others.
        """
        raw = np.frombuffer(data, np.uint8)
        count, end = _batch(self._decompressor, raw, at, self._buffer, self._sizes, self._rows)
        self._fruitless = self._fruitless + 1 if end == at else 0
        return [BatchRecord(*row) for row in self._rows[:count].tolist()], int(end)


def _library() -> ctypes.CDLL | None:
    """libdeflate as the package ``deflate`` holds it; None where it does not show its functions."""
    path = deflate._deflate.__file__
    try:
        library = ctypes.CDLL(path)
        library.libdeflate_alloc_decompressor.restype = ctypes.c_void_p
        library.libdeflate_free_decompressor.argtypes = [ctypes.c_void_p]
        _ = library.libdeflate_gzip_decompress_ex
        llvmlite.binding.load_library_permanently(path)
    except (AttributeError, OSError, RuntimeError):
        return None
    return library


@kernel
def _batch(
    decompressor: int,
    data: Bytes,
    at: int,
    out: Bytes,
    sizes: NDArray[np.uint64],
    rows: NDArray[np.int64],
) -> tuple[int, int]:
    """Fill ``rows`` with what may be pages; how many, and the place of the next member."""
    source, target, told = data.ctypes.data, out.ctypes.data, sizes.ctypes.data
    count, made = 0, 0
    while count < len(rows) and len(data) - at >= 18:
        if data[at] != 0x1F or data[at + 1] != 0x8B or data[at + 2] != 8:
            break
        room = len(out) - made
        status = _inflate(
            decompressor, source + at, len(data) - at, target + made, room, told, told + 8
        )
        if status != 0:
            break
        used, stop = int(sizes[0]), made + int(sizes[1])
        row = rows[count]
        row[:] = 0
        row[_AT], row[_USED], row[_FROM], row[_TO] = at, used, made, stop
        wanted = _single_record(out, row)
        if row[_HEAD_END] == 0:
            break
        if wanted:
            _plain_page(out, row)
            count += 1
            made = stop
        at += used
    return count, at


@leaf
def _single_record(out: Bytes, row: NDArray[np.int64]) -> bool:
    """Whether the one record of a member may be a page; tells the row where its head ends."""
    start, stop = row[_FROM], row[_TO]
    if stop - start < 20 or not _ends_with_blank_line(out, stop):
        return False
    for at, letter in enumerate(b"WARC/"):
        if out[start + at] != letter:
            return False
    length, wanted, line = -1, True, start
    limit = min(stop - 4, start + _MOST_HEAD)
    while line < limit:
        if out[line] == 13 and out[line + 1] == 10:
            # The blank line: the stated length must fill the member.
            if line + 2 + length == stop - 4:
                row[_HEAD_END] = line - 2
            return wanted
        end = _line_end(out, line, limit)
        if end < 0:
            return False
        if length < 0 and _starts(out, line, end, _LENGTH):
            length = _number(out, line + len(_LENGTH), end)
            if length < 0:
                return False
        elif _starts(out, line, end, _TYPE):
            value, value_end = _trimmed(out, line + len(_TYPE), end)
            page = _starts(out, value, end, _RESPONSE)
            row[_BODY] = page
            wanted = page or _starts(out, value, end, _CONVERSION) or value == value_end
        elif row[_URL] == 0 and _starts(out, line, end, _TARGET):
            row[_URL], row[_URL_END] = _trimmed(out, line + len(_TARGET), end)
        line = end + 1
    return False


@leaf
def _plain_page(out: Bytes, row: NDArray[np.int64]) -> None:
    """Tell the row where the body of an HTML response is that needs no decoding, or 0."""
    response = row[_BODY] != 0
    row[_BODY] = 0
    line, stop = row[_HEAD_END] + 4, row[_TO] - 4
    limit = min(stop, line + _MOST_HEAD)
    end = _line_end(out, line, limit)
    if not response or end < 0 or not _starts(out, line, end, _HTTP):
        return
    space = line
    while space < end and out[space] != 32:
        space += 1
    if not _starts(out, space, end, _STATUS_200) or 48 <= out[space + 4] <= 57:
        return
    line, typed = end + 1, False
    while line + 1 < limit:
        if out[line] == 13 and out[line + 1] == 10:
            row[_BODY] = line + 2
            return
        end = _line_end(out, line, limit)
        coded = _starts(out, line, end, _CONTENT_CODING) or _starts(
            out, line, end, _TRANSFER_CODING
        )
        if end < 0 or coded:
            return
        if not typed and _starts(out, line, end, _CONTENT_TYPE):
            typed = True
            value, value_end = _trimmed(out, line + len(_CONTENT_TYPE), end)
            if value < value_end and not _holds(out, value, value_end, _MEDIA_HTML):
                return
            if _holds(out, value, value_end, _CHARSET):
                row[_MEDIA], row[_MEDIA_END] = value, value_end
        line = end + 1


@leaf
def _line_end(out: Bytes, line: int, limit: int) -> int:
    """Where the newline of this line stands; -1 without one before ``limit``, or without CR."""
    end = line
    while end < limit and out[end] != 10:
        end += 1
    return end if end < limit and end > line and out[end - 1] == 13 else -1


@leaf
def _trimmed(out: Bytes, start: int, end: int) -> tuple[int, int]:
    """A value without the spaces around it."""
    while start < end and out[start] <= 32:
        start += 1
    while end > start and out[end - 1] <= 32:
        end -= 1
    return start, end


@leaf
def _holds(out: Bytes, start: int, end: int, word: Bytes) -> bool:
    for at in range(start, end - len(word) + 1):  # noqa: SIM110, compiled
        if _starts(out, at, end, word):
            return True
    return False


@leaf
def _ends_with_blank_line(out: Bytes, stop: int) -> bool:
    return (
        out[stop - 4] == 13 and out[stop - 3] == 10 and out[stop - 2] == 13 and out[stop - 1] == 10
    )


@leaf
def _starts(out: Bytes, at: int, end: int, name: Bytes) -> bool:
    """Whether the line from ``at`` to ``end`` begins with ``name``, in either case."""
    if end - at < len(name):
        return False
    for number in range(len(name)):
        letter = out[at + number]
        if 65 <= letter <= 90:
            letter += 32
        if letter != name[number]:
            return False
    return True


@leaf
def _number(out: Bytes, start: int, end: int) -> int:
    """The number that a value is; -1 when it is none."""
    at, stop = _trimmed(out, start, end)
    if stop <= at or stop - at > 12:
        return -1
    value = 0
    for place in range(at, stop):
        if out[place] < 48 or out[place] > 57:
            return -1
        value = 10 * value + int(out[place]) - 48
    return value
