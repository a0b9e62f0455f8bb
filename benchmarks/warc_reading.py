"""WARC records read: seekmath, fastwarc and warcio on the same files, in CPU time of one core.

    python benchmarks/warc_reading.py crawl/part-*.warc.gz --rounds 15

Each delivers the same of every HTML response: the URL, the status, the media type, the charset
and the payload with transfer and content encoding undone; that they agree is checked first. The
files are read as they are, and once more in Common Crawl's layout (a request before and metadata
after each response, and the fields that servers send). Rounds alternate between the readers.
"""

import argparse
import gzip
import hashlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from fastwarc.warc import ArchiveIterator, WarcRecordType
from warcio.archiveiterator import ArchiveIterator as WarcioIterator

from seekmath.core.artifact import machine, versions
from seekmath.core.files import write_json
from seekmath.mine.crawl import read_pages

Page = tuple[str, str | None, bytes]
_FIELDS = b"""\
Date: Mon, 05 Aug 2024 11:02:44 GMT\r
Server: nginx/1.24.0\r
Cache-Control: max-age=600, public\r
ETag: W/"66b0b1f4-9c31"\r
Last-Modified: Mon, 05 Aug 2024 10:58:12 GMT\r
Vary: Accept-Encoding, Cookie\r
X-Frame-Options: SAMEORIGIN\r
X-Content-Type-Options: nosniff\r
Strict-Transport-Security: max-age=31536000; includeSubDomains\r
Set-Cookie: session=4f1c9a6e0b; path=/; HttpOnly; Secure\r
X-Crawler-Content-Length: 10342\r
"""


def ours(path: str) -> Iterator[Page]:
    for page in read_pages(path):
        yield page.url, page.charset, page.body


def fastwarc(path: str) -> Iterator[Page]:
    kind = WarcRecordType.response
    for record in ArchiveIterator(path, record_types=kind, parse_http=True, auto_decode="all"):
        if record.http_headers.status_code != 200:
            continue
        if "html" in (record.http_content_type or "text/html"):
            yield record.headers["WARC-Target-URI"], record.http_charset, record.reader.read()


def warcio(path: str) -> Iterator[Page]:
    with open(path, "rb") as file:
        for record in WarcioIterator(file):
            if record.rec_type != "response" or record.http_headers.get_statuscode() != "200":
                continue
            media = record.http_headers.get_header("Content-Type", "text/html")
            if "html" in media:
                url = record.rec_headers.get_header("WARC-Target-URI")
                charset = media.partition("charset=")[2] or None
                yield url, charset, record.content_stream().read()


READERS: dict[str, Callable[[str], Iterator[Page]]] = {
    "seekmath": ours,
    "fastwarc": fastwarc,
    "warcio": warcio,
}


def read_all(reader: Callable[[str], Iterator[Page]], paths: list[str]) -> tuple[int, int]:
    """(pages, payload bytes)."""
    pages = size = 0
    for path in paths:
        for _, _, body in reader(path):
            pages += 1
            size += len(body)
    return pages, size


def digest(reader: Callable[[str], Iterator[Page]], paths: list[str]) -> str:
    made = hashlib.sha256()
    for path in paths:
        for url, _, body in reader(path):
            made.update(url.encode() + b"\n" + hashlib.sha256(body).digest())
    return made.hexdigest()


def common_crawl_layout(source: str, target: Path) -> None:
    """The pages of ``source`` as Common Crawl would have written them."""
    request = b"GET / HTTP/1.1\r\nUser-Agent: bot\r\nAccept: text/html\r\n\r\n"
    metadata = b"fetchTimeMs: 104\r\ncharset-detected: UTF-8\r\n"
    with open(target, "wb") as out:
        for page in read_pages(source):
            charset = f"; charset={page.charset}" if page.charset else ""
            head = b"HTTP/1.1 200 OK\r\n" + _FIELDS
            head += f"Content-Type: text/html{charset}\r\n\r\n".encode()
            out.write(member("request", page.url, request))
            out.write(member("response", page.url, head + page.body))
            out.write(member("metadata", page.url, metadata))


def member(kind: str, url: str, block: bytes) -> bytes:
    head = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Date: 2024-08-05T11:02:44Z\r\n"
        f"WARC-Record-ID: <urn:uuid:{hashlib.md5(block).hexdigest()}>\r\n"
        f"Content-Length: {len(block)}\r\nContent-Type: application/http; msgtype={kind}\r\n"
        f"WARC-IP-Address: 192.0.2.7\r\nWARC-Target-URI: {url}\r\n"
        "WARC-Identified-Payload-Type: text/html\r\n\r\n"
    )
    return gzip.compress(head.encode() + block + b"\r\n\r\n", 6, mtime=0)


def compare(paths: list[str], rounds: int) -> dict[str, object]:
    assert len({digest(reader, paths) for reader in READERS.values()}) == 1, "readers differ"
    seconds: dict[str, list[float]] = {name: [] for name in READERS}
    for _ in range(rounds):
        for name, reader in READERS.items():
            start = time.process_time()
            pages, size = read_all(reader, paths)
            seconds[name].append(time.process_time() - start)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    return {
        "pages": pages,
        "payload_bytes": size,
        "pages_per_cpu_s": {name: round(pages / s) for name, s in medians.items()},
        "times_as_fast_as": {
            name: round(medians[name] / medians["seekmath"], 2) for name in ("fastwarc", "warcio")
        },
        "cpu_s": {name: [round(s, 4) for s in times] for name, times in seconds.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("warc", nargs="+")
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    found = {"as given": compare(given.warc, given.rounds)}
    with tempfile.TemporaryDirectory() as folder:
        made = [Path(folder) / Path(path).name for path in given.warc]
        for source, target in zip(given.warc, made, strict=True):
            common_crawl_layout(source, target)
        found["common crawl layout"] = compare([str(path) for path in made], given.rounds)
    for layout, figures in found.items():
        print(layout, figures["pages_per_cpu_s"], figures["times_as_fast_as"])
    date = datetime.now(UTC).date().isoformat()
    peers = {name: version(name) for name in ("fastwarc", "warcio", "deflate", "isal")}
    write_json(
        Path(__file__).parent / "results" / f"warc-reading-{date}.json",
        {
            "benchmark": "WARC records read, CPU time of one core, ratio of medians",
            "targets": {"fastwarc": 1.3, "warcio": 2.5},
            "layouts": found,
            "date": date,
            "machine": machine(),
            "versions": {**versions(), **peers},
            "command": "python " + " ".join(sys.argv),
        },
    )


if __name__ == "__main__":
    main()
