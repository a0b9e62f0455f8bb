"""What counts as a word: the one tokenisation behind counting, scoring and de-duplication.

A word is a run of letters and digits; a Chinese, Japanese or Korean character is a word of its
own, so the same n-grams serve languages written with and without spaces.
"""

import re
import unicodedata

from seekmath.core.words import CJK

_CJK = re.compile(f"[{CJK}]")
_WORD = re.compile(rf"[{CJK}]|[^\W_{CJK}]+")
# Of the signs only those that formulas are made of: commas and brackets stand on every page and,
# as the largest part of the mean that fastText takes, make its training swing.
_SCORED = re.compile(rf"\\[a-z]+|[{CJK}]|[^\W\d_{CJK}]+|\d+(?:[.,]\d+)*|[$^_=+]")


def is_cjk(char: str) -> bool:
    """Whether the character is a word of its own."""
    return bool(_CJK.match(char))


def count_words(text: str) -> int:
    """Number of words; the token count of budgets and reports before a tokenizer exists."""
    return sum(1 for _ in _WORD.finditer(text))


def scored_words(text: str, most: int) -> list[str]:
    """What the classifier reads, in training and in scoring: at most ``most`` words.

    Lower-cased; a LaTeX command, a CJK character and each of the signs ``$ ^ _ = +`` are words of
    their own, and a number becomes ``0`` with one zero for each digit of its whole part, so that
    2019 and 1987 are one word but 7 is another.
    """
    found = []
    for match in _SCORED.finditer(unicodedata.normalize("NFKC", text[: most * 40]).lower()):
        word = match.group()
        found.append("0" * min(len(re.split(r"[.,]", word)[0]), 5) if word[0].isdigit() else word)
        if len(found) == most:
            break
    return found
