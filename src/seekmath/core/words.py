"""Words for comparing texts from different hands: the n-gram rule of section 2.1.

One rule serves the corpus (no benchmark text in it) and the evaluation (no worked example out of
a test set).
"""

import re
import unicodedata
from collections.abc import Sequence

#: Characters written without spaces between words: CJK ideographs, kana and hangul.
CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003134f"

#: Length of the grams that give a text away, and the words a text needs to be matched whole.
GRAM = 10
SHORTEST = 3

_TAG = re.compile(r"</?[a-z][^<>\n]{0,200}>")
_THOUSANDS = re.compile(r"(?<=\d)(?:,|\{,\}|\\,)(?=\d{3}(?!\d))")
_COMMAND = re.compile(r"\\(?:[a-z]+\*?|.)")
# Between two single letters: "x y" and "xy" are the same product. Not told by delimiters, since
# prices in dollars would turn text into formulas.
_APART = re.compile(r"(?<![^\W\d_])([a-z]) +(?=[a-z](?![^\W\d_]))")
_PLAIN = re.compile(rf"[{CJK}]|\d+|[^\W\d_{CJK}]+")


def plain_words(text: str) -> list[str]:
    """Words with mark-up and LaTeX looked through, for comparing texts from different hands.

    Tags, LaTeX commands, thousands separators and the spacing of formulas leave no trace:
    ``$2 x^{2}$``, ``$2x^2$`` and ``\\(2x^2\\)`` give the same words;
    so do ``1,000`` and ``1000``.
    """
    text = unicodedata.normalize("NFKC", text).lower()
    text = _TAG.sub(" ", text) if "<" in text else text
    text = _THOUSANDS.sub("", text)
    text = _COMMAND.sub(" ", text) if "\\" in text else text
    return _PLAIN.findall(_APART.sub(r"\1", text))


def gram_length(words: Sequence[str]) -> int:
    """Length of the grams that a text of these words is matched by; 0 where it is too short."""
    count = len(words)
    if count >= GRAM:
        return GRAM
    # "3 5 7" or "x y z" stand on any page; such a bare formula is an answer, not a text.
    spoken = any((len(word) > 1 and not word.isdigit()) or word > "\u3000" for word in words)
    return count if count >= SHORTEST and spoken else 0
