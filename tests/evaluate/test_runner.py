"""The stage: what it leaves, that it repeats itself, and that finished pairs stay finished."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from seekmath.core.files import BadInput, read_json, read_parquet
from seekmath.core.job import Job
from seekmath.core.records import ANSWER
from seekmath.evaluate.runner import evaluate
from seekmath.evaluate.settings import EvaluateSettings


@pytest.fixture
def plan(model_folder: Path, benchmarks: Path) -> EvaluateSettings:
    return EvaluateSettings(
        models={"one": str(model_folder), "two": str(model_folder)},
        benchmarks=str(benchmarks),
        sampled=["sums"],
        samples=4,
        max_new_tokens=12,
        threads=1,
    )


def test_results_and_samples_are_left(plan: EvaluateSettings, tmp_path: Path):
    returned = evaluate(plan, Job.open(tmp_path / "out", seed=5))
    results = read_json(tmp_path / "out/results.json")
    expected = {
        f"{model}/{name}/greedy" for model in ("one", "two") for name in ("letters", "sums")
    }
    expected |= {
        f"{model}/sums/{metric}@{k}"
        for model in ("one", "two") for metric in ("maj", "pass") for k in (1, 2, 4)
    }  # fmt: skip
    assert set(results) == set(returned) == expected
    assert results["one/letters/greedy"]["n"] == 5
    assert all(r["low"] <= r["value"] <= r["high"] for r in results.values())
    rows = pq.read_table(tmp_path / "out/samples/one-sums.parquet")
    assert rows.schema.equals(ANSWER)
    assert sorted(rows["k"].to_pylist()) == sorted([-1, 0, 1, 2, 3] * 6)
    assert set(rows["benchmark"].to_pylist()) == {"sums"}
    first = rows.to_pylist()[0]
    assert first["prompt"] == "User: What is 0 + 2?\n\nAssistant:"
    assert first["question"] == "What is 0 + 2?"
    assert first["tokens"] == len(first["token_ids"])
    assert len(first["token_ids"]) == len(first["logprobs"]) <= 12


def samples(folder: Path) -> dict[str, list[dict]]:
    return {f.name: read_parquet(f).to_pylist() for f in (folder / "samples").iterdir()}


def test_the_same_seed_gives_the_same_and_another_others(plan: EvaluateSettings, tmp_path: Path):
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        evaluate(plan, Job.open(tmp_path / name, seed=seed))
    a, b, c = (samples(tmp_path / name) for name in "abc")
    assert a == b
    drawn_a = [row["completion"] for row in a["one-sums.parquet"] if row["k"] >= 0]
    drawn_c = [row["completion"] for row in c["one-sums.parquet"] if row["k"] >= 0]
    assert drawn_a != drawn_c
    assert a["one-letters.parquet"] == c["one-letters.parquet"]  # greedy draws nothing


def test_a_problem_draws_the_same_whatever_stands_beside_it(plan: EvaluateSettings, tmp_path: Path):
    evaluate(plan, Job.open(tmp_path / "all", seed=5))
    evaluate(
        plan.model_copy(update={"limit": 2, "max_rows": 3}), Job.open(tmp_path / "few", seed=5)
    )
    full = samples(tmp_path / "all")["one-sums.parquet"]
    part = samples(tmp_path / "few")["one-sums.parquet"]
    keep = {(row["problem_id"], row["k"]): row["token_ids"] for row in full}
    assert len(part) == 10
    assert all(keep[row["problem_id"], row["k"]] == row["token_ids"] for row in part)


def test_finished_pairs_are_not_asked_again(plan: EvaluateSettings, tmp_path: Path):
    whole = evaluate(plan, Job.open(tmp_path, seed=5))
    (tmp_path / "samples/two-sums.parquet").unlink()
    (tmp_path / "results.json").unlink()
    kept = {file: file.stat().st_mtime_ns for file in (tmp_path / "samples").iterdir()}
    assert evaluate(plan, Job.open(tmp_path, seed=5)) == whole
    assert all(file.stat().st_mtime_ns == time for file, time in kept.items())
    assert len(list((tmp_path / "samples").iterdir())) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sampled": ["summs"]}, "sampled: found 'summs'.*mean 'sums'.*letters"),
        ({"few_shot_models": ["three"]}, "--few-shot-model: found 'three'.*allowed: one"),
        ({"models": {"a/b": "x"}}, "must not clash"),
        ({"shots": 2, "few_shot_models": ["one"]}, "--shots-from: needed"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    plan: EvaluateSettings, tmp_path: Path, change: dict, message: str
):
    with pytest.raises(BadInput, match=message):
        evaluate(plan.model_copy(update=change), Job.open(tmp_path, seed=5))
