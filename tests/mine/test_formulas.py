r"""Formulas of a page: each form, exactly once, between ``$…$`` or ``$$…$$``."""

import re

import pytest
from benchmarks.formula_pages import ENCODINGS, measure, torture_page
from hypothesis import given, settings
from hypothesis import strategies as st

from seekmath.mine.asciimath import asciimath_to_latex
from seekmath.mine.html import main_text
from seekmath.mine.mathml import latex_of_math


def text_of(page: str) -> str:
    return main_text(page)[1]


@pytest.mark.parametrize("name", ENCODINGS)
def test_every_encoding_gives_every_formula_once_and_nothing_beside_it(name):
    page, truth = torture_page(ENCODINGS[name])
    assert measure(text_of(page), truth) == {
        "present": 1.0,
        "delimited": 1.0,
        "precision": 1.0,
        "garbage": 0.0,
    }


@pytest.mark.parametrize("name", [name for name in ENCODINGS if ENCODINGS[name].display])
def test_display_formulas_stand_between_double_dollars(name):
    page, truth = torture_page(ENCODINGS[name])
    assert text_of(page).count("$$") == 2 * len(truth)


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5 and $10 in the shop.",
        "From $1,200 to $1,500 per month",
        "Set $HOME and $PATH, then run it.",
        "The 1<sup>st</sup> and the 2<sup>nd</sup> of May",
        "A claim<sup>3</sup> with a note<sup><a href='#n'>[4]</a></sup>",
        "Use `$x` and `$y` in the shell",
        "snake_case and _private_ names",
    ],
)
def test_prices_variables_and_notes_are_no_formulas(text):
    _, found, formulas = main_text(f"<p>{text}</p>")
    assert formulas == 0, found


def test_a_configured_single_dollar_delimits_whatever_it_holds():
    head = "<script>MathJax={tex:{inlineMath:[['$','$'],['\\\\(','\\\\)']]}}</script>"
    assert main_text(f"<head>{head}</head><p>Let $n$ be $5 and 6$.</p>")[2] == 2


def test_a_formula_is_not_lost_with_its_hidden_or_boilerplate_wrapper():
    page = (
        "<p>Text <span style='display:none'><math><mi>x</mi></math></span>"
        "<span class='katex-html' aria-hidden=true>x</span> end</p>"
    )
    assert "x" not in text_of(page).removeprefix("Text").replace("end", "")


@settings(max_examples=60, deadline=None)
@given(st.text("<>/mathrowsupi&;=\"' x2+\\{}^_", max_size=200))
def test_no_piece_of_markup_breaks_the_conversions(piece):
    assert isinstance(latex_of_math(f"<math>{piece}</math>".encode()), str)
    assert isinstance(asciimath_to_latex(piece), str)
    assert isinstance(text_of(f"<p>`{piece}` ${piece}$ \\({piece}\\)"), str)


def test_deep_mathml_is_cut_and_costs_little():
    latex_of_math(b"<math>" + b"<mrow>" * 20_000 + b"<mi>x</mi>" + b"</mrow>" * 20_000)


def test_macros_that_never_end_are_left_alone():
    page = r"<p>\(\newcommand{\a}{\b\b}\newcommand{\b}{\a\a}\) and \(\a\)</p>"
    assert len(text_of(page)) < 100_000
    assert re.search(r"and \$", text_of(page))


def test_a_title_that_only_names_the_image_does_not_hide_its_latex():
    image = '<img src="https://latex.codecogs.com/gif.latex?V%20%3D%20I%20R" title="formula" />'
    _, text, formulas = main_text(f"<main><p>Ohm's law says {image}, as measured.</p></main>")
    assert "$V = I R$" in text
    assert "formula" not in text
    assert formulas == 1


_LEAVES = st.tuples(
    st.sampled_from(["mi", "mn", "mo"]),
    st.sampled_from([*"x 12 sin ab + - = ( ) ∑ α &#8901; &lt; &amp; ″".split(), "", " x "]),
)


@settings(deadline=None)
@given(st.lists(_LEAVES, max_size=6), st.booleans(), st.sampled_from(["", " ", "\n"]))
def test_a_row_of_signs_reads_the_same_with_and_without_its_tree(leaves, wrapped, space):
    inside = space.join(f"<{tag}>{sign}</{tag}>" for tag, sign in leaves)
    flat = f"<mrow>{inside}</mrow>" if wrapped else inside
    # An element with an attribute is read as a tree.
    tree = f'<mrow id="a">{inside}</mrow>'
    assert latex_of_math(f"<math>{flat}</math> <p>".encode()) == latex_of_math(
        f"<math>{tree}</math> <p>".encode()
    )


def test_an_image_whose_address_has_no_host_is_read():
    assert text_of('<p>so <img src="http://[latex.php?latex=x%5E2">') == "so $x^2$"
