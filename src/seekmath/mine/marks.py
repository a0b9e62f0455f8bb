r"""Formulas between private marks while a page is read; ``$…$`` and ``$$…$$`` at the end."""

import re

from seekmath.mine.macros import Macros, expand

#: Begin of an inline and a display formula, end of each. No page's text holds them: they are
#: removed from it.
MARKS = "\ue000\ue001\ue002\ue003"
_ANY = re.compile(f"[{MARKS}\x00]")
_COMMENT = re.compile(r"(?<!\\)%[^\n]*\n\s*")
_PAIRS = (("$$", "$$"), ("\\[", "\\]"), ("\\(", "\\)"), ("$", "$"))
_DEFINITION = re.compile(
    r"\\(?:(?:re|provide)?newcommand\*?|renewcommand\*?|def|DeclareMathOperator\*?)\b"
)


def mark(latex: str, display: bool, macros: Macros) -> str:
    """A formula between its marks, the page's macros expanded; nothing for nothing.

    What only defines macros is no formula.
    """
    if "%" in latex:
        latex = _COMMENT.sub("", latex)
    latex = undelimited(" ".join(_ANY.sub("", latex).split()))
    if macros:
        latex = expand(latex, macros)
    elif "\\" in latex and _DEFINITION.match(latex):
        return ""
    latex = latex.strip()
    if not latex:
        return ""
    return f"{MARKS[display]}{latex}{MARKS[2 + display]}"


def undelimited(latex: str) -> str:
    """LaTeX without delimiters around it, and without Wikipedia's ``\\displaystyle`` group."""
    if latex[:1] not in ("$", "\\", "{"):
        return latex
    for opening, closing in _PAIRS:
        long_enough = len(latex) > len(opening) + len(closing)
        if long_enough and latex.startswith(opening) and latex.endswith(closing):
            latex = latex[len(opening) : -len(closing)].strip()
    for style in ("{\\displaystyle ", "{\\textstyle "):
        if latex.startswith(style) and latex.endswith("}"):
            return latex[len(style) : -1].strip()
    return latex.removeprefix("\\displaystyle ").strip()
