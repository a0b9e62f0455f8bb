"""Judging by answers, by programs in the sandbox, and by the tool's output."""

from pathlib import Path

import pytest

from seekmath.core.files import BadInput, read_json, read_parquet, write_jsonl
from seekmath.core.job import Job
from seekmath.evaluate.answer import Reply
from seekmath.evaluate.judge import judge
from seekmath.evaluate.problem import Problem
from seekmath.evaluate.runner import evaluate
from seekmath.evaluate.settings import EvaluateSettings
from seekmath.verify.sandbox import NoIsolation, Sandbox

FORTY_TWO = Problem("p", "6 * 7?", "42", [])


@pytest.fixture(scope="module")
def run():
    try:
        sandbox = Sandbox()
    except NoIsolation as reason:
        pytest.skip(str(reason))
    with sandbox:
        yield sandbox.run_all


def verdict(text: str, mode: str, run, problem: Problem = FORTY_TWO):
    return judge(problem, Reply(text, 9, "stop"), mode, run)


@pytest.mark.parametrize(
    ("text", "right", "reason"),
    [
        ("def solution():\n    return 6 * 7\n", True, "program: "),
        ("```python\ndef solution():\n    x = 6\n    return x * 7\n```", True, "program: "),
        ("```python\nprint(6 * 7)\n```", True, "program: "),
        ("```python\nanswer = x * 7\n```\n```python\nx = 6\n```", True, "program: "),
        ("```python\nprint(6 * 8)\n```", False, "program: "),
        ("```python\n1 / 0\n```", False, "program: error: ZeroDivisionError"),
        ("```python\nx = 42\n```", False, "gave no value"),
        ("", False, "no program found"),
    ],
)
def test_a_program_is_judged_by_its_value(text: str, right: bool, reason: str, run):
    judged = verdict(text, "pot", run)
    assert judged.verdict is right, judged
    assert reason in judged.reason


def test_with_tools_the_answer_counts_and_the_programs_output_is_judged_beside(run):
    said = "```python\nprint(6*7)\n```\n```output\n42\n```\nSo it is $\\boxed{41}$."
    judged = verdict(said, "tool", run)
    assert (judged.verdict, judged.program_right) == (False, True)
    assert verdict("It is 42.", "tool", run).program_right is False


def test_no_answer_is_wrong_and_says_why(run):
    judged = judge(FORTY_TWO, Reply("", 0, "refused: too long"), "cot", run)
    assert (judged.verdict, judged.reason) == (False, "refused: too long")


def test_programs_of_a_recording_are_run_and_their_ends_counted(run, tmp_path: Path):
    write_jsonl(tmp_path / "t.jsonl", [{"id": n, "question": f"{n}?", "answer": n} for n in "123"])
    programs = ["def solution():\n    return 1", "```python\nprint(5)\n```", "import nothing_here"]
    answers = [{"id": n, "completion": p} for n, p in zip("123", programs, strict=True)]
    write_jsonl(tmp_path / "a.jsonl", answers)
    settings = EvaluateSettings(
        recorded={"m": str(tmp_path / "a.jsonl")}, benchmarks=str(tmp_path / "t.jsonl"), mode="pot"
    )
    found = evaluate(settings, Job.open(tmp_path / "out"))
    assert found == {"m/t/greedy": pytest.approx(1 / 3, abs=1e-4)}
    details = read_json(tmp_path / "out/details.json")["m"]["t"]
    assert details["programs"] == {"ok": 2, "error": 1}


def test_a_model_folder_integrates_tools(run, model_folder: Path, benchmarks: Path, tmp_path: Path):
    settings = EvaluateSettings(
        models={"m": str(model_folder)}, benchmarks=str(benchmarks / "sums.jsonl"), mode="tool",
        max_new_tokens=6, sampled=["sums"], samples=2,
    )  # fmt: skip
    evaluate(settings, Job.open(tmp_path))
    rows = read_parquet(tmp_path / "samples/m-sums.parquet").to_pylist()
    assert len(rows) == 18
    assert all(row["program_right"] is False for row in rows)
    with pytest.raises(ValueError, match="needs --api completions"):
        EvaluateSettings(endpoint="http://x", models={"m": "m"}, benchmarks="b", mode="tool")
    assert issubclass(NoIsolation, BadInput)
