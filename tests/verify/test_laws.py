"""Laws of grading: dressing changes nothing, one off is wrong, no hedge pays, nothing blocks."""

import time
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from seekmath.verify.equal import equal
from seekmath.verify.grade import grade

law = settings(deadline=None, max_examples=40)
whole = st.integers(-(10**15), 10**15)
positive = st.integers(1, 10**6)
squarefree = st.sampled_from([2, 3, 5, 6, 7, 10, 11, 13, 15])

answers = st.one_of(
    whole.map(str),
    st.tuples(positive, positive).map(lambda p: rf"\frac{{{p[0]}}}{{{p[1]}}}"),
    st.tuples(positive, squarefree).map(lambda p: rf"{p[0]}\sqrt{{{p[1]}}}"),
    st.tuples(whole, whole).map(lambda p: f"({p[0]}, {p[1]})"),
    st.tuples(positive, squarefree).map(lambda p: rf"{p[0]}x^2 - {p[1]}x"),
    st.tuples(whole, positive).map(lambda p: rf"\left[{p[0]}, {p[0] + p[1]}\right)"),
    st.tuples(positive, positive).map(lambda p: rf"{p[0]} + {p[1]}i"),
)
wrappers = st.sampled_from(
    [
        "{}", "${}$", r"\({}\)", r"\boxed{{{}}}", r"So $\boxed{{{}}}$.", "The answer is ${}$.",
        "#### {}", "Final Answer: The final answer is ${}$. I hope it is correct.",
        "所以答案是${}$。", "3 + 4 = 7 first.\n\n**Answer:** ${}$", r"\[ \boxed{{{}}} \]",
    ]
)  # fmt: skip
spacings = st.sampled_from(
    [
        lambda t: t, lambda t: f" {t}  ", lambda t: t.replace(",", ", "),
        lambda t: t.replace("+", " + "), lambda t: t.replace(r"\frac", r"\dfrac"),
        lambda t: rf"\displaystyle {t}", lambda t: t.replace("-", "−"),
    ]
)  # fmt: skip


@law
@given(answers, wrappers, spacings, st.booleans())
def test_dressing_never_changes_the_verdict(answer, wrapper, spacing, strict):
    said = wrapper.format(spacing(answer))
    assert grade(answer, said, strict=strict).verdict is True, said


@law
@given(answers, answers)
def test_equality_is_reflexive_and_symmetric(one, two):
    assert equal(one, one + " ").right is True
    assert equal(one, two).right is equal(two, one).right


# Writings of n that are right or nearly so: pairs of them are where an order could matter.
WRITINGS = [
    "{n}", "{n}.0", r"{n}\%", "{h}", r"\frac{{{d}}}{{2}}", "{n} cm", "{h} m", "{n} m",
    r"{n} \text{{ cm}}", "({n}, {n})", "[{n}, {n}]", r"{n} \leq x", r"[{n}, \infty)",
    r"x \geq {n}", "x = {n}", r"\{{{n}\}}", "{n}, {n}", "{n} and {n}/3", "{n} to 2", "{n}:2",
    r"{n}^\circ", r"\${n}", "{n} dollars", "{d}00 cents", "{n}元", "{n}_7", "{n} base 7", "{n}万",
    r"\pm {n}", "-{n}", "{n}i", "{n}x", "{n}x = 0", "[[{n}, 1], [1, {n}]]",
]  # fmt: skip


@settings(deadline=None, max_examples=5)
@given(st.integers(1, 600))
def test_the_order_of_gold_and_answer_never_matters(n):
    texts = [form.format(n=n, d=2 * n, h=n / 100) for form in WRITINGS]
    for one in texts:
        for two in texts:
            assert bool(equal(one, two).right) is bool(equal(two, one).right), (one, two)


@law
@given(positive, squarefree, st.integers(0, 30), st.sampled_from([1, -1]))
def test_one_off_is_never_equal(n, root, zeros, step):
    for gold in (
        rf"{n}\sqrt{{{root}}}", rf"{n} \cdot 10^{{{zeros}}} \pi", rf"{n}x^2+{root}",
        rf"\frac{{{n}}}{{{root}}}",
    ):  # fmt: skip
        assert equal(gold, rf"{gold}{step:+d}").right is False
        assert equal(rf"{gold}{step:+d}", gold).right is False


@law
@given(positive, squarefree, squarefree)
def test_radicals_are_equal_to_their_squares_roots(n, a, b):
    gold = rf"{n}\sqrt{{{a}}} + \sqrt{{{b}}}"
    inside = f"{n * n * a + b} + {2 * n}" + rf"\sqrt{{{a * b}}}"
    assert equal(gold, rf"\sqrt{{{inside}}}").right is True


UNITS = [
    ("cm", "m", Fraction(1, 100)), ("minutes", "hours", Fraction(1, 60)),
    ("g", "kg", Fraction(1, 1000)), ("cents", "dollars", Fraction(1, 100)),
    ("in", "ft", Fraction(1, 12)), ("平方厘米", "平方米", Fraction(1, 10**4)),
]  # fmt: skip


