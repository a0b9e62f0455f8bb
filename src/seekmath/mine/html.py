"""Main text of an HTML page: headings, lists, tables and code stay, boilerplate goes.

Four passes over the page, each linear in its length: tokens, nesting, formulas, blocks.
"""

import html
import re

from seekmath.mine import html_names as names
from seekmath.mine.formulas import NO_FORMULAS, find_formulas
from seekmath.mine.html_blocks import HAS_SCRIPT, HAS_TEX, write_blocks
from seekmath.mine.main_content import content
from seekmath.mine.marks import MARKS
from seekmath.mine.page_tokens import MOST_DEPTH, Tokens, read_tokens
from seekmath.mine.script_runs import mark_runs
from seekmath.mine.tex_text import TextStyle, mark_text


def main_text(page: str | bytes) -> tuple[str, str, int]:
    """Title, main text with formulas as LaTeX, and the number of formulas.

    Args:
        page: the HTML, as text or in UTF-8.

    Raises:
        HostilePage: the page is beyond the bounds of extraction.
    """
    source = page.encode("utf-8", "replace") if isinstance(page, str) else page
    tokens = read_tokens(source)
    style = TextStyle(source)
    latex, ends = find_formulas(tokens, style) if tokens.roles else NO_FORMULAS
    out, blocks = write_blocks(
        tokens.octets, tokens.number, tokens.rows, names.PROPERTIES, names.EFFECTS, latex, ends,
        names.ENTITY_TABLE, names.ENTITY_TEXT, names.WINDOWS, MOST_DEPTH,
    )  # fmt: skip
    joined, special = content(out, blocks, tokens.number, tokens.rows, names.PROPERTIES)
    text = _with_marks(joined.tobytes(), special.tolist(), style)
    inline, display = text.count(MARKS[0]), text.count(MARKS[1])
    if inline:
        text = text.replace(MARKS[0], "$").replace(MARKS[2], "$")
    if display:
        text = text.replace(MARKS[1], "$$").replace(MARKS[3], "$$")
    return _title(tokens), text.strip(), inline + display


def _with_marks(text: bytes, special: list[list[int]], style: TextStyle) -> str:
    """The text with the formulas marked that stand in it between delimiters."""
    if not special:
        return text.decode("utf-8", "replace")
    parts: list[str] = []
    at = 0
    for begin, end, signs in special:
        parts.append(text[at:begin].decode("utf-8", "replace"))
        part = text[begin:end].decode("utf-8", "replace")
        if signs & HAS_TEX:
            part = mark_text(part, style)
        if signs & HAS_SCRIPT:
            part = mark_runs(part, style.macros)
        parts.append(part)
        at = end
    parts.append(text[at:].decode("utf-8", "replace"))
    return "".join(parts)


def _title(tokens: Tokens) -> str:
    for token in (tokens.title, tokens.heading):
        if token >= 0:
            inner = tokens.inner(token)
            if b"<" in inner or b"\0" in inner:
                inner = re.sub(rb"<[^>]*>|\x00", b"", inner)
            text = inner.decode("utf-8", "replace")
            title = " ".join((html.unescape(text) if "&" in text else text).split())[:300]
            if title:
                return title
    return ""
