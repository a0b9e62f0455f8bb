"""Hand-written cases of every kind of answer, and what people see of a verdict."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from seekmath.cli import commands
from seekmath.verify.equal import equal
from seekmath.verify.explain import explain
from seekmath.verify.grade import grade

_LINES = (Path(__file__).parent / "golden.tsv").read_text("utf-8").splitlines()
CASES = [line.split("\t") for line in _LINES if line and not line.startswith("#")]
VERDICTS = {"right": True, "wrong": False, "none": None}


@pytest.mark.parametrize(("kind", "expected", "gold", "answer"), CASES)
def test_golden_case(kind: str, expected: str, gold: str, answer: str):
    found = equal(gold, answer)
    assert found.right is VERDICTS[expected], found
    assert found.reason
    if expected != "none":
        assert bool(equal(answer, gold).right) is (expected == "right")
    assert grade(gold, rf"So it is $\boxed{{{answer}}}$.").verdict is VERDICTS[expected]


def test_an_explanation_shows_how_both_sides_were_read():
    found = explain(r"\frac{1}{2}", "The answer is 50 cm.")
    assert found.grade.verdict is False
    assert found.gold == r"\frac{1}{2} → (1 / 2) → 1/2"
    assert found.answer == "50 cm → 50 in cm"


def test_the_command_judges_one_answer():
    run = CliRunner().invoke(commands, ["grade", "1/2", "The answer is 0.5.", "--explain"])
    assert run.exit_code == 0
    assert "verdict: right" in run.output
    assert "answer: 0.5 → 1/2" in run.output


def test_the_command_wants_one_of_its_two_forms():
    run = CliRunner().invoke(commands, ["grade", "1/2"])
    assert run.exit_code != 0
    assert "--pairs FILE" in str(run.exception)
