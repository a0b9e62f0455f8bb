r"""The ways formulas stand on the web: one function for each, from LaTeX to HTML.

The LaTeX of the world uses \frac, \cdot, \times, \gcd, \boxed, \bmod, \dots, \rho, scripts and
plain signs; the MathML writer knows these.
"""

import html
import re
from collections.abc import Callable
from urllib.parse import quote

_PART = re.compile(r"\\[A-Za-z]+|\\.|\d+|[A-Za-z]|[{}^_]|\S")
_SIGNS = {
    "\\cdot": "⋅",
    "\\times": "×",
    "\\dots": "…",
    "\\rho": "ρ",
    "\\le": "≤",
    "\\pi": "π",
    "\\alpha": "α",
    "\\infty": "∞",
    "\\sum": "∑",
    "\\int": "∫",
}
_NAMES = {"\\gcd": "gcd", "\\bmod": "mod", "\\sin": "sin", "\\cos": "cos", "\\log": "log"}


def mathml(latex: str) -> str:
    """Presentation MathML inside ``<mrow>``."""
    parts = _PART.findall(latex)
    return f"<mrow>{_row(parts, 0, len(parts))}</mrow>"


def _row(parts: list[str], start: int, end: int) -> str:
    out: list[str] = []
    place = start
    while place < end:
        node, place = _item(parts, place, end)
        while place < end and parts[place] in "^_":
            tag = "msup" if parts[place] == "^" else "msub"
            script, place = _item(parts, place + 1, end)
            node = f"<{tag}>{node}{script}</{tag}>"
        out.append(node)
    return "".join(out)


def _item(parts: list[str], place: int, end: int) -> tuple[str, int]:
    part = parts[place]
    if part == "{":
        close = _closing(parts, place, end)
        return f"<mrow>{_row(parts, place + 1, close)}</mrow>", close + 1
    if part == "\\frac":
        top, place = _item(parts, place + 1, end)
        bottom, place = _item(parts, place, end)
        return f"<mfrac>{top}{bottom}</mfrac>", place
    if part in ("\\boxed", "\\sqrt"):
        inner, after = _item(parts, place + 1, end)
        tag = "msqrt" if part == "\\sqrt" else "menclose"
        return f"<{tag}>{inner}</{tag}>", after
    if part.isdigit():
        return f"<mn>{part}</mn>", place + 1
    if part in _NAMES:
        return f"<mi>{_NAMES[part]}</mi>", place + 1
    if part.isalpha():
        return f"<mi>{part}</mi>", place + 1
    return f"<mo>{html.escape(_SIGNS.get(part, part.lstrip(chr(92)) or ' '))}</mo>", place + 1


def _closing(parts: list[str], place: int, end: int) -> int:
    depth = 0
    for at in range(place, end):
        depth += {"{": 1, "}": -1}.get(parts[at], 0)
        if depth == 0:
            return at
    return end - 1


def _mathjax_script(latex: str) -> str:
    return (
        f'<span class="MathJax_Preview">{html.escape(latex)}</span>'
        f'<script type="math/tex">{latex}</script>'
    )


def _mathjax_delimiters(latex: str) -> str:
    return f"\\({html.escape(latex)}\\)"


def _dollars(latex: str) -> str:
    return f"${html.escape(latex)}$"


def _annotated(latex: str) -> str:
    return (
        '<math xmlns="http://www.w3.org/1998/Math/MathML"><semantics>'
        f'{mathml(latex)}<annotation encoding="application/x-tex">{html.escape(latex)}'
        "</annotation></semantics></math>"
    )


def _mathml(latex: str) -> str:
    return f'<math xmlns="http://www.w3.org/1998/Math/MathML">{mathml(latex)}</math>'


def _katex(latex: str) -> str:
    letters = "".join(f'<span class="mord">{html.escape(p)}</span>' for p in _PART.findall(latex))
    return (
        f'<span class="katex"><span class="katex-mathml">{_annotated(latex)}</span>'
        f'<span class="katex-html" aria-hidden="true"><span class="base">{letters}</span></span>'
        "</span>"
    )


def _mathjax3(latex: str) -> str:
    return (
        '<mjx-container class="MathJax" jax="CHTML"><mjx-math aria-hidden="true"><mjx-mi></mjx-mi>'
        f'</mjx-math><mjx-assistive-mml unselectable="on">{_mathml(latex)}</mjx-assistive-mml>'
        "</mjx-container>"
    )


def _image(latex: str) -> str:
    source = f"https://s0.wp.com/latex.php?latex={quote(latex)}&bg=ffffff"
    return f'<img src="{source}" alt="{html.escape(latex)}" class="latex" />'


def _codecogs(latex: str) -> str:
    return f'<img src="https://latex.codecogs.com/gif.latex?{quote(latex)}" title="formula" />'


def _wikipedia(latex: str) -> str:
    return (
        '<span class="mwe-math-element">'
        '<span class="mwe-math-mathml-inline" style="display: none;">'
        f"{_annotated('{' + chr(92) + 'displaystyle ' + latex + '}')}</span>"
        f'<img src="https://wikimedia.org/api/rest_v1/media/math/render/svg/0a1b" '
        f'class="mwe-math-fallback-image-inline" alt="{html.escape(latex)}" /></span>'
    )


def _plain(latex: str) -> str:
    """HTML scripts and Unicode signs: no LaTeX is left to be found."""
    text = re.sub(r"\\d?frac\{([^{}]*)\}\{([^{}]*)\}", r"\1/\2", latex)
    text = re.sub(r"\\boxed\{(.*)\}", r"\1", text)
    for command, sign in {**_SIGNS, **_NAMES}.items():
        text = text.replace(command, sign)
    text = html.escape(text)
    text = re.sub(r"\^\{?(-?\w+)\}?", r"<sup>\1</sup>", text)
    return re.sub(r"_\{?(\w+)\}?", r"<sub>\1</sub>", text)


#: Way of writing formulas → LaTeX to HTML. ``plain`` keeps no LaTeX.
ENCODINGS: dict[str, Callable[[str], str]] = {
    "mathjax_script": _mathjax_script,
    "mathjax_delimiters": _mathjax_delimiters,
    "dollars": _dollars,
    "katex": _katex,
    "mathml_annotated": _annotated,
    "mathml": _mathml,
    "mathjax3": _mathjax3,
    "image": _image,
    "codecogs": _codecogs,
    "wikipedia": _wikipedia,
    "plain": _plain,
}


def encode_text(text: str, encoding: str) -> str:
    """HTML of a text with formulas between single dollars, in the given way."""
    parts = re.split(r"\$([^$]+)\$", text)
    return "".join(
        ENCODINGS[encoding](part) if number % 2 else html.escape(part).replace("\n", "<br>\n")
        for number, part in enumerate(parts)
    )


def formulas_of(text: str) -> list[str]:
    """The LaTeX between single dollars of a text."""
    return re.findall(r"\$([^$]+)\$", text)
