"""Content MathML (``apply``, ``ci``, ``cn`` …) to LaTeX."""

import re

from seekmath.mine.math_tree import Element
from seekmath.mine.signs import sign_of

_MOST_DEPTH = 60
_INFIX = {
    "plus": "+", "eq": "=", "neq": r"\neq", "lt": "<", "gt": ">", "leq": r"\leq", "geq": r"\geq",
    "equivalent": r"\equiv", "approx": r"\approx", "in": r"\in", "notin": r"\notin",
    "subset": r"\subseteq", "prsubset": r"\subset", "union": r"\cup", "intersect": r"\cap",
    "setdiff": r"\setminus", "and": r"\wedge", "or": r"\vee", "implies": r"\implies",
    "tendsto": r"\to", "cartesianproduct": r"\times", "compose": r"\circ", "rem": r"\bmod",
    "vectorproduct": r"\times", "scalarproduct": r"\cdot", "outerproduct": r"\otimes",
}  # fmt: skip
_FUNCTIONS = {
    name: f"\\{name}"
    for name in """sin cos tan sec csc cot sinh cosh tanh coth arcsin arccos arctan exp ln gcd
    max min""".split()
} | {"determinant": r"\det", "real": r"\Re", "imaginary": r"\Im", "lcm": r"\operatorname{lcm}"}
_CONSTANTS = {
    "pi": r"\pi", "exponentiale": "e", "imaginaryi": "i", "infinity": r"\infty", "emptyset":
    r"\emptyset", "reals": r"\mathbb{R}", "integers": r"\mathbb{Z}", "rationals": r"\mathbb{Q}",
    "naturalnumbers": r"\mathbb{N}", "complexes": r"\mathbb{C}", "primes": r"\mathbb{P}",
    "eulergamma": r"\gamma", "true": r"\text{true}", "false": r"\text{false}",
}  # fmt: skip
_LARGE = {"sum": r"\sum", "product": r"\prod", "int": r"\int", "limit": r"\lim"}
_QUALIFIERS = (
    "bvar",
    "lowlimit",
    "uplimit",
    "domainofapplication",
    "interval",
    "condition",
    "degree",
    "logbase",
)
CONTENT = {
    "apply", "bind", "ci", "cn", "csymbol", "set", "list", "vector", "matrix", "interval", "lambda",
    "piecewise", "relation", "reln", *_CONSTANTS,
}  # fmt: skip


def content_to_latex(element: Element, depth: int = 0) -> str:
    """The LaTeX of a content element; parts deeper than 60 levels are left out."""
    if depth > _MOST_DEPTH:
        return ""
    tag, children = element.tag, element.children
    if tag in ("ci", "cn", "csymbol"):
        return _leaf(element)
    if tag in _CONSTANTS:
        return _CONSTANTS[tag]
    if tag in ("apply", "bind", "reln") and children:
        return _apply(children[0], children[1:], depth + 1)
    parts = [content_to_latex(child, depth + 1) for child in children]
    if tag in ("set", "list", "vector"):
        opening, closing = {"set": ("\\{", "\\}"), "list": ("[", "]")}.get(tag, ("(", ")"))
        return opening + ", ".join(parts) + closing
    if tag == "interval":
        closure = element.attributes.get("closure", "closed")
        left = "(" if closure in ("open", "open-closed") else "["
        right = ")" if closure in ("open", "closed-open") else "]"
        return left + ", ".join(parts) + right
    if tag == "matrix":
        rows = [
            " & ".join(content_to_latex(cell, depth + 2) for cell in row.children)
            for row in children
        ]
        return r"\begin{pmatrix} " + r" \\ ".join(rows) + r" \end{pmatrix}"
    if tag == "piecewise":
        return (
            r"\begin{cases} "
            + r" \\ ".join(_piece(child, depth) for child in children)
            + r" \end{cases}"
        )
    return " ".join(parts) if parts else sign_of(element.text.strip())


def _leaf(element: Element) -> str:
    text = element.text.strip()
    if element.tag == "cn" and element.children:  # <cn type="rational">1<sep/>2</cn>
        numbers = re.split(r"\s+", text)
        return f"\\frac{{{numbers[0]}}}{{{numbers[-1]}}}" if len(numbers) > 1 else text
    return (
        f"\\mathrm{{{text}}}"
        if len(text) > 1 and text.isalpha() and text.isascii()
        else sign_of(text)
    )


def _piece(element: Element, depth: int) -> str:
    parts = [content_to_latex(child, depth + 1) for child in element.children]
    if element.tag == "otherwise":
        return f"{parts[0] if parts else ''} & \\text{{otherwise}}"
    return " & ".join(parts)


