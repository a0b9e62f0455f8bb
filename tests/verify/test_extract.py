"""Extraction: where the answer of a solution stands, and that any text is read in bounded time."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seekmath.verify.extract import extract_answer
from seekmath.verify.grade import grade

FOUND = [
    (r"so \boxed{\frac{1}{2}} it is", r"\frac{1}{2}", "boxed"),
    (r"first \boxed{1}, no: after all \boxed{2}", "2", "boxed"),
    (r"\boxed{1} and \boxed{-2}", "1, -2", "boxed"),
    (r"\boxed{\boxed{5}}", r"\boxed{5}", "boxed"),
    ("16 - 7 = 9\n9 * 2 = 18\n#### 18", "18", "hashes"),
    (r"\boxed{3}" "\n## noise #### noise", "3", "boxed"),
    ("The answer is 42.", "42", "stated"),
    ("The answer is: $x^2$. I hope so.", "x^2", "stated"),
    ("Final Answer: The final answer is $10,455$. I hope it is correct.", "10,455", "stated"),
    ("she has 3 left\nA: 3", "3", "stated"),
    ("Final answer: The largest $n$ is 34.", "34", "stated"),
    ("所以答案是12个。", "12", "stated"),
    ("答案：每份应该是 $\\frac{2}{5}$ 吨。", r"\frac{2}{5}", "stated"),
    ("The answer is Wednesday.", "Wednesday", "stated"),
    ("He buys 3 apples and then 14 more pears", "14", "last"),
    (r"that solves the system is $(7, 6)$ as wanted", "(7, 6)", "last"),
    ("(1, 2)", "(1, 2)", "bare"),
    ("2 + 3 = 5\n5 * 2 = 10", "5 * 2 = 10", "bare"),
    ("blue", "blue", "bare"),
    ("Let me think.\n<answer>It is 12.</answer>", "12", "tagged"),
    ("<answer>\\boxed{3}</answer>", "3", "boxed"),
    ("My final answer would be 7 pi.", "7 pi", "stated"),
    ("The answer is therefore (17/2, 7).", "(17/2, 7)", "stated"),
    ("The answer is $25$ centimetres.", "25 centimetres", "stated"),
    ("The answer is $x = 4$ or $x = 42$.", "$x = 4$ or $x = 42$", "stated"),
    ("Thus we get 13, -7, 19.", "13, -7, 19", "last"),
    ("So the total comes to **-15 + 4i**.", "-15 + 4i", "last"),
    ("Thus we get x²+4x-32.", "x²+4x-32", "last"),
    ("In 2020, 15 people came", "15", "last"),
    ("Step 3: 15", "15", "last"),
    ("He pays 3 * 5 = 15 dollars for the 2 shirts", "2", "last"),
    ("最终结果为负718。", "负718", "last"),
    ("小明一共有三百二十个。", "三百二十", "last"),
    ("因此共54.2 万", "54.2 万", "last"),
    (r"cut off in \boxed{12", None, "none"),
    ("", None, "none"),
]


@pytest.mark.parametrize(("text", "answer", "how"), FOUND)
def test_the_answer_is_found(text: str, answer: str | None, how: str):
    found = extract_answer(text)
    assert (found.answer, found.how) == (answer, how)


CHOICES = ["12", "$\\frac{1}{2}$", "the red one", "15"]
LETTERS = [
    ("The answer is (B).", "B"), (r"\boxed{C}", "C"), (r"\boxed{\text{D}}", "D"), ("B", "B"),
    ("答案是 AC。", "AC"), ("故选B", "B"), ("The answer is A C", "AC"),
    ("A. Because B is not", "A"),
    ("D. it can't be A or B", "D"), ("It's not A, therefore I think it's B", "B"),
    ("A train leaves at noon, so I take D", "D"), ("#### 0.5", "B"), ("the answer is 15", "D"),
    (r"\boxed{\frac{2}{4}}", "B"), ("the answer is the red one", "C"), ("the answer is b", "B"),
    ("no idea", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "letter"), LETTERS)
def test_the_letter_of_a_choice_is_found(text: str, letter: str | None):
    assert extract_answer(text, CHOICES).answer == letter


@given(st.text(max_size=200), st.booleans())
def test_any_text_is_read(text: str, letters: bool):
    found = extract_answer(text, CHOICES if letters else None)
    assert (found.answer is None) == (found.how == "none")
    assert not letters or found.answer is None or set(found.answer) <= set("ABCD")


@pytest.mark.parametrize(
    "unit",
    ["a", " ", "$", "1 ", "\\(", "$$ ", "\\boxed{", "\\boxed{1} and ", "{", "}", "answer is ", "\n",
     "\n#### ", "final answer is 1\n", "\\begin{matrix}", "\\frac{1}{", "1,", "A ", "not A ", "<<1",
     "答案是", "\\text{", "\\\\", ".", "A: ", "= "],
)  # fmt: skip
def test_megabytes_are_read_within_a_second(unit: str):
    for size in (2_000_000, 90_000, 7_000):
        for choices in (None, CHOICES):
            start = time.process_time()
            extract_answer(unit * (size // len(unit)), choices)
            extract_answer("x is 5 " + unit * (size // len(unit)) + " so 6 it is", choices)
            assert time.process_time() - start < 10


@pytest.mark.parametrize(
    "text",
    ["The answer is not 12.", "The answer isn't $12$.", "So the answer cannot be 12, not 12."],
)
def test_what_the_answer_is_not_is_no_answer(text):
    assert extract_answer(text).answer != "12"


def test_an_exclamation_is_no_factorial():
    assert extract_answer("The correct answer is 7!").answer == "7"
    assert extract_answer(r"The correct answer is $7!$").answer == "7!"


def test_colours_hide_no_answer():
    assert grade("(4,-2,3)", r"\color{blue}{(4,-2,3)}").verdict
    assert not grade("6152", r"{\color{red}6152 i}").verdict


@pytest.mark.parametrize("bound", ["at least 7", "less than $7$", "more than 7", "at most 7"])
def test_a_bound_is_not_its_number(bound):
    assert grade("7", f"The answer is {bound}.").verdict is False
