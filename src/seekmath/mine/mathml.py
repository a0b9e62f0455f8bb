"""Presentation MathML to LaTeX, for pages that carry no TeX annotation."""

from selectolax.lexbor import LexborNode

_MAX_DEPTH = 60
_SIGNS = {
    "×": r"\times", "⋅": r"\cdot", "·": r"\cdot", "÷": r"\div", "±": r"\pm", "∓": r"\mp",
    "≤": r"\le", "≥": r"\ge", "≠": r"\ne", "≈": r"\approx", "≡": r"\equiv", "∼": r"\sim",
    "∑": r"\sum", "∏": r"\prod", "∫": r"\int", "∮": r"\oint", "∂": r"\partial", "∇": r"\nabla",
    "∞": r"\infty", "∈": r"\in", "∉": r"\notin", "⊂": r"\subset", "⊆": r"\subseteq",
    "∪": r"\cup", "∩": r"\cap", "∅": r"\emptyset", "→": r"\to", "⇒": r"\Rightarrow",
    "⇔": r"\Leftrightarrow", "↦": r"\mapsto", "∀": r"\forall", "∃": r"\exists", "¬": r"\neg",
    "∧": r"\wedge", "∨": r"\vee", "…": r"\dots", "⋯": r"\cdots", "⋮": r"\vdots", "√": r"\surd",
    "−": "-", "∗": "*", "′": "'", "″": "''", "‖": r"\|", "∣": r"\mid", "⟨": r"\langle",
    "⟩": r"\rangle", "⌊": r"\lfloor", "⌋": r"\rfloor", "⌈": r"\lceil", "⌉": r"\rceil",
    "α": r"\alpha", "β": r"\beta", "γ": r"\gamma", "δ": r"\delta", "ε": r"\epsilon",
    "ϵ": r"\epsilon", "ζ": r"\zeta", "η": r"\eta", "θ": r"\theta", "ι": r"\iota",
    "κ": r"\kappa", "λ": r"\lambda", "μ": r"\mu", "ν": r"\nu", "ξ": r"\xi", "π": r"\pi",
    "ρ": r"\rho", "σ": r"\sigma", "τ": r"\tau", "υ": r"\upsilon", "φ": r"\phi", "ϕ": r"\phi",
    "χ": r"\chi", "ψ": r"\psi", "ω": r"\omega", "Γ": r"\Gamma", "Δ": r"\Delta",
    "Θ": r"\Theta", "Λ": r"\Lambda", "Ξ": r"\Xi", "Π": r"\Pi", "Σ": r"\Sigma", "Φ": r"\Phi",
    "Ψ": r"\Psi", "Ω": r"\Omega", "ℝ": r"\mathbb{R}", "ℤ": r"\mathbb{Z}", "ℕ": r"\mathbb{N}",
    "ℚ": r"\mathbb{Q}", "ℂ": r"\mathbb{C}", "ℏ": r"\hbar", "ℓ": r"\ell",
    "\u2061": "", "\u2062": "", "\u2063": "", "\u2064": "", "\u200b": "", "\xa0": " ",
}  # fmt: skip
_FUNCTIONS = {"sin", "cos", "tan", "log", "ln", "exp", "lim", "max", "min", "gcd", "det", "mod"}
_ACCENTS = {
    "¯": "bar",
    "‾": "overline",
    "^": "hat",
    "~": "tilde",
    "→": "vec",
    "˙": "dot",
    "_": "bar",
}


def mathml_to_latex(node: LexborNode) -> str:
    """The LaTeX of a ``math`` element; parts deeper than 60 levels are left out."""
    return _joined([_convert(child, 0) for child in _elements(node)])


def _elements(node: LexborNode) -> list[LexborNode]:
    return list(node.iter(include_text=False))


def _joined(parts: list[str]) -> str:
    """Parts side by side; a command is kept apart from a letter behind it."""
    text = ""
    for part in parts:
        if text and part and part[0].isalpha() and _ends_in_command(text):
            text += " "
        text += part
    return text


def _ends_in_command(text: str) -> bool:
    place = len(text)
    while place and text[place - 1].isalpha():
        place -= 1
    return 0 < place < len(text) and text[place - 1] == "\\"


def _group(text: str) -> str:
    return f"{{{text}}}"


def _script(text: str) -> str:
    return text if len(text) == 1 else _group(text)


def _convert(node: LexborNode, depth: int) -> str:
    if depth > _MAX_DEPTH:
        return ""
    tag = node.tag or ""
    if tag in ("mi", "mn", "mo", "ms"):
        return _sign((node.text() or "").strip(), tag)
    if tag == "mtext":
        text = (node.text() or "").replace("\xa0", " ")
        return f"\\text{{{text}}}" if text.strip() else " "
    if tag in ("annotation", "annotation-xml", "mspace", "none", "mprescripts"):
        return ""
    children = _elements(node)
    if tag == "mtable":
        rows = [
            " & ".join(_convert(cell, depth + 2) for cell in _elements(row)) for row in children
        ]
        return r"\begin{matrix} " + r" \\ ".join(rows) + r" \end{matrix}"
    parts = [_convert(child, depth + 1) for child in children]
    if tag == "semantics":
        return parts[0] if parts else ""
    return _structure(tag, parts) if len(parts) >= 2 else _single(tag, parts, node)


def _sign(text: str, tag: str) -> str:
    if text in _FUNCTIONS:
        return f"\\{text}"
    if len(text) > 1 and tag == "mi" and text.isalpha() and text.isascii():
        return f"\\mathrm{{{text}}}"
    if text in ("{", "}", "%", "#", "&"):
        return f"\\{text}"
    return _joined([_SIGNS.get(character, character) for character in text])


def _single(tag: str, parts: list[str], node: LexborNode) -> str:
    inner = parts[0] if parts else ""
    if tag == "msqrt":
        return f"\\sqrt{{{inner}}}"
    if tag == "mfenced":
        return _fenced(parts, node)
    return inner if parts else ((node.text() or "").strip() if not _elements(node) else "")


def _fenced(parts: list[str], node: LexborNode) -> str:
    attributes = node.attributes
    opening, closing = attributes.get("open") or "(", attributes.get("close") or ")"
    return opening + ", ".join(parts) + closing


def _structure(tag: str, parts: list[str]) -> str:
    first, second = parts[0], parts[1]
    third = parts[2] if len(parts) > 2 else ""
    if tag == "mfrac":
        return f"\\frac{{{first}}}{{{second}}}"
    if tag == "msqrt":
        return f"\\sqrt{{{_joined(parts)}}}"
    if tag == "mroot":
        return f"\\sqrt[{second}]{{{first}}}"
    if tag == "msup":
        return (
            f"{_base(first)}{second}"
            if set(second) == {"'"}
            else f"{_base(first)}^{_script(second)}"
        )
    if tag in ("msub", "munder"):
        return f"{_base(first)}_{_script(second)}"
    if tag in ("msubsup", "munderover"):
        return f"{_base(first)}_{_script(second)}^{_script(third)}"
    if tag == "mover":
        accent = _ACCENTS.get(second)
        return f"\\{accent}{{{first}}}" if accent else f"{_base(first)}^{_script(second)}"
    if tag == "mfenced":
        return "(" + ", ".join(parts) + ")"
    return _joined(parts)


def _base(text: str) -> str:
    simple = len(text) <= 1 or (text.startswith("\\") and text[1:].isalpha()) or text[-1] in ")]}"
    return text if simple else _group(text)
