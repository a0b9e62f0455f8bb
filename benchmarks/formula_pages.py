r"""Torture pages: the same formulas in each form that formulas have on the web, and the measures.

A page holds numbered paragraphs, a formula between two words that stand nowhere else, among
sentences, a menu and a footer. What an extractor leaves between the two words tells whether the
formula is there, whether it is delimited, and what garbage stands beside it.
"""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from latex2mathml.converter import convert

FORMULAS = (
    "x^2 + y^2 = z^2", r"\frac{a + b}{c}", r"\sqrt{x + 1}", r"\sum_{i=1}^{n} i^2",
    r"\int_0^1 f(x) dx", r"\alpha \beta = \gamma", r"e^{i \pi} + 1 = 0",
    r"\lim_{x \to 0} \frac{\sin x}{x}", r"a_{n+1} \leq a_n", "x < y", r"\hat{x} \neq \vec{v}",
    r"x \in \mathbb{R}", r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", r"\lfloor x \rfloor",
    r"\left( 1 + \frac{1}{n} \right)^n", r"n! \approx \sqrt{2 \pi n}",
)  # fmt: skip
_FILLER = (
    "We look at this step by step and keep in mind what was shown in the sections before. "
    "A reader who knows the definitions will see at once why the claim is true in general."
)


@dataclass(frozen=True)
class Encoding:
    """A form of formulas on the web."""

    write: Callable[[str], str]
    head: str = ""
    pairs: tuple[tuple[str, str], ...] = ()  # (source, LaTeX) where the source is not LaTeX
    display: bool = False


def _mathml(latex: str, attributes: str = "", annotation: bool = False) -> str:
    inner = re.sub(r"^<math[^>]*>|</math>$", "", convert(latex))
    if annotation:
        inner = (
            f"<semantics>{inner}<annotation encoding='application/x-tex'>{html.escape(latex)}"
            "</annotation></semantics>"
        ).replace("'", '"')
    return f'<math xmlns="http://www.w3.org/1998/Math/MathML"{attributes}>{inner}</math>'


def _glyphs(latex: str) -> str:
    """What a renderer shows: the letters of the formula in elements of their own."""
    shown = re.findall(r"[A-Za-z]|\d", re.sub(r"\\[A-Za-z]+|\{|\}", " ", latex))
    return "".join(f'<span class="mord mathnormal">{each}</span>' for each in shown)


def _katex(latex: str, display: bool = False) -> str:
    attributes = ' display="block"' if display else ""
    inner = (
        f'<span class="katex"><span class="katex-mathml">{_mathml(latex, attributes, True)}</span>'
        f'<span class="katex-html" aria-hidden="true"><span class="base">{_glyphs(latex)}</span>'
        "</span></span>"
    )
    return f'<span class="katex-display">{inner}</span>' if display else inner


def _mathjax2(latex: str, output: str, script: bool = True) -> str:
    """MathJax 2 after rendering: preview, output, assistive MathML, the script."""
    assistive = f'<span class="MJX_Assistive_MathML" role="presentation">{_mathml(latex)}</span>'
    stored = html.escape(_mathml(latex), quote=True)
    rendered = (
        f'<span class="{output}" id="E" tabindex="0" data-mathml="{stored}" role="presentation">'
        f'<nobr aria-hidden="true">{_glyphs(latex)}</nobr>{assistive}</span>'
    )
    source = f'<script type="math/tex" id="S">{latex}</script>' if script else ""
    return f'<span class="MathJax_Preview" style="color: inherit;"></span>{rendered}{source}'


def _mathjax3(latex: str, jax: str, display: bool = False) -> str:
    shown = (
        "".join(
            f'<mjx-mi class="mjx-i"><mjx-c class="mjx-c{ord(c):X}"></mjx-c></mjx-mi>' for c in "xy"
        )
        if jax == "CHTML"
        else '<svg><g data-mml-node="math"><path data-c="1D465" d="M1 2"></path></g></svg>'
    )
    block = ' display="true"' if display else ""
    math = _mathml(latex, ' display="block"' if display else "")
    return (
        f'<mjx-container class="MathJax" jax="{jax}"{block}><mjx-math aria-hidden="true">{shown}'
        f'</mjx-math><mjx-assistive-mml unselectable="on" display="inline">{math}'
        "</mjx-assistive-mml></mjx-container>"
    )


