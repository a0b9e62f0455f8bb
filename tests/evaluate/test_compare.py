"""Comparing two models: paired by problem, exact where it can be, and only like with like."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from seekmath.core.files import BadInput, write_jsonl
from seekmath.core.job import Job
from seekmath.evaluate.compare import as_lines, compare
from seekmath.evaluate.runner import evaluate
from seekmath.evaluate.settings import EvaluateSettings


def recorded(folder: Path, name: str, answers: list[int | list[int]], shift: int = 0) -> Path:
    """An evaluation of recorded answers to problems whose right answer is their number."""
    problems = [
        {"id": f"p{n}", "question": f"What is {n} + {shift}?", "answer": n}
        for n in range(len(answers))
    ]
    write_jsonl(folder / f"{name}-test.jsonl", problems)
    rows = [
        {"id": f"p{n}", "completion": [str(a) for a in answer]
         if isinstance(answer, list) else str(answer)}
        for n, answer in enumerate(answers)
    ]  # fmt: skip
    write_jsonl(folder / f"{name}.jsonl", rows)
    settings = EvaluateSettings(
        recorded={name: str(folder / f"{name}.jsonl")},
        benchmarks={"test": str(folder / f"{name}-test.jsonl")},
    )
    evaluate(settings, Job.open(folder / name))
    return folder / name


def test_where_two_models_differ(tmp_path: Path):
    a = recorded(tmp_path, "a", [0, 1, 9, 9, 9, 9, 6, 7])
    b = recorded(tmp_path, "b", [0, 9, 2, 3, 4, 5, 6, 9])
    (row,) = compare(str(a), str(b))
    assert (row["n"], row["a"], row["b"]) == (8, 0.5, 0.75)
    assert row["only_a"] == ["p1", "p7"]
    assert row["only_b"] == ["p2", "p3", "p4", "p5"]
    assert row["p"] == row["p_adjusted"] == pytest.approx(0.6875)  # 2 of 6, two-sided
    assert row["difference"]["low"] < 0.25 == row["difference"]["value"] < row["difference"]["high"]
    (back,) = compare(str(b), str(a))
    assert back["difference"]["value"] == -0.25
    assert as_lines([row])[0][:6] == ["test", "greedy", "8", "50.0", "75.0", "+25.0"]


def test_a_model_is_no_better_than_itself(tmp_path: Path):
    a = recorded(tmp_path, "a", [0, 1, 9])
    (row,) = compare(str(a), str(a))
    assert (row["difference"]["low"], row["difference"]["high"], row["p"]) == (0, 0, 1)


def test_samples_are_compared_by_pass_and_majority(tmp_path: Path):
    a = recorded(tmp_path, "a", [[0, 0, 5], [1, 1, 7], [9, 9, 2]])
    b = recorded(tmp_path, "b", [[0, 0, 0], [1, 1, 1], [2, 2, 2]])
    rows = {row["metric"]: row for row in compare(str(a), str(b))}
    assert rows["pass@1"]["a"] == pytest.approx(5 / 9)
    assert rows["maj@3"]["difference"]["value"] == pytest.approx(1 / 3)
    assert rows["maj@3"]["p"] is None


def test_only_like_is_compared_with_like(tmp_path: Path):
    a, b = recorded(tmp_path, "a", [0, 1]), recorded(tmp_path, "b", [0, 1], shift=1)
    with pytest.raises(BadInput, match="used different files"):
        compare(str(a), str(b))
    with pytest.raises(BadInput, match="no folder of an evaluation"):
        compare(str(a), str(tmp_path))
    with pytest.raises(BadInput, match=r"found 'c'.*allowed: a"):
        compare(f"{a}:c", str(b))


def test_the_command_prints_a_table_or_everything(tmp_path: Path):
    a, b = recorded(tmp_path, "a", [0, 9]), recorded(tmp_path, "b", [0, 1])
    call = [sys.executable, "-m", "seekmath.cli", "compare", str(a), f"{b}:b"]
    shown = subprocess.run(call, capture_output=True, text=True, check=True).stdout
    assert "+50.0" in shown
    found = json.loads(subprocess.run([*call, "--json"], capture_output=True, check=True).stdout)
    assert found[0]["only_b"] == ["p1"]
