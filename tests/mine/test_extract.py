"""Extraction: formulas in every form, boilerplate out, hostile pages survived."""

import time

import pytest

from seekmath.mine.crawl import Damage, RawPage, read_pages
from seekmath.mine.extract import extract_page
from seekmath.mine.urls import normalize_url
from seekmath.world.markup import ENCODINGS


def text_of(body: str | bytes, charset: str | None = None) -> str:
    raw = body.encode() if isinstance(body, str) else body
    return extract_page(RawPage("http://a.org/p", "f:0:1", raw, charset))["text"]


@pytest.mark.parametrize("encoding", [name for name in ENCODINGS if name != "plain"])
@pytest.mark.parametrize("latex", ["x^2 + 1", "\\frac{1}{2}", "a \\cdot b = 3"])
def test_a_formula_survives_once_from_every_form(encoding, latex):
    page = f"<body><p>We know that {ENCODINGS[encoding](latex)} holds for all.</p></body>"
    text = text_of(page)
    squeezed = text.replace(" ", "")
    assert squeezed.count(f"${latex.replace(' ', '')}$") == 1, text
    assert squeezed == f"Weknowthat${latex.replace(' ', '')}$holdsforall."


def test_boilerplate_goes_and_structure_stays():
    text = text_of(
        "<body><nav><a href=/>Home</a></nav><div id=cookie-banner>We use cookies</div>"
        "<main><h2>Sums</h2><ul><li>one</li><li>two</li></ul><pre>a = $1\n  b</pre>"
        "<table><tr><td>1</td><td>2</td></tr></table></main><footer>©</footer></body>"
    )
    for kept in ("## Sums", "- one", "- two", "a = $1\n  b", "| 1 | 2 |"):
        assert kept in text
    assert "cookies" not in text
    assert "Home" not in text


def test_prices_are_no_formulas():
    assert text_of("<p>It costs $5 and $10 in the shop today.</p>").count("$") == 2


@pytest.mark.parametrize(
    ("body", "stated"),
    [
        ("<p>数学 é</p>".encode("gb18030"), "gb2312"),
        ("<meta charset=gbk><p>数学</p>".encode("gbk"), None),
        ("\ufeff<p>数学</p>".encode("utf-16"), None),
    ],
)
def test_the_charset_is_found_where_it_stands(body, stated):
    assert text_of(body, stated).startswith("数学")


@pytest.mark.parametrize(
    "body",
    [
        "<div>" * 2000 + "deep" + "</div>" * 2000,
        "<li><table>" * 1500 + "deep",
        "<p " + "a=1 " * 100_000 + ">x</p>",
        "&amp;" * 200_000,
        "\x00" * 100_000 + "<p>x</p>",
        "<math>" + "<mrow>" * 2000 + "</math>",
        "$" * 100_000,
        "\\(" * 2000,
        "<",
        "",
    ],
)
def test_hostile_pages_cost_little(body):
    started = time.process_time()
    text_of(body)
    assert time.process_time() - started < 10


def test_urls_of_one_page_are_one():
    wanted = normalize_url("https://a.org/x?b=2")
    for other in (
        "http://www.a.org:80/x/?b=2#top",
        "https://A.org/x?utm_source=mail&b=2",
        "http://a.org/x;jsessionid=12?b=2",
    ):
        assert normalize_url(other) == wanted


def test_a_damaged_member_costs_itself_only(tmp_path):
    from seekmath.core.job import Job
    from seekmath.world.settings import WorldSettings
    from seekmath.world.web import make_world

    make_world(WorldSettings(pages=100, benchmark_size=3, gsm8k_size=3), Job.open(tmp_path))
    (path,) = (tmp_path / "warc").iterdir()
    whole = [page.url for page in read_pages(path)]
    raw = bytearray(path.read_bytes())
    offset = int([page.source for page in read_pages(path)][40].split(":")[1])
    raw[offset + 30] ^= 0xFF
    path.write_bytes(raw)
    damage = Damage()
    left = [page.url for page in read_pages(path, damage)]
    assert len(left) >= len(whole) - 2
    assert set(left) <= set(whole)
