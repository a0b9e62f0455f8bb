"""The head of a WARC record (ISO 28500) and of an HTTP message: fields found without a parse."""

import base64
import binascii
import hashlib
import re

BLANK_LINE = b"\r\n\r\n"
#: Fields as ``field`` looks for them.
LENGTH = b"\ncontent-length:"
MEDIA = b"\ncontent-type:"
TARGET = b"\nwarc-target-uri:"
TYPE = b"\nwarc-type:"
_DIGEST = re.compile(r"(sha1|sha256):([A-Za-z0-9+/=]+)")
# The first kilobytes of a record name it.
_MOST_HEAD = 1 << 16


def field(head: bytes, lowered: bytes, name: bytes) -> str:
    """The value of the first field ``name``, or ``""``.

    Args:
        head: the lines of a head.
        lowered: the same in lower case, made once for many fields.
        name: in lower case, between a newline and a colon.
    """
    at = lowered.find(name)
    if at < 0:
        return ""
    start = at + len(name)
    end = lowered.find(b"\n", start)
    return (head[start:end] if end >= 0 else head[start:]).decode("utf-8", "replace").strip()


def stated_length(lowered: bytes) -> int:
    """The Content-Length of a record, or -1 when it states none that can be one."""
    text = field(lowered, lowered, LENGTH)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else -1


def target_url(content: bytes | bytearray) -> str:
    """The URL of the record at the start of ``content``, or ``""``."""
    head = bytes(content[:_MOST_HEAD]).partition(BLANK_LINE)[0]
    return field(head, head.lower(), TARGET).strip("<>")


def block_digest_agrees(record: bytes) -> bool:
    """Whether ``record`` is one record, as long as it states, with the digest that it states."""
    head, _, block = record.partition(BLANK_LINE)
    lowered = head.lower()
    length = stated_length(lowered)
    stated = _DIGEST.fullmatch(field(head, lowered, b"\nwarc-block-digest:"))
    if stated is None or length < 0 or block[length:] not in (b"", BLANK_LINE):
        return False
    made = hashlib.new(stated[1], block[:length], usedforsecurity=False).digest()
    return made in _digests(stated[2])


def _digests(text: str) -> list[bytes]:
    """The bytes that a digest in base 32 (most writers) or base 16 may stand for."""
    found = []
    for decode in (base64.b32decode, bytes.fromhex):
        try:
            found.append(decode(text))
        except (ValueError, binascii.Error):
            continue
    return found
