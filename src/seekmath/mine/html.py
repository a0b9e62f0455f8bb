"""Main text of an HTML page: headings, lists, tables and code stay, boilerplate goes.

One walk over the tree without recursion, so that depth costs nothing; each block of text is kept
or dropped by where it stands and how much of it is links.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, LexborNode

from seekmath.mine.formulas import (
    DISPLAY,
    END,
    INLINE,
    clean_of_marks,
    delimit,
    mark_elements,
    mark_text,
)

_SKIPPED = set(
    """script style noscript template iframe svg canvas object embed nav footer aside form button
    select option textarea input label menu dialog head link meta audio video map""".split()
)
_BLOCKS = set(
    """address article blockquote body center dd details div dl dt fieldset figcaption figure h1 h2
    h3 h4 h5 h6 header hr html li main ol p pre section summary table tbody td tfoot th thead tr ul
    caption""".split()
)
_HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
# Whole words of a class or id that name boilerplate.
_BOILERPLATE = re.compile(
    r"(?:^|[\s_-])(?:nav(?:bar|igation|menu)?|menu|breadcrumbs?|side-?bar|sphinxsidebar\w*|footer|"
    r"cookies?|consent|gdpr|banner|advert\w*|ads?|promo\w*|sponsor\w*|social|share|sharing|"
    r"newsletter|subscribe|related|recommend\w*|pagination|pager|popup|modal|login|signup|"
    r"skip-?link|headerlink|toc|table-?of-?contents|mw-editsection|edit-?section|catlinks|"
    r"navbox|printfooter|site-?sub|jump-?to-?nav|toolbar|widget|tag-?cloud|comment-?form|"
    r"search(?:-?box|-?form)?|language-?links|copyright|masthead|topbar|offcanvas|hidden)(?=$|[\s_-])",
    re.IGNORECASE,
)
_MAIN = "main, [role=main], article, #content, #mw-content-text, .post-content, .entry-content"
_MAIN_SHARE = 0.4
_LINK_DENSE = 0.6
_SPACES = re.compile(r"[ \t\r\f\v\xa0\u200b]+")
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)


@dataclass
class _Block:
    """A block of text under way: its pieces, and how many of its characters are links."""

    prefix: str = ""
    code: bool = False
    pieces: list[str] = field(default_factory=list)
    characters: int = 0
    linked: int = 0

    def add(self, text: str, in_link: bool) -> None:
        self.pieces.append(text)
        visible = len(text.strip())
        self.characters += visible
        self.linked += visible if in_link else 0


def main_text(page: str) -> tuple[str, str, int]:
    """Title, main text with formulas as LaTeX, and the number of formulas.

    Args:
        page: the HTML as text.
    """
    tree = LexborHTMLParser(clean_of_marks(page.replace("\x00", "")))
    title = _title(tree)
    mark_elements(tree)
    body = _main_node(tree)
    if body is None:
        return title, "", 0
    text = "\n".join(_kept(list(_blocks(body))))
    text, formulas = delimit(re.sub(r"\n{3,}", "\n\n", text).strip())
    return title, text, formulas


def _title(tree: LexborHTMLParser) -> str:
    node = tree.css_first("title")
    if node is None or (node.parent is not None and node.parent.tag == "svg"):
        node = tree.css_first("h1")
    return _SPACES.sub(" ", (node.text() or "").replace("\n", " ")).strip()[:300] if node else ""


def _main_node(tree: LexborHTMLParser) -> LexborNode | None:
    """The element that says it is the main content, if it holds much of the text; else the body."""
    body = tree.body
    if body is None:
        return None
    whole = len(body.text() or "")
    for node in tree.css(_MAIN)[:20]:
        if len(node.text() or "") >= _MAIN_SHARE * whole:
            return node
    return body


def _skipped(node: LexborNode, tag: str) -> bool:
    if tag in _SKIPPED:
        return True
    attributes = node.attributes
    if not attributes:
        return False
    names = f"{attributes.get('class') or ''} {attributes.get('id') or ''}"
    if (
        len(names) > 1
        and tag not in ("body", "html", "main", "article")
        and _BOILERPLATE.search(names)
    ):
        return True
    hidden = "hidden" in attributes or attributes.get("aria-hidden") == "true"
    return hidden or bool(_HIDDEN.search(attributes.get("style") or ""))


def _blocks(root: LexborNode) -> Iterator[_Block]:
    """Blocks in the order of the page. The state of the walk is a depth, never a stack of calls."""
    block = _Block()
    links = 0
    # Nodes compare by their whole HTML; their addresses compare at once.
    end = root.mem_id
    node: LexborNode | None = root
    while node is not None:
        tag = node.tag or ""
        entered = False
        if tag == "-text":
            text = node.text_content or ""
            block.add(_SPACES.sub(" ", text.replace("\n", " ")), links > 0)
        elif tag == "br":
            block.add("\n", links > 0)
        elif tag == "pre":
            yield block
            yield _Block(code=True, pieces=[node.text() or ""])
            block = _Block()
        elif tag == "img" or (node.mem_id != end and _skipped(node, tag)):
            pass
        else:
            entered = True
            if tag in _BLOCKS:
                yield block
                block = _start(tag)
            links += tag == "a"
            block.add(_opening(tag), False)
        following = node.first_child if entered else None
        while following is None and node is not None:
            if entered:
                links -= tag == "a"
                block.add(_closing(tag), False)
                if tag in _BLOCKS:
                    yield block
                    block = _Block()
            if node.mem_id == end:
                yield block
                return
            following = node.next
            if following is None:
                node = node.parent
                entered = True
                tag = (node.tag or "") if node is not None else ""
        node = following


def _start(tag: str) -> _Block:
    if tag in _HEADINGS:
        return _Block(prefix=_HEADINGS[tag])
    if tag == "li":
        return _Block(prefix="- ")
    if tag in ("td", "th"):
        return _Block(prefix="| ")
    return _Block()


def _opening(tag: str) -> str:
    return {"sup": "^{", "sub": "_{", "code": "`", "tt": "`"}.get(tag, "")


def _closing(tag: str) -> str:
    return {"sup": "}", "sub": "}", "code": "`", "tt": "`"}.get(tag, "")


def _kept(blocks: list[_Block]) -> Iterator[str]:
    """Lines of the blocks that are content; cells of a row share a line."""
    row: list[str] = []
    waiting = ""
    for block in blocks:
        text = _text_of(block)
        if not text:
            # An empty block that carries a prefix (a list item around a paragraph) lends it.
            waiting = block.prefix if block.prefix in ("- ",) else waiting
            continue
        if block.prefix == "| ":
            row.append(text.replace("\n", " "))
            continue
        if row:
            yield "| " + " | ".join(row) + " |"
            row = []
        if _is_links(block):
            waiting = ""
            continue
        prefix, waiting = block.prefix or waiting, ""
        yield f"{prefix}{text}\n" if prefix != "- " else f"{prefix}{text}"
    if row:
        yield "| " + " | ".join(row) + " |"


def _is_links(block: _Block) -> bool:
    if block.prefix.startswith("#") or not block.characters:
        return False
    return block.linked > _LINK_DENSE * block.characters


def _text_of(block: _Block) -> str:
    text = "".join(block.pieces)
    if block.code:
        body = text.replace("`", "").strip("\n")
        return f"```\n{body}\n```" if body.strip() else ""
    lines = (_SPACES.sub(" ", line).strip() for line in text.split("\n"))
    text = "\n".join(line for line in lines if line)
    if not text or not re.search(r"[^\s`{}^_]", text):
        return ""
    text = re.sub(r"\^\{([^{}]?)\}", lambda m: f"^{m[1]}" if m[1] else "", text)
    text = re.sub(r"_\{([^{}]?)\}", lambda m: f"_{m[1]}" if m[1] else "", text)
    if INLINE in text or DISPLAY in text or END in text or "\\" in text or "$" in text:
        text = mark_text(text)
    return text.replace("¶", "").rstrip()
