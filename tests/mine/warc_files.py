"""Small WARC files for tests, as crawlers write them, and where each record lies in them."""

import base64
import gzip
import hashlib
import itertools
import random

HTML = b"Content-Type: text/html; charset=utf-8\r\n"


def body_of(number: int, size: int = 600) -> bytes:
    """A page body that compresses like one, different for each number."""
    words = random.Random(number).choices(["sum", "of", "the", "angle", "proof", "</p><p>"], k=size)
    return f"<html><title>Page {number}</title><p>{' '.join(words)}</p></html>".encode()


def http(body: bytes, fields: bytes = HTML, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\n".encode() + fields + b"\r\n" + body


def record(
    url: str, block: bytes, kind: str = "response", length: str | None = "", digest: bool = True
) -> bytes:
    """One WARC record; ``length`` "" states the true one, None states none."""
    head = f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: {url}\r\n"
    if digest:
        made = base64.b32encode(hashlib.sha1(block).digest()).decode()
        head += f"WARC-Block-Digest: sha1:{made}\r\n"
    if length is not None:
        head += f"Content-Length: {length or len(block)}\r\n"
    return head.encode() + b"\r\n" + block + b"\r\n\r\n"


def page_record(number: int, **options: object) -> bytes:
    return record(url_of(number), http(body_of(number)), **options)


def url_of(number: int) -> str:
    return f"https://site{number % 7}.org/page/{number}"


def common_crawl_records(number: int) -> list[bytes]:
    """Request, response and metadata, as Common Crawl writes them of one page."""
    url = url_of(number)
    return [
        record(url, b"GET /page HTTP/1.1\r\nHost: site.org\r\n\r\n", "request"),
        page_record(number),
        record(url, b"fetchTimeMs: 12\r\n", "metadata"),
    ]


def member(content: bytes) -> bytes:
    return gzip.compress(content, 6, mtime=0)


def members(records: list[bytes]) -> tuple[bytes, list[tuple[int, int]]]:
    """The records gzipped one by one, and (start, end) of each in the file."""
    packed = [member(one) for one in records]
    ends = [0]
    for one in packed:
        ends.append(ends[-1] + len(one))
    return b"".join(packed), list(itertools.pairwise(ends))
