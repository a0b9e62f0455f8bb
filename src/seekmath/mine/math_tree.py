"""A piece of MathML (or MathJax 3 output, whose tags mirror it) as a small tree."""

import html
import re
from itertools import islice

# First most of what there is: a letter, number or sign in an element without attributes.
_PART = re.compile(
    r"<(m[ion])>([^<&]*)</\1>|<!--.*?-->|<(/?)([A-Za-z][\w:.-]*)([^<>]*)>|([^<]+)", re.DOTALL
)
_ATTRIBUTE = re.compile(r"([^\s\"'<>/=]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))")
_CODE = re.compile(r"mjx-c([0-9A-Fa-f]{2,6})\b")
_MOST_PARTS = 20_000
_MOST_OPEN = 400
# MathJax 3 wraps what mirrors MathML in elements of its own, which say nothing.
_MIRRORED = {
    "mi", "mn", "mo", "ms", "mtext", "mrow", "mfrac", "msqrt", "mroot", "msup", "msub", "msubsup",
    "munder", "mover", "munderover", "mtable", "mtr", "mtd", "texatom", "mstyle", "mspace", "math",
    "menclose", "mpadded", "mphantom", "mlabeledtr", "mmultiscripts",
}  # fmt: skip
_VOID = ("mspace", "none", "mprescripts", "malignmark", "maligngroup")


class Element:
    """An element: its tag without prefix, attributes, children, and its own text."""

    __slots__ = ("attributes", "children", "tag", "text")

    def __init__(self, tag: str, attributes: dict[str, str], text: str = "") -> None:
        self.tag, self.attributes, self.text = tag, attributes, text
        self.children: list[Element] = []


def parse_math(text: str, rendered: bool = False) -> Element | None:
    """The first ``math`` element of a piece of HTML; of MathJax 3 output the whole.

    Parts beyond 20,000 and levels beyond 400 are left out.
    """
    root = Element("root", {})
    stack, names = [root], ["root"]
    for part in islice(_PART.finditer(text), _MOST_PARTS):
        leaf, sign, closing, name, attributes, characters = part.groups()
        if leaf:
            stack[-1].children.append(Element(leaf, {}, "" if rendered else sign))
        elif characters is not None:
            if not rendered:
                stack[-1].text += html.unescape(characters) if "&" in characters else characters
        elif name is not None:
            lowered = name.lower()
            if closing:
                _close(lowered, stack, names)
                continue
            element = _element(lowered, attributes, rendered, stack)
            empty = attributes.endswith("/") or lowered.rpartition(":")[2] in _VOID
            if not empty and len(stack) < _MOST_OPEN:
                stack.append(element)
                names.append(lowered)
    return root if rendered else _first_math(root)


def _close(name: str, stack: list[Element], names: list[str]) -> None:
    """Close the innermost open element of a name, and what is open in it."""
    if name not in names:
        return
    while names[-1] != name:
        names.pop()
        stack.pop()
    if len(names) > 1:
        names.pop()
        stack.pop()


def _element(name: str, attributes: str, rendered: bool, stack: list[Element]) -> Element:
    """Put a new element under the innermost open one; a wrapper of MathJax is passed through."""
    found = {
        each[1].lower(): html.unescape(each[2] or each[3] or each[4] or "")
        for each in (_ATTRIBUTE.finditer(attributes) if "=" in attributes else ())
    }
    tag = name.rpartition(":")[2]
    if not rendered:
        element = Element(tag, found)
        stack[-1].children.append(element)
        return element
    tag = found.get("data-mml-node", tag.removeprefix("mjx-")).lower()
    code = found.get("data-c") or next(iter(_CODE.findall(found.get("class", ""))), "")
    if code:
        stack[-1].text += (
            chr(min(int(code, 16), 0x10FFFF)) if re.fullmatch(r"[0-9A-Fa-f]+", code) else ""
        )
    if tag not in _MIRRORED:
        return stack[-1]
    element = Element(tag, found)
    stack[-1].children.append(element)
    return element


def _first_math(root: Element) -> Element | None:
    """The first ``math``, nearest the top; a fragment without one is taken as its inside."""
    level = [root]
    while level:
        for element in level:
            if element.tag == "math":
                return element
        level = [child for element in level for child in element.children][:_MOST_PARTS]
    return root if root.children else None
