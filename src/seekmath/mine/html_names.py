"""Names of HTML that extraction knows: tags and their properties, attributes, class words.

Kept as hash tables (FNV-1a, 32 bits, open addressing) that the kernels read.
"""

from html.entities import html5

import numpy as np
from numpy.typing import NDArray

from seekmath.mine import html_tokens as k

_SPECIAL = """address article aside blockquote body button center dd details dialog dir div dl dt
    fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr iframe legend li main
    menu nav noscript object ol p pre section select summary table tbody td template textarea tfoot
    th thead title tr ul caption marquee applet"""
_BLOCKS = """address article aside blockquote body center dd details dir div dl dt fieldset
    figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr li main menu nav ol p pre
    section summary table tbody tfoot thead tr td th ul caption legend"""
_CLOSE_P = """address article aside blockquote center details dialog dir div dl fieldset figcaption
    figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr main menu nav ol p pre section summary
    table ul li dt dd"""
_SKIPPED = """script style noscript template iframe svg canvas object applet embed button select
    option textarea label dialog head title audio video map datalist mjx-assistive-mml annotation
    annotation-xml rp"""
_PROPERTIES = {
    k.VOID: """area base br col embed hr img input link meta param source track wbr keygen
        basefont bgsound frame""",
    k.RAW: "script style textarea title xmp iframe noembed noframes",
    k.SKIPPED: _SKIPPED,
    k.BLOCK: _BLOCKS,
    k.SPECIAL: _SPECIAL,
    k.BARRIER: "table td th caption template object marquee applet button html",
    k.CLOSES_P: _CLOSE_P,
    k.TABLE_PART: "tr td th tbody thead tfoot",
    k.HEAD_CONTENT: "base link meta title script style noscript template noframes basefont bgsound",
    # Tags that change nothing in the text: they need no token.
    k.IGNORED: """html body b i em strong font small big u s strike cite dfn abbr ins del kbd samp
        wbr bdo bdi mark nobr time link meta base param source track input area col colgroup""",
    k.FOREIGN: "svg math m:math mml:math",
    # Boilerplate unless its class says otherwise or most of the page stands in it.
    k.SOFT: "nav footer aside menu form",
    k.ROLE_ONLY: "img",
    k.CONTAINER: "div section article main td center",
}
_OTHERS = "sup sub code tt span q ruby rt xmp var br"
_TAG_ROLES = {
    "math": k.ROLE_MATH,
    "m:math": k.ROLE_MATH,
    "mml:math": k.ROLE_MATH,
    "mjx-container": k.ROLE_CONTAINER,
    "math-renderer": k.ROLE_TEX,
    "tex-math": k.ROLE_TEX,
    "amp-mathml": k.ROLE_DATA,
}
_ATTRIBUTES = {
    "class": k.CLASS, "id": k.CLASS, "role": k.CLASS, "itemprop": k.CLASS, "style": k.STYLE,
    "hidden": k.HIDDEN_NAME, "aria-hidden": k.ARIA_HIDDEN, "type": k.TYPE, "href": k.HREF,
    "src": k.SOURCE, "alt": k.ALT, "data-src": k.SOURCE, "data-latex": k.DATA_TEX,
    "data-tex": k.DATA_TEX, "data-formula": k.DATA_TEX, "data-equation": k.DATA_TEX,
    "data-expr": k.DATA_TEX, "data-katex": k.DATA_TEX, "data-math": k.DATA_TEX,
    "data-mathml": k.DATA_TEX, "data-original-tex": k.DATA_TEX,
}  # fmt: skip
# Words that name boilerplate: alone, between hyphens, or a whole name without its hyphens.
_BOILERPLATE = """nav navbar navigation menu menubar breadcrumb breadcrumbs sidebar sphinxsidebar
    sphinxsidebarwrapper footer cookie cookies consent gdpr banner advert adverts advertisement
    advertisements advertising ad ads promo promos promotion sponsor sponsors sponsored social share
    sharing sharebar sharethis newsletter subscribe subscription related recommend recommended
    recommendations pagination pager popup login signup signin skiplink headerlink toc
    tableofcontents mweditsection editsection catlinks navbox printfooter sitesub jumptonav toolbar
    widget widgets tagcloud commentform searchbox searchform languagelinks copyright masthead topbar
    offcanvas linenos lineno linenumbers contentinfo noprint byline
    socials addthis outbrain taboola readmore morefrom trending mostread mostpopular"""
_MAIN_NAMES = """main articlebody article-body entry-content post-content mw-content-text
    article-content story-body"""
