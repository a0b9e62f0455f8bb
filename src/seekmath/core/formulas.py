r"""Text with formulas as HTML: LaTeX between ``$…$``, ``$$…$$``, ``\(…\)``, ``\[…\]`` as MathML.

What a model or a crawled page wrote is hostile. The converter passes mark-up, links and styles
through, so what it makes is read again and only known elements and attributes are written,
everything escaped; a formula with anything else, or that cannot be converted, is shown as it was
written.
"""

import re
import xml.etree.ElementTree as ET
from functools import lru_cache

from markupsafe import Markup, escape

_FORMULA = re.compile(
    r"\$\$(?P<block>[^$]{1,1500})\$\$|\\\[(?P<bracket>(?:(?!\\\[).){1,1500}?)\\\]"
    r"|\\\((?P<inline>(?:(?!\\\().){1,1500}?)\\\)"
    r"|\$(?P<dollar>(?!\s)[^$\n]{1,1500}(?<!\s))\$(?!\d)"
    r"|(?P<box>\\boxed\{(?:[^{}\n]|\{[^{}\n]{0,300}\}){0,300}\})",
    re.DOTALL,
)
_LOOKS_LIKE_ONE = re.compile(r"[\\^_=+*/<>(){}-]|^\S+$")
_ELEMENTS = frozenset(
    "math mrow mi mn mo mtext mspace msup msub msubsup mfrac msqrt mroot mover munder munderover"
    " mtable mtr mtd mstyle mpadded menclose mphantom mmultiscripts mprescripts none".split()
)
_ATTRIBUTES = frozenset(
    "display displaystyle mathvariant stretchy fence form separator accent accentunder"
    " linethickness columnalign rowspacing columnspacing columnlines rowlines notation width height"
    " depth lspace rspace minsize maxsize scriptlevel movablelimits".split()
)
#: Browsers lay nested MathML out in more than linear time: 700 levels take half a minute.
_DEEPEST = 60
_PLAIN_VALUE = re.compile(r"[\w .%+-]{0,60}")


def with_formulas(text: str) -> Markup:
    """The text escaped, its formulas as MathML."""
    parts: list[Markup] = []
    end = 0
    for match in _FORMULA.finditer(text):
        name = match.lastgroup or ""
        latex = match.group(name)
        if name == "dollar" and not _LOOKS_LIKE_ONE.search(latex):
            continue
        found = _mathml(latex, name in ("block", "bracket"))
        if found is not None:
            # A formula of its own line needs no empty lines around it.
            block = name in ("block", "bracket")
            before = text[end : match.start()]
            parts += [escape(before.rstrip("\n ") if block else before), found]
            end = match.end()
            while block and text[end : end + 1] == "\n":
                end += 1
    return Markup("").join([*parts, escape(text[end:])])


@lru_cache(maxsize=4096)
def _mathml(latex: str, block: bool) -> Markup | None:
    """The formula as MathML, or None where it is to be shown as written."""
    from latex2mathml.converter import convert

    try:
        source = convert(latex, display="block" if block else "inline")
        if "<!" in source or "<?" in source:
            return None
        return Markup(_written(ET.fromstring(source)))
    # The converter raises of many kinds on what is no LaTeX, RecursionError on deep nesting.
    except Exception:
        return None


def _written(element: ET.Element, depth: int = 0) -> str:
    tag = element.tag.rpartition("}")[2]
    if tag not in _ELEMENTS or depth > _DEEPEST:
        raise ValueError(tag)
    attributes = "".join(
        f' {name}="{value}"'
        for name, value in element.attrib.items()
        if name in _ATTRIBUTES and _PLAIN_VALUE.fullmatch(value)
    )
    inside = [str(escape(element.text or ""))]
    for child in element:
        inside += [_written(child, depth + 1), str(escape(child.tail or ""))]
    return f"<{tag}{attributes}>{''.join(inside)}</{tag}>"
