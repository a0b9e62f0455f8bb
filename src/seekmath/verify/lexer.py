r"""Tokens of an answer: numbers, names, words, LaTeX commands and signs; dressing is left out.

Plain text and LaTeX come out alike: ``sqrt(2)`` and ``\sqrt{2}``, ``>=`` and ``\ge``, ``or`` and
``,``. A run of letters is one word where it reads as one, else a product of one-letter names.
"""

import re

_MAX_DIGITS = 100_000
_MAX_TOKENS = 60_000

FUNCTIONS = (
    "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh ln log lg exp floor ceil".split()
)
RELATIONS = {
    "=": "=", "<": "<", ">": ">", "le": "<=", "leq": "<=", "leqslant": "<=", "ge": ">=",
    "geq": ">=", "geqslant": ">=", "lt": "<", "gt": ">", "ne": "!=", "neq": "!=", "in": "in",
    "≤": "<=", "≥": ">=", "⩽": "<=", "⩾": ">=", "≠": "!=", "∈": "in", "<=": "<=", ">=": ">=",
    "!=": "!=", "approx": "~", "≈": "~", "simeq": "~", "equiv": "equiv", "==": "=", "to": "to",
    "rightarrow": "to", "Rightarrow": "to", "sim": "sim", "subset": "subset", "subseteq": "subset",
    "parallel": "parallel", "perp": "perp",
}  # fmt: skip
_TEXT = "text|textnormal|textbf|textit|textrm|mathrm|mathbf|mathit|mathsf|mbox|hbox|operatorname|rm"
_TOKEN = re.compile(
    rf"\\(?:{_TEXT})\s*\{{(?P<text>[^{{}}]*)\}}"
    r"|(?P<number>\d+(?:\.\d+)?(?:\.(?=\s*[-+*/^)]))?|\.\d+)|\\(?P<command>[A-Za-z]+)|(?P<name>[A-Za-z]+)"
    r"|(?P<greek>[\u0370-\u03ff])|(?P<chinese>[\u4e00-\u9fff、]+)"
    r"|(?P<sign>\\\\|\\[{}|]|<=|>=|!=|==|\*\*|[-+*/^_=(){}\[\],;|!<>≤≥⩽⩾≠≈∈∞√°&:'~∪∩])"
    r"|(?P<space>\s+|\\[,;:!> ]|\.{3,}|%|\\%|\\\$)|(?P<other>.)",
    re.DOTALL,
)
_DROPPED = set(
    "left right displaystyle textstyle limits big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr"
    " Biggl Biggr middle quad qquad enspace thinspace rm bf it mathrm text phantom nonumber"
    " hspace vspace ldots cdots dots checkmark mathbf boldsymbol bm mathit mathsf textbf bf".split()
)
_SEPARATORS = {"and", "or", "和", "或", "与", "及", "、"}
_ALIASES = {
    "π": "\\pi", "∞": "\\infty", "√": "\\sqrt", "infinity": "\\infty", "inf": "\\infty",
    "pi": "\\pi", "sqrt": "\\sqrt", "θ": "\\theta", "oo": "\\infty", "**": "^", "lbrace": "\\{",
    "rbrace": "\\}", "lvert": "|", "rvert": "|", "vert": "|", "mid": "|", "infinite": "\\infty",
    "varnothing": "\\emptyset", "land": ",", "lor": ",", "∪": "\\cup", "∩": "\\cap",
    "lbrack": "[", "rbrack": "]", "lfloor": "\\lfloor", "degree": "°", "circ": "°",
    "langle": "(", "rangle": ")", "asin": "\\arcsin", "acos": "\\arccos", "atan": "\\arctan",
}  # fmt: skip


class Unreadable(ValueError):
    """The text is not an expression this parser knows."""


def tokens(text: str) -> list[str]:
    """Tokens in order; a command keeps its backslash, a word is one token of several letters.

    Raises:
        Unreadable: a sign that no answer has, or too many tokens or digits.
    """
    found: list[str] = []
    root = False
    for match in _TOKEN.finditer(text):
        kind, value = str(match.lastgroup), match.group()
        if kind == "other":
            raise Unreadable(f"unknown sign {value!r}")
        if len(found) > _MAX_TOKENS or (kind == "number" and len(value) > _MAX_DIGITS):
            raise Unreadable("too long")
        if kind == "number" and found and found[-1].startswith("word:"):
            raise Unreadable("digits inside a word")
        if kind == "number":
            # √13 and sqrt 13 are roots of the whole number, unlike LaTeX's \\sqrt 13.
            found += ["{", value, "}"] if root else [value]
        elif kind == "text":
            inner = match["text"]
            found += ["{", *tokens(inner), "}"] if "\\" in inner else _words(inner)
        elif kind == "command":
            found += _command(value[1:])
        elif kind == "name":
            found += _name(value)
        elif kind == "chinese":
            found.append("," if value in _SEPARATORS else f"word:{value}")
        elif kind != "space":
            found.append(_ALIASES.get(value, value))
        root = value in ("√", "sqrt") or (root and kind == "space")
    return found


def _command(name: str) -> list[str]:
    if name in _DROPPED:
        return []
    if name.startswith("quad") and len(name) > 4:  # \quadx, a missing space
        return _name(name[4:])
    return [_ALIASES.get(name, "\\" + name)]


def _words(text: str) -> list[str]:
    """The content of a text command: connecting words separate, one word is a name."""
    found: list[str] = []
    for part in re.findall(r"[A-Za-z]+|[\u4e00-\u9fff、]+|\d+(?:\.\d+)?|\S", text):
        if part.lower() in _SEPARATORS or part in (",", ";"):
            found.append(",")
        elif part.isalpha():
            found.append(part if len(part) == 1 else f"word:{part.casefold()}")
        else:
            found += tokens(part)
    return found


def _name(run: str) -> list[str]:
    """A run of letters: a known name, a word, or a product of one-letter names."""
    if run.lower() in _SEPARATORS:
        return [","]
    if run in FUNCTIONS or run in ("frac", "binom"):
        return ["\\" + run]
    if run in _ALIASES:
        return [_ALIASES[run]]
    if len(run) > 3 or (len(run) == 3 and re.search("[aeiouAEIOU]", run)):
        joined = re.fullmatch(r"(.*?)(or|and)([a-zA-Z])", run)  # W(x)=1orW(x)=-1
        if joined and len(run) <= 4:
            return [*_name(joined[1]), ",", joined[3]] if joined[1] else [",", joined[3]]
        return [f"word:{run.casefold()}"]
    return list(run)


def relation_of(token: str | None) -> str | None:
    """The relation that a token stands for; ``in`` and ``to`` only as commands."""
    if token is None:
        return None
    if token.startswith("\\"):
        return RELATIONS.get(token[1:])
    return None if token.isalpha() and token.isascii() else RELATIONS.get(token)
