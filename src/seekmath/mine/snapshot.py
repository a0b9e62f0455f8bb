"""A Common Crawl snapshot by name: its files, and its URL index for the pages of chosen hosts.

The layout is that of https://data.commoncrawl.org (or ``s3://commoncrawl``): a listing of paths
for each kind of file, and an index server that answers with file, offset and length of a page.
"""

import gzip
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.parse import urlencode

from seekmath.core.files import BadInput
from seekmath.mine.fetch import read_whole

BASE_URL = "https://data.commoncrawl.org/"
INDEX_URL = "https://index.commoncrawl.org/"
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
_SPAN = re.compile(r"(\d*):(\d*)|(\d+)")


class PageRange(NamedTuple):
    """Where one page of a snapshot lies."""

    file: str
    offset: int
    length: int
    url: str


def snapshot_files(snapshot: str, files: str, base_url: str, form: str) -> list[str]:
    """URLs of the files of a snapshot.

    Args:
        snapshot: such as ``CC-MAIN-2024-33``.
        files: which, in the order of the listing: ``0:100``, ``7``, ``:`` for all.
        base_url: where the snapshots lie.
        form: ``warc`` or ``wet``.

    Raises:
        BadInput: there is no such snapshot, or ``files`` chooses none.
    """
    paths = listing(snapshot, base_url, form)
    span = _SPAN.fullmatch(files)
    if span is None:
        raise BadInput(f"files: found '{files}'; expected FIRST:END, such as 0:100, or a number")
    first, end = (span[3], int(span[3]) + 1) if span[3] else (span[1] or 0, span[2] or len(paths))
    chosen = paths[int(first) : int(end)]
    if not chosen:
        raise BadInput(f"files: {files} chooses none; {snapshot} has {len(paths):,} files")
    return [join_url(base_url, path) for path in chosen]


def listing(snapshot: str, base_url: str, form: str) -> list[str]:
    """The paths of a snapshot's files of one form (``warc``, ``wet``, ``cc-index-table``).

    Raises:
        BadInput: there is no such snapshot.
    """
    if not _NAME.fullmatch(snapshot):
        raise BadInput(f"snapshot: found '{snapshot}'; expected a name such as CC-MAIN-2024-33")
    url = join_url(base_url, f"crawl-data/{snapshot}/{form}.paths.gz")
    try:
        raw = gzip.decompress(read_whole(url))
    except BadInput as error:
        raise BadInput(f"snapshot {snapshot}: {error}; {INDEX_URL} lists the snapshots") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise BadInput(f"{url}: is no gzipped listing of paths: {error}") from None
    return raw.decode("utf-8", "replace").split()


def index_ranges(
    snapshot: str, places: Sequence[str], base_url: str, index_url: str
) -> Iterator[PageRange]:
    """The HTML pages with status 200 that a snapshot's URL index has of chosen hosts.

    Args:
        snapshot: such as ``CC-MAIN-2024-33``.
        places: ``example.org`` (that host), ``*.example.org`` (it and all below it), or a prefix
            such as ``example.org/wiki/``.
        base_url: where the snapshots lie.
        index_url: the index server.

    Raises:
        BadInput: the server does not know the snapshot or sends something else than an index.
    """
    server = join_url(index_url, f"{snapshot}-index")
    for place in places:
        query = [*_query(place), ("filter", "=status:200"), ("filter", "~mime:.*html.*")]
        for page in range(_page_count(server, query)):
            url = f"{server}?{urlencode([*query, ('output', 'json'), ('page', str(page))])}"
            for line in _answer(url).splitlines():
                yield _page_range(url, line, base_url)


def _query(place: str) -> list[tuple[str, str]]:
    if place.startswith("*."):
        return [("url", place[2:]), ("matchType", "domain")]
    return [("url", place), ("matchType", "prefix" if "/" in place else "host")]


def _page_count(server: str, query: list[tuple[str, str]]) -> int:
    url = f"{server}?{urlencode([*query, ('showNumPages', 'true'), ('output', 'json')])}"
    text = _answer(url)
    if not text.strip():
        return 0
    try:
        found = json.loads(text)
        return int(found["pages"] if isinstance(found, dict) else found)
    except (ValueError, KeyError, TypeError):
        raise BadInput(f"{url}: is no answer of an index server: {text[:80]!r}") from None


def _answer(url: str) -> str:
    """An answer of the index server; "" where it has no captures, which it says with 404."""
    try:
        return read_whole(url).decode("utf-8", "replace")
    except BadInput as error:
        if str(error).endswith("no such file"):
            return ""
        raise


def _page_range(url: str, line: str, base_url: str) -> PageRange:
    try:
        row = json.loads(line)
        file = join_url(base_url, row["filename"])
        return PageRange(file, int(row["offset"]), int(row["length"]), row["url"])
    except (ValueError, KeyError, TypeError):
        raise BadInput(f"{url}: is no answer of an index server: {line[:80]!r}") from None


def join_url(base: str, path: str) -> str:
    """A path below a base URL."""
    return base.rstrip("/") + "/" + path.lstrip("/")
