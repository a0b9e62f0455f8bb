"""The body of a stored HTTP response, its transfer and content encoding undone within bounds."""

import re

from isal import isal_zlib

#: A longer body is cut here: a decompression bomb ends as a long page.
MOST_BODY = 16 << 20
#: What isal raises on bytes that do not inflate; its stub states an instance.
_BROKEN: type[Exception] = isal_zlib.error  # type: ignore[assignment]
_GZIP = b"\x1f\x8b"
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r?\n")


def unchunked(body: bytes) -> bytes:
    """Undo chunked transfer; a body that a crawler stored already joined is returned as it is."""
    parts: list[bytes] = []
    place = 0
    while size := _CHUNK_SIZE.match(body, place, place + 256):
        length = int(size[1], 16)
        if length == 0:
            break
        parts.append(body[size.end() : size.end() + length])
        place = size.end() + length
        place += 2 if body.startswith(b"\r\n", place) else body.startswith(b"\n", place)
    return b"".join(parts) if parts else body


def decoded(body: bytes, encodings: str) -> bytes | None:
    """Undo the Content-Encoding ``encodings``; at most ``MOST_BODY`` and one byte are made.

    Crawlers often store the body decoded and keep the header, so bytes that are not in the
    encoding are returned as they are.

    Returns:
        None when nothing here undoes it (brotli without the package ``brotli``, zstd).
    """
    for encoding in reversed([name.strip().lower() for name in encodings.split(",")]):
        if encoding in ("gzip", "x-gzip", "deflate"):
            body = _inflated(body)
        elif encoding == "br":
            made = _unbrotli(body)
            if made is None:
                return None
            body = made
        elif encoding not in ("", "identity", "none", "utf-8"):
            return None
    return body


def _inflated(body: bytes) -> bytes:
    forms = (31,) if body.startswith(_GZIP) else (15, -15)
    for wbits in forms:
        made = _start_of(body, wbits)
        if made:
            return made
    return body


def _start_of(body: bytes, wbits: int) -> bytes:
    """What inflates of ``body`` before its end, a fault, or the bound."""
    inflater = isal_zlib.decompressobj(wbits=wbits)
    parts: list[bytes] = []
    left, given = MOST_BODY + 1, body
    while given and left > 0 and not inflater.eof:
        try:
            part = inflater.decompress(given, min(left, 1 << 16))
        except _BROKEN:
            break
        given = inflater.unconsumed_tail
        if part:
            parts.append(part)
            left -= len(part)
    return b"".join(parts)


def _unbrotli(body: bytes) -> bytes | None:
    """Undo brotli; None without the optional package."""
    try:
        import brotli
    except ImportError:
        return None
    decoder = brotli.Decompressor()
    parts: list[bytes] = []
    left, given = MOST_BODY + 1, body
    try:
        while left > 0 and not decoder.is_finished():
            part = decoder.process(given, output_buffer_limit=min(left, 1 << 20))
            if not part:
                break
            given = b""
            parts.append(part)
            left -= len(part)
    except brotli.error:
        # A body stored decoded is not brotli.
        return b"".join(parts) or body
    return b"".join(parts) or body
