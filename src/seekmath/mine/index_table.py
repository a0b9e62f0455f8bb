"""A snapshot's columnar URL index: Parquet files by byte range, where the index server is too busy.

The table lies beside the snapshots (``cc-index/table/…/crawl=NAME/subset=warc``), sorted by SURT
key (``org,example)/path``). Of each file the footer is read, then those row groups whose keys can
be of the chosen hosts, and of these only the columns needed.
"""

import io
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from seekmath.core.files import BadInput
from seekmath.mine.fetch import open_place
from seekmath.mine.snapshot import PageRange, join_url, listing

_LISTING = "cc-index-table"
_SUBSET = "/subset=warc/"
_KEY = "url_surtkey"
_COLUMNS = (
    _KEY,
    "url",
    "fetch_status",
    "content_mime_type",
    "warc_filename",
    "warc_record_offset",
    "warc_record_length",
)
#: Bytes asked for at once: a footer, or a column of a row group.
_BLOCK = 1 << 20


class KeySpan(NamedTuple):
    """The SURT keys from ``first`` to below ``end``."""

    first: str
    end: str


def key_spans(place: str) -> list[KeySpan]:
    """The keys of a host, of ``*.example.org`` (it and all below it) or of ``example.org/x/``."""
    host, slash, path = place.removeprefix("*.").partition("/")
    reversed_host = ",".join(reversed(host.lower().removeprefix("www.").split(".")))
    spans = [_starting(f"{reversed_host}){slash}{path.lower()}")]
    return [*spans, _starting(f"{reversed_host},")] if place.startswith("*.") else spans


def _starting(prefix: str) -> KeySpan:
    return KeySpan(prefix, prefix[:-1] + chr(ord(prefix[-1]) + 1))


def table_ranges(snapshot: str, places: Sequence[str], base_url: str) -> Iterator[PageRange]:
    """The HTML pages with status 200 that a snapshot's columnar index has of chosen hosts.

    Args:
        snapshot: such as ``CC-MAIN-2024-33``.
        places: hosts, domains and prefixes, as ``snapshot.index_ranges`` takes them.
        base_url: where the snapshots lie.

    Raises:
        BadInput: there is no such snapshot or table, or a file is no part of it.
    """
    spans = [span for place in places for span in key_spans(place)]
    files = [path for path in listing(snapshot, base_url, _LISTING) if _SUBSET in path]
    if not files:
        raise BadInput(f"snapshot {snapshot}: its {_LISTING}.paths.gz lists no file of {_SUBSET}")
    for path in files:
        url = join_url(base_url, path)
        with open_place(url, _BLOCK) as raw, io.BufferedReader(cast(io.RawIOBase, raw)) as file:
            for rows in _rows(url, file, spans):
                yield from _ranges(rows, base_url)


def _rows(url: str, file: BinaryIO, spans: Sequence[KeySpan]) -> Iterator[pa.Table]:
    try:
        table = pq.ParquetFile(file)
    except pa.ArrowInvalid as error:
        raise BadInput(f"{url}: not readable as Parquet: {error}") from None
    missing = [name for name in _COLUMNS if name not in table.schema_arrow.names]
    if missing:
        raise BadInput(f"{url}: is no part of a URL index: has no column {', '.join(missing)}")
    key = table.schema_arrow.names.index(_KEY)
    for number in range(table.num_row_groups):
        there = table.metadata.row_group(number).column(key).statistics
        near = [span for span in spans if _may_hold(there, span)]
        if near:
            yield _chosen(table.read_row_group(number, columns=list(_COLUMNS)), near)


def _may_hold(there: pq.Statistics | None, span: KeySpan) -> bool:
    """Whether a row group can have keys of a span; without statistics it can."""
    if there is None or not there.has_min_max:
        return True
    return bool(there.min < span.end and there.max >= span.first)


def _chosen(rows: pa.Table, spans: Sequence[KeySpan]) -> pa.Table:
    key = rows[_KEY]
    mask = pa.array([False] * len(rows))
    for span in spans:
        within = pc.and_(pc.greater_equal(key, span.first), pc.less(key, span.end))
        mask = pc.or_(mask, within.combine_chunks())
    good = pc.and_(
        pc.equal(rows["fetch_status"], 200), pc.match_substring(rows["content_mime_type"], "html")
    )
    return rows.filter(pc.and_(mask, good.combine_chunks()))


def _ranges(rows: pa.Table, base_url: str) -> Iterator[PageRange]:
    names = ("warc_filename", "warc_record_offset", "warc_record_length", "url")
    for file, offset, length, url in zip(*(rows[n].to_pylist() for n in names), strict=True):
        yield PageRange(join_url(base_url, file), offset, length, url)