# These only as a whole name: their parts stand in names of layout (hidden-xs, modal-enabled).
_BOILERPLATE_NAMES = "hidden gutter modal"
_COMMENTS = "comments commentlist commentsection disqusthread commentsarea commentswrapper disqus"
_KEPT_NAMES = """footnote footnotes admonition topic note theorem proof example definition"""
# Whole class names of formulas.
_ROLES = {
    k.ROLE_KATEX: "katex",
    k.ROLE_KATEX_DISPLAY: "katex-display",
    k.ROLE_WIKIPEDIA: "mwe-math-element",
    k.ROLE_CONTAINER: """mathjax mathjax_display mathjax_svg mathjax_svg_display mathjax_chtml
        mjx-chtml""",
    k.ROLE_TEX: """math tex latex js-render-math js-inline-math js-display-math arithmatex
        math-inline math-display mathjax_process asciimath tex2jax_process""",
    k.ROLE_PREVIEW: "mathjax_preview",
    k.ROLE_HTML: "texhtml formula",
    k.ROLE_NUMBER: "eqno ltx_eqn_eqno equation-number",
}
_IMAGE_WORDS = """mwe-math-fallback-image-inline mwe-math-fallback-image-display latex tex math
    mathimage formulascaled formula"""
_NEEDLES = ("display:none", "visibility:hidden", "math/", "tex", "math", "cht=tx", "data:")


def name_hash(name: str) -> int:
    """FNV-1a over the bytes of a name, as the kernels compute it."""
    value = 2166136261
    for byte in name.encode():
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return value


def _table(entries: dict[int, int]) -> NDArray[np.uint32]:
    """Rows of (key, value), at most a quarter full; key 0 is an empty row."""
    size = 1 << (4 * len(entries)).bit_length()
    table = np.zeros((size, 2), np.uint32)
    for key, value in entries.items():
        at = key % size
        while table[at, 0]:
            at = (at + 1) % size
        table[at] = key, value
    return table


def _tags() -> dict[str, int]:
    names = dict.fromkeys(k.NESTED.split())
    for text in (*_PROPERTIES.values(), _OTHERS, *_TAG_ROLES):
        names |= dict.fromkeys(text.split())
    return {name: number for number, name in enumerate(names, 1)}


def _properties() -> NDArray[np.int32]:
    bits = np.zeros(k.KNOWN, np.int32)
    for bit, text in _PROPERTIES.items():
        for name in text.split():
            bits[TAGS[name]] |= bit
    for name, role in _TAG_ROLES.items():
        bits[TAGS[name]] |= role << k.TAG_ROLE_SHIFT
    return bits


def _words() -> dict[int, int]:
    entries = {name_hash(word): k.BOILERPLATE for word in _BOILERPLATE.split()}
    entries |= {name_hash(word): k.COMMENTS for word in _COMMENTS.split()}
    whole = dict.fromkeys(_BOILERPLATE_NAMES.split(), k.BOILERPLATE)
    whole |= dict.fromkeys(_MAIN_NAMES.split(), k.MAIN | k.KEPT)
    whole |= dict.fromkeys(_KEPT_NAMES.split(), k.KEPT)
    for role, names in _ROLES.items():
        whole |= dict.fromkeys(names.split(), role << k.ROLE_SHIFT)
    return entries | {name_hash(name) ^ 1: flags for name, flags in whole.items()}


def _effects() -> NDArray[np.int32]:
    effects = np.zeros(k.KNOWN, np.int32)
    for name, effect in {
        "sup": 1,
        "sub": 2,
        "code": 3,
        "tt": 3,
        "pre": 4,
        "xmp": 4,
        "br": 5,
    }.items():
        effects[TAGS[name]] = effect
    return effects


def _entities() -> tuple[NDArray[np.uint32], NDArray[np.uint8]]:
    """Named references: hash → offset·16 + length in the second array."""
    blob = bytearray()
    entries = {}
    for name, text in html5.items():
        entries[name_hash(name)] = len(blob) << 4 | len(text.encode())
        blob += text.encode()
    return _table(entries), np.frombuffer(bytes(blob), np.uint8)


def _windows() -> NDArray[np.int32]:
    """What the numbers 128 to 159 mean in numeric references: Windows-1252."""
    points = [bytes([byte]).decode("cp1252", "replace") for byte in range(128, 160)]
    return np.array([ord(character) for character in points], np.int32)


def _needles() -> NDArray[np.uint8]:
    rows = np.zeros((len(_NEEDLES), max(map(len, _NEEDLES))), np.uint8)
    for row, needle in enumerate(_NEEDLES):
        rows[row, : len(needle)] = np.frombuffer(needle.encode(), np.uint8)
    return rows


TAGS = _tags()
PROPERTIES = _properties()
TAG_TABLE = _table({name_hash(name): number for name, number in TAGS.items()})
ATTRIBUTE_TABLE = _table({name_hash(name): number for name, number in _ATTRIBUTES.items()})
WORD_TABLE = _table(_words())
NEEDLES = _needles()
EFFECTS = _effects()
ENTITY_TABLE, ENTITY_TEXT = _entities()
WINDOWS = _windows()