def _bare_mathjax3(tree: str) -> str:
    return f'<mjx-container class="MathJax" jax="CHTML"><mjx-math>{tree}</mjx-math></mjx-container>'


def _wikipedia(latex: str, fallback_only: bool = False) -> str:
    image = (
        '<img src="https://wikimedia.org/api/rest_v1/media/math/render/svg/0af1" aria-hidden="true" '
        'class="mwe-math-fallback-image-inline" '
        f'alt="{{\\displaystyle {html.escape(latex)}}}">'
    )
    math = _mathml(latex, f' alttext="{{\\displaystyle {html.escape(latex)}}}"', True)
    hidden = f'<span class="mwe-math-mathml-inline" style="display: none;">{math}</span>'
    return f'<span class="mwe-math-element">{"" if fallback_only else hidden}{image}</span>'


def _image(source: str, classes: str = "", alt: bool = True) -> Callable[[str], str]:
    def write(latex: str) -> str:
        text = f' alt="{html.escape(latex, quote=True)}"' if alt else ""
        return f'<img src="{source.format(quote(latex))}"{text} class="{classes}">'

    return write


def _wrapped(before: str, after: str) -> Callable[[str], str]:
    return lambda latex: before + html.escape(latex, quote=False) + after


_PARTS = {"x": "mjx-c1D465", "y": "mjx-c1D466", "2": "mjx-c32", "+": "mjx-c2B"}


def _mjx(tag: str, character: str) -> str:
    return f'<mjx-{tag} class="mjx-i"><mjx-c class="{_PARTS[character]}"></mjx-c></mjx-{tag}>'


