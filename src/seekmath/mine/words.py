"""What counts as a word: the one tokenisation behind counting, de-duplication and decontamination.

A word is a run of letters and digits; a Chinese, Japanese or Korean character is a word of its
own, so the same n-grams serve languages written with and without spaces.
"""

import re
import unicodedata

#: Characters written without spaces between words: CJK ideographs, kana and hangul.
CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003134f"

_WORD = re.compile(rf"[{CJK}]|[^\W_{CJK}]+")
# Of the signs only those that formulas are made of: commas and brackets stand on every page and,
# as the largest part of the mean that fastText takes, make its training swing.
_SCORED = re.compile(rf"\\[a-z]+|[{CJK}]|[^\W\d_{CJK}]+|\d+(?:[.,]\d+)*|[$^_=+]")

_TAG = re.compile(r"</?[a-z][^<>]{0,200}>")
_THOUSANDS = re.compile(r"(?<=\d)(?:,|\{,\}|\\,)(?=\d{3}(?!\d))")
_COMMAND = re.compile(r"\\(?:[a-z]+\*?|.)")
# Between two single letters: "x y" and "xy" are the same product. Not told by delimiters, since
# prices in dollars would turn text into formulas.
_APART = re.compile(r"(?<![^\W\d_])([a-z]) +(?=[a-z](?![^\W\d_]))")
_PLAIN = re.compile(rf"[{CJK}]|\d+|[^\W\d_{CJK}]+")


def words(text: str) -> list[str]:
    """The words of ``text``, compatibility forms unified (full-width digits) and lower-cased."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).lower())


def count_words(text: str) -> int:
    """Number of words; the token count of budgets and reports before a tokenizer exists."""
    return sum(1 for _ in _WORD.finditer(text))


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
