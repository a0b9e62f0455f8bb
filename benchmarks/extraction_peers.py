r"""Peers of extraction: trafilatura, resiliparse, and resiliparse with OpenWebMath's rules.

OpenWebMath's extraction (Paster et al. 2023, arXiv 2310.06786, section 3.3 and appendix) is
re-implemented here from its public description: a page is parsed by resiliparse; formulas of
MathJax and KaTeX, MathML (annotation, alttext, or conversion), images (alt, WordPress and CodeCogs
URLs) become LaTeX in the tree; hidden elements, buttons, figures, clusters of links and elements
that name boilerplate go; tables, code and headings are written; the text is taken by resiliparse;
lines of boilerplate and headings that nothing follows are dropped.
"""

import html
import re
from functools import cache
from typing import Any
from urllib.parse import unquote

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

_REMOVED = (
    "nav", "footer", "aside", ".navbar", ".sidebar", ".menu", ".footer", "#footer", ".breadcrumb",
    ".mw-editsection", ".headerlink", ".post-signature", ".MathJax_Preview", ".cookie-banner",
    "#toc", ".toc", ".noprint", ".share", ".social",
)  # fmt: skip
_IMAGE_CLASSES = (
    "latex",
    "tex",
    "mwe-math-fallback-image-inline",
    "mwe-math-fallback-image-display",
)
_MATHJAX = re.compile(r"MathJax|mathjax|katex|\\begin\{|\\\(|\\\[|\$\$")
_DELIMITED = re.compile(
    r"\\\((.+?)\\\)|\\\[(.+?)\\\]|\$\$(.+?)\$\$|(\\begin\{(?:align|equation|gather)\*?\}.+?"
    r"\\end\{(?:align|equation|gather)\*?\})",
    re.DOTALL,
)
_NEWCOMMAND = re.compile(r"\\newcommand\{?\\(\w+)\}?(?:\[\d\])?\{([^{}]*(?:\{[^{}]*\})?[^{}]*)\}")
_LINE_RULES = re.compile(
    r"^\W*$|^(?:share|tweet|login|sign up|subscribe|follow us|cookie|accept all|advertisement|"
    r"read more|reply|like|home|search|menu|next|previous|skip to)\b.{0,30}$",
    re.IGNORECASE,
)
_MML = {"∑": "\\sum", "∫": "\\int", "α": "\\alpha", "β": "\\beta", "γ": "\\gamma", "π": "\\pi",
        "≤": "\\leq", "≥": "\\geq", "≠": "\\neq", "∈": "\\in", "→": "\\to", "∞": "\\infty",
        "≈": "\\approx", "⌊": "\\lfloor", "⌋": "\\rfloor", "−": "-", "ℝ": "\\mathbb{R}", "⋅": "\\cdot",
        "×": "\\times", "…": "\\ldots", "lim": "\\lim", "sin": "\\sin", "cos": "\\cos", "log": "\\log"}  # fmt: skip


def resiliparse_text(page: str) -> str:
    return extract_plain_text(HTMLTree.parse(page), main_content=True, alt_texts=False)


def trafilatura_text(page: str) -> str:
    return _trafilatura()(page, include_comments=False, include_tables=True) or ""


@cache
def _trafilatura() -> Any:
    from trafilatura import extract

    return extract


def openwebmath_text(page: str) -> str:
    tree = HTMLTree.parse(page)
    body = tree.body
    if body is None:
        return ""
    macros = dict(_NEWCOMMAND.findall(page)) if "newcommand" in page else {}
    _remove_hidden(body)
    _formulas(tree)
    for selector in _REMOVED:
        for node in body.query_selector_all(selector):
            _remove(node)
    _remove_figures(body)
    _remove_link_clusters(body)
    _write_tables(tree, body)
    for node in body.query_selector_all("pre"):
        node.text = f"```\n{node.text}\n```"
    for level in range(1, 7):
        for node in body.query_selector_all(f"h{level}"):
            node.text = "#" * level + " " + node.text.strip()
    for node in body.query_selector_all("sup, sub"):
        node.text = ("^{" if node.tag == "sup" else "_{") + node.text + "}"
    text = extract_plain_text(tree, main_content=True, alt_texts=False)
    if _MATHJAX.search(page):
        text = _DELIMITED.sub(_dollars, text)
    text = text.replace("[itex]", "$").replace("[/itex]", "$")
    for name, value in macros.items():
        text = text.replace(f"\\{name}", value)
    return "\n".join(_without_boilerplate(text.split("\n")))


def _without_boilerplate(lines: list[str]) -> list[str]:
    """Lines without buttons and notices, and without headings that nothing follows."""
    kept: list[str] = []
    for line in reversed([line for line in lines if not _LINE_RULES.match(line)]):
        if line.startswith("#") and (not kept or kept[-1].startswith("#")):
            continue
        kept.append(line)
    return kept[::-1]


def _remove(node: Any) -> None:
    if node.parent is not None:
        node.parent.remove_child(node)


