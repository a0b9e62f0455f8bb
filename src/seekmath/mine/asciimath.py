"""AsciiMath to LaTeX, after the grammar of its published specification.

v ::= a letter, number or symbol      u ::= unary command     b ::= binary command
S ::= v | lEr | uS | bSS              I ::= S_S | S^S | S_S^S | S
E ::= I E | I/I
"""

import re

_MOST = 2000
_MOST_DEPTH = 40
_SYMBOLS = {
    "*": r"\cdot", "**": "*", "xx": r"\times", "-:": r"\div", "@": r"\circ", "o+": r"\oplus",
    "ox": r"\otimes", "o.": r"\odot", "sum": r"\sum", "prod": r"\prod", "^^": r"\wedge",
    "vv": r"\vee", "nn": r"\cap", "uu": r"\cup", "!=": r"\neq", "<=": r"\leq", ">=": r"\geq",
    "-<": r"\prec", ">-": r"\succ", "in": r"\in", "!in": r"\notin", "sub": r"\subset",
    "sup": r"\supset", "sube": r"\subseteq", "supe": r"\supseteq", "-=": r"\equiv",
    "~=": r"\cong", "~~": r"\approx", "prop": r"\propto", "and": r"\text{and}",
    "or": r"\text{or}", "not": r"\neg", "=>": r"\Rightarrow", "if": r"\text{if}",
    "<=>": r"\Leftrightarrow", "iff": r"\Leftrightarrow", "AA": r"\forall", "EE": r"\exists",
    "_|_": r"\bot", "TT": r"\top", "|--": r"\vdash", "|==": r"\models", "int": r"\int",
    "oint": r"\oint", "del": r"\partial", "grad": r"\nabla", "+-": r"\pm", "O/": r"\emptyset",
    "oo": r"\infty", "aleph": r"\aleph", "/_": r"\angle", ":.": r"\therefore", "...": r"\ldots",
    "cdots": r"\cdots", "vdots": r"\vdots", "ddots": r"\ddots", "diamond": r"\diamond",
    "square": r"\square", "CC": r"\mathbb{C}", "NN": r"\mathbb{N}", "QQ": r"\mathbb{Q}",
    "RR": r"\mathbb{R}", "ZZ": r"\mathbb{Z}", "lim": r"\lim", "->": r"\to", "|->": r"\mapsto",
    "larr": r"\leftarrow", "rarr": r"\rightarrow", "harr": r"\leftrightarrow",
    "rArr": r"\Rightarrow", "lArr": r"\Leftarrow", "hArr": r"\Leftrightarrow", "quad": r"\quad",
    "dx": "dx", "dy": "dy", "dz": "dz", "dt": "dt", "setminus": r"\setminus", "mod": r"\bmod",
    "|_": r"\lfloor", "_|": r"\rfloor", "|~": r"\lceil", "~|": r"\rceil", "\\\\": r"\backslash",
    "cdot": r"\cdot", "times": r"\times", "infty": r"\infty", "le": r"\leq", "ge": r"\geq",
    "ne": r"\neq", "to": r"\to", "pm": r"\pm",
}  # fmt: skip
_NAMED = """alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu
nu xi pi rho sigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi
Omega sin cos tan sec csc cot sinh cosh tanh arcsin arccos arctan log ln exp det dim gcd max min"""
_UNARY = {
    "sqrt": "sqrt", "hat": "hat", "bar": "overline", "vec": "vec", "dot": "dot", "ddot": "ddot",
    "ul": "underline", "overline": "overline", "tilde": "tilde", "bb": "mathbf", "bbb": "mathbb",
    "cc": "mathcal", "tt": "mathtt", "fr": "mathfrak", "sf": "mathsf", "cancel": "cancel",
}  # fmt: skip
_AROUND = {
    "abs": ("|", "|"),
    "floor": (r"\lfloor ", r"\rfloor"),
    "ceil": (r"\lceil ", r"\rceil"),
    "norm": (r"\|", r"\|"),
}
_BINARY = {
    "frac": "frac",
    "root": "sqrt",
    "stackrel": "overset",
    "overset": "overset",
    "underset": "underset",
}
_OPENING = {"(": "(", "[": "[", "{": r"\{", "(:": r"\langle ", "{:": "", "<<": r"\langle "}
_CLOSING = {")": ")", "]": "]", "}": r"\}", ":)": r"\rangle", ":}": "", ">>": r"\rangle"}
_WORDS = sorted(
    [*_SYMBOLS, *_NAMED.split(), *_UNARY, *_AROUND, *_BINARY, *_OPENING, *_CLOSING],
    key=len, reverse=True,
)  # fmt: skip
_TOKEN = re.compile(
    r"\"[^\"]*\"|text\([^()]*\)|\d+(?:\.\d+)?|" + "|".join(map(re.escape, _WORDS)) + r"|\S"
)


