"""Which language a text is in: Chinese, English or another (compiled)."""

import numpy as np
from numpy.typing import NDArray

from seekmath.mine.byte_masks import WIDTH, blank, first, high, letter, word
from seekmath.mine.compiled import kernel

_SAMPLE = 4000
_ENGLISH = frozenset("the of and to in is for that with are be this as on by a an".split())
# The same, each in the four bytes of a number; none is longer.
_PACKED = np.array([int.from_bytes(word.encode(), "little") for word in _ENGLISH], np.uint32)


def language_of(text: str) -> str:
    """ "zh", "en" or "other", from the script and the commonest English words."""
    sample = np.frombuffer(text[:_SAMPLE].encode(), np.uint8)
    rest = np.empty(len(sample) + 1, np.uint8)
    words, english, hanzi, size = _count(sample, _PACKED, rest)
    if size:
        others = rest[:size].tobytes().decode()
        # The one letter that is two characters, of which one is no letter, in lower case.
        tokens = (others.lower() if "İ" in others else others).split()
        words += sum(map(str.isalpha, tokens))
        english += sum(token.lower() in _ENGLISH for token in tokens if token.isascii())
    if hanzi > 0.3 * (hanzi + words):
        return "zh"
    return "en" if english >= 0.06 * max(1, words) else "other"


@kernel
def _count(
    text: NDArray[np.uint8], english: NDArray[np.uint32], rest: NDArray[np.uint8]
) -> tuple[int, int, int, int]:
    """Words of ASCII letters, those of them that are in ``english``, hanzi, and bytes of ``rest``.

    ``rest`` takes the pieces between ASCII spaces that hold other characters, a space behind each.
    """
    words = common = hanzi = size = at = 0
    while at < len(text):
        start, packed, letters, plain = at, np.uint32(0), True, True
        if at + WIDTH <= len(text):
            length = first(blank(text, at))
            if length < WIDTH and first(high(text, at)) > length:
                if length and first(~letter(text, at)) >= length:
                    words += 1
                    if length <= 4:
                        packed = np.uint32((word(text, at) | 0x20202020) & ((1 << 8 * length) - 1))
                        for common_word in english:
                            common += common_word == packed
                at += length + 1
                continue
        while at < len(text):
            byte = text[at]
            if byte == 32 or 9 <= byte <= 13 or 28 <= byte <= 31:
                break
            if byte >= 0x80:
                plain = False
                # U+4E00 to U+9FFF.
                hanzi += 0xE5 <= byte <= 0xE9 or (byte == 0xE4 and text[at + 1] >= 0xB8)
            lower = byte | 32
            letters &= 97 <= lower <= 122
            packed = np.uint32((packed >> np.uint32(8)) | (np.uint32(lower) << np.uint32(24)))
            at += 1
        length = at - start
        if not plain:
            rest[size : size + length] = text[start:at]
            rest[size + length] = 32
            size += length + 1
        elif letters and length:
            words += 1
            if length <= 4:
                packed >>= np.uint32(32 - 8 * length)
                for common_word in english:
                    common += common_word == packed
        at += 1
    return words, common, hanzi, size
