"""Main text: structure stays, boilerplate goes, any bytes are survived in little time."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seekmath.mine.html import main_text
from seekmath.mine.page_tokens import HostilePage

PIECES = """<div> </div> <p> </p> <table> <tr> <td> </td> </table> <ul> <li> </ul> <a_href=x> </a>
<sup> </sup> <sub> </sub> <code> </code> <pre> </pre> <br> &amp; &#x41; &nGt; &# & < <!--
--> <script> </script> x 数 é \x00 $ \\( \\) ` $$ <math> </math> <mi> <mn/> <h1> </h2> <!
<? > " ' = <svg> <path/> </svg> <title> </title> <head> </head> <nav> </nav> &nbsp;
&notanentity; &lt <th> <dt> <dd>""".split()


def text_of(page: str) -> str:
    return main_text(page)[1]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=60))
def test_any_sequence_of_markup_gives_text_without_marks(pieces):
    title, text, formulas = main_text("".join(pieces).replace("_", " "))
    assert formulas >= 0
    assert "\x00" not in title + text
    assert not set(text) & set("\ue000\ue001\ue002\ue003")


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_survived(raw):
    main_text(raw)


MEANINGLESS = ["<span>", "<span class=n>", "</span>", "  ", "long" * 20, "∑", "\u3000", "\xad"]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([*PIECES, *MEANINGLESS]), max_size=40))
def test_a_short_page_reads_as_it_does_with_room_behind_it(pieces):
    """Bytes are read 64 at once where the page is long enough, and else one by one."""
    page = "".join(pieces).replace("_", " ")
    assert main_text(page) == main_text(page + "\0" * 200)


def test_tags_that_differ_in_one_byte_are_told_apart():
    page = "".join(
        f"<p class='{name}'>{name} {number}</p><p class='{name[:-1]}x'>{name}x {number}</p>"
        for number in range(60)
        for name in ("sidebar", "navbars", "plain")
    )
    text = text_of(page + "<p class='sidebar>'>quoted end</p>" * 2 + "<b>end</b>" + " " * 99)
    assert [word for word in text.split() if not word.isdigit()] == [
        word
        for number in range(60)
        for word in ("sidebarx", "navbars", "navbarsx", "plain", "plainx")
    ] + ["quoted", "end", "quoted", "end", "end"]


@pytest.mark.parametrize("inside", ["word", "a &lt; b", "x<b>y</b>", "<span>deep</span>", ""])
def test_a_span_without_a_meaning_changes_nothing(inside):
    page = "<p>before {} behind</p><ul><li>{}</ul>"
    assert text_of(page.format(*[f"<span class='n'>{inside}</span>"] * 2)) == text_of(
        page.format(inside, inside)
    )


WORDS = st.text("abcdefgh ", min_size=1, max_size=30).map(str.split).filter(bool)


@settings(max_examples=60, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=8))
def test_every_paragraph_stays_in_order(paragraphs):
    page = "<body>" + "".join(f"<p>{' '.join(words)}" for words in paragraphs)
    assert text_of(page).split() == [word for words in paragraphs for word in words]


def test_lists_tables_code_and_quotes_keep_their_form():
    text = text_of(
        "<ul><li>one<ul><li>inner</ul><li><p>two</p></ul><dl><dt>term<dd>meaning</dl>"
        "<table><tr><th>n<th>f(n)<tr><td>1<td><td>3</table><pre>\nfor x:\n    y</pre><p>a<br>b</p>"
    )
    assert text == (
        "- one\n  - inner\n- two\n\nterm\n\nmeaning\n\n| n | f(n) |\n| 1 |  | 3 |\n\n"
        "```\nfor x:\n    y\n```\n\na\nb"
    )


def test_entities_and_spaces_are_read_as_browsers_read_them():
    assert text_of(
        "<p>&lt;&eacute;&#233;&#xe9;&#150;&ltx &nbsp;\xa0 y &copy;&unknown; &amp</p>"
    ) == ("<ééé–<x y ©&unknown; &")


def test_main_content_is_found_and_readers_comments_go_unless_they_hold_formulas():
    story = "<p>" + "This sentence belongs to the story that the page tells. " * 6 + "</p>"
    for inside, stays in (("nice", False), (r"so \(x^2\)", True)):
        talk = f"<div id=comments><p>{inside} {'comment of a reader ' * 20}</p></div>"
        text = text_of(f"<body><div class=teasers><p>Other</div><article>{story}{talk}</article>")
        assert "story" in text
        assert ("reader" in text) is stays


@pytest.mark.parametrize("name", ["sidebar", "side-bar", "cookie-banner", "nav menu"])
def test_elements_named_for_boilerplate_go_but_never_most_of_the_page(name):
    main = "<p>" + "The text of the page itself. " * 10 + "</p>"
    assert "away" not in text_of(f"<div class='{name}'>away</div>{main}")
    assert "itself" in text_of(f"<div class='{name}'>{main}</div>")


def test_lists_inside_lists_do_not_end_what_stands_around_them():
    inner = "<dl><dt>b<dd>c</dl>"
    text = text_of(f"<div><section><dl><dt>a<dd>{inner}d</dl><p>e</section></div><aside>x</aside>")
    assert text.split() == ["a", "b", "c", "d", "e"]
    text = text_of("<section><ul><li>a<dl><dt>b<dd><ul><li>c</ul></dl>d<li>e</ul><p>f</section>")
    assert text.replace("-", " ").split() == ["a", "b", "c", "d", "e", "f"]


def test_hidden_and_unclosed_elements():
    assert text_of("<p>a<span style='display: none'>b</span><i hidden>c</i> d") == "ac d"
    assert text_of("<p>a<script>b</p><p>c") == "a"
    assert text_of("<p>a<!-- b --!>c<!-- d") == "ac"


@pytest.mark.parametrize(
    "page",
    [
        b"<div>" * 1_000_000,
        b"<p " + b"a=1 " * 1_000_000 + b">x</p>",
        b"<p title='" + b"x" * 4_000_000,
        b"&amp;" * 800_000,
        b"&#x" * 1_000_000,
        b"\x00" * 4_000_000,
        b"<" * 4_000_000,
        b"<!--" * 1_000_000,
        b"</p>" * 400_000,
        b"<a href=x>" * 400_000,
        b"<li>" * 400_000,
        b"<table><tr><td>" * 1300,
        b"<p>" + b"$" * 2_000_000,
        b"<p>" + b"\\(" * 500_000,
        b"<p>" + b"`" * 1_000_001,
        b"<p>" + b"\\begin{align}" * 100_000,
        b"<p>" + b"x<sup>2</sup>" * 20_000,
        b"<math>" * 300_000,
        b"<img alt='$x$'>" * 30_000,
        b"<div class='main' style='a'>" * 4000,
    ],
    ids=lambda page: page[:16].decode("latin-1"),
)
def test_hostile_pages_are_read_or_refused_within_a_bound(page):
    main_text("<p>compiled</p>")
    reason, started = "", time.process_time()
    try:
        main_text(page)
    except HostilePage as refused:
        reason = str(refused)
    assert reason == "" or reason.startswith(("more than", "nested deeper"))
    assert time.process_time() - started < 20
