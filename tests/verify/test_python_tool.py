"""Laws of programs of thought and of tool-integrated reasoning."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seekmath.verify.execution import Execution, Program
from seekmath.verify.python_tool import (
    STOP,
    Span,
    Transcript,
    Turn,
    answer_of,
    gsm8k_program,
    integrate,
    last_output,
    math_program,
    output_text,
)

BLOCK = "Let us compute.\n```python\nprint(6 * 7)\n```"


def ran(programs: list[Program]) -> list[Execution]:
    return [Execution("ok", stdout=f"{len(program.before)} before\n") for program in programs]


def printing(text: str):
    """A tool that prints the same for every program."""
    return lambda programs: [Execution("ok", stdout=text) for _ in programs]


def turns_of(*rounds: list[Turn]):
    """A model that says what is listed, each completion its own list."""
    said = [0] * len(rounds)

    def generate(numbers: list[int], texts: list[str]) -> list[Turn]:
        turns = []
        for number in numbers:
            turns.append(rounds[number][said[number]])
            said[number] += 1
        return turns

    return generate


def test_gsm8k_form_takes_the_block_or_the_bare_text() -> None:
    code = "def solution():\n    return 3"
    assert gsm8k_program(f"```python\n{code}\n```\nmore") == Program(code, value="solution()")
    assert gsm8k_program(code) == Program(code, value="solution()")
    assert gsm8k_program(f"{code}\n```\ntext") == Program(code, value="solution()")
    assert gsm8k_program("  \n") is None


def test_math_form_puts_the_imports_first() -> None:
    completion = "```python\nanswer = sqrt(2)\n```\n```python\nfrom sympy import sqrt\n```"
    program = math_program(completion)
    assert program is not None
    assert program.value == "answer"
    assert program.code.index("import") < program.code.index("answer")
    assert "python\n" not in program.code


@pytest.mark.parametrize("fences", [0, 1, 2, 3, 5, 6])
def test_math_form_with_a_wrong_count_of_fences_is_invalid(fences: int) -> None:
    assert math_program("answer = 1\n".join(["```"] * fences)) is None


def test_a_round_is_text_a_program_and_its_output() -> None:
    model = turns_of([Turn(BLOCK), Turn("The answer is \\boxed{42}.", ended=True)])
    (done,) = integrate(1, model, printing("42\n"))
    assert done.text == f"{BLOCK}\n```output\n42\n```\nThe answer is \\boxed{{42}}."
    assert [span.by_tool for span in done.spans] == [False, True, False]
    assert last_output(done.text) == "42"


@pytest.mark.parametrize("end", ["", "\n", "\n" + STOP, "\n" + STOP + "\n"])
def test_the_output_block_is_whole_however_the_engine_stops(end: str) -> None:
    model = turns_of([Turn(BLOCK + end), Turn("done", ended=True)])
    (done,) = integrate(1, model, printing("42"))
    assert done.text == f"{BLOCK}\n```output\n42\n```\ndone"
    # A model's span is what it wrote, so that its token ids stay true.
    assert done.spans[0].text == BLOCK + end


def test_output_that_a_model_invents_is_cut() -> None:
    model = turns_of([Turn(f"{BLOCK}\n{STOP}\n41\n```\nIt is 41."), Turn("It is 42.", ended=True)])
    (done,) = integrate(1, model, printing("42"))
    assert "41" not in done.text
    assert last_output(done.text) == "42"


def test_rounds_are_bounded_and_the_last_program_still_runs() -> None:
    model = turns_of([Turn(BLOCK)] * 9)
    (done,) = integrate(1, model, ran, rounds=3)
    assert len(done.executions) == 3
    assert done.spans[-1] == Span("\n```output\n2 before\n```\n", by_tool=True)


def test_each_completion_goes_its_own_way() -> None:
    model = turns_of(
        [Turn("No tool: 5", ended=True)],
        [Turn(BLOCK), Turn("five")],
        [Turn(f"{BLOCK}", ended=True)],
        [Turn("```python\nprint(1)\n"), Turn("never asked")],
    )
    done = integrate(4, model, ran)
    assert [len(one.executions) for one in done] == [0, 1, 0, 0]
    assert done[1].text.endswith("five")


def test_earlier_blocks_go_before_and_tool_output_is_no_program() -> None:
    hostile = Execution("ok", stdout="```python\nimport os\n```")
    model = turns_of([Turn(BLOCK), Turn("```python\nprint(x)\n```")])
    asked: list[Program] = []

    def run(programs: list[Program]) -> list[Execution]:
        asked.extend(programs)
        return [hostile for _ in programs]

    integrate(1, model, run)
    assert asked[1] == Program("print(x)\n", before=("print(6 * 7)\n",))


def test_text_that_ends_in_another_fence_asks_for_nothing() -> None:
    spans = (Span(f"{BLOCK}\n```\nnot python\n```", by_tool=False),)
    assert Transcript(spans).program() is None


@given(st.text(max_size=400))
def test_output_is_cut_to_its_two_ends(text: str) -> None:
    shown = output_text(Execution("ok", stdout=text))
    stripped = text.strip()
    assert len(shown) <= 103
    assert shown == stripped or shown == f"{stripped[:50]}...{stripped[-50:]}"


def test_errors_are_shown_and_cut_likewise() -> None:
    shown = output_text(Execution("error", stdout="partial", error="E" * 300))
    assert shown == f"Runtime errors: {'E' * 50}...{'E' * 50}"
    assert "TimeoutError" in output_text(Execution("timeout", error="TimeoutError: over 10 s"))


@given(st.lists(st.text(alphabet="`python\nutx(1)", max_size=60), min_size=2, max_size=2))
def test_any_text_gives_spans_that_join_to_the_completion(texts: list[str]) -> None:
    (done,) = integrate(1, turns_of([Turn(text) for text in texts]), ran)
    assert done.text == "".join(span.text for span in done.spans)
    assert sum(span.by_tool for span in done.spans) == len(done.executions)


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        ("5.000000000000002", "5"),
        ("349.9999999999999", "350"),
        ("0.30000000000000004", "0.3"),
        ("3.25", "3.25"),
        ("385000.00000000006", "385000"),
        ("7", "7"),
        ("(1.0, 2)", "(1.0, 2)"),
        ("1/3", "1/3"),
        (None, None),
    ],
)
def test_binary_fractions_are_rounded_for_the_grader(value: str | None, answer: str | None) -> None:
    assert answer_of(Execution("ok", value=value)) == answer


@given(st.floats(-1e9, 1e9, allow_nan=False))
def test_rounding_keeps_twelve_digits(number: float) -> None:
    answer = answer_of(Execution("ok", value=str(number)))
    assert answer is not None
    assert float(answer) == pytest.approx(number, rel=1e-11, abs=1e-12)