def _remove_hidden(body: Any) -> None:
    for node in body.query_selector_all("[style]"):
        style = (node.getattr("style") or "").replace(" ", "").lower()
        if "display:none" in style and not node.query_selector("math"):
            _remove(node)
    for node in body.query_selector_all("button, input, select, [role=button], [hidden]"):
        _remove(node)


def _remove_figures(body: Any) -> None:
    for node in body.query_selector_all("figure"):
        if node.query_selector("table") is None:
            _remove(node)


def _remove_link_clusters(body: Any) -> None:
    """Lists that are nearly all links go, the innermost first."""
    for node in reversed(body.query_selector_all("ul, ol")):
        links = node.query_selector_all("a")
        if len(links) < 3:
            continue
        linked = sum(len(link.text) for link in links)
        if linked > 0.8 * len(node.text.strip()):
            _remove(node)


def _write_tables(tree: HTMLTree, body: Any) -> None:
    """Tables of data as rows of cells between bars; a table that lays out the page stays."""
    for table in body.query_selector_all("table"):
        rows = [row.query_selector_all("td, th") for row in table.query_selector_all("tr")]
        widths = {len(row) for row in rows if row}
        if table.query_selector("table") is not None or len(rows) < 2 or max(widths, default=0) < 2:
            continue
        text = "\n".join(
            "| " + " | ".join(c.text.strip() for c in row) + " |" for row in rows if row
        )
        if len(text) < 5000 and table.parent is not None:
            pre = tree.create_element("pre")
            pre.text = text
            table.parent.replace_child(pre, table)


def _dollars(found: re.Match[str]) -> str:
    inline, display, double, environment = found.groups()
    return f"${inline}$" if inline else f"$${(display or double or environment).strip()}$$"


def _replace(tree: HTMLTree, node: Any, latex: str) -> None:
    if node.parent is not None and latex:
        node.parent.replace_child(tree.create_text_node(f"[itex]{latex.strip()}[/itex]"), node)


def _formulas(tree: HTMLTree) -> None:
    body = tree.body
    scripts = body.query_selector_all("script[type^='math/tex'], script[type^='math/asciimath']")
    if scripts:
        for node in body.query_selector_all(
            ".MathJax, .MathJax_Display, .MathJax_SVG, .MathJax_CHTML"
        ):
            if node.parent is not None:
                node.parent.remove_child(node)
    for node in scripts:
        _replace(tree, node, node.text)
    for node in body.query_selector_all(".katex"):
        annotation = node.query_selector("annotation[encoding='application/x-tex']")
        _replace(tree, node, annotation.text if annotation else "")
    for node in body.query_selector_all("mjx-container, .mwe-math-element"):
        inner = node.query_selector("math")
        if inner is not None:
            _replace(tree, node, _of_math(inner))
    for node in body.query_selector_all("math"):
        _replace(tree, node, _of_math(node))
    for node in body.query_selector_all("img"):
        _replace(tree, node, _of_image(node))
    for node in body.query_selector_all("[data-tex], [data-latex], [data-formula]"):
        _replace(
            tree,
            node,
            node.getattr("data-tex") or node.getattr("data-latex") or node.getattr("data-formula"),
        )


def _of_image(node: Any) -> str:
    source, alt = node.getattr("src") or "", node.getattr("alt") or ""
    if alt and (
        set(node.class_list) & set(_IMAGE_CLASSES) or "latex.php" in source or "codecogs" in source
    ):
        return re.sub(r"^\{\\displaystyle (.*)\}$", r"\1", alt).strip("$")
    if "codecogs.com" in source or "latex.php" in source:
        query = html.unescape(source).partition("?")[2]
        found = re.search(r"(?:^|&)latex=([^&]*)", query)
        return unquote(found[1] if found else query).replace("\\inline", "").strip()
    return ""


def _of_math(node: Any) -> str:
    annotation = node.query_selector("annotation[encoding='application/x-tex']")
    if annotation is not None:
        return re.sub(r"^\{\\displaystyle (.*)\}$", r"\1", annotation.text)
    return node.getattr("alttext") or _converted(node)


def _converted(node: Any) -> str:
    """Presentation MathML to LaTeX, as the stylesheet does."""
    tag = node.tag
    children = [child for child in node.child_nodes if child.tag != "#text"]
    if tag in ("mi", "mn", "mo", "mtext") or not children:
        text = (node.text or "").strip()
        return _MML.get(text, text) + (" " if text in _MML else "")
    parts = [_converted(child) for child in children]
    if tag == "mfrac":
        return f"\\frac{{{parts[0]}}}{{{parts[-1]}}}"
    if tag == "msqrt":
        return f"\\sqrt{{{''.join(parts)}}}"
    if tag in ("msup", "mover") and len(parts) > 1:
        return f"{parts[0]}^{{{parts[1]}}}"
    if tag in ("msub", "munder") and len(parts) > 1:
        return f"{parts[0]}_{{{parts[1]}}}"
    if tag in ("msubsup", "munderover") and len(parts) > 2:
        return f"{parts[0]}_{{{parts[1]}}}^{{{parts[2]}}}"
    if tag == "mtable":
        return "\\begin{matrix}" + " \\\\ ".join(parts) + "\\end{matrix}"
    return (" & " if tag == "mtr" else "").join(parts)
