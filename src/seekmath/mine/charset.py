"""Bytes of a page to text: the charset from the BOM, HTTP, a meta element, or detection."""

import codecs
import re
from collections.abc import Iterator
from functools import lru_cache

import charset_normalizer
import numpy as np
from numpy.typing import NDArray

from seekmath.mine.byte_masks import WIDTH, high
from seekmath.mine.compiled import kernel

_META = re.compile(rb"<meta[^>]{0,300}?charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.IGNORECASE)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What a server calls these is in truth the larger set, as browsers read them.
_WIDER = {
    "gb2312": "gb18030", "gbk": "gb18030", "iso8859-1": "cp1252", "ascii": "cp1252",
    "shift_jis": "cp932", "euc_kr": "cp949", "big5": "big5hkscs", "iso8859-9": "cp1254",
    "tis-620": "cp874", "iso8859-11": "cp874",
}  # fmt: skip
# Python knows codecs that no page may name (punycode takes quadratic time); these are the web's.
_OF_THE_WEB = re.compile(
    r"utf-8|utf-16(?:-[lb]e)?|gb18030|hz|big5hkscs|cp932|euc_jp|iso2022_jp|cp949|koi8-[ru]"
    r"|iso8859-\d+|cp125\d|cp866|cp874|mac-roman|mac-cyrillic"
)
_NAMES = {
    "x-gbk": "gb18030", "gb_2312-80": "gb18030", "x-sjis": "cp932", "windows-31j": "cp932",
    "x-euc-jp": "euc_jp", "utf8mb4": "utf-8", "unicode-1-1-utf-8": "utf-8", "ks_c_5601-1987":
    "cp949", "windows-949": "cp949", "x-mac-cyrillic": "mac-cyrillic", "macintosh": "mac-roman",
}  # fmt: skip
_SAMPLE = 40_000
_META_WITHIN = 4096
_BOM_BYTES = tuple(bom for bom, _ in _BOMS)
_ASCII, _HIGH = bytes(range(0x80)), bytes(range(0x80, 0x100))
# First bytes of hanzi in GB 2312: level 1 (by pronunciation), its second half, level 2.
_USUAL, _LATE, _RARE = (bytes(range(*ends)) for ends in ((0xB0, 0xD8), (0xC9, 0xD8), (0xD8, 0xFF)))
_LEAST_HANZI = 30


def decode(body: bytes, stated: str | None) -> str:
    """The text of a page.

    A stated charset is believed unless the bytes contradict it; UTF-8 is tried before guessing,
    because text in another charset almost never is valid UTF-8.
    """
    for bom, name in _BOMS:
        if body.startswith(bom):
            return body.decode(name, "replace").lstrip("\ufeff")
    for codec in _candidates(body, stated):
        try:
            return body.decode(codec, "strict")
        except UnicodeDecodeError:
            if codec == "utf-8" and _mostly_utf8(body):
                return body.decode("utf-8", "replace")
    chinese = _chinese(body)
    if chinese is not None:
        return chinese
    guess = charset_normalizer.from_bytes(body[:_SAMPLE]).best()
    return body.decode(_codec(guess.encoding if guess else None) or "cp1252", "replace")


def to_utf8(body: bytes, stated: str | None) -> bytes:
    """The page in UTF-8: the bytes themselves where they are, else decoded and encoded."""
    if (
        not body.startswith(_BOM_BYTES)
        and next(_candidates(body, stated)) == "utf-8"
        and is_utf8(np.frombuffer(body, np.uint8))
    ):
        return body
    return decode(body, stated).encode("utf-8", "replace")


@kernel
def is_utf8(body: NDArray[np.uint8]) -> bool:
    """Are these bytes UTF-8, as the standard has it: no surrogates, nothing longer than need be?"""
    length, at = len(body), 0
    while at < length:
        if at + WIDTH <= length and high(body, at) == 0:
            at += WIDTH
            continue
        stop = min(length, at + WIDTH)
        while at < stop:
            byte = body[at]
            at += 1
            if byte < 0x80:
                continue
            more = 1 + (byte >= 0xE0) + (byte >= 0xF0)
            if byte < 0xC2 or byte > 0xF4 or at + more > length:
                return False
            behind = body[at]
            low = 0xA0 if byte == 0xE0 else 0x90 if byte == 0xF0 else 0x80
            most = 0x9F if byte == 0xED else 0x8F if byte == 0xF4 else 0xBF
            if behind < low or behind > most:
                return False
            for each in range(at + 1, at + more):
                if body[each] & 0xC0 != 0x80:
                    return False
            at += more
    return True


def _candidates(body: bytes, stated: str | None) -> Iterator[str]:
    """Codecs to try, in order, each once."""
    told = _codec(stated)
    # cp1252 is what servers state unasked, and what any bytes are; UTF-8 is no accident.
    early = told in ("utf-8", "cp1252")
    if early:
        yield "utf-8"
    found = [codec for codec in (told, _codec_in_page(body)) if codec]
    order = dict.fromkeys(["utf-8", *found] if "cp1252" in found else [*found, "utf-8"])
    yield from (codec for codec in order if not (early and codec == "utf-8"))


def _codec_in_page(body: bytes) -> str | None:
    if b"charset" not in body[:_META_WITHIN].lower():
        return None
    meta = _META.search(body, 0, _META_WITHIN)
    codec = _codec(meta[1].decode("ascii", "replace")) if meta else None
    # A page in UTF-16 could not have been read as ASCII.
    return "utf-8" if codec and codec.startswith("utf-16") else codec


def _chinese(body: bytes) -> str | None:
    """The text of a page in GB 18030; None where it may be in another charset.

    Of running Chinese text most characters are of level 1, spread over the alphabet, so both
    halves of it occur; Korean has hardly any of the second half, Japanese and Big5 few of level 1,
    Thai and Cyrillic, whose words have odd lengths too, many that would be of level 2.
    """
    first = body[:_SAMPLE].translate(None, _ASCII)[::2]
    usual, late, rare = (len(first) - len(first.translate(None, s)) for s in (_USUAL, _LATE, _RARE))
    total = len(first)
    if total < _LEAST_HANZI or usual < 0.6 * total or late < 0.2 * total or rare > 0.1 * total:
        return None
    try:
        return body.decode("gb18030", "strict")
    except UnicodeDecodeError:
        return None


@lru_cache(1024)
def _codec(name: str | None) -> str | None:
    if not name:
        return None
    name = name.strip().lower()
    try:
        found = _NAMES.get(name) or codecs.lookup(name).name
    except (LookupError, ValueError):
        return None
    found = _WIDER.get(found, found)
    return found if _OF_THE_WEB.fullmatch(found) else None


def _mostly_utf8(body: bytes) -> bool:
    sample = body[:_SAMPLE]
    high = len(sample) - len(sample.translate(None, _HIGH))
    return sample.decode("utf-8", "replace").count("\ufffd") <= 0.1 * max(1, high)
