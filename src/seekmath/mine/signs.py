"""Unicode signs of mathematics and the LaTeX commands for them."""

import unicodedata

SIGNS = {
    "×": r"\times", "⋅": r"\cdot", "·": r"\cdot", "÷": r"\div", "±": r"\pm", "∓": r"\mp",
    "≤": r"\leq", "≥": r"\geq", "≠": r"\neq", "≈": r"\approx", "≡": r"\equiv", "∼": r"\sim",
    "≃": r"\simeq", "≅": r"\cong", "∝": r"\propto", "≪": r"\ll", "≫": r"\gg", "≺": r"\prec",
    "≻": r"\succ", "⩽": r"\leqslant", "⩾": r"\geqslant", "≐": r"\doteq", "≜": r"\triangleq",
    "∑": r"\sum", "∏": r"\prod", "∐": r"\coprod", "∫": r"\int", "∬": r"\iint", "∭": r"\iiint",
    "∮": r"\oint", "∂": r"\partial", "∇": r"\nabla", "∞": r"\infty", "⋃": r"\bigcup",
    "⋂": r"\bigcap", "⨁": r"\bigoplus", "⨂": r"\bigotimes", "⋀": r"\bigwedge", "⋁": r"\bigvee",
    "∈": r"\in", "∉": r"\notin", "∋": r"\ni", "⊂": r"\subset", "⊆": r"\subseteq",
    "⊃": r"\supset", "⊇": r"\supseteq", "⊊": r"\subsetneq", "∪": r"\cup", "∩": r"\cap",
    "∖": r"\setminus", "∅": r"\emptyset", "⊕": r"\oplus", "⊖": r"\ominus", "⊗": r"\otimes",
    "⊙": r"\odot", "∘": r"\circ", "∙": r"\bullet", "⋆": r"\star", "†": r"\dagger", "⊥": r"\perp",
    "∥": r"\parallel", "∣": r"\mid", "∤": r"\nmid", "∠": r"\angle", "△": r"\triangle",
    "→": r"\to", "←": r"\leftarrow", "↔": r"\leftrightarrow", "⇒": r"\Rightarrow",
    "⇐": r"\Leftarrow", "⇔": r"\Leftrightarrow", "⟹": r"\implies", "⟺": r"\iff",
    "⟶": r"\longrightarrow", "⟵": r"\longleftarrow", "⟼": r"\longmapsto", "↦": r"\mapsto",
    "↪": r"\hookrightarrow", "↑": r"\uparrow", "↓": r"\downarrow", "⇀": r"\rightharpoonup",
    "⇌": r"\rightleftharpoons", "∀": r"\forall", "∃": r"\exists", "∄": r"\nexists",
    "¬": r"\neg", "∧": r"\wedge", "∨": r"\vee", "⊢": r"\vdash", "⊨": r"\models", "⊤": r"\top",
    "∴": r"\therefore", "∵": r"\because", "…": r"\ldots", "⋯": r"\cdots", "⋮": r"\vdots",
    "⋱": r"\ddots", "√": r"\sqrt", "−": "-", "∗": "*", "′": "'", "″": "''", "‴": "'''",
    "‖": r"\|", "⟨": r"\langle", "⟩": r"\rangle", "〈": r"\langle", "〉": r"\rangle",
    "⌊": r"\lfloor", "⌋": r"\rfloor", "⌈": r"\lceil", "⌉": r"\rceil", "°": r"^\circ",
    "□": r"\square", "◻": r"\square", "∎": r"\blacksquare",
    "α": r"\alpha", "β": r"\beta", "γ": r"\gamma", "δ": r"\delta", "ε": r"\varepsilon",
    "ϵ": r"\epsilon", "ζ": r"\zeta", "η": r"\eta", "θ": r"\theta", "ϑ": r"\vartheta",
    "ι": r"\iota", "κ": r"\kappa", "λ": r"\lambda", "μ": r"\mu", "µ": r"\mu", "ν": r"\nu",
    "ξ": r"\xi", "π": r"\pi", "ϖ": r"\varpi", "ρ": r"\rho", "ϱ": r"\varrho", "σ": r"\sigma",
    "ς": r"\varsigma", "τ": r"\tau", "υ": r"\upsilon", "φ": r"\varphi", "ϕ": r"\phi",
    "χ": r"\chi", "ψ": r"\psi", "ω": r"\omega", "Γ": r"\Gamma", "Δ": r"\Delta",
    "Θ": r"\Theta", "Λ": r"\Lambda", "Ξ": r"\Xi", "Π": r"\Pi", "Σ": r"\Sigma",
    "Υ": r"\Upsilon", "Φ": r"\Phi", "Ψ": r"\Psi", "Ω": r"\Omega", "ℝ": r"\mathbb{R}",
    "ℤ": r"\mathbb{Z}", "ℕ": r"\mathbb{N}", "ℚ": r"\mathbb{Q}", "ℂ": r"\mathbb{C}",
    "ℙ": r"\mathbb{P}", "ℍ": r"\mathbb{H}", "ℏ": r"\hbar", "ℓ": r"\ell", "ℜ": r"\Re",
    "ℑ": r"\Im", "ℵ": r"\aleph", "ℒ": r"\mathcal{L}", "ℋ": r"\mathcal{H}", "ℱ": r"\mathcal{F}",
    "ℛ": r"\mathcal{R}", "ℬ": r"\mathcal{B}", "ℰ": r"\mathcal{E}", "ℳ": r"\mathcal{M}",
    "ı": r"\imath", "ȷ": r"\jmath", "ℎ": "h", "²": "^2", "³": "^3", "¹": "^1", "½": r"\frac{1}{2}",
    "\u2061": "", "\u2062": "", "\u2063": "", "\u2064": "", "\u200b": "", "\xa0": " ",
    "\u2009": r"\,", "\u2003": r"\quad ", "\u2005": r"\:", "\u2004": r"\;", "\u200a": "",
}  # fmt: skip
FUNCTIONS = {
    name: name
    for name in """sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh coth log ln lg exp
    lim limsup liminf max min sup inf gcd det dim ker hom arg deg Pr""".split()
} | {"mod": "bmod", "lim sup": "limsup", "lim inf": "liminf"}
ACCENTS = {
    "¯": "bar", "‾": "overline", "ˉ": "bar", "^": "hat", "ˆ": "hat", "~": "tilde", "˜": "tilde",
    "→": "vec", "⃗": "vec", "˙": "dot", "¨": "ddot", "_": "bar", "̂": "hat", "̃": "tilde",
    "˘": "breve", "ˇ": "check", "´": "acute", "`": "grave", "⏞": "overbrace", "―": "overline",
    "̄": "bar", "̇": "dot", "⃛": "dddot",
}  # fmt: skip
# The same signs over more than one letter.
STRETCHY = {
    "¯": "overline", "‾": "overline", "^": "widehat", "ˆ": "widehat", "~": "widetilde",
    "˜": "widetilde", "→": "overrightarrow", "⏞": "overbrace", "―": "overline", "_": "overline",
    "ˉ": "overline", "←": "overleftarrow",
}  # fmt: skip
_ESCAPED = {"{": r"\{", "}": r"\}", "%": r"\%", "#": r"\#", "&": r"\&", "$": r"\$"}
_FONTS = (
    ("DOUBLE-STRUCK", "mathbb"), ("FRAKTUR", "mathfrak"), ("SCRIPT", "mathcal"),
    ("BOLD", "mathbf"), ("SANS-SERIF", "mathsf"), ("MONOSPACE", "mathtt"),
)  # fmt: skip


def sign_of(text: str) -> str:
    """The LaTeX of the signs in ``text``; a command is kept apart from a letter behind it."""
    parts: list[str] = []
    for character in text:
        latex = _ESCAPED.get(character) or SIGNS.get(character)
        if latex is None:
            latex = _styled(character) if ord(character) > 0x2100 else character
        if parts and latex[:1].isalpha() and parts[-1][:1] == "\\" and parts[-1][-1:].isalpha():
            parts.append(" ")
        parts.append(latex)
    return "".join(parts)


def _styled(character: str) -> str:
    """A mathematical letter (bold, script, double-struck …) as a plain one in its font."""
    plain = unicodedata.normalize("NFKC", character)
    if len(plain) != 1 or plain == character:
        return character
    name = unicodedata.name(character, "")
    latex = SIGNS.get(plain, plain)
    for font, command in _FONTS:
        if font in name:
            return f"\\{command}{{{latex}}}"
    return latex
