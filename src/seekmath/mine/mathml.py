"""MathML to LaTeX, presentation and content, for pages that carry no TeX annotation."""

import html
import re
from collections.abc import Iterator
from functools import lru_cache

from seekmath.mine.content_mathml import CONTENT, content_to_latex
from seekmath.mine.math_tree import Element, parse_math
from seekmath.mine.script_runs import runs_to_latex
from seekmath.mine.signs import ACCENTS, FUNCTIONS, SIGNS, STRETCHY, sign_of

_MOST_DEPTH = 60
_MOST_SOURCE = 200_000
_VARIANTS = {
    "bold": "mathbf", "double-struck": "mathbb", "script": "mathcal", "fraktur": "mathfrak",
    "sans-serif": "mathsf", "monospace": "mathtt", "bold-script": "mathcal",
    "bold-italic": "boldsymbol",
}  # fmt: skip
# A row of letters, numbers and signs without attributes needs no tree.
_FLAT = re.compile(
    r"<math(?=[\s>])[^<>]*(?<!/)>\s*(<mrow>\s*)?((?:<m([ion])>[^<]*</m\3>\s*)*)(?(1)</mrow>\s*)(?:</math>|\Z)"
)
_LEAF = re.compile(r"<(m[ion])>([^<]*)<")
_LARGE = ("\\sum", "\\prod", "\\int", "\\oint", "\\bigcup", "\\bigcap", "\\lim", "\\coprod")
_NAMES_UNDER = (
    *_LARGE,
    "\\max",
    "\\min",
    "\\sup",
    "\\inf",
    "\\limsup",
    "\\liminf",
    "\\arg",
    "\\iint",
    "\\iiint",
    "\\bigoplus",
    "\\bigotimes",
    "\\bigwedge",
    "\\bigvee",
    "\\operatorname",
)


def latex_of_math(source: bytes) -> str:
    """The LaTeX of the first ``math`` element in a piece of HTML; "" if there is none."""
    if len(source) > _MOST_SOURCE:
        return ""
    text = source.decode("utf-8", "replace")
    flat = _FLAT.match(text)
    if flat:
        return _joined([_leaf(tag, sign) for tag, sign in _LEAF.findall(flat[2])]).strip()
    root = parse_math(text)
    return _row(root.children, 0).strip() if root is not None else ""


@lru_cache(4096)
def _leaf(tag: str, sign: str) -> str:
    """The LaTeX of one letter, number or sign."""
    return _sign(Element(tag, {}, html.unescape(sign)))


def latex_of_rendered(source: bytes) -> str:
    """The LaTeX of MathJax 3 output without assistive MathML: its own tags mirror MathML."""
    if len(source) > _MOST_SOURCE:
        return ""
    root = parse_math(source.decode("utf-8", "replace"), rendered=True)
    return _row(root.children, 0).strip() if root is not None else ""


def markup_to_latex(inner: bytes) -> str:
    """The LaTeX of a formula set with ``sup``, ``sub`` and Unicode signs."""
    text = inner.decode("utf-8", "replace")
    text = re.sub(r"<su([pb])\b[^>]*>", lambda m: "^{" if m[1] in "pP" else "_{", text, flags=re.I)
    text = re.sub(r"</su[pb]\s*>", "}", text, flags=re.I)
    return " ".join(runs_to_latex(html.unescape(re.sub(r"<[^>]*>", "", text))).split())


def _joined(parts: Iterator[str] | list[str]) -> str:
    """Parts side by side; a command is kept apart from a letter behind it."""
    text = ""
    pieces: list[str] = []
    for part in parts:
        if not part:
            continue
        if pieces and part[0].isalpha() and _ends_in_command(pieces[-1]):
            pieces.append(" ")
        pieces.append(part)
    text = "".join(pieces)
    return text


def _ends_in_command(text: str) -> bool:
    place = len(text)
    while place and text[place - 1].isalpha():
        place -= 1
    return 0 < place < len(text) and text[place - 1] == "\\"


def _script(text: str) -> str:
    return text if len(text) == 1 else f"{{{text}}}"


def _base(text: str) -> str:
    simple = len(text) <= 1 or re.fullmatch(r"\\[A-Za-z]+(?:\{[^{}]*\})?", text)
    closes = text[-1:] in (")", "]", "|") or text.endswith("\\}")
    number = re.fullmatch(r"\d+(?:\.\d+)?", text)
    return text if simple or closes or number else f"{{{text}}}"