def asciimath_to_latex(source: str) -> str:
    """The LaTeX of an AsciiMath formula; beyond 2,000 characters it is cut."""
    tokens = _TOKEN.findall(source.strip().strip("`")[:_MOST])
    text, _ = _expression(tokens, 0, 0, closing=False)
    return text.strip()


def _expression(tokens: list[str], at: int, depth: int, closing: bool) -> tuple[str, int]:
    parts: list[str] = []
    while at < len(tokens) and not (closing and tokens[at] in _CLOSING):
        part, at = _intermediate(tokens, at, depth)
        if at < len(tokens) and tokens[at] == "/":
            lower, at = _intermediate(tokens, at + 1, depth)
            part = f"\\frac{{{_bare(part)}}}{{{_bare(lower)}}}"
        if parts and parts[-1][-1:].isalpha() and "\\" in parts[-1] and part[:1].isalnum():
            parts.append(" ")
        parts.append(part)
    return "".join(parts), at


def _bare(text: str) -> str:
    """An operand without the brackets that only grouped it."""
    if text[:1] == "(" and text[-1:] == ")" and _balanced(text[1:-1]):
        return text[1:-1]
    return text


def _balanced(text: str) -> bool:
    depth = 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if depth < 0:
            return False
    return depth == 0


def _intermediate(tokens: list[str], at: int, depth: int) -> tuple[str, int]:
    text, at = _simple(tokens, at, depth)
    for _ in range(2):
        if at < len(tokens) and tokens[at] in ("_", "^"):
            sign = tokens[at]
            script, at = _simple(tokens, at + 1, depth)
            script = _bare(script)
            text += sign + (script if len(script) == 1 else f"{{{script}}}")
    return text, at


def _simple(tokens: list[str], at: int, depth: int) -> tuple[str, int]:
    if at >= len(tokens) or depth > _MOST_DEPTH:
        return "", len(tokens)
    token = tokens[at]
    at += 1
    if token[0] == '"' or token.startswith("text("):
        return f"\\text{{{token[1:-1] if token[0] == chr(34) else token[5:-1]}}}", at
    if token in _OPENING:
        return _bracketed(tokens, at, depth, token)
    if token in _UNARY:
        inner, at = _simple(tokens, at, depth + 1)
        return f"\\{_UNARY[token]}{{{_bare(inner)}}}", at
    if token in _AROUND:
        inner, at = _simple(tokens, at, depth + 1)
        return _AROUND[token][0] + _bare(inner) + _AROUND[token][1], at
    if token in _BINARY:
        first, at = _simple(tokens, at, depth + 1)
        second, at = _simple(tokens, at, depth + 1)
        if token == "root":
            return f"\\sqrt[{_bare(first)}]{{{_bare(second)}}}", at
        return f"\\{_BINARY[token]}{{{_bare(first)}}}{{{_bare(second)}}}", at
    if token in _SYMBOLS:
        return _SYMBOLS[token], at
    return (f"\\{token}" if len(token) > 1 and token.isalpha() else token), at


def _bracketed(tokens: list[str], at: int, depth: int, opening: str) -> tuple[str, int]:
    start = at
    inner, at = _expression(tokens, at, depth + 1, closing=True)
    closing = tokens[at] if at < len(tokens) else ""
    matrix = _matrix(tokens[start:at], opening, closing, depth)
    if matrix:
        return matrix, at + 1
    return _OPENING[opening] + inner + _CLOSING.get(closing, ""), at + 1


def _matrix(tokens: list[str], opening: str, closing: str, depth: int) -> str:
    """``[[a,b],[c,d]]``: rows of equal length in the same brackets."""
    rows: list[list[str]] = []
    at = 0
    while at < len(tokens):
        if tokens[at] not in ("[", "("):
            return ""
        level, end = 1, at + 1
        cells: list[list[str]] = [[]]
        while end < len(tokens) and level:
            level += (tokens[end] in _OPENING) - (tokens[end] in _CLOSING)
            if level == 1 and tokens[end] == ",":
                cells.append([])
            elif level:
                cells[-1].append(tokens[end])
            end += 1
        rows.append([_expression(cell, 0, depth + 1, closing=False)[0] for cell in cells])
        at = end + 1 if end < len(tokens) and tokens[end] == "," else end
        if at == end and end < len(tokens):
            return ""
    if len(rows) < 2 or len({len(row) for row in rows}) != 1:
        return ""
    name = {"[]": "bmatrix", "()": "pmatrix", "{:}": "cases"}.get(opening + closing, "matrix")
    if opening == "{" and closing == ":}":
        name = "cases"
    return (
        f"\\begin{{{name}}} " + r" \\ ".join(" & ".join(row) for row in rows) + f" \\end{{{name}}}"
    )
