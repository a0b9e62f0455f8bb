"""Equality of answers: what is the same, what is not, and laws of the relation."""

import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seekmath.verify.equal import equal

SAME = [
    ("1234", "1,234"), ("1234", "1 234"), ("1000", "1000.0"), ("12", "012"), (".5", "0.5"),
    ("1/2", "0.5"), (r"\frac{1}{2}", "1/2"), (r"\frac12", r"\dfrac{2}{4}"), ("-1/2", r"-\tfrac12"),
    ("3 1/2", "7/2"), (r"3\frac{1}{2}", "3.5"), ("-2 1/4", "-2.25"), ("3½", "3.5"),
    ("50%", "50"), ("50%", "0.5"), ("28\\%", "28 percent"), ("$18", "18"), ("$18.00", "18"),
    ("18", "18 dollars"), ("5", "5 cm"), ("25", r"25\text{ cm}^2"), ("9", "9°"), ("3", "3 m"),
    ("1200000", r"1.2 \times 10^6"), ("0.00012", "1.2e-4"), ("120", "1.2 x 10^2"),
    (r"\sqrt{8}", r"2\sqrt2"), (r"\frac{1}{\sqrt2}", r"\frac{\sqrt{2}}{2}"), (r"\sqrt[3]{27}", "3"),
    ("2i", r"\sqrt{-4}"), ("(1+i)^2", "2i"), (r"e^{i\pi}", "-1"), ("3.14159", r"\pi"),
    ("x^2+2x+1", "(x+1)^2"), ("x(x-1)", "x^2-x"), ("2*pi", r"2\pi"), ("sqrt(2)", r"\sqrt{2}"),
    (r"\sin^2 x+\cos^2 x", r"\cos^2 x + (\sin x)^2"),
    ("y=2x+1", "2x-y+1=0"), ("x=5", "5"), ("5", "x = 5"), ("f(x)=2x", "2x"), ("x<3", "3>x"),
    ("x<1", "-x>-1"), (r"-2\le x\le 7", "[-2,7]"), (r"x \ge 2", r"[2,\infty)"),
    ("x<-1 or x>3", r"(-\infty,-1)\cup(3,\infty)"), (r"x\in[0,1)", "[0,1)"),
    ("(1,2)", r"\left( 1, 2 \right)"), ("(x,y)=(1,2)", "(1,2)"), ("{1,2,3}", "3, 2, 1"),
    (r"\{1,2\}", "1 and 2"), (r"1 \text{ or } 2", "2, 1"), (r"\pm 3", "-3, 3"),
    ("a=1,b=2", "1,2"), (r"\emptyset", r"\{\}"),
    (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{bmatrix}1&2\\3&4\end{bmatrix}"),
    (r"\begin{pmatrix}2&4\end{pmatrix}", r"2\begin{pmatrix}1&2\end{pmatrix}"),
    (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}\begin{pmatrix}1\\1\end{pmatrix}",
     r"\begin{pmatrix}3\\7\end{pmatrix}"),
    ("Wednesday", "wednesday"), (r"\text{blue}", "blue"), ("yes", "Yes."), ("4:30 p.m.", "4:30 pm"),
    ("2516_8", "2516"), ("1010_2", "10_{10}"), (r"\binom{5}{2}", "10"), ("5!", "120"),
    (r"\log_2 8", "3"), (r"|{-3}|", "3"), ("三百二十一", "321"), ("两千零五", "2005"),
    ("五分之三", "3/5"), ("百分之二十", "20/100"), ("1.2万", "12000"), ("12个", "12"),
    ("5平方厘米", "5"), ("１２", "12"), ("1000.99", "1000,99"), ("x²+1", "x^2+1"),
]  # fmt: skip
DIFFERENT = [
    ("18", "19"), ("18", "180"), ("0.5", "0.05"), ("0.5", "50"), ("50", "5000"), ("1/2", "2"),
    ("0.333", "0.3"), ("1000000", "1000001"), ("0.0001", "0.0009"), ("1/3", "0.33"),
    ("(1,2)", "(2,1)"), ("(1,2)", "[1,2]"), ("[0,1)", "[0,1]"), ("a=1,b=2", "2,1"),
    ("x>5", "x<5"), ("x=3", "x=x"), ("3", "a"), ("1,2,3", "1,2"), ("2", "2,3"), ("x^2", "x^3"),
    ("east", "seat"), ("7=11a+c", "11a+c"), ("2x+z=1", "1"), (r"\pm 2", "2"), ("12:00", "1:00"),
    ("4", r"4\sqrt2"), (r"\infty", r"\frac10"), ("0", r"\frac00"), ("1", ""), ("2516_8", "2517"),
    (r"\begin{pmatrix}1&2\end{pmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}"), ("5 m", "5 s"),
    ("三百", "3"), ("Monday", "Sunday"), (r"\sqrt2", "1.4"), ("100", "10^3"),
]  # fmt: skip


