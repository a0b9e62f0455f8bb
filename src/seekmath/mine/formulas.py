r"""Formulas of a page as LaTeX, whatever form they have on the web; each exactly once.

Before the text is read, every element that carries a formula is replaced by its LaTeX between two
private characters; delimiters found in the text become the same. At the end they are ``$…$`` and
``$$…$$``.
"""

import html
import re
from urllib.parse import unquote_plus, urlsplit

from selectolax.lexbor import LexborHTMLParser, LexborNode

from seekmath.mine.mathml import mathml_to_latex

# Private-use characters: no page's text may hold them (they are removed from it first).
INLINE, DISPLAY, END = "\ue000", "\ue001", "\ue002"
_MARKS = re.compile(f"[{INLINE}{DISPLAY}{END}]")
_RENDERED = (
    ".MathJax_Preview, .MathJax, .MathJax_Display, .MathJax_SVG, .MathJax_SVG_Display,"
    " .MathJax_CHTML, .MJX_Assistive_MathML, .mjx-chtml"
)
_TEX_URL = re.compile(
    r"latex\.php|latex\.codecogs\.com|/cgi-bin/mathtex|/cgi-bin/mimetex|chart\?cht=tx|/math/render/"
    r"|/media/math/",
    re.IGNORECASE,
)
_TEX_IMAGE = re.compile(r"\b(?:latex|tex|math|mwe-math-fallback-image-\w+|formulaScaled?)\b", re.I)
_LOOKS_TEX = re.compile(r"\\[A-Za-z]+|[\^_{}=+<>]|^\s*[A-Za-z]\s*$|^-?\d+(?:\.\d+)?$")
# A formula in the text: escaped brackets, double dollars, or an environment.
_DELIMITED = re.compile(
    r"\\\((?P<inline>.{1,4000}?)\\\)|\\\[(?P<display>.{1,4000}?)\\\]|\$\$(?P<double>[^$]+?)\$\$"
    r"|(?P<environment>\\begin\{(?P<name>equation|align|gather|multline|eqnarray|alignat)(?P<star>\*?)\}"
    r".{1,4000}?\\end\{(?P=name)(?P=star)\})",
    re.DOTALL,
)
_SINGLE = re.compile(r"(?<![\\$\d])\$(?=[^\s$])([^$\n]{1,400}?)(?<![\s\\])\$(?![\d$])")
_MONEY = re.compile(r"^\d[\d.,]*\s*(?:[A-Za-z]{2,}|$)|\b(?:and|or|to|per|each|for)\b")
_SPACE = re.compile(r"\s+")


def mark(latex: str, display: bool = False) -> str:
    """A formula between the private marks, or nothing for nothing."""
    latex = _SPACE.sub(" ", _MARKS.sub("", latex)).strip()
    latex = _undelimited(latex)
    return f"{DISPLAY if display else INLINE}{latex}{END}" if latex else ""


def _undelimited(latex: str) -> str:
    for opening, closing in (("$$", "$$"), ("\\[", "\\]"), ("\\(", "\\)"), ("$", "$")):
        long_enough = len(latex) > len(opening) + len(closing)
        if long_enough and latex.startswith(opening) and latex.endswith(closing):
            latex = latex[len(opening) : -len(closing)].strip()
    return (
        latex.removeprefix("{\\displaystyle ").removesuffix("}")
        if latex.startswith("{\\displaystyle ")
        else latex
    )


def mark_elements(tree: LexborHTMLParser) -> None:
    """Replace every element that carries a formula by its marked LaTeX."""
    _mathjax_scripts(tree)
    for node in tree.css("mjx-container"):
        _replace(node, _of_container(node), _is_display(node))
    for node in tree.css(".katex-display"):
        _replace(node, _annotation(node), display=True)
    for node in tree.css(".katex"):
        _replace(node, _annotation(node), display=False)
    for node in tree.css(".mwe-math-element"):
        _replace(node, _of_math_or_image(node), _is_display(node.css_first("math") or node))
    for node in tree.css("math"):
        _replace(node, _of_math(node), _is_display(node))
    for node in tree.css("img"):
        latex = _of_image(node)
        if latex:
            _replace(node, latex, display="display" in (node.attributes.get("class") or ""))


def _replace(node: LexborNode, latex: str, display: bool) -> None:
    if node.parent is not None and latex:
        node.replace_with(f" {mark(latex, display)} " if display else mark(latex))


