"""One form for the addresses of one page, and different forms for different pages."""

from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seekmath.mine.urls import host_and_path, normalize_url

ONE = "https://a.org/x?b=2"


@pytest.mark.parametrize(
    "other",
    [
        "http://www.a.org:80/x/?b=2#top",
        "https://user:secret@A.org:443/x?utm_source=mail&b=2&UTM_Medium=x",
        "http://a.org/x;jsessionid=12?b=2&fbclid=abc",
        "HTTP://a.org./%78?b=%32",
        "http://a.org//y/..//./x/?b=2&PHPSESSID=0af",
        "http://a.org/x/index.html?b=2&sid=0123456789abcdef0123456789abcdef",
        "http://a.org/(S(abcdefghij0123456789abcd))/x?b=2&&",
        " http://a.org/x?b=2 ",
    ],
)
def test_urls_of_one_page_are_one(other):
    assert normalize_url(other) == ONE


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("http://a.org/x?from=20", "http://a.org/x?from=40"),
        ("http://a.org/x?source=wiki", "http://a.org/x"),
        ("http://a.org/x?sid=7", "http://a.org/x?sid=8"),
        ("http://a.org/a%2Fb", "http://a.org/a/b"),
        ("http://a.org/a%2541", "http://a.org/a%41"),
        ("http://a.org/?q=%C4%E3", "http://a.org/?q=%BA%C3"),
        ("http://a.org/?q=a%26b", "http://a.org/?q=a&b"),
        ("http://a.org/?q=1%2B1", "http://a.org/?q=1+1"),
        ("http://a.org/X", "http://a.org/x"),
        ("http://a.org:8080/", "http://a.org/"),
        ("http://a.org/x.php?id=1", "http://a.org/x.php?id=2"),
    ],
)
def test_urls_of_different_pages_stay_different(first, second):
    assert normalize_url(first) != normalize_url(second)


@pytest.mark.parametrize(
    ("url", "form"),
    [
        ("http://a.org/b?z=1&a=%e4%BD%a0 x+y", "https://a.org/b?a=%E4%BD%A0%20x%20y&z=1"),
        ("http://bücher.de/ä", "https://xn--bcher-kva.de/%C3%A4"),
        ("http://a.org/50%", "https://a.org/50%25"),
        ("http://a.org/?a=&b", "https://a.org?a&b"),
        ("http://www.a.org", "https://a.org"),
        ("http://[::1", "http://[::1"),
    ],
)
def test_the_form(url, form):
    assert normalize_url(url) == form


pieces = st.lists(
    st.sampled_from([*"/.%?&=+#;:@ é你", "%2F", "%41", "..", "www.", "a.org", "index.html", "sid"])
    | st.text(max_size=3),
    max_size=12,
).map("".join)


@given(pieces, st.sampled_from(["http://", "https://www.", "http://a.org/", "//", ""]))
@example("a.org/%2e%2e/x", "http://")
@example("a.org/x/index.html/index.html", "http://")
@example("/./", "http://a.org/")
def test_what_is_normal_stays(rest, start):
    once = normalize_url(start + rest)
    assert normalize_url(once) == once


@given(pieces, st.sampled_from(["http://", "https://www.", "http://a.org/", "HTTP://A.org:8/", ""]))
@example("[::1", "http://")
@example("a.org.?/x", "http://")
@example("a.org/x y?z", "https://")
def test_host_and_path_are_those_of_a_full_parse(rest, start):
    url = (start + rest).strip()
    try:
        parts = urlsplit(url)
        host, path = parts.hostname or "", parts.path
    except ValueError:
        host = path = ""
    expected = host.rstrip(".").removeprefix("www."), path or "/"
    assert host_and_path(url) == expected


def test_a_host_has_no_www_port_or_capitals():
    assert host_and_path("http://WWW.a.org:81/x") == ("a.org", "/x")
    assert host_and_path("http://a.org") == ("a.org", "/")
    assert host_and_path("http://[::1") == ("", "/")