_SCRIPT = (
    f'<mjx-msup>{_mjx("mi", "x")}<mjx-script style="vertical-align: 0.363em;">{_mjx("mn", "2")}'
    "</mjx-script></mjx-msup>"
)
_RENDERED_ONLY = (
    (_SCRIPT + _mjx("mo", "+") + _mjx("mi", "y"), "x^2 + y"),
    (
        f"<mjx-mfrac><mjx-frac><mjx-num><mjx-nstrut></mjx-nstrut>{_mjx('mi', 'x')}</mjx-num>"
        f"<mjx-dbox><mjx-dtable><mjx-line></mjx-line><mjx-row><mjx-den>{_mjx('mn', '2')}</mjx-den>"
        "</mjx-row></mjx-dtable></mjx-dbox></mjx-frac></mjx-mfrac>",
        r"\frac{x}{2}",
    ),
)
_ASCIIMATH = (
    ("x^2+y^2=z^2", "x^2+y^2=z^2"), ("(a+b)/c", r"\frac{a+b}{c}"), ("sqrt(x+1)", r"\sqrt{x+1}"),
    ("sum_(i=1)^n i^2", r"\sum_{i=1}^n i^2"), ("int_0^1 f(x) dx", r"\int_0^1 f(x) dx"),
    ("alpha beta = gamma", r"\alpha \beta = \gamma"), ("a_(n+1) <= a_n", r"a_{n+1} \leq a_n"),
    ("x in RR", r"x \in \mathbb{R}"), ("[[1,2],[3,4]]", r"\begin{bmatrix} 1 & 2 \\ 3 & 4 \end{bmatrix}"),
    ("lim_(x->0) (sin x)/x", r"\lim_{x \to 0} \frac{\sin x}{x}"),
)  # fmt: skip
_CONTENT = (
    ("<apply><plus/><ci>a</ci><ci>b</ci></apply>", "a + b"),
    ("<apply><eq/><apply><power/><ci>x</ci><cn>2</cn></apply><cn>4</cn></apply>", "x^2 = 4"),
    ("<apply><divide/><ci>a</ci><apply><times/><cn>2</cn><ci>b</ci></apply></apply>", r"\frac{a}{2b}"),
    ("<apply><root/><ci>x</ci></apply>", r"\sqrt{x}"),
    ("<apply><sin/><ci>x</ci></apply>", r"\sin(x)"),
    ("<apply><sum/><bvar><ci>i</ci></bvar><lowlimit><cn>1</cn></lowlimit><uplimit><ci>n</ci>"
     "</uplimit><ci>i</ci></apply>", r"\sum_{i=1}^{n} i"),
    ("<apply><in/><ci>x</ci><reals/></apply>", r"x \in \mathbb{R}"),
    ("<apply><leq/><apply><abs/><ci>x</ci></apply><infinity/></apply>", r"|x| \leq \infty"),
)  # fmt: skip
_HTML = (
    ("<i>x</i><sup>2</sup> + <i>y</i><sup>2</sup>", "x^2 + y^2"),
    ("<i>a</i><sub>n</sub> ≤ <i>a</i><sub>n+1</sub>", r"a_n \leq a_{n+1}"),
    ("<i>α</i> ∈ ℝ", r"\alpha \in \mathbb{R}"),
    ("e<sup><i>iπ</i></sup> = −1", r"e^{i\pi} = -1"),
)
_MACROS = (
    (r"\RR^n", r"\mathbb{R}^n"), (r"\norm{x + y}", r"\lVert x + y \rVert"),
    (r"\pair{a}{b}", r"\langle a, b \rangle"), (r"x \in \RR", r"x \in \mathbb{R}"),
)  # fmt: skip
_ARRAYS = tuple(
    (latex, latex)
    for latex in (
        r"\begin{array}{cc} a & b \\ c & d \end{array}",
        r"\begin{cases} x & \text{if } x > 0 \\ -x & \text{otherwise} \end{cases}",
        r"\begin{aligned} a &= b + c \\ &= d \end{aligned}",
        r"\begin{bmatrix} 1 & 0 \\ 0 & 1 \end{bmatrix}",
    )
)
_CONFIGURED = (
    "<script>MathJax = {tex: {inlineMath: [['\\\\(', '\\\\)']], macros: {RR: '\\\\mathbb{R}', "
    "norm: ['\\\\lVert #1 \\\\rVert', 1], pair: ['\\\\langle #1, #2 \\\\rangle', 2]}}};</script>"
)
_DEFINED = (
    r'<div style="display:none">\(\newcommand{\RR}{\mathbb{R}} '
    r"\newcommand{\norm}[1]{\lVert #1 \rVert} \def\pair#1#2{\langle #1, #2 \rangle}\)</div>"
)
_CODECOGS = "https://latex.codecogs.com/"
ENCODINGS: dict[str, Encoding] = {
    "mathjax2 script": Encoding(lambda t: f'<script type="math/tex">{t}</script>'),
    "mathjax2 script, display": Encoding(
        lambda t: f'<script type="math/tex; mode=display">{t}</script>', display=True
    ),
    "mathjax2 preview and script": Encoding(
        lambda t: f'<span class="MathJax_Preview">{html.escape(t)}</span>'
        f'<script type="math/tex">{t}</script>'
    ),
    "mathjax2 HTML-CSS rendered": Encoding(lambda t: _mathjax2(t, "MathJax")),
    "mathjax2 CHTML rendered": Encoding(lambda t: _mathjax2(t, "mjx-chtml MathJax_CHTML")),
    "mathjax2 SVG rendered": Encoding(lambda t: _mathjax2(t, "MathJax_SVG")),
    "mathjax2 rendered, script lost": Encoding(lambda t: _mathjax2(t, "MathJax", script=False)),
    "mathjax2 MathML script": Encoding(lambda t: f'<script type="math/mml">{_mathml(t)}</script>'),
    "delimiters \\( \\)": Encoding(_wrapped("\\(", "\\)")),
    "delimiters \\[ \\]": Encoding(_wrapped("\\[", "\\]"), display=True),
    "delimiters $ $": Encoding(_wrapped("$", "$")),
    "delimiters $$ $$": Encoding(_wrapped("$$", "$$"), display=True),
    "delimiters [latex] [/latex]": Encoding(_wrapped("[latex]", "[/latex]")),
    "delimiters $latex $": Encoding(_wrapped("$latex ", "$")),
    "mathjax3 CHTML, assistive MathML": Encoding(lambda t: _mathjax3(t, "CHTML")),
    "mathjax3 SVG, assistive MathML": Encoding(lambda t: _mathjax3(t, "SVG")),
    "mathjax3 display": Encoding(lambda t: _mathjax3(t, "CHTML", display=True), display=True),
    "mathjax3 CHTML alone": Encoding(_bare_mathjax3, pairs=_RENDERED_ONLY),
    "mathjax4 data-latex": Encoding(
        lambda t: '<mjx-container class="MathJax" jax="CHTML"><mjx-math data-latex="'
        f'{html.escape(t, quote=True)}">{_glyphs(t)}</mjx-math></mjx-container>'
    ),
    "katex": Encoding(_katex),
    "katex display": Encoding(lambda t: _katex(t, display=True), display=True),
    "katex MathML output": Encoding(lambda t: f'<span class="katex">{_mathml(t, "", True)}</span>'),
    "katex data attribute": Encoding(
        lambda t: f'<span class="eq" data-tex="{html.escape(t, quote=True)}"></span>'
    ),
    "MathML annotated": Encoding(lambda t: _mathml(t, "", True)),
    "MathML alttext (LaTeXML)": Encoding(
        lambda t: _mathml(t, f' alttext="{html.escape(t, quote=True)}" class="ltx_Math"')
    ),
    "MathML presentation": Encoding(_mathml),
    "MathML presentation, prefixed": Encoding(
        lambda t: re.sub(r"<(/?)(m)", r"<\1m:\2", _mathml(t))
    ),
    "MathML content": Encoding(lambda t: f"<math>{t}</math>", pairs=_CONTENT),
    "MathML arrays": Encoding(_mathml, pairs=_ARRAYS[:2] + _ARRAYS[3:]),
    "arrays in delimiters": Encoding(_wrapped("\\[", "\\]"), pairs=_ARRAYS, display=True),
    "environment align": Encoding(
        _wrapped("", ""), display=True,
        pairs=tuple((t, t) for t in (
            r"\begin{align} a &= b \\ c &= d \end{align}",
            r"\begin{equation} E = mc^2 \end{equation}",
            r"\begin{gather*} a + b \\ c + d \end{gather*}",
        )),
    ),
    "WordPress image": Encoding(_image("https://s0.wp.com/latex.php?latex={}&bg=ffffff", "latex")),
    "WordPress image, no alt": Encoding(
        _image("https://s0.wp.com/latex.php?latex={}&bg=ffffff&fg=000", "latex", alt=False)
    ),
    "CodeCogs gif": Encoding(_image(_CODECOGS + "gif.latex?{}", alt=False)),
    "CodeCogs svg": Encoding(_image(_CODECOGS + "svg.image?{}")),
    "CodeCogs inline, dpi": Encoding(_image(_CODECOGS + "png.latex?%5Cinline%20%5Cdpi%7B150%7D%20{}", alt=False)),
    "Google Chart": Encoding(_image("https://chart.googleapis.com/chart?cht=tx&chl={}", alt=False)),
    "mimeTeX": Encoding(_image("/cgi-bin/mimetex.cgi?{}", alt=False)),
    "LaTeX2HTML alt": Encoding(
        lambda t: f'<IMG WIDTH="52" SRC="img17.png" ALT="${html.escape(t, quote=True)}$">'
    ),
    "AoPS image": Encoding(
        lambda t: f'<img src="//latex.artofproblemsolving.com/5/a/0.png" class="latex" '
        f'alt="${html.escape(t, quote=True)}$">'
    ),
    "Wikipedia": Encoding(_wikipedia),
    "Wikipedia, fallback image only": Encoding(lambda t: _wikipedia(t, fallback_only=True)),
    "Wikipedia, old image": Encoding(
        lambda t: f'<img class="tex" alt="{html.escape(t, quote=True)}" src="//upload/math/1/a.png">'
    ),
    "Sphinx MathJax": Encoding(_wrapped('<span class="math notranslate nohighlight">\\(', "\\)</span>")),
    "Sphinx display, numbered": Encoding(
        _wrapped(
            '<div class="math notranslate nohighlight" id="equation-a"><span class="eqno">(1)'
            '<a class="headerlink" href="#equation-a">¶</a></span>\\[', "\\]</div>",
        ),
        display=True,
    ),
    "Sphinx jsMath": Encoding(_wrapped('<span class="math">', "</span>")),
    "Sphinx imgmath": Encoding(
        lambda t: f'<img class="math" src="_images/math/0f.png" alt="{html.escape(t, quote=True)}">'
    ),
    "Pandoc": Encoding(_wrapped('<span class="math inline">\\(', "\\)</span>")),
    "GitLab": Encoding(_wrapped('<code class="code math js-render-math" data-math-style="inline">', "</code>")),
    "GitHub": Encoding(_wrapped('<math-renderer class="js-inline-math">$', "$</math-renderer>")),
    "AMP": Encoding(
        lambda t: f'<amp-mathml layout="container" inline data-formula="\\({html.escape(t, quote=True)}\\)">'
        "</amp-mathml>"
    ),
    "AsciiMath": Encoding(
        _wrapped("`", "`"), pairs=_ASCIIMATH,
        head='<script src="https://cdn.example.org/MathJax.js?config=AM_CHTML"></script>',
    ),
    "AsciiMath script": Encoding(
        lambda t: f'<script type="math/asciimath">{t}</script>', pairs=_ASCIIMATH
    ),
    "macros in configuration": Encoding(_wrapped("\\(", "\\)"), head=_CONFIGURED, pairs=_MACROS),
    "macros defined in page": Encoding(_wrapped("\\(", "\\)"), head=_DEFINED, pairs=_MACROS),
    "equation with \\tag": Encoding(
        _wrapped("\\[", "\\]"), display=True,
        pairs=tuple((f"{t} \\tag{{{n}}}", f"{t} \\tag{{{n}}}") for n, t in enumerate(FORMULAS[:4], 1)),
    ),
    "HTML texhtml": Encoding(lambda t: f'<span class="texhtml">{t}</span>', pairs=_HTML),
    "HTML sub and sup": Encoding(lambda t: t, pairs=_HTML),
}  # fmt: skip