def _mathjax_scripts(tree: LexborHTMLParser) -> None:
    scripts = tree.css('script[type^="math/"]')
    if not scripts:
        return
    # Rendered twins of the scripts: their TeX is in the script.
    for node in tree.css(_RENDERED):
        node.decompose()
    for node in scripts:
        kind = node.attributes.get("type") or ""
        text = html.unescape(node.text() or "").strip()
        text = text.removeprefix("% <![CDATA[").removesuffix("%]]>").removesuffix("]]>")
        if kind.startswith("math/mml"):
            inner = LexborHTMLParser(text).css_first("math")
            text = _of_math(inner) if inner is not None else ""
        if kind.startswith("math/asciimath") or not text:
            continue
        _replace(node, text, "mode=display" in kind.replace(" ", ""))


def _annotation(node: LexborNode) -> str:
    for found in node.css("annotation"):
        if "tex" in (found.attributes.get("encoding") or "").lower():
            return (found.text() or "").strip()
    inner = node.css_first("math")
    return _of_math(inner) if inner is not None else ""


def _of_math(node: LexborNode) -> str:
    for found in node.css("annotation"):
        if "tex" in (found.attributes.get("encoding") or "").lower():
            return (found.text() or "").strip()
    alternative = (node.attributes.get("alttext") or "").strip()
    return alternative or mathml_to_latex(node)


def _of_container(node: LexborNode) -> str:
    for attribute in ("data-latex", "data-tex", "alttext"):
        if node.attributes.get(attribute):
            return str(node.attributes[attribute])
    inner = node.css_first("mjx-assistive-mml math") or node.css_first("math")
    return _of_math(inner) if inner is not None else ""


def _of_math_or_image(node: LexborNode) -> str:
    inner = node.css_first("math")
    if inner is not None:
        return _of_math(inner)
    image = node.css_first("img")
    return _of_image(image) if image is not None else ""


def _of_image(node: LexborNode) -> str:
    attributes = node.attributes
    source, alternative = attributes.get("src") or "", (attributes.get("alt") or "").strip()
    from_url = bool(_TEX_URL.search(source))
    if not from_url and not _TEX_IMAGE.search(attributes.get("class") or ""):
        return ""
    if alternative and _LOOKS_TEX.search(alternative):
        return alternative
    return _of_url(source) if from_url else ""


def _of_url(source: str) -> str:
    query = urlsplit(source).query
    match = re.search(r"(?:^|&)(?:latex|chl|tex)=([^&]*)", query)
    text = unquote_plus(match.group(1) if match else query)
    return re.sub(r"^(?:\\(?:dpi|bg|fg|large|inline)\b(?:\{[^}]*\}|_\w+)?\s*)+", "", text).strip()


def _is_display(node: LexborNode) -> bool:
    attributes = node.attributes
    styled = "display" in attributes and attributes.get("display") in ("true", "block", "")
    return styled or "block" in (attributes.get("mode") or "")


def mark_text(text: str) -> str:
    """Mark the formulas that stand in plain text between TeX delimiters; prices stay prices."""
    if "\\" in text or "$$" in text:
        text = _DELIMITED.sub(_marked_match, text)
    if text.count("$") >= 2:
        text = "".join(
            part if part[:1] in (INLINE, DISPLAY) else _SINGLE.sub(_marked_single, part)
            for part in re.split(f"([{INLINE}{DISPLAY}][^{END}]*{END})", text)
        )
    return text


def _marked_match(match: re.Match[str]) -> str:
    if match["inline"] is not None:
        return mark(match["inline"])
    return mark(match["display"] or match["double"] or match["environment"], display=True)


def _marked_single(match: re.Match[str]) -> str:
    inner = match.group(1)
    is_formula = bool(_LOOKS_TEX.search(inner) or len(inner) <= 3) and not _MONEY.search(inner)
    return mark(inner) if is_formula else match.group()


def clean_of_marks(text: str) -> str:
    """A page's own text without the private characters."""
    return _MARKS.sub("", text)


def delimit(text: str) -> tuple[str, int]:
    """Replace the marks by dollars; the text and the number of formulas in it."""
    count = text.count(END)
    text = re.sub(f"{INLINE}([^{END}]*){END}", lambda m: f"${m.group(1)}$", text)
    text = re.sub(f"{DISPLAY}([^{END}]*){END}", lambda m: f"$${m.group(1)}$$", text)
    return text, count