def _row(children: list[Element], depth: int) -> str:
    """Siblings side by side; a fence around a table becomes its matrix environment."""
    if depth > _MOST_DEPTH:
        return ""
    table = _fenced_table(children, depth)
    if table is not None:
        return table
    return _joined([_convert(child, depth + 1) for child in children])


def _fenced_table(children: list[Element], depth: int) -> str | None:
    """``( table )`` and its kin: pmatrix, bmatrix, vmatrix, cases."""
    shown = [child for child in children if child.tag != "mspace"]
    if len(shown) not in (2, 3):
        return None
    middle = _unwrapped(shown[1])
    first = shown[0].text.strip() if shown[0].tag == "mo" else ""
    last = shown[2].text.strip() if len(shown) == 3 and shown[2].tag == "mo" else ""
    if middle.tag != "mtable" or (len(shown) == 3 and shown[2].tag != "mo"):
        return None
    name = {"()": "pmatrix", "[]": "bmatrix", "||": "vmatrix", "{}": "Bmatrix", "{": "cases",
            "‖‖": "Vmatrix"}.get(first + last)  # fmt: skip
    return _table(middle, depth + 1, name) if name else None


def _unwrapped(element: Element) -> Element:
    while element.tag in ("mrow", "mstyle", "mpadded") and len(element.children) == 1:
        element = element.children[0]
    return element


def _table(element: Element, depth: int, name: str | None = None) -> str:
    rows = []
    widest = 1
    for line in element.children:
        cells = list(line.children)
        if line.tag == "mlabeledtr":
            cells = cells[1:]
        widest = max(widest, len(cells))
        rows.append(" & ".join(_row(cell.children, depth + 2).strip() for cell in cells))
    body = r" \\ ".join(rows)
    if name is None:
        align = element.attributes.get("columnalign", "").split() or _alignment(element)
        if align and set(align) <= {"left", "center", "right"} and align[:2] != ["right", "left"]:
            letters = "".join(each[0] for each in align)
            letters += letters[-1] * (widest - len(letters))
            return f"\\begin{{array}}{{{letters[:widest]}}} {body} \\end{{array}}"
        name = "aligned" if align[:2] == ["right", "left"] else "matrix"
    return f"\\begin{{{name}}} {body} \\end{{{name}}}"


def _alignment(element: Element) -> list[str]:
    """Alignment that every cell of the first row states."""
    first = element.children[0].children if element.children else []
    stated = [cell.attributes.get("columnalign", "") for cell in first]
    return stated if all(stated) else []


def _convert(element: Element, depth: int) -> str:
    if depth > _MOST_DEPTH:
        return ""
    tag, children = element.tag, element.children
    if tag in ("mi", "mn", "mo", "ms", "ci", "cn") and not children:
        return _sign(element)
    if tag == "mtext" and not children:
        text = element.text.replace("\xa0", " ")
        return f"\\text{{{text}}}" if text.strip() else (" " if text else "")
    if tag == "mspace":
        return _space(element)
    if tag in ("annotation", "annotation-xml", "none", "mprescripts", "maligngroup", "malignmark"):
        return ""
    if tag == "semantics":
        return _convert(children[0], depth + 1) if children else ""
    if tag == "mtable":
        return _table(element, depth)
    if tag == "mfenced":
        return _mfenced(element, depth)
    if tag in CONTENT:
        return content_to_latex(element, depth)
    if tag in (
        "mrow",
        "mstyle",
        "mpadded",
        "math",
        "merror",
        "mtd",
        "texatom",
        "menclose",
        "mphantom",
    ):
        inner = _row(children, depth) if children else element.text.strip()
        if tag == "menclose" and "box" in element.attributes.get("notation", "box"):
            return f"\\boxed{{{inner}}}"
        return "" if tag == "mphantom" else inner
    return _layout(tag, element, depth)


def _space(element: Element) -> str:
    width = element.attributes.get("width", "")
    if element.attributes.get("linebreak") == "newline":
        return r" \\ "
    return {"1em": r"\quad ", "2em": r"\qquad ", "0.1667em": r"\,", "0.167em": r"\,"}.get(width, "")


def _sign(element: Element) -> str:
    text, tag = element.text, element.tag
    one = len(text) == 1 or text.isdigit()
    if one and text.isascii() and text.isalnum() and not element.attributes and tag != "ms":
        return text
    text = " ".join(text.split())
    if tag == "ms":
        return f"\\text{{{text}}}"
    if text in FUNCTIONS:
        return f"\\{FUNCTIONS[text]}"
    variant = element.attributes.get("mathvariant", "")
    if variant in _VARIANTS and text:
        inner = text if text.isascii() else _joined([SIGNS.get(c, c) for c in text])
        return f"\\{_VARIANTS[variant]}{{{inner}}}"
    if len(text) > 1 and tag in ("mi", "ci") and text.isalpha() and text.isascii():
        return f"\\operatorname{{{text}}}" if tag == "mo" else f"\\mathrm{{{text}}}"
    if len(text) > 1 and tag == "mo" and text.isalpha() and text.isascii():
        return f"\\operatorname{{{text}}}"
    return sign_of(text)