def torture_page(encoding: Encoding) -> tuple[str, list[str]]:
    """A page with every formula of an encoding, and their LaTeX."""
    pairs = encoding.pairs or tuple((latex, latex) for latex in FORMULAS)
    items = []
    for number, (source, _) in enumerate(pairs):
        formula = encoding.write(source)
        items.append(f"<p>{_FILLER} Begin{number}word {formula} end{number}word. {_FILLER}</p>")
    page = (
        f"<!DOCTYPE html><html><head><title>Formulas</title>{encoding.head if '<script' in encoding.head else ''}"
        '</head><body><nav class="menu"><ul><li><a href="/">Home</a></li></ul></nav><article>'
        f"{'' if '<script' in encoding.head else encoding.head}<h1>Formulas</h1>{''.join(items)}"
        '</article><footer class="footer"><p>© 2026</p></footer></body></html>'
    )
    return page, [latex for _, latex in pairs]


_SAME = {
    r"\le": r"\leq", r"\ge": r"\geq", r"\ne": r"\neq", r"\rightarrow": r"\to", r"\dots": r"\ldots",
    r"\lbrace": r"\{", r"\rbrace": r"\}", r"\lVert": r"\|", r"\rVert": r"\|", r"\dfrac": r"\frac",
    r"\tfrac": r"\frac", r"\operatorname": r"\mathrm", r"\left": "", r"\right": "",
    r"\displaystyle": "", r"\varepsilon": r"\epsilon", r"\varphi": r"\phi", r"\land": r"\wedge",
}  # fmt: skip


