"""WARC files, record by record: damage costs the records it hits, never the rest of the file.

Each record of a crawl's WARC file is a gzip member of its own. A member that cannot be inflated
or parsed is counted and the reader goes on at the next member's head.
"""

import mmap
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from isal import isal_zlib

from seekmath.core.files import BadInput

#: What isal raises on bytes that do not inflate; its stub states an instance.
_BROKEN: type[Exception] = isal_zlib.error  # type: ignore[assignment]
_GZIP_HEAD = b"\x1f\x8b\x08"
_WARC_HEAD = b"WARC/1."
# Far above any page: a bomb ends here.
_MOST_MEMBER_BYTES = 64 << 20
_MOST_BODY_BYTES = 16 << 20
_CHUNK = 1 << 16


@dataclass(frozen=True)
class RawPage:
    """One HTML response: where it stood, and its body as sent, decoded from its transfer form."""

    url: str
    source: str  # file:offset:length
    body: bytes
    charset: str | None  # as the HTTP header states it


@dataclass
class Damage:
    """What a reader skipped, by reason."""

    skipped: Counter[str] = field(default_factory=Counter)


def read_pages(path: str | Path, damage: Damage | None = None) -> Iterator[RawPage]:
    """Yield the HTML responses of a WARC file, gzipped or plain.

    Args:
        path: a local file.
        damage: told what was skipped and why.

    Raises:
        BadInput: the file is absent.
    """
    damage = damage or Damage()
    path = Path(path)
    if not path.is_file():
        raise BadInput(f"{path}: no such WARC file")
    if path.stat().st_size == 0:
        return
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as raw:
        members = _members(raw, damage) if raw[:2] == _GZIP_HEAD[:2] else [(0, len(raw), raw[:])]
        for offset, length, content in members:
            for record in _records(content, damage):
                page = _page(record, f"{path.name}:{offset}:{length}", damage)
                if page is not None:
                    yield page


def _members(raw: mmap.mmap, damage: Damage) -> Iterator[tuple[int, int, bytes]]:
    """(offset, length, content) of each gzip member that inflates."""
    offset = 0
    while 0 <= offset < len(raw):
        content, end = _inflate(raw, offset)
        if content is None:
            damage.skipped["damaged gzip member"] += 1
            offset = raw.find(_GZIP_HEAD, offset + 1)
            continue
        yield offset, end - offset, content
        if raw[end : end + 3] != _GZIP_HEAD and end < len(raw):
            damage.skipped["bytes between members"] += 1
            end = raw.find(_GZIP_HEAD, end)
        offset = end


def _inflate(raw: mmap.mmap, offset: int) -> tuple[bytes | None, int]:
    inflater = isal_zlib.decompressobj(wbits=31)
    parts: list[bytes] = []
    size, place = 0, offset
    try:
        while not inflater.eof:
            chunk = inflater.unconsumed_tail or raw[place : place + _CHUNK]
            if not chunk:
                return None, place
            if not inflater.unconsumed_tail:
                place += len(chunk)
            parts.append(inflater.decompress(chunk, _MOST_MEMBER_BYTES - size + 1))
            size += len(parts[-1])
            if size > _MOST_MEMBER_BYTES:
                return None, place
    except _BROKEN:
        return None, place
    return b"".join(parts), place - len(inflater.unused_data)


def _records(content: bytes, damage: Damage) -> Iterator[tuple[dict[str, str], bytes]]:
    """(headers, block) of the WARC records in ``content``."""
    start = content.find(_WARC_HEAD)
    while start >= 0:
        end = content.find(b"\r\n\r\n", start)
        if end < 0:
            damage.skipped["record without end of header"] += 1
            return
        headers = _headers(content[start:end])
        length = headers.get("content-length", "")
        if not length.isdigit():
            damage.skipped["record without length"] += 1
            start = content.find(_WARC_HEAD, end)
            continue
        block = content[end + 4 : end + 4 + int(length)]
        if len(block) < int(length):
            damage.skipped["record cut short"] += 1
        yield headers, block
        start = content.find(_WARC_HEAD, end + 4 + len(block))


def _headers(head: bytes) -> dict[str, str]:
    lines = head.decode("utf-8", "replace").split("\r\n")[1:]
    pairs = (line.partition(":") for line in lines)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _page(record: tuple[dict[str, str], bytes], source: str, damage: Damage) -> RawPage | None:
    headers, block = record
    if headers.get("warc-type") != "response":
        return None
    head, _, body = block.partition(b"\r\n\r\n")
    if not re.match(rb"HTTP/[\d.]+ 200\b", head):
        damage.skipped["status not 200"] += 1
        return None
    http = _headers(head)
    kind = http.get("content-type", "text/html").lower()
    if "html" not in kind:
        damage.skipped["not HTML"] += 1
        return None
    if http.get("transfer-encoding", "").lower() == "chunked":
        body = _unchunked(body)
    if http.get("content-encoding", "").lower() in ("gzip", "x-gzip", "deflate"):
        body = _decoded(body)
    if len(body) > _MOST_BODY_BYTES:
        damage.skipped["page cut at 16 MiB"] += 1
        body = body[:_MOST_BODY_BYTES]
    charset = re.search(r"charset\s*=\s*[\"']?([\w.:-]+)", kind)
    url = headers.get("warc-target-uri", "").strip("<>")
    return RawPage(url, source, body, charset.group(1) if charset else None)


def _unchunked(body: bytes) -> bytes:
    """Undo chunked transfer; a body stored already joined is returned as it is."""
    parts: list[bytes] = []
    place = 0
    while True:
        end = body.find(b"\r\n", place, place + 20)
        size = body[place:end].split(b";")[0].strip() if end >= 0 else b""
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,8}", size):
            return body if not parts else b"".join(parts)
        length = int(size, 16)
        if length == 0:
            return b"".join(parts)
        parts.append(body[end + 2 : end + 2 + length])
        place = end + 2 + length + 2


def _decoded(body: bytes) -> bytes:
    """Undo content encoding; crawls often store the body decoded but keep the header."""
    for wbits in (31, 15, -15):
        inflater = isal_zlib.decompressobj(wbits=wbits)
        try:
            return inflater.decompress(body, _MOST_BODY_BYTES + 1)
        except _BROKEN:
            continue
    return body