def _mfenced(element: Element, depth: int) -> str:
    attributes = element.attributes
    opening, closing = attributes.get("open", "("), attributes.get("close", ")")
    if len(element.children) == 1:
        middle = _unwrapped(element.children[0])
        name = {"()": "pmatrix", "[]": "bmatrix", "||": "vmatrix", "{": "cases"}.get(
            opening + closing
        )
        if middle.tag == "mtable" and name:
            return _table(middle, depth, name)
    separators = attributes.get("separators", ",").strip()
    parts = [_convert(child, depth + 1) for child in element.children]
    inner = parts[0] if parts else ""
    for number, part in enumerate(parts[1:]):
        separator = separators[min(number, len(separators) - 1)] if separators else ""
        inner += separator + part
    return sign_of(opening) + inner + sign_of(closing)


def _layout(tag: str, element: Element, depth: int) -> str:
    parts = [_convert(child, depth + 1).strip() for child in element.children]
    first, second, third = (*parts, "", "", "")[:3]
    if tag == "msqrt":
        return f"\\sqrt{{{_row(element.children, depth)}}}"
    if tag == "mfrac":
        if element.attributes.get("linethickness", "").startswith("0"):
            return f"\\binom{{{first}}}{{{second}}}"
        return f"\\frac{{{first}}}{{{second}}}"
    if tag == "mroot":
        return f"\\sqrt[{second}]{{{first}}}"
    if tag == "msup":
        primes = set(second) == {"'"} or second == "\\prime"
        return (
            f"{_base(first)}{second}"
            if set(second) == {"'"}
            else (f"{_base(first)}'" if primes else f"{_base(first)}^{_script(second)}")
        )
    if tag == "msub":
        return f"{_base(first)}_{_script(second)}"
    if tag in ("msubsup", "munderover"):
        base = first if first.startswith(_NAMES_UNDER) else _base(first)
        return f"{base}_{_script(second)}^{_script(third)}"
    if tag == "mover":
        return _over(element, first, second)
    if tag == "munder":
        return _under(element, first, second)
    if tag == "mmultiscripts":
        return _multiscripts(element, depth)
    return _joined(parts) if parts else element.text.strip()


def _over(element: Element, first: str, second: str) -> str:
    sign = _unwrapped(element.children[1]).text.strip() if len(element.children) > 1 else ""
    if sign in STRETCHY and len(first) > 1 and not re.fullmatch(r"\\[A-Za-z]+", first):
        return f"\\{STRETCHY[sign]}{{{first}}}"
    if sign in ACCENTS:
        return f"\\{ACCENTS[sign]}{{{first}}}"
    if first in ("=", "\\to", "\\sim") or first.startswith("\\xrightarrow"):
        return f"\\overset{{{second}}}{{{first}}}"
    if first.startswith("\\overbrace"):
        return f"{first}^{_script(second)}"
    return (
        f"{_base(first)}^{_script(second)}"
        if first.startswith(_NAMES_UNDER)
        else (f"\\overset{{{second}}}{{{first}}}")
    )


def _under(element: Element, first: str, second: str) -> str:
    sign = _unwrapped(element.children[1]).text.strip() if len(element.children) > 1 else ""
    under = {"_": "underline", "̲": "underline", "⏟": "underbrace", "¯": "underline"}.get(sign)
    if under:
        return f"\\{under}{{{first}}}"
    return f"{first}_{_script(second)}"


def _multiscripts(element: Element, depth: int) -> str:
    """Scripts behind the base, and before it after ``mprescripts``."""
    if not element.children:
        return ""
    base = _base(_convert(element.children[0], depth + 1))
    before, after = "", ""
    target_before, pair = False, 0
    for child in element.children[1:]:
        if child.tag == "mprescripts":
            target_before, pair = True, 0
            continue
        text = _convert(child, depth + 1)
        script = f"{'_' if pair % 2 == 0 else '^'}{_script(text)}" if text else ""
        pair += 1
        if target_before:
            before += script
        else:
            after += script
    return (f"{{}}{before}" if before else "") + base + after
