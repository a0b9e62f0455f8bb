r"""Elements of a page that hold a formula, whatever form it has on the web; each exactly once.

MathJax 2 to 4 (scripts, rendered output, assistive MathML), KaTeX, MathML, images with LaTeX in
``alt`` or URL, Wikipedia, Sphinx and Pandoc classes, LaTeX in attributes.
"""

import html
import re
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import unquote_plus

import numpy as np
from numpy.typing import NDArray

from seekmath.mine import html_tokens as k
from seekmath.mine.asciimath import asciimath_to_latex
from seekmath.mine.compiled import kernel
from seekmath.mine.html_names import TAGS
from seekmath.mine.html_tokens import Ints
from seekmath.mine.marks import mark, undelimited
from seekmath.mine.mathml import latex_of_math, latex_of_rendered, markup_to_latex
from seekmath.mine.page_tokens import Tokens
from seekmath.mine.tex_text import TextStyle

#: LaTeX ("" to leave the element out, None to read it as text) and whether it is displayed.
Found = tuple[str | None, bool]

_TEX_URL = re.compile(
    r"latex\.php|latex\.codecogs\.com|mathtex|mimetex|chart\?(?:.*&)?cht=tx|/math/render/|/media/math/"
    r"|/teximg|/latexrender|/filter/tex/|/eqn?\.latex|/(?:gif|svg|png)\.(?:image|latex)\?|[?&](?:latex|tex)=",
    re.IGNORECASE,
)
# One of these stands in each of them; of the first nothing else need be asked.
_SURE_URLS = (
    "latex.php",
    "latex.codecogs.com",
    "/math/render/",
    "/media/math/",
    "mathtex",
    "mimetex",
)
_TEX_SIGNS = ("tex", "cht=tx", ".image?")
_TEX_CLASS = re.compile(
    r"(?:^|[\s\"'=_-])(?:latex|tex|math|mwe-math-fallback-image-\w+|formula(?:Scaled)?|texrender|ee_img)"
    r"(?=$|[\s\"'_-])",
    re.I,
)
# Of an ASCII class one of these is a part.
_CLASS_SIGNS = ("tex", "math", "formula", "ee_img")
_URL_SIGNS = tuple(sign.encode() for sign in (*_TEX_SIGNS, *_SURE_URLS))
_NAMING_SIGNS = (*_URL_SIGNS, *(sign.encode() for sign in _CLASS_SIGNS))
_QUERY = re.compile(r"(?:^|&)(?:latex|chl|tex|eq|formula|math|f)=([^&]*)")
_STYLE_OF_IMAGE = re.compile(
    r"^(?:\\(?:dpi|bg|fg|large|small|inline|fn|huge|LARGE|Large)\b(?:\{[^}]*\}|_\w+)?\s*)+"
)
_LOOKS_TEX = re.compile(r"\\[A-Za-z]+|[\^_{}=+<>]|^\s*[A-Za-z]\s*$|^-?\d+(?:\.\d+)?$")
_ATTRIBUTE = re.compile(r"([^\s\"'<>/=]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))")
_ANNOTATION = re.compile(
    rb"<annotation\b[^>]{0,200}?encoding\s*=\s*[\"']?[\w/+-]*(?:tex|TeX|TEX)[^>]{0,100}>(.*?)</annotation",
    re.DOTALL,
)
_USUAL_ANNOTATION = b'<annotation encoding="application/x-tex">'
_ELEMENT = re.compile(rb"<[^>]*>")
_NUMBERS = re.compile(rb"<span[^>]{0,100}class=[\"']?eqno.*?</span>(?:\s*</span>)?", re.DOTALL)
_RICHER = re.compile(rb"<(?:math|img|mjx|script|svg|table)\b", re.I)
_RICHER_CLASS = re.compile(rb"=(?<=class=)[\"']?(?:katex|MathJax)", re.I)
_SENTENCE = re.compile(r"(?:(?<![\\A-Za-z])[A-Za-z]{2,}[,.]?\s+){4}")
_DATA_NAMES = (
    "data-latex", "data-tex", "data-formula", "data-equation", "data-expr", "data-katex",
    "data-original-tex", "data-math", "alttext",
)  # fmt: skip
_DISPLAYED = (b"<div", b"<pre", b"<p>", b"<p ")
_USUAL_TYPES = {
    b'<script type="%b">' % written: written.replace(b" ", b"").decode()
    for written in (b"math/tex", b"math/tex; mode=display", b"text/javascript")
}
_IMG = TAGS["img"]
_DELIMITERS = (("\\(", "\\)"), ("\\[", "\\]"), ("$$", "$$"), ("$", "$"), ("\\begin{", "}"))


