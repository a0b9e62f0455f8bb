"""Bytes of a page to text: the charset from the BOM, HTTP, a meta element, or detection."""

import codecs
import re

import charset_normalizer

_META = re.compile(rb"<meta[^>]{0,300}?charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.IGNORECASE)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What a server calls these is in truth the larger set, as browsers read them.
_WIDER = {"gb2312": "gb18030", "gbk": "gb18030", "iso8859-1": "cp1252", "ascii": "cp1252"}
_SAMPLE = 40_000


def decode(body: bytes, stated: str | None) -> str:
    """The text of a page.

    A stated charset is believed unless the bytes contradict it; UTF-8 is tried before guessing,
    because text in another charset almost never is valid UTF-8.
    """
    for bom, name in _BOMS:
        if body.startswith(bom):
            return body.decode(name, "replace").lstrip("\ufeff")
    meta = _META.search(body[:4096])
    in_page = meta.group(1).decode("ascii", "replace") if meta else None
    candidates = [stated, in_page, "utf-8"]
    if "cp1252" in map(_codec, candidates):
        # What servers state unasked, and what any bytes are; UTF-8 is no accident.
        candidates.insert(0, "utf-8")
    for candidate in candidates:
        codec = _codec(candidate)
        if codec is None:
            continue
        try:
            return body.decode(codec, "strict")
        except UnicodeDecodeError:
            if codec == "utf-8" and _mostly_utf8(body):
                return body.decode("utf-8", "replace")
    guess = charset_normalizer.from_bytes(body[:_SAMPLE]).best()
    return body.decode(_codec(guess.encoding if guess else None) or "cp1252", "replace")


def _codec(name: str | None) -> str | None:
    if not name:
        return None
    try:
        found = codecs.lookup(name).name
    except LookupError:
        return None
    return _WIDER.get(found, found)


def _mostly_utf8(body: bytes) -> bool:
    sample = body[:_SAMPLE]
    high = sum(byte >= 0x80 for byte in sample)
    return sample.decode("utf-8", "replace").count("\ufffd") <= 0.1 * max(1, high)
