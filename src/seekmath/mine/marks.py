r"""Formulas between private marks while a page is read; ``$…$`` and ``$$…$$`` at the end."""

import re

from seekmath.mine.macros import Macros, expand

#: Begin of an inline and a display formula, end of each. No page's text holds them: they are
#: removed from it.
MARKS = "\ue000\ue001\ue002\ue003"
_ANY = re.compile(f"[{MARKS}\x00]")
_COMMENT = re.compile(r"(?<!\\)%[^\n]*\n\s*")
_FIRST, _BRACKETS = frozenset("$\\{"), frozenset("[(")
# Delimiters, and how long both together are.
_PAIRS = (("$$", "$$", 4), ("\\[", "\\]", 4), ("\\(", "\\)", 4), ("$", "$", 2))
_STYLES = ("{\\displaystyle ", "{\\textstyle ")
_DEFINITION = re.compile(
    r"\\(?:(?:re|provide)?newcommand\*?|renewcommand\*?|def|DeclareMathOperator\*?)\b"
)


def mark(latex: str, display: bool, macros: Macros) -> str:
    """A formula between its marks, the page's macros expanded; nothing for nothing.

    What only defines macros is no formula.
    """
    if "%" in latex:
        latex = _COMMENT.sub("", latex)
    if not latex.isascii() or "\0" in latex:
        latex = _ANY.sub("", latex)
    latex = " ".join(latex.split())
    if latex[:1] in _FIRST:
        latex = undelimited(latex)
    if macros:
        latex = expand(latex, macros).strip()
    elif latex[:1] == "\\" and _DEFINITION.match(latex):
        return ""
    if not latex:
        return ""
    return f"\ue001{latex}\ue003" if display else f"\ue000{latex}\ue002"


def undelimited(latex: str) -> str:
    """LaTeX without delimiters around it, and without Wikipedia's ``\\displaystyle`` group."""
    first = latex[:1]
    if first not in _FIRST:
        return latex
    if first == "$" or latex[1:2] in _BRACKETS:
        for opening, closing, least in _PAIRS:
            if len(latex) > least and latex.startswith(opening) and latex.endswith(closing):
                latex = latex[len(opening) : -len(closing)].strip()
    if latex[:1] == "{":
        for style in _STYLES:
            if latex.startswith(style) and latex.endswith("}"):
                return latex[len(style) : -1].strip()
    return latex.removeprefix("\\displaystyle ").strip()