def normal(latex: str) -> str:
    r"""LaTeX as compared: no spaces, no \left, synonyms joined, no braces around one sign."""
    latex = re.sub(r"\\[A-Za-z]+", lambda m: _SAME.get(m[0], m[0]), latex)
    latex = re.sub(r"\s+|\\[,;:! ]|\\q?quad", "", latex)
    for _ in range(2):
        latex = re.sub(r"(?<=[\^_])\{(\\[A-Za-z]+|[^{}\\])\}", r"\1", latex)
    return latex


_DELIMITED = re.compile(
    r"\$\$(.+?)\$\$|\$([^$]+?)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]|\[i?tex\](.+?)\[/i?tex\]"
    r"|(\\begin\{(align|equation|gather)\*?\}.+?\\end\{\7\*?\})",
    re.DOTALL,
)


def measure(text: str, truth: list[str]) -> dict[str, float]:
    """Of the formulas of a page: present, delimited, delimited ones right, garbage per formula."""
    present = delimited = garbage = claimed = right = 0
    for number, latex in enumerate(truth):
        found = re.search(rf"Begin{number}word(.*?)end{number}word", text, re.DOTALL)
        between = found[1] if found else ""
        wanted = normal(latex)
        inside = [next(g for g in m.groups() if g) for m in _DELIMITED.finditer(between)]
        equal = [normal(each) == wanted for each in inside]
        claimed += len(inside)
        right += sum(equal[:1]) if any(equal) else 0
        here = wanted in normal(between)
        present += here
        delimited += any(equal)
        if here:
            rest = normal(between).replace(wanted, "", 1)
            garbage += bool(re.search(r"\w", re.sub(r"i?tex", "", rest)))
    count = len(truth)
    return {
        "present": present / count,
        "delimited": delimited / count,
        "precision": right / claimed if claimed else 1.0,
        "garbage": garbage / count,
    }
