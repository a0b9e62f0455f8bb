r"""Formulas that stand in plain text between delimiters: ``\(…\)``, ``$…$``, environments, more.

Each delimiter is looked up once, its partner within a bound, so the time is linear.
"""

import re
from functools import cached_property

import numpy as np

from seekmath.mine.asciimath import asciimath_to_latex
from seekmath.mine.macros import Macros, page_macros
from seekmath.mine.marks import MARKS, mark
from seekmath.mine.page_hints import (
    CHOOSES_DELIMITERS,
    LOADS_ASCIIMATH,
    macro_hints,
    style_hints,
)

_MOST = 4000
_MOST_INLINE = 600
# A block with more delimiters without a partner holds no formulas behind them.
_MOST_UNPAIRED = 2000
_ENVIRONMENTS = (
    "equation|align|gather|multline|eqnarray|alignat|flalign|displaymath|math|array|split|aligned"
    "|cases|[pbBvV]?matrix"
)
# Each alternative begins with a character of its own, so that the search skips to one of them.
_OPENER = re.compile(
    rf"{MARKS[0]}|{MARKS[1]}|\\\\?[(\[]|\\begin\{{({_ENVIRONMENTS})(\*?)\}}|\$\$?|`"
    r"|\[(tex|latex|math|imath|dmath)\]",
    re.IGNORECASE,
)
# What closes a formula, and whether it is displayed.
_USUAL = {
    "\\(": ("\\)", False), "\\[": ("\\]", True), "$$": ("$$", True),
    "\\\\(": ("\\\\)", False), "\\\\[": ("\\\\]", True),
}  # fmt: skip
_LOOKS_TEX = re.compile(r"\\[A-Za-z]+|[\^_{}=+<>]|^\s*[A-Za-z]'?\s*$|^-?\d+(?:\.\d+)?$")
_MONEY = re.compile(r"^\d[\d.,]*\s*(?:[A-Za-z]{2,}|$)|\b(?:and|or|to|per|each|for|the|in)\b")
_DOLLARS = re.compile(rb"""\[\s*['"]\$['"]\s*,|left['"]?\s*:\s*['"]\$['"]""")
_ASCIIMATH = (b"asciimath", b"ASCIIMath", b"AM_CHTML", b"AM_HTMLorMML", b"AsciiMath")


class TextStyle:
    """How a page writes formulas in its text, read off its scripts when first asked for."""

    def __init__(self, source: bytes) -> None:
        self._source = source

    @cached_property
    def _hints(self) -> int:
        return style_hints(np.frombuffer(self._source, np.uint8))

    @cached_property
    def dollars(self) -> bool:
        """Its configuration says that single dollars delimit formulas."""
        if not self._hints & CHOOSES_DELIMITERS:
            return False
        for name in (b"inlineMath", b"renderMathInElement", b"delimiters"):
            at = self._source.find(name)
            while at >= 0:
                if _DOLLARS.search(self._source, at, at + 400):
                    return True
                at = self._source.find(name, at + 1)
        return False

    @cached_property
    def backticks(self) -> bool:
        """It loads AsciiMath."""
        asked = self._hints & LOADS_ASCIIMATH
        return bool(asked) and any(name in self._source for name in _ASCIIMATH)

    @cached_property
    def macros(self) -> Macros:
        """The macros that it defines."""
        hints = macro_hints(np.frombuffer(self._source, np.uint8))
        return page_macros(self._source, hints)


def mark_text(text: str, style: TextStyle) -> str:
    """Mark the formulas in plain text; prices stay prices."""
    parts: list[str] = []
    at = unpaired = 0
    while True:
        opener = _OPENER.search(text, at)
        if opener is None or unpaired > _MOST_UNPAIRED:
            parts.append(text[at:])
            return "".join(parts)
        parts.append(text[at : opener.start()])
        marked, behind = _formula(text, opener, style)
        unpaired += not marked or marked[0] not in MARKS
        parts.append(marked)
        at = behind


def _formula(text: str, opener: re.Match[str], style: TextStyle) -> tuple[str, int]:
    """The marked formula that an opener starts and the place behind it; else the opener itself."""
    sign, inside = opener.group(), opener.end()
    plain = sign, inside
    usual = _USUAL.get(sign)
    if usual:
        return _between(text, sign, inside, *usual, style)
    if sign in MARKS:
        closing = text.find(MARKS[2 + MARKS.index(sign)], inside)
        return (text[opener.start() : closing + 1], closing + 1) if closing >= 0 else plain
    if sign == "`":
        return _backtick(text, inside, style)
    if sign == "$":
        return _single_dollar(text, opener.start(), style)
    if opener[3]:
        return _between(text, sign, inside, f"[/{opener[3]}]", opener[3][0] == "d", style)
    return _between(text, sign, inside, f"\\end{{{opener[1]}{opener[2]}}}", True, style)


def _between(
    text: str, sign: str, inside: int, closer: str, display: bool, style: TextStyle
) -> tuple[str, int]:
    """The formula between an opener and what closes it; an environment with both."""
    closing = text.find(closer, inside, inside + _MOST)
    if closing < 0:
        return sign, inside
    inner = text[inside:closing]
    behind = closing + len(closer)
    if not inner.isascii() and (MARKS[0] in inner or MARKS[1] in inner):
        return sign, inside
    if sign.startswith("\\\\") and "\\" not in inner:
        return sign, inside
    whole = sign + inner + closer if closer[:2] == "\\e" else inner
    marked = mark(whole, display, style.macros)
    return marked or ("" if inner.strip() else sign + closer), behind


def _single_dollar(text: str, start: int, style: TextStyle) -> tuple[str, int]:
    inside = start + 1
    plain = "$", inside
    before = text[start - 1] if start else " "
    if before == "\\":
        return plain
    closing = text.find("$", inside, inside + (_MOST if style.dollars else _MOST_INLINE))
    while closing > 0 and text[closing - 1] == "\\":
        closing = text.find("$", closing + 1, inside + _MOST)
    if closing <= inside:
        return plain
    inner = text[inside:closing]
    if MARKS[0] in inner or MARKS[1] in inner:
        return plain
    if inner.startswith("latex ") or inner.startswith("\\displaystyle"):
        return mark(inner.removeprefix("latex "), False, style.macros), closing + 1
    after = text[closing + 1 : closing + 2]
    if style.dollars:
        return mark(inner, False, style.macros), closing + 1
    tight = not (inner[0].isspace() or inner[-1].isspace() or after.isdigit() or before.isdigit())
    # A dollar sign inside code or before a name is no formula: $HOME, $x;.
    if not tight or "\n" in inner or _MONEY.search(inner):
        return plain
    if not (_LOOKS_TEX.search(inner) or len(inner) <= 3):
        return plain
    return mark(inner, False, style.macros), closing + 1


def _backtick(text: str, inside: int, style: TextStyle) -> tuple[str, int]:
    """AsciiMath stands between backticks; elsewhere they are code, which holds no formula."""
    closing = text.find("`", inside, inside + _MOST)
    if closing < 0:
        return "`", inside
    if style.backticks:
        latex = asciimath_to_latex(text[inside:closing])
        return mark(latex, False, style.macros), closing + 1
    return text[inside - 1 : closing + 1], closing + 1
