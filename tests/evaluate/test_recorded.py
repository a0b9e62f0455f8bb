"""Recorded answers: the forms in which they come, and files that will not do."""

from pathlib import Path

import pytest

from seekmath.core.files import BadInput, read_json, read_parquet, write_jsonl
from seekmath.core.job import Job
from seekmath.evaluate.runner import evaluate
from seekmath.evaluate.settings import EvaluateSettings

PROBLEMS = [{"id": "a", "question": "1 + 1?", "answer": 2}, {"question": "2 + 2?", "answer": 4}]


def run(folder: Path, rows: list[dict], **given) -> dict:
    write_jsonl(folder / "test.jsonl", PROBLEMS)
    write_jsonl(folder / "answers.jsonl", rows)
    settings = EvaluateSettings(
        recorded={"m": str(folder / "answers.jsonl")},
        benchmarks=str(folder / "test.jsonl"),
        **given,
    )
    return evaluate(settings, Job.open(folder / "out"))


def test_one_answer_each_by_id_or_by_question(tmp_path: Path):
    rows = [{"question": "2 + 2?", "completion": "5"}, {"id": "a", "completion": "It is 2."},
            {"id": "of another benchmark", "question": "?", "completion": "1"}]  # fmt: skip
    assert run(tmp_path, rows) == {"m/test/greedy": 0.5}


def test_several_answers_each_with_a_reward_models_scores(tmp_path: Path):
    rows = [
        {"id": "a", "out": ["2", "3", "2"], "score": [0.1, 0.9, 0.5]},
        {"question": "2 + 2?", "out": ["4", "4", "5"], "score": [[0.3], [0.2], [0.1]]},
    ]
    found = run(tmp_path, rows, completion_field="out")
    assert found["m/test/best@1"] == found["m/test/pass@1"] == pytest.approx(2 / 3, abs=1e-4)
    # Of a's three pairs only {2 at 0.1, 2 at 0.5} has a right best; of the other's three, all.
    assert found["m/test/best@2"] == pytest.approx((1 / 3 + 1) / 2, abs=1e-4)
    rows = read_parquet(tmp_path / "out/samples/m-test.parquet").to_pylist()
    assert [round(row["rewards"][0], 3) for row in rows[:3]] == [0.1, 0.9, 0.5]
    assert read_json(tmp_path / "out/details.json")["m"]["test"]["tokens_mean"] is None


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"id": "a", "completion": "2"}], r"no answer to test/2 of 'test' \(1 of 2 are missing"),
        ([{"id": "a", "text": "2"}], r"jsonl:1: needs the field 'completion'; found id, text"),
        ([{"id": "a", "completion": ["1", "2"], "score": [1]}], "2 answers but 1 scores"),
        ([{"id": "a", "completion": "1", "score": "high"}], "scores must be numbers"),
        ([{"id": "a", "completion": {"text": "1"}}], "completion: needs text or a number"),
    ],
)
def test_a_file_that_will_not_do_is_refused(tmp_path: Path, rows: list[dict], message: str):
    with pytest.raises(BadInput, match=message):
        run(tmp_path, rows)


def test_a_score_field_that_was_named_and_is_not_there_is_refused(tmp_path: Path):
    rows = [{"id": "a", "completion": "2", "scor": 1}, {"id": "test/2", "completion": "4"}]
    with pytest.raises(BadInput, match=r"field 'points'; found id, completion, scor .*--score-fie"):
        run(tmp_path, rows, score_field="points")


def test_ids_may_be_numbers_also_nought(tmp_path: Path):
    write_jsonl(tmp_path / "n.jsonl", [{"id": n, "question": "?", "answer": n} for n in (0, 1)])
    write_jsonl(tmp_path / "a.jsonl", [{"id": n, "completion": n} for n in (1, 0)])
    settings = EvaluateSettings(
        recorded={"m": str(tmp_path / "a.jsonl")}, benchmarks=str(tmp_path / "n.jsonl")
    )
    assert evaluate(settings, Job.open(tmp_path / "out")) == {"m/n/greedy": 1}
    rows = read_parquet(tmp_path / "out/samples/m-n.parquet").to_pylist()
    assert [row["problem_id"] for row in rows] == ["0", "1"]


def test_null_is_no_answer(tmp_path: Path):
    rows = [{"id": "a", "completion": None}, {"question": "2 + 2?", "completion": 4}]
    assert run(tmp_path, rows) == {"m/test/greedy": 0.5}
    stored = read_parquet(tmp_path / "out/samples/m-test.parquet").to_pylist()
    assert (stored[0]["completion"], stored[0]["reason"]) == ("", "no answer found")