def _apply(head: Element, rest: list[Element], depth: int) -> str:
    qualifiers = {child.tag: child for child in rest if child.tag in _QUALIFIERS}
    arguments = [child for child in rest if child.tag not in _QUALIFIERS]
    name = head.tag
    if name in _LARGE or name in ("diff", "partialdiff", "forall", "exists"):
        return _bound(name, qualifiers, arguments, depth)
    texts = [content_to_latex(each, depth) for each in arguments]
    first, second = (*texts, "", "")[:2]
    if name in _INFIX:
        return _infix(name, arguments, texts)
    if name == "minus":
        right = f"({second})" if _is(arguments, 1, "plus", "minus") else second
        return f"{first} - {right}" if len(texts) > 1 else f"-{first}"
    if name == "times":
        return _product(arguments, texts)
    if name == "divide":
        return f"\\frac{{{first}}}{{{second}}}"
    if name == "power":
        return f"{_operand(arguments, 0, first)}^{second if len(second) == 1 else f'{{{second}}}'}"
    if name == "root":
        degree = _inner(qualifiers.get("degree"), depth)
        return f"\\sqrt[{degree}]{{{first}}}" if degree not in ("", "2") else f"\\sqrt{{{first}}}"
    if name == "log":
        base = _inner(qualifiers.get("logbase"), depth)
        return (
            f"\\log_{base}" if len(base) == 1 else f"\\log_{{{base}}}" if base else r"\log"
        ) + f"({first})"
    if name in _WRAPPED:
        opening, closing = _WRAPPED[name]
        return opening + first + closing
    if name in _FUNCTIONS:
        return f"{_FUNCTIONS[name]}({', '.join(texts)})"
    return f"{content_to_latex(head, depth)}({', '.join(texts)})"


_WRAPPED = {
    "abs": ("|", "|"), "floor": (r"\lfloor ", r" \rfloor"), "ceiling": (r"\lceil ", r" \rceil"),
    "factorial": ("", "!"), "not": (r"\neg ", ""), "conjugate": (r"\overline{", "}"),
    "transpose": ("", "^T"), "inverse": ("", "^{-1}"), "card": ("|", "|"),
}  # fmt: skip


def _is(arguments: list[Element], at: int, *names: str) -> bool:
    """Is an argument an application of one of these?"""
    if at >= len(arguments) or arguments[at].tag != "apply" or not arguments[at].children:
        return False
    return arguments[at].children[0].tag in names


def _operand(arguments: list[Element], at: int, text: str) -> str:
    return f"({text})" if _is(arguments, at, "plus", "minus", "times", "divide", "power") else text


def _infix(name: str, arguments: list[Element], texts: list[str]) -> str:
    return f" {_INFIX[name]} ".join(texts)


def _product(arguments: list[Element], texts: list[str]) -> str:
    parts = [f"({t})" if _is(arguments, n, "plus", "minus") else t for n, t in enumerate(texts)]
    text = ""
    for part in parts:
        digits = text[-1:].isdigit() and part[:1].isdigit()
        text += (r" \cdot " if digits else " " if text else "") + part
    return text


def _inner(element: Element | None, depth: int) -> str:
    return content_to_latex(element.children[0], depth) if element and element.children else ""


def _bound(name: str, qualifiers: dict[str, Element], arguments: list[Element], depth: int) -> str:
    """Sums, integrals, limits, derivatives and quantifiers over a bound variable."""
    variable = _inner(qualifiers.get("bvar"), depth)
    body = content_to_latex(arguments[0], depth) if arguments else ""
    low, high = _inner(qualifiers.get("lowlimit"), depth), _inner(qualifiers.get("uplimit"), depth)
    if name in ("diff", "partialdiff"):
        d = "d" if name == "diff" else r"\partial "
        return f"\\frac{{{d}}}{{{d}{variable}}} {body}"
    if name in ("forall", "exists"):
        return f"\\{name} {variable}: {body}"
    if name == "limit":
        return f"\\lim_{{{variable} \\to {low}}} {body}"
    sign = _LARGE[name]
    if name == "int":
        limits = (f"_{_group(low)}" if low else "") + (f"^{_group(high)}" if high else "")
        return f"{sign}{limits} {body} \\, d{variable}"
    limits = (f"_{{{variable}={low}}}" if low else f"_{variable}") + (
        f"^{_group(high)}" if high else ""
    )
    return f"{sign}{limits} {body}"


def _group(text: str) -> str:
    return text if len(text) == 1 else f"{{{text}}}"