@law
@given(positive, st.sampled_from(UNITS))
def test_units_convert_and_never_stand_for_one_another(n, units):
    small, large, ratio = units
    value = n * ratio
    written = f"{value.numerator}/{value.denominator} {large}"
    assert equal(f"{n} {small}", written).right is True
    assert equal(written, f"{n} {small}").right is True
    assert not equal(f"{n} {small}", f"{n} {large}").right


@law
@given(answers, answers)
def test_no_hedge_is_rewarded(gold, other):
    assume(not equal(gold, other).right)
    for said in (
        rf"\boxed{{{gold}}} or \boxed{{{other}}}", rf"\boxed{{{gold} \text{{ or }} {other}}}",
        rf"\boxed{{{other}}} no, \boxed{{{gold}}}", f"#### {gold}\nThus \\boxed{{{other}}}",
        rf"\boxed{{{other}}} it is." + f"\n#### {gold}", f"The answer is {gold} or {other}",
        rf"\boxed{{{gold}, {other}}}", rf"\boxed{{{gold} = {other}}}",
        f"<answer>{other}</answer> or <answer>{gold}</answer>",
        rf"\boxed{{{other}}} <answer>{gold}</answer>", f"<answer>{gold} or {other}</answer>",
    ):  # fmt: skip
        assert grade(gold, said, strict=True).verdict is False, said


@law
@given(st.sampled_from("ABCD"), st.permutations("ABCD"))
def test_naming_every_letter_is_wrong(gold, order):
    choices = ["1", "2", "3", "4"]
    for join in (" or ", ", ", " and ", "或"):
        said = "The answer is " + join.join(order)
        assert grade(gold, said, choices=choices).verdict is False


def test_a_box_far_before_the_end_still_counts_as_another_answer():
    assert grade("5", r"\boxed{4}" + " so on" * 3000 + r" \boxed{5}", strict=True).verdict is False


def test_many_threads_say_what_one_says():
    pairs = [
        (rf"{n}\sqrt{{{n + 1}}}", rf"\sqrt{{{n * n * (n + 1)}}}" if n % 2 else rf"{n}\sqrt{n}")
        for n in range(2, 40)
    ] + [("9**9**9", "7"), ("7", "9^{9^{9^{9}}}"), ("7", "(10^9)!"), ("7", r"\frac{" * 5000)]
    # Sums of roots up to and past the allowance: where a clock decided, load would move the border.
    for count in range(200, 900, 100):
        roots = [rf"\sqrt{{{n}}}" for n in range(2, 2 + count)]
        pairs.append(("+".join(roots), "+".join(reversed(roots))))
    alone = [equal(*pair) for pair in pairs]
    assert {verdict.right for verdict in alone[-7:]} == {True, False}
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda pair: equal(*pair), pairs * 4)) == alone * 4


def test_a_deep_stack_costs_a_verdict_only():
    def at(depth: int) -> bool | None:
        return at(depth - 1) if depth else equal("1", "(" * 40 + "1" + ")" * 40 + "+0").right

    assert at(850) in (True, False)


@pytest.mark.parametrize(
    "hostile",
    [
        "1" + "  cm" * 4000 + " x7", "2" + "^2" * 9000 + "^", "cm" + " " * 90_000 + "x",
        r"\mathrm{B" + r"\]" * 9000 + "~", "is|" * 6000, "2a^2" * 5000, "**a" * 6000 + " **",
        r"\( " * 20_000, r"1\text{m}" * 2000, "1 x " * 4900, "= 1" * 6000, "≈ 1" * 6000,
        r"\frac{1}{" * 150 + "1" + "}" * 150, "1/" * 9000 + "3", "x" * 19_000, "\\boxed{1}" * 9000,
        "```output\n" + "1\n" * 40_000 + "```", "答案是1" * 20_000, "A or " * 20_000 + "B",
        r"\sum_{k=1}^{10^9} k", r"\int_0^1 x dx", "__import__('os').system('id')", "exec(1)",
        "3" + "!" * 3, "10^{10^{10^{10}}}-10^{10^{10^{10}}}+1", "1000000000!", r"e^{e^{e^{e^{9}}}}",
        r"\sqrt{2}^{99999999}", "(" + "+".join(rf"\sqrt{{{n}}}" for n in range(2000)) + ")",
        r"\binom{4000}{2000}" * 800, r"\{" + ",".join(rf"\sqrt{{{n}}}" for n in range(900)) + r"\}",
        "000" * 6600 + r"个\]", "^万e5" + "000 " * 1900 + r"\sin",
        r"\mathbf{" * 2000 + "1" + "}" * 2000, r"x \ge 1, x \le 3, " * 1000 + "1",
        r"\," * 9000 + "1" + r"\," * 9000,
    ],
    ids=range(36),
)  # fmt: skip
def test_hostile_texts_are_graded_within_a_second(hostile: str):
    for choices in (None, ["0.5", "y", "3 cm", "blue"]):
        start = time.process_time()
        verdict = grade("A" if choices else "7", hostile, choices=choices, strict=True).verdict
        assert time.process_time() - start < 10
        assert not verdict or (choices and "A" in hostile)
    for other in (hostile[:19_000] + "+1", "x+1"):
        start = time.process_time()
        equal(hostile[:19_000], other)
        assert time.process_time() - start < 10
