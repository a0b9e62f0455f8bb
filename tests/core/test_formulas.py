"""Formulas become MathML, and nothing hostile becomes anything."""

import re
import time
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seekmath.core.formulas import with_formulas

ALLOWED = re.compile(r"</?(?:math|m[a-z]+|none)(?: [a-z]+=\"[\w .%+-]*\")*>")


def only_mathml(html: str) -> bool:
    """Whether all mark-up in a page is MathML with harmless attributes, and balanced."""
    ET.fromstring(f"<p>{html}</p>")
    return all(ALLOWED.fullmatch(tag) for tag in re.findall("<[^>]*>", html))


@pytest.mark.parametrize(
    "text", ["$x^2$", r"\(\frac{1}{2}\)", r"\[\sqrt{2}\]", "$$a<b$$", r"so \boxed{\frac{1}{2}}."]
)
def test_formulas_are_rendered(text: str):
    html = str(with_formulas(f"Here {text} there"))
    assert html.count("<math") == 1
    assert html.startswith("Here")
    assert only_mathml(html)


@pytest.mark.parametrize(
    "text", ["It costs $5 and $6 more.", "a < b & c", "$the first and$", "$", r"\("]
)
def test_what_is_no_formula_stays_as_it_was(text: str):
    assert with_formulas(text).unescape() == text


@pytest.mark.parametrize(
    "text",
    [
        r"$\text{<script>alert(1)</script>}$",
        r"$\href{javascript:alert(1)}{x}$",
        r"$\style{position:fixed;background:url(https://x)}{x}$",
        r"$\text{<img src=x onerror=alert(1)>}$",
        r"$\text{]]><script>}$",
        r"$\text{<!DOCTYPE a [<!ENTITY b 'c'>]>&b;}$",
        r"\boxed{</math><script>alert(1)</script>}",
        "<script>alert('$x$')</script>",
        r"$\color{red;position:fixed}{x}$",
    ],
)
def test_hostile_formulas_are_text(text: str):
    html = str(with_formulas(text))
    assert only_mathml(html)
    assert "<script" not in html
    assert "href" not in re.sub(r"\\href", "", html)
    assert "style=" not in html


@settings(deadline=None, max_examples=60)
@given(st.text(st.sampled_from("$\\{}<>&\"'[]()^_xfrac boxedtext1"), max_size=60))
def test_whatever_is_written_the_page_holds_mathml_and_text_alone(text: str):
    assert only_mathml(str(with_formulas(text)))


def test_no_input_takes_long():
    started = time.process_time()
    for text in ("$" + "{" * 1400 + "}" * 1400 + "$", "$x$" * 2000, "\\(" * 20_000,
                 "$" + "^{x" * 400 + "}" * 400 + "$", "\\boxed{" * 3000):  # fmt: skip
        assert only_mathml(str(with_formulas(text)))
    assert time.process_time() - started < 10


def test_what_a_browser_could_not_lay_out_is_shown_as_written():
    deep = "$" + "{" * 200 + "x" + "}" * 200 + "$"
    assert with_formulas(deep) == deep
    assert "<math" in with_formulas("$" + "{" * 20 + "x" + "}" * 20 + "$")
