"""Pages out of a crawl's files: WARC (HTML responses), WET (their text), Parquet, byte ranges.

Damage costs the records it hits, never the rest of the file; ``Damage`` tells what was skipped.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from seekmath.core.files import BadInput
from seekmath.mine.damage import Damage, Loss
from seekmath.mine.documents import read_documents
from seekmath.mine.fetch import open_place
from seekmath.mine.http_body import MOST_BODY, decoded, unchunked
from seekmath.mine.page_ranges import SUFFIX, read_ranges
from seekmath.mine.raw_page import PageText, RawPage
from seekmath.mine.record import PlainPage, Record
from seekmath.mine.warc import read_records
from seekmath.mine.warc_head import BLANK_LINE, MEDIA, TARGET, TYPE, field

__all__ = ["Damage", "Loss", "PageText", "RawPage", "read_pages"]

_STATUS_200 = re.compile(rb"HTTP/[\d.]+ 200\b")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)")
# Where the blank line is looked for first, without a copy of the whole block.
_USUAL_HEAD = 4096
_ZSTD = b"\x28\xb5\x2f\xfd"


def read_pages(place: str | Path, damage: Damage | None = None) -> Iterator[RawPage]:
    """Yield the pages of one file of a crawl.

    Args:
        place: path or URL of a WARC or WET file (gzipped by record, gzipped whole, or plain), of
            Parquet with ``url`` and ``text`` (an earlier run's corpus), or of a list of byte
            ranges (``page_ranges``).
        damage: told what was skipped and why.

    Raises:
        BadInput: the file is absent, its server cannot be read, or its form is another.
    """
    damage = damage if damage is not None else Damage()
    place = str(place)
    if place.endswith(SUFFIX):
        for record, name in read_ranges(place, damage):
            page = page_of(record, name, damage)
            if page is not None:
                yield page
        return
    with open_place(place) as file:
        if place.endswith(".parquet"):
            yield from read_documents(place, file)
            return
        name = place.rsplit("/", 1)[-1]
        _check_form(place, file)
        for record in read_records(file, damage):
            page = page_of(record, name, damage)
            if page is not None:
                yield page


def _check_form(name: str, file: BinaryIO) -> None:
    if file.read(4) == _ZSTD:
        raise BadInput(f"{name}: is compressed with zstd; unpack it first: zstd -d {name}")
    file.seek(0)


def page_of(record: Record | PlainPage, name: str, damage: Damage) -> RawPage | None:
    """The page in a record of the file ``name``, or None with the reason told to ``damage``."""
    if isinstance(record, PlainPage):
        source = f"{name}:{record.offset}:{record.length}"
        url = record.url.strip("<>")
        return RawPage(url, source, record.body, _charset(record.media.lower()))
    kind = record.field(TYPE).lower()
    if kind == "response":
        return _response(record, name, damage)
    if kind == "conversion":
        text = record.block().decode("utf-8", "replace").replace("\r\n", "\n")
        source = f"{name}:{record.place()}"
        return RawPage(_url(record), source, b"", None, PageText("", text, 0))
    if not kind:
        damage.lose("record without type", record.offset, record.length, _url(record))
    return None


def _response(record: Record, name: str, damage: Damage) -> RawPage | None:
    view, start, stop = memoryview(record.content), record.start, record.stop
    first = bytes(view[start : min(stop, start + _USUAL_HEAD)])
    end = first.find(BLANK_LINE)
    if end < 0:
        first = record.block()
        end = first.find(BLANK_LINE)
    if end < 0:
        damage.skipped["response without a body"] += 1
        return None
    head = first[:end]
    lowered = head.lower()
    if not _STATUS_200.match(head):
        damage.skipped["status not 200"] += 1
        return None
    media = field(lowered, lowered, MEDIA)
    if media and "html" not in media:
        damage.skipped["not HTML"] += 1
        return None
    body = bytes(view[start + end + 4 : stop])
    if b"-encoding:" in lowered or len(body) > MOST_BODY:
        plain = _decoded(body, lowered, damage)
        if plain is None:
            return None
        body = plain
    return RawPage(_url(record), f"{name}:{record.place()}", body, _charset(media))


def _charset(media: str) -> str | None:
    stated = _CHARSET.search(media) if "charset" in media else None
    return stated.group(1) if stated else None


def _decoded(body: bytes, lowered: bytes, damage: Damage) -> bytes | None:
    if "chunked" in field(lowered, lowered, b"\ntransfer-encoding:"):
        body = unchunked(body)
    encoding = field(lowered, lowered, b"\ncontent-encoding:")
    plain = decoded(body, encoding)
    if plain is None:
        damage.skipped[f"content encoding {encoding[:20]}"] += 1
    elif len(plain) > MOST_BODY:
        damage.mended["page cut at 16 MiB"] += 1
        return plain[:MOST_BODY]
    return plain


def _url(record: Record) -> str:
    return record.field(TARGET).strip("<>")
