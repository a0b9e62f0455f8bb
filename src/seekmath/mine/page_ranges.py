"""Lists of pages by byte range (``NAME.ranges.jsonl``), as the URL index finds them.

One JSON object a line: ``file`` (path or URL of a WARC file), ``offset``, ``length``, ``url``.
Ranges that lie near each other are fetched with one request.
"""

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from seekmath.core.files import BadInput, read_jsonl, write_jsonl
from seekmath.mine.damage import Damage
from seekmath.mine.fetch import read_range
from seekmath.mine.record import PlainPage, Record
from seekmath.mine.snapshot import PageRange
from seekmath.mine.warc import read_records

SUFFIX = ".ranges.jsonl"
_MOST_GAP = 64 << 10
_MOST_SPAN = 8 << 20
_PER_FILE = 2_000


class RangedRecord(NamedTuple):
    """A record, and the name of the WARC file it was read from."""

    record: Record | PlainPage
    name: str


def write_ranges(folder: Path, ranges: Iterable[PageRange]) -> list[Path]:
    """Write the ranges, in the order of files and offsets, as lists of at most 2,000."""
    ordered = sorted(set(ranges))
    paths = []
    for number, start in enumerate(range(0, len(ordered), _PER_FILE)):
        paths.append(folder / f"{number:05d}{SUFFIX}")
        write_jsonl(paths[-1], (one._asdict() for one in ordered[start : start + _PER_FILE]))
    return paths


def read_ranges(path: str, damage: Damage) -> Iterator[RangedRecord]:
    """The records of a list; one that is not there is told to ``damage``.

    Raises:
        BadInput: a line is no range, or a file could not be read.
    """
    rows = (_range_of(path, number, row) for number, row in enumerate(read_jsonl(path), 1))
    for span in _spans(rows):
        start = span[0].offset
        end = max(one.offset + one.length for one in span)
        content = read_range(span[0].file, start, end - start)
        for one in span:
            part = content[one.offset - start : one.offset - start + one.length]
            yield from _records_in(part, one, damage)


def _records_in(part: bytes, one: PageRange, damage: Damage) -> Iterator[RangedRecord]:
    here = Damage()
    for record in read_records(io.BytesIO(part), here):
        placed = record._replace(offset=record.offset + one.offset)
        yield RangedRecord(placed, one.file.rsplit("/", 1)[-1])
    for loss in here.losses:
        damage.lose(loss.reason, loss.offset + one.offset, loss.length, loss.url or one.url)
    damage.mended.update(here.mended)


def _range_of(path: str, number: int, row: dict[str, object]) -> PageRange:
    offset, length = row.get("offset"), row.get("length")
    file = row.get("file")
    if not (isinstance(file, str) and isinstance(offset, int) and isinstance(length, int)):
        raise BadInput(f"{path}:{number}: expected file, offset and length")
    if offset < 0 or not 0 < length <= _MOST_SPAN * 4:
        raise BadInput(f"{path}:{number}: offset {offset}, length {length}: is no record's range")
    return PageRange(file, offset, length, str(row.get("url", "")))


def _spans(rows: Iterable[PageRange]) -> Iterator[list[PageRange]]:
    """Ranges of one file near enough for one request."""
    span: list[PageRange] = []
    for one in rows:
        if span:
            end = span[-1].offset + span[-1].length
            near = one.file == span[0].file and 0 <= one.offset - end <= _MOST_GAP
            if not near or one.offset + one.length - span[0].offset > _MOST_SPAN:
                yield span
                span = []
        span.append(one)
    if span:
        yield span