@pytest.mark.parametrize(("gold", "answer"), SAME)
def test_same(gold: str, answer: str):
    assert equal(gold, answer).right is True, equal(gold, answer)
    assert equal(answer, gold).right is True


@pytest.mark.parametrize(("gold", "answer"), DIFFERENT)
def test_different(gold: str, answer: str):
    assert equal(gold, answer).right is False, equal(gold, answer)
    assert not equal(answer, gold).right


def test_gold_that_cannot_be_read_has_no_verdict():
    for gold in ("", r"\frac{1}{", "((", r"\int_0^1 )"):
        assert equal(gold, "3").right is None
    assert equal("((", "((").right is True


numbers = st.fractions(min_value=-(10**6), max_value=10**6, max_denominator=1000)


def writings(x: Fraction) -> list[str]:
    sign, n, d = "-" if x < 0 else "", abs(x.numerator), x.denominator
    forms = [
        f"{sign}{n}/{d}",
        rf"{sign}\frac{{{n}}}{{{d}}}",
        rf"${sign}\dfrac{{{2 * n}}}{{{2 * d}}}$",
    ]
    if d == 1:
        forms += [f"{sign}{n}", f"{sign}{n:,}", f"{sign}{n}.0", rf"x = {sign}{n}"]
    elif n > d:
        forms.append(rf"{sign}{n // d}\frac{{{n % d}}}{{{d}}}" if n % d else f"{x}")
    return forms


@given(numbers, st.data())
def test_every_writing_of_a_number_is_that_number(x: Fraction, data: st.DataObject):
    one, two = (data.draw(st.sampled_from(writings(x))) for _ in range(2))
    assert equal(one, two).right is True


@given(numbers, numbers, st.data())
def test_different_numbers_never_are_equal(x: Fraction, y: Fraction, data: st.DataObject):
    if x != y:
        one, two = data.draw(st.sampled_from(writings(x))), data.draw(st.sampled_from(writings(y)))
        assert equal(one, two).right is False


pieces = st.sampled_from(
    r"\frac { } ( ) [ ] 1 2 3.5 x y + - * / ^ _ , ; = < \le \in | ! % \sqrt \pi \text{ cm} or \\ & "
    r"\begin{pmatrix} \end{pmatrix} \cup \{ \} 三 万 分之 : ° ' \pm \sin e i 0 .5 $ \infty".split(
        " "
    )
)
snippets = st.lists(pieces, max_size=25).map("".join)


@given(st.one_of(snippets, st.text(max_size=60)), st.one_of(snippets, st.text(max_size=60)))
def test_any_input_gets_a_symmetric_verdict(one: str, two: str):
    there, back = equal(one, two), equal(two, one)
    assert bool(there.right) == bool(back.right)
    assert equal(one, one).right in (True, None)
    assert there.reason


@pytest.mark.parametrize(
    "hostile",
    [
        "9**9**9", "9^{9^{9^{9}}}", "(10^9)!", "((9!)!)!", "!" * 50_000, "1" + "!" * 50_000,
        "(" * 50_000, "[" * 50_000 + "]" * 50_000, r"\frac{" * 20_000, "-" * 90_000 + "1",
        "1" + "+1" * 40_000, "x" + "*x" * 40_000, "1" + "/1" * 40_000, "2" + "^2" * 40_000,
        "9" * 90_000 + "+1", "1e999", "10^{999}" * 50, r"\sqrt" * 20_000 + "2", "," * 90_000,
        "{" + ",".join(f"x^{n}" for n in range(2000)) + "}", "|" * 60_000, "1 " * 50_000,
        r"\begin{matrix}" * 5000, "1_" * 30_000, r"\binom{900}{450}^{1999}", "3" * 100 + "^1999",
        "零" * 90_000, "亿" * 90_000, "1/3" + "+1/3333333333333333333333" * 3000,
        "(x+1)^{1999}" * 2000, "=".join(["x"] * 30_000), r"\text{" * 20_000, "a,b;" * 20_000,
    ],
    ids=range(33),
)  # fmt: skip
def test_hostile_answers_are_refused_within_a_second(hostile: str):
    for text in (hostile, hostile[:19_000]):
        for gold in ("7", "x+1", r"\{1,2\}"):
            assert timed(gold, text) is False
            timed(text, gold)
        timed(text, text + " ")


def timed(gold: str, answer: str) -> bool | None:
    start = time.process_time()
    right = equal(gold, answer).right
    assert time.process_time() - start < 10
    return right