class Formulas(NamedTuple):
    """The formulas of a page, as ``write_blocks`` takes them."""

    latex: NDArray[np.uint8]
    ends: NDArray[np.int32]  # of each formula in ``latex``, the first a 0


#: For a page whose elements hold none.
NO_FORMULAS = Formulas(np.zeros(1, np.uint8), np.zeros(1, np.int32))


def find_formulas(page: Tokens, style: TextStyle) -> Formulas:
    """The formulas that elements hold, outermost first: what lies inside one is not read again.

    Writes the numbers of the formulas into the tokens.
    """
    source, tokens = page.source, page.rows
    rows = _with_roles(len(source), page.number, tokens).tolist()
    scripted = any(row[2] == k.ROLE_SCRIPT for row in rows)
    texts: list[bytes] = []
    ends = [0]
    done = size = 0
    for token, behind, role, name, start, inside, end in rows:
        if token < done:
            continue
        latex, display = _READERS[role](Element(source, name, start, inside, end), scripted)
        if latex is None:
            continue
        done = behind
        marked = mark(latex, display, style.macros) if latex else ""
        if not marked:
            tokens[token, k.FORMULA] = -1
            continue
        text = (f" {marked} " if display else marked).encode("utf-8", "replace")
        texts.append(text)
        size += len(text)
        ends.append(size)
        tokens[token, k.FORMULA] = len(texts)
    if not texts:
        return NO_FORMULAS
    return Formulas(np.frombuffer(b"".join(texts), np.uint8), np.array(ends, np.int32))


@kernel
def _with_roles(length: int, count: int, tokens: Ints) -> Ints:
    """Elements with a role: (token, token behind it, role, and the numbers of ``Element``)."""
    found = 0
    for token in range(count):
        found += tokens[token, k.KIND] > 0 and tokens[token, k.FLAGS] >> k.ROLE_SHIFT != 0
    rows = np.empty((found, 7), np.int32)
    found = 0
    for token in range(count):
        role = tokens[token, k.FLAGS] >> k.ROLE_SHIFT
        if role and tokens[token, k.KIND] > 0:
            behind, inside = tokens[token, k.CLOSE], tokens[token, k.BEHIND]
            row = rows[found]
            row[0], row[1], row[2], row[3] = token, behind, role, tokens[token, k.KIND]
            row[4], row[5] = tokens[token, k.START], inside
            row[6] = max(tokens[behind, k.START] if behind < count else length, inside)
            found += 1
    return rows


class Element(NamedTuple):
    """An element of a page: its source, the number of its tag, where it, its inside and end are."""

    source: bytes
    name: int
    start: int
    inside: int
    end: int

    def tag(self) -> bytes:
        """The start tag with its attributes."""
        return self.source[self.start : self.inside]

    def inner(self) -> bytes:
        """What stands between its tags."""
        return self.source[self.inside : self.end]

    def size(self) -> int:
        """Bytes between its tags."""
        return self.end - self.inside


def _unescaped(text: str) -> str:
    return html.unescape(text) if "&" in text else text


def _type(tag: bytes) -> str:
    """The ``type`` of a script, without spaces, in lower case."""
    return _USUAL_TYPES.get(tag) or _attributes(tag).get("type", "").replace(" ", "").lower()


def _attributes(tag: bytes) -> dict[str, str]:
    written = _written(tag)
    if b"&" in tag:
        return {name: _unescaped(value) for name, value in written.items()}
    return written


def _written(tag: bytes) -> dict[str, str]:
    """The attributes as they are written, with their entities."""
    found = _ATTRIBUTE.findall(tag.decode("utf-8", "replace"))
    return {name.lower(): a or b or c for name, a, b, c in found}


def _plain(inner: bytes) -> str:
    """The text of a piece of HTML, tags dropped."""
    if b"<" in inner:
        inner = _ELEMENT.sub(b"", inner)
    return _unescaped(inner.decode("utf-8", "replace")).strip()


def _is_richer(inner: bytes) -> bool:
    """Does a piece of HTML hold formulas of another form?"""
    return b"<" in inner and bool(_RICHER.search(inner) or _RICHER_CLASS.search(inner))


def _annotation(inner: bytes) -> str:
    start = inner.find(b"<annotation")
    if start < 0:
        return ""
    if inner.startswith(_USUAL_ANNOTATION, start):
        end = inner.find(b"</annotation", start)
        return _plain(inner[start + len(_USUAL_ANNOTATION) : end]) if end >= 0 else ""
    found = _ANNOTATION.search(inner, start)
    return _plain(found[1]) if found else ""


def _says_more(tag: bytes) -> bool:
    """May a tag say in its attributes what the formula is or how it stands?"""
    lowered = tag.lower()
    return (
        b"display" in lowered or b"mode" in lowered or b"alttext" in lowered or b"data-" in lowered
    )


