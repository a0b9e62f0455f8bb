r"""Other writings of what the parser knows: colours off, ``{3 \over 8}``, ``0.\overline{3}``, …

Every rule is a search in linear time over the text of one answer.
"""

import re

TEXT = r"\\(?:text|mathrm|mbox|textbf|textnormal|textrm|mathbf|rm|operatorname)"
COLOUR = re.compile(r"\\(?:text|math)?color\s*(?:\[[a-z]*\])?\s*\{[^{}]*\}|\\#(?=\s?\d)")
_WRAPPER = re.compile(
    r"(?:\\displaystyle\s?)?(?:\\(?:mathbf|boldsymbol|bm|textbf|underline|boxed|fbox)\s?)?\{"
)
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_MOST_WRAPPERS = 8
# (C) before the answer itself, as competitions print it
_LETTER = re.compile(rf"^{TEXT}\s*\{{\s*\([A-J]\)\s*\}}(?:\\[ ,;:!]|\\q?quad|[~\s:])*(?=[^\s.])")
_UNIT_FRACTION = re.compile(
    rf"\\[dt]?frac\s*\{{\s*{TEXT}\s*\{{([^{{}}]*)\}}\s*\}}"
    rf"\s*\{{\s*{TEXT}\s*\{{([^{{}}]*)\}}\s*\}}"
)
_ORDINAL = re.compile(rf"(?<=[\d}}])\s?\^\s?\{{?\s?(?:{TEXT}\s?\{{)?(?:st|nd|rd|th)\s?\}}{{0,2}}$")
_OVER = re.compile(
    r"\{([^{}\\]{1,40})\\(over|choose)\b([^{}\\]{1,40})\}"
    r"|^([^{}\\]{1,40})\\(over|choose)\b([^{}\\]{1,40})$"
)
# ^5C_2 and _5C_2; C_5^2; C(5, 2)
_COMBINATIONS = re.compile(
    r"(?:\{\})?[_^]\s?\{?(\d+)\}?\s?C_\s?\{?(\d+)\}?"
    r"|\bC_\s?\{?(\d+)\}?\s?\^\s?\{?(\d+)\}?|\bC\((\d+),\s?(\d+)\)"
)
_SYSTEM = re.compile(
    r"^\\left\s?(?:\\\{|\\lbrace)\s?\\begin\{array\}\s?(?:\{[lcr ]*\})?(.*)"
    r"\\end\{array\}\s?(?:\\right\s?\.?)?$"
)
_REPEATING = re.compile(
    r"(\d{0,40})\.(\d{0,40})\s?"
    r"(?:\\(?:overline|bar)\s?\{(\d{1,40})\}|\\dot\s?\{?(\d)\}?(?:(\d{0,38})\\dot\s?\{?(\d)\}?)?)"
)
_REALS = re.compile(
    rf"(?:[a-z]\s?\\in\s?)?(?:\\(?:mathbb|mathbf|Bbb)\s?\{{?\s?R\s?\}}?|\\R"
    rf"|(?:{TEXT}\s?\{{)?\s?[Aa]ll real(?:s| numbers)(?: [a-z])?\s?\}}?|全体实数|实数集|一切实数)"
)
_ALL_BUT_ONE = re.compile(
    r"(?:[a-z]\s?\\in\s?)?\\(?:mathbb|mathbf)\s?\{?R\}?\s?(?:\\setminus|\\backslash|-)\s?"
    r"\\\{([^{},]{1,60})\\\}"
)
_NOTHING = re.compile(
    rf"(?:{TEXT}\s?\{{)?\s?"
    r"(?:no (?:real )?(?:solutions?|roots?)|(?:the )?empty set|无解|空集)\s?\.?\}?",
    re.IGNORECASE,
)


def unwrapped(text: str) -> str:
    r"""What stands inside braces, bold, underlining or boxes around the whole text."""
    for _ in range(_MOST_WRAPPERS):
        wrapper = _WRAPPER.match(text)
        if wrapper is None or closing(text, wrapper.end()) != len(text) - 1:
            return text
        text = text[wrapper.end() : -1].strip()
    return text


def without_end(text: str) -> str:
    """The text without the spaces and stops at its end."""
    while text != (shorter := _shorter(text)):
        text = shorter
    return text


def _shorter(text: str) -> str:
    text = text.rstrip(" .。,;~")
    for end in ("\\", "\\!", "\\:", "\\quad", "\\qquad"):
        text = text.removesuffix(end)
    return text


def closing(text: str, place: int) -> int | None:
    """Where the brace that is open at ``place`` closes."""
    depth = 1
    for match in _BRACE.finditer(text, place):
        depth += {"{": 1, "}": -1}.get(match.group(), 0)
        if depth == 0:
            return match.start()
    return None


def without_colour(text: str) -> str:
    r"""The text without \color{…} and its like, whose words say nothing."""
    return COLOUR.sub("", text) if "color" in text else text


def rewritten(text: str) -> str:
    """The text in the writings that the parser knows; most texts come back as they are."""
    if "\\" in text:
        text = _LETTER.sub("", COLOUR.sub("", text).strip())
        text = _SYSTEM.sub(r"\\begin{cases}\1\\end{cases}", text)
        text = _UNIT_FRACTION.sub(r"\\text{\1/\2}", text)
        text = _OVER.sub(_over, text)
        text = _REPEATING.sub(_repeating, text)
        text = re.sub(rf"(?<=\d)\s*{TEXT}\s*\{{\s*to\s*\}}\s*(?=\d)", " to ", text)
    if "^" in text:
        text = _ORDINAL.sub("", text)
    if "C" in text:
        text = _COMBINATIONS.sub(_combinations, text)
    return text


def named_set(text: str) -> str:
    """The whole line, the line without a point, and the empty set, where a text names them."""
    if _REALS.fullmatch(text):
        return r"(-\infty,\infty)"
    if _NOTHING.fullmatch(text):
        return r"\emptyset"
    return _ALL_BUT_ONE.sub(r"(-\\infty,\1)\\cup(\1,\\infty)", text)


def _over(match: re.Match[str]) -> str:
    above, command, below = (group for group in match.groups() if group is not None)
    return rf"\{'frac' if command == 'over' else 'binom'}{{{above}}}{{{below}}}"


def _combinations(match: re.Match[str]) -> str:
    above, below = (group for group in match.groups() if group is not None)
    return rf"\binom{{{above}}}{{{below}}}"


def _repeating(match: re.Match[str]) -> str:
    """0.1\\overline{6} as a fraction: (16 - 1) / 90."""
    whole, fixed, over, first, middle, last = (group or "" for group in match.groups())
    period = over or first + middle + last
    high, low = int(whole + fixed + period), int(whole + fixed or "0")
    return rf"\frac{{{high - low}}}{{{'9' * len(period)}{'0' * len(fixed)}}}"
