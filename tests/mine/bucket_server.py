"""A loopback server with Common Crawl's layout, an S3 door, and a busy public bucket's faults."""

import contextlib
import gzip
import io
import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from .warc_files import common_crawl_records, members, record, url_of

SNAPSHOT = "CC-MAIN-2024-33"
_ROOT = f"/crawl-data/{SNAPSHOT}"


@dataclass
class Bucket:
    """What the server holds and how it behaves; changed while it runs."""

    files: dict[str, bytes] = field(default_factory=dict)
    index: list[dict[str, str]] = field(default_factory=list)
    faults: list[object] = field(default_factory=list)  # one for each request: a status, or "cut"
    retry_after: str = ""
    ranges: bool = True
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    url: str = ""

    def statuses(self) -> Counter[str]:
        return Counter(path for _, path, _ in self.seen)


def common_crawl(files: int = 3, pages: int = 4) -> Bucket:
    """A snapshot of WARC and WET files with ``pages`` pages each, and its URL index."""
    bucket = Bucket()
    names: dict[str, list[str]] = {"warc": [], "wet": []}
    for number in range(files):
        numbers = range(number * pages, (number + 1) * pages)
        parts = [part for n in numbers for part in common_crawl_records(n)]
        raw, places = members(parts)
        name = f"crawl-data/{SNAPSHOT}/segments/1/warc/CC-MAIN-{number:05d}.warc.gz"
        names["warc"].append(name)
        bucket.files["/" + name] = raw
        for at, n in enumerate(numbers):
            start, end = places[3 * at + 1]
            bucket.index.append(_row(n, name, start, end - start))
        texts = [record(url_of(n), f"Text of page {n}".encode(), "conversion") for n in numbers]
        wet = f"crawl-data/{SNAPSHOT}/segments/1/wet/CC-MAIN-{number:05d}.warc.wet.gz"
        names["wet"].append(wet)
        bucket.files["/" + wet] = members(texts)[0]
    for form, listed in names.items():
        listing = "".join(f"{name}\n" for name in listed).encode()
        bucket.files[f"{_ROOT}/{form}.paths.gz"] = gzip.compress(listing)
    return bucket


def add_index_table(bucket: Bucket, files: int = 2, group: int = 3) -> None:
    """The same index as Common Crawl's table: sorted by key, ``group`` rows in a row group."""
    rows = sorted(bucket.index, key=lambda row: _surt(row["url"]))
    # What no page is fetched of: redirects, images, other hosts of the same names.
    odd = {
        "https://site3.org/moved": ("301", "text/html"),
        "https://site3.org/x.png": ("200", "image/png"),
        "https://site3.org.net/": ("200", "text/html"),
    }
    for url, (status, mime) in odd.items():
        rows.append({**rows[0], "url": url, "status": status, "mime": mime})
    rows.sort(key=lambda row: _surt(row["url"]))
    names = []
    share = -(-len(rows) // files)
    for number in range(files):
        some = rows[number * share : (number + 1) * share]
        table = pa.table({
            "url_surtkey": [_surt(row["url"]) for row in some],
            "url": [row["url"] for row in some],
            "fetch_status": pa.array([int(row["status"]) for row in some], pa.int16()),
            "content_mime_type": [row["mime"] for row in some],
            "content_digest": [f"{n:032d}" for n in range(len(some))],
            "warc_filename": [row["filename"] for row in some],
            "warc_record_offset": pa.array([int(row["offset"]) for row in some], pa.int32()),
            "warc_record_length": pa.array([int(row["length"]) for row in some], pa.int32()),
        })  # fmt: skip
        where = f"cc-index/table/cc-main/warc/crawl={SNAPSHOT}/subset=warc"
        name = f"{where}/part-{number:05d}.gz.parquet"
        file = io.BytesIO()
        pq.write_table(table, file, row_group_size=group)
        bucket.files["/" + name] = file.getvalue()
        names += [name, name.replace("subset=warc", "subset=robotstxt")]
    listing = "".join(f"{name}\n" for name in names).encode()
    bucket.files[f"{_ROOT}/cc-index-table.paths.gz"] = gzip.compress(listing)


def _surt(url: str) -> str:
    parts = urlsplit(url)
    host = ",".join(reversed(parts.netloc.removeprefix("www.").split(".")))
    return f"{host}){parts.path}".lower()


def _row(number: int, file: str, offset: int, length: int) -> dict[str, str]:
    return {
        "url": url_of(number),
        "mime": "text/html",
        "status": "200",
        "length": str(length),
        "offset": str(offset),
        "filename": file,
    }


@contextlib.contextmanager
def serving(bucket: Bucket) -> Iterator[Bucket]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(bucket))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    bucket.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield bucket
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(bucket: Bucket) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, body: bool) -> None:
            path = urlsplit(self.path).path
            bucket.seen.append((self.command, self.path, dict(self.headers)))
            fault = bucket.faults.pop(0) if bucket.faults else None
            if isinstance(fault, int):
                extra = {"Retry-After": bucket.retry_after} if bucket.retry_after else {}
                return self._send(fault, b"<Error><Code>SlowDown</Code></Error>", extra, body)
            if path == f"/{SNAPSHOT}-index":
                status, content = _index_answer(bucket, parse_qs(urlsplit(self.path).query))
                return self._send(status, content, {}, body)
            content = bucket.files.get(path.removeprefix("/s3"))
            if content is None:
                return self._send(404, b"absent", {}, body)
            return self._send_file(content, cut=fault == "cut", body=body)

        def _send_file(self, content: bytes, cut: bool, body: bool) -> None:
            wanted = self.headers.get("Range")
            if not (bucket.ranges and wanted):
                extra = {"Accept-Ranges": "bytes"} if bucket.ranges else {}
                return self._send(200, content, extra, body, cut)
            first, last = wanted.removeprefix("bytes=").split("-")
            start, end = int(first), min(int(last or len(content)), len(content) - 1)
            shown = {"Content-Range": f"bytes {start}-{end}/{len(content)}"}
            return self._send(206, content[start : end + 1], shown, body, cut)

        def _send(
            self,
            status: int,
            content: bytes,
            extra: dict[str, str],
            body: bool,
            cut: bool = False,
        ) -> None:
            self.send_response(status)
            for name, value in {"ETag": '"x"', **extra}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if body:
                self.wfile.write(content[: len(content) // 2] if cut else content)
            if cut:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _index_answer(bucket: Bucket, query: dict[str, list[str]]) -> tuple[int, bytes]:
    """As pywb's index server answers: two rows a page."""
    url, kind = query["url"][0], query["matchType"][0]
    assert query["filter"] == ["=status:200", "~mime:.*html.*"]
    rows = [row for row in bucket.index if _matches(row["url"], url, kind)]
    if not rows:
        return 404, json.dumps({"message": f"No Captures found for: {url}"}).encode()
    if "showNumPages" in query:
        return 200, json.dumps({"pages": -(-len(rows) // 2), "pageSize": 5}).encode()
    page = int(query["page"][0])
    lines = [json.dumps(row) for row in rows[2 * page : 2 * page + 2]]
    return 200, "".join(f"{line}\n" for line in lines).encode()


def _matches(url: str, wanted: str, kind: str) -> bool:
    bare = url.split("://")[1]
    host = bare.split("/")[0]
    if kind == "host":
        return host == wanted
    if kind == "domain":
        return host == wanted or host.endswith("." + wanted)
    return bare.startswith(wanted)