def _of_math(element: Element, _: bool) -> Found:
    tag, inner = element.tag(), element.inner()
    attributes = _attributes(tag) if _says_more(tag) else {}
    display = attributes.get("display") in ("block", "true") or attributes.get("mode") == "display"
    latex = _annotation(inner) or attributes.get("alttext", "").strip()
    return latex or latex_of_math(tag + inner), display


def _of_script(element: Element, _: bool) -> Found:
    kind = _type(element.tag())
    text = _unescaped(element.inner().decode("utf-8", "replace").strip())
    text = text.removeprefix("% <![CDATA[").removesuffix("%]]>").removesuffix("]]>")
    if kind.startswith("math/mml"):
        text = _annotation(element.inner()) or latex_of_math(element.inner())
    elif kind.startswith("math/asciimath"):
        text = asciimath_to_latex(text)
    elif not kind.startswith("math/tex"):
        return None, False
    return text, "mode=display" in kind


def _of_container(element: Element, scripted: bool) -> Found:
    """Rendered MathJax: its TeX, its assistive MathML, or what its own tags say."""
    tag, inner = element.tag(), element.inner()
    if scripted and not tag.startswith(b"<mjx-container"):
        return "", False
    attributes = _attributes(tag) if _says_more(tag) else {}
    display = (
        attributes.get("display") == "true"
        or "_Display" in attributes.get("class", "")
        or b'display="block"' in inner
        or b"MJXc-display" in inner
    )
    for name in _DATA_NAMES:
        if attributes.get(name):
            return attributes[name], display
    annotated = _annotation(inner)
    if annotated:
        return annotated, display
    start = inner.find(b"<math")
    if start >= 0:
        return latex_of_math(inner[start:]), display
    if b"data-mathml" in tag or b"data-mathml" in inner:
        source = attributes.get("data-mathml", "")
        if not source:
            found = re.search(rb"data-mathml\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", inner)
            source = _unescaped((found[1] or found[2]).decode()) if found else ""
        if 'display="block"' in source:
            display = True
        return _annotation(source.encode()) or latex_of_math(source.encode()), display
    found = re.search(rb"data-latex\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", inner)
    if found:
        return _unescaped((found[1] or found[2]).decode("utf-8", "replace")), display
    return latex_of_rendered(tag + inner) or None, display


def _of_katex(element: Element, _: bool) -> Found:
    inner = element.inner()
    display = b"katex-display" in element.tag() or b'display="block"' in inner
    annotated = _annotation(inner)
    if annotated:
        return annotated, display
    start = inner.find(b"<math")
    return (latex_of_math(inner[start:]) if start >= 0 else None), display


def _of_wikipedia(element: Element, scripted: bool) -> Found:
    inner = element.inner()
    display = b'display="block"' in inner or b"image-display" in inner
    annotated = _annotation(inner)
    if annotated:
        return annotated, display
    start = inner.find(b"<math")
    if start >= 0:
        tag = inner[start : inner.find(b">", start) + 1]
        return _attributes(tag).get("alttext", "") or latex_of_math(inner[start:]), display
    start = inner.find(b"<img")
    if start < 0:
        return None, display
    return _image(_written(inner[start : inner.find(b">", start) + 1]))[0], display


def _of_image(element: Element, _: bool) -> Found:
    tag = element.tag()
    if tag.isascii() and not _may_be_tex(tag.lower()):
        return None, False
    return _image(_written(tag))


def _may_be_tex(tag: bytes) -> bool:
    """Can the address, the class or the words of an image name a formula?"""
    if b"\\" in tag or b"$" in tag or b"&" in tag:
        return True
    signs = _NAMING_SIGNS if b"class" in tag else _URL_SIGNS
    return any(sign in tag for sign in signs)


def _image(written: dict[str, str]) -> Found:
    source = written.get("src") or written.get("data-src") or ""
    names = _unescaped(written.get("class", ""))
    alternative = _unescaped(written.get("alt") or written.get("title") or "").strip()
    display = "display" in names or alternative.startswith(("\\[", "$$", "\\begin{"))
    from_url = _names_tex(source)
    delimited = undelimited(alternative) != alternative or alternative.startswith("\\begin{")
    known = from_url or delimited or _class_names_tex(names)
    if not (known and alternative) or _is_sentence(alternative):
        return (_of_url(source) or None) if from_url else None, display
    # A title such as "formula" names the image; its address spells the LaTeX.
    if from_url and not delimited and not _LOOKS_TEX.search(alternative):
        alternative = _of_url(source) or alternative
    return alternative, display


def _names_tex(source: str) -> bool:
    """Is it the address of a formula set as an image?"""
    lowered = source.lower()
    for sure in _SURE_URLS:
        if sure in lowered:
            return True
    if "&" in source:
        source = html.unescape(source)
        lowered = source.lower()
    return any(sign in lowered for sign in _TEX_SIGNS) and bool(_TEX_URL.search(source))


