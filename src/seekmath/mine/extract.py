"""Pages to records: charset, main text with formulas, language; and ``seekmath extract``."""

import codecs
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seekmath.core.files import BadInput
from seekmath.core.seeds import digest
from seekmath.mine.charset import to_utf8
from seekmath.mine.crawl import Damage, RawPage, read_pages
from seekmath.mine.html import main_text
from seekmath.mine.inputs import files_at, holds_pages
from seekmath.mine.language import language_of
from seekmath.mine.page_tokens import HostilePage
from seekmath.mine.raw_page import PageText
from seekmath.mine.urls import host_and_path

_USER_AGENT = "seekmath/0.1 (+https://arxiv.org/abs/2402.03300; page extraction)"
_MOST_BYTES = 16 << 20
# Beyond this a page is a data dump or an attack; its beginning is read.
_MOST_TEXT_BYTES = 4 << 20
_TIMEOUT_S = 30
# How files begin that are often given for pages.
_KINDS = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"%PDF-": "a PDF",
    b"PK\x03\x04": "a zip archive",
    b"\x1f\x8b": "compressed with gzip and not named .warc.gz",
    b"WARC/": "a WARC file not named .warc",
    b"PAR1": "a Parquet file not named .parquet",
}
# Where browsers look for bytes that no text has (WHATWG, MIME Sniffing, section 7.1), and they.
_SNIFFED = 1445
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_MARKUP = re.compile(rb"<\0?[A-Za-z/!?]")


def extract_page(page: RawPage) -> dict[str, Any]:
    """The page record (``core.records.PAGE``) of a crawled page.

    Raises:
        HostilePage: it has too many tags or is nested too deeply; the message is the reason.
    """
    title, text, formulas = page.text or main_text(
        to_utf8(page.body, page.charset)[:_MOST_TEXT_BYTES]
    )
    host, path = host_and_path(page.url)
    return {
        "url": page.url,
        "host": host,
        "path": path,
        "language": language_of(text),
        "title": title,
        "text": text,
        "formulas": formulas,
        "source": page.source,
        "digest": digest(text),
    }


def extract_inputs(inputs: list[str]) -> Iterator[dict[str, Any]]:
    """Extract HTML files, URLs and every page of crawl files: url, title, text, and the rest.

    A file without a single tag is plain text and gives its text as it stands. A page of a crawl
    file beyond the bounds is named on stderr and left out.

    Raises:
        BadInput: a file is absent, empty, no text or a crawl file without a page, a URL cannot be
            fetched, or the one page is beyond the bounds.
    """
    for given in inputs:
        if holds_pages(given):
            for found in files_at(given):
                yield from _of_crawl_file(found)
        elif re.match(r"https?://", given):
            yield _single(_fetch(given))
        elif not Path(given).is_file():
            raise BadInput(f"{given}: no such file; give HTML files, WARC files or http(s) URLs")
        else:
            with open(given, "rb") as file:
                body = file.read(_MOST_BYTES)
            yield _single(RawPage(given, f"{given}:0:{len(body)}", body, None))


def _of_crawl_file(path: str) -> Iterator[dict[str, Any]]:
    damage, page = Damage(), None
    for page in read_pages(path, damage):
        try:
            yield extract_page(page)
        except HostilePage as error:
            print(f"{page.url}: left out: {error}", file=sys.stderr)
    if page is None:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in damage.skipped.items())
        raise BadInput(f"{path}: holds no page; skipped: {reasons or 'nothing'}")


def _single(page: RawPage) -> dict[str, Any]:
    if reason := _no_text(page.body):
        raise BadInput(f"{page.url}: {reason}; give HTML, plain text, WARC files or http(s) URLs")
    if not _MARKUP.search(page.body):
        text = to_utf8(page.body, page.charset)[:_MOST_TEXT_BYTES].decode("utf-8", "replace")
        page = page._replace(text=PageText("", text.strip(), 0))
    try:
        return extract_page(page)
    except HostilePage as error:
        raise BadInput(f"{page.url}: {error}: no page to be read as text") from None


def _no_text(body: bytes) -> str:
    """Why these bytes are no page; "" where they may be one."""
    if not body:
        return "is empty"
    for begin, kind in _KINDS.items():
        if body.startswith(begin):
            return f"is {kind}"
    # In HTML a stray byte is a fault of the page, which a browser passes over too.
    if body.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"<") or body.startswith(_UTF16):
        return ""
    return "is binary data, not text" if _BINARY.search(body, 0, _SNIFFED) else ""


def _fetch(url: str) -> RawPage:
    request = urllib.request.Request(url, headers={"User-Agent": _USER_AGENT})
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:
            body = response.read(_MOST_BYTES)
            charset = response.headers.get_content_charset()
    except (urllib.error.URLError, TimeoutError, ValueError) as error:
        raise BadInput(f"{url}: cannot be fetched: {error}") from None
    return RawPage(url, f"{url}:0:{len(body)}", body, charset)
