"""Problems of a test set are found in worked examples and training data by themselves."""

from pathlib import Path

import pytest

from seekmath.core.files import BadInput, read_json, read_jsonl, read_parquet, write_jsonl
from seekmath.core.job import Job
from seekmath.evaluate.contamination import found_in, texts_of
from seekmath.evaluate.runner import evaluate
from seekmath.evaluate.settings import EvaluateSettings

QUESTION = (
    "A farmer keeps 12 hens and each of them lays $2x^{2}$ eggs a day; how many eggs is that?"
)


def test_a_quotation_is_found_through_mark_up_and_another_is_not():
    other = "A baker has 7 ovens and in every oven stand 30 loaves; how many loaves are there?"
    questions = {"a": QUESTION, "b": other}
    quoted = "Q: <b>A farmer keeps 12 hens and each</b> of them lays \\(2 x^2\\) eggs a day. A: 1"
    shares = found_in(questions, [quoted])
    assert list(shares) == ["a"]
    assert 0.5 < shares["a"] < 1  # the last words are not quoted
    assert found_in(questions, [QUESTION])["a"] == 1
    assert found_in(questions, ["Something else altogether, of more than ten words, I say."]) == {}
    chinese = "小明有三个苹果，又买了五个苹果，一共有多少个？"
    assert found_in({"zh": chinese}, [f"例：{chinese}答案：8"]) == {"zh": 1}


def test_a_short_question_is_matched_whole_and_a_bare_formula_is_not():
    assert found_in({"s": "Find the derivative."}, ["Task: find the derivative of it"]) == {"s": 1}
    assert found_in({"s": "x + y = z"}, ["x + y = z"]) == {}


def test_files_without_problems_are_refused(tmp_path: Path):
    write_jsonl(tmp_path / "x.jsonl", [{"text": "a"}])
    with pytest.raises(BadInput, match="no line has one of the fields"):
        list(texts_of(tmp_path / "x.jsonl"))


def test_planted_examples_are_flagged_and_measured_apart(model_folder: Path, tmp_path: Path):
    rows = [
        {"question": " ".join(f"word{n}x{place}" for place in range(15)) + "?", "answer": n}
        for n in range(6)
    ]
    write_jsonl(tmp_path / "test.jsonl", rows)
    shots = [{"question": "Unlike all else?", "solution": "#### 1"},
             {"question": rows[0]["question"], "solution": "#### 20"}]  # fmt: skip
    write_jsonl(tmp_path / "shots.jsonl", shots)
    write_jsonl(tmp_path / "train.jsonl", [{"question": rows[2]["question"], "answer": "2"}])
    settings = EvaluateSettings(
        models={"m": str(model_folder)}, benchmarks=str(tmp_path / "test.jsonl"), shots=2,
        shots_from=str(tmp_path / "shots.jsonl"), few_shot_models=["m"],
        seen=[str(tmp_path / "train.jsonl")], max_new_tokens=2,
    )  # fmt: skip
    found = evaluate(settings, Job.open(tmp_path / "out"))
    details = read_json(tmp_path / "out/details.json")["m"]["test"]
    assert details["flagged"] == {"test/1": 1.0, "test/3": 1.0}
    assert "m/test/greedy-unseen" in found
    assert read_json(tmp_path / "out/results.json")["m/test/greedy-unseen"]["n"] == 4
    rows = read_parquet(tmp_path / "out/samples/m-test.parquet").to_pylist()
    assert sum(row["overlap"] == 1 for row in rows) == 2


@pytest.mark.shared
def test_examples_planted_in_real_test_sets_are_found(shared: Path):
    """Eleven of miniF2F-valid and two of OCW, as in the prompts of the paper's repository."""
    for path, field, planted in (
        ("minif2f/validation", "informal_statement", 11),
        ("ocw/test", "problem", 2),
    ):
        rows = list(read_jsonl(shared / "data" / f"{path}.jsonl.gz"))
        questions = {str(n): row[field] for n, row in enumerate(rows)}
        clean = found_in(questions, ["An example of somebody's own: what is the sum of 1 and 1?"])
        assert clean == {}
        places = list(range(0, len(rows), len(rows) // planted))[:planted]
        found = found_in(questions, [f"Problem: {questions[str(p)]} Solution: …" for p in places])
        assert {name for name, share in found.items() if share == 1} >= {str(p) for p in places}
