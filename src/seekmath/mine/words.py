"""Characters that are words of their own; the words themselves are found in ``word_kernels``."""

import re

from seekmath.core.words import CJK

_CJK = re.compile(f"[{CJK}]")


def is_cjk(char: str) -> bool:
    """Whether the character is a word of its own."""
    return bool(_CJK.match(char))