def _class_names_tex(names: str) -> bool:
    if names.isascii():
        lowered = names.lower()
        if not any(sign in lowered for sign in _CLASS_SIGNS):
            return False
    return bool(_TEX_CLASS.search(names))


def _is_sentence(text: str) -> bool:
    """Does it hold four words in a row?"""
    return len(text.split(None, 3)) > 3 and bool(_SENTENCE.search(f"{text} "))


def _of_url(source: str) -> str:
    query = _unescaped(source).partition("#")[0].partition("?")[2]
    query = query.replace("\t", "").replace("\r", "").replace("\n", "")
    found = _QUERY.search(query)
    text = unquote_plus((found[1] if found else query).replace("+", "%20"))
    return _STYLE_OF_IMAGE.sub("", text).strip()


def _of_tex(element: Element, _: bool) -> Found:
    """A class that says "math": TeX with or without delimiters; prose around formulas stays."""
    tag = element.tag()
    if element.name == _IMG:
        return _image(_written(tag))
    if element.size() > 20_000:
        return None, False
    inner = element.inner()
    display = b"display" in tag or tag[:4].lower() in _DISPLAYED
    if _is_usual(inner):
        return inner[2:-2].decode("utf-8", "replace").strip(), display
    if _is_richer(inner):
        return None, False
    if b"eqno" in inner:
        inner = _NUMBERS.sub(b"", inner)
    text = _plain(inner)
    for opening, closing in _DELIMITERS if text[:1] in ("\\", "$") else ():
        if text.startswith(opening):
            if not text.endswith(closing) or (
                text.count(opening) > 1 and opening != "\\begin{" and opening != closing
            ):
                return None, display
            if opening == "\\(":
                return text[2:-2].strip(), display
            return text, display or opening in ("\\[", "$$", "\\begin{")
    if "\\(" in text or "$" in text or _SENTENCE.search(text):
        return None, display
    if b"<su" in inner:
        text = markup_to_latex(inner)
    if b"asciimath" in tag:
        text = asciimath_to_latex(text.strip("`"))
    known = b"js-" in tag or b"latex" in tag or b"tex" in tag
    short = len(text) <= 3 or _LOOKS_TEX.search(text) is not None
    return (text if (short or known) and text else None), display


def _is_usual(inner: bytes) -> bool:
    r"""Is it ``\(…\)`` without any markup?"""
    return (
        inner.startswith(b"\\(")
        and inner.endswith(b"\\)")
        and inner.find(b"\\(", 2) < 0
        and b"<" not in inner
        and b"&" not in inner
    )


def _of_rendered(element: Element, scripted: bool) -> Found:
    return ("" if scripted else None), False


def _of_html(element: Element, _: bool) -> Found:
    """A formula set in HTML: italics, ``sup``, ``sub`` and Unicode."""
    if element.size() > 4000 or _is_richer(element.inner()):
        return None, False
    inner = element.inner()
    text = markup_to_latex(inner)
    return (text if text and not _SENTENCE.search(text) else None), element.tag()[:4] == b"<div"


def _of_data(element: Element, _: bool) -> Found:
    attributes = _attributes(element.tag())
    display = "display" in attributes.get("class", "") + attributes.get("data-display", "")
    source = attributes.get("data-mathml", "")
    if source.lstrip().startswith("<"):
        return _annotation(source.encode()) or latex_of_math(source.encode()), display
    for name in _DATA_NAMES:
        latex = attributes.get(name, "")
        display = display or latex.lstrip().startswith(("\\[", "$$"))
        if (
            len(latex) < 4000
            and _LOOKS_TEX.search(latex)
            and not latex.lstrip().startswith(("{", "["))
        ):
            return latex, display
    return None, False


def _of_number(element: Element, _: bool) -> Found:
    """The number of an equation is no text."""
    return ("" if element.size() < 400 else None), False


_READERS: dict[int, Callable[[Element, bool], Found]] = {
    k.ROLE_MATH: _of_math,
    k.ROLE_SCRIPT: _of_script,
    k.ROLE_CONTAINER: _of_container,
    k.ROLE_KATEX: _of_katex,
    k.ROLE_KATEX_DISPLAY: _of_katex,
    k.ROLE_WIKIPEDIA: _of_wikipedia,
    k.ROLE_IMAGE: _of_image,
    k.ROLE_TEX: _of_tex,
    k.ROLE_RENDERED: _of_rendered,
    k.ROLE_PREVIEW: _of_rendered,
    k.ROLE_HTML: _of_html,
    k.ROLE_DATA: _of_data,
    k.ROLE_NUMBER: _of_number,
}
