"""Metrics against enumeration of every subset, and their laws."""

import itertools
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seekmath.core.files import read_json, read_parquet
from seekmath.core.job import Job
from seekmath.evaluate.metrics import (
    best_of_k,
    bootstrap,
    holm,
    maj_at_k,
    mcnemar,
    pass_at_k,
    vote_calibration,
    wilson,
)
from seekmath.evaluate.runner import evaluate
from seekmath.evaluate.settings import EvaluateSettings
from seekmath.evaluate.summary import by_problem, metrics_of, votes_of

answers = st.lists(st.sampled_from(["right", "a", "b", "c", None]), min_size=1, max_size=8)


def majority_by_enumeration(votes: list[str | None], k: int) -> float:
    """The chance of the right answer to win, over all subsets of size k, ties split evenly."""
    total = 0.0
    subsets = list(itertools.combinations(votes, k))
    for subset in subsets:
        counts = Counter(vote for vote in subset if vote is not None)
        top = [vote for vote, n in counts.items() if n == max(counts.values())]
        total += ("right" in top) / len(top) if top else 0.0
    return total / len(subsets)


@given(answers, st.data())
def test_maj_and_pass_are_the_mean_over_all_subsets(votes: list[str | None], data: st.DataObject):
    k = data.draw(st.integers(1, len(votes)))
    gold = "right" if "right" in votes else None
    assert maj_at_k(votes, gold, k) == pytest.approx(majority_by_enumeration(votes, k), abs=1e-12)
    subsets = list(itertools.combinations(votes, k))
    share = sum("right" in subset for subset in subsets) / len(subsets)
    assert pass_at_k(len(votes), votes.count("right"), k) == pytest.approx(share, abs=1e-12)


@given(answers)
def test_one_vote_is_accuracy_and_pass_never_falls(votes: list[str | None]):
    n, right = len(votes), votes.count("right")
    assert maj_at_k(votes, "right", 1) == pytest.approx(right / n)
    passed = [pass_at_k(n, right, k) for k in range(1, n + 1)]
    assert passed == sorted(passed)
    assert passed[0] == pytest.approx(right / n)
    assert all(maj_at_k(votes, "right", k) <= passed[k - 1] + 1e-12 for k in range(1, n + 1))


@given(answers, st.randoms())
def test_maj_does_not_depend_on_order(votes: list[str | None], order):
    mixed = votes.copy()
    order.shuffle(mixed)
    k = len(votes) // 2 + 1
    assert maj_at_k(votes, "right", k) == pytest.approx(maj_at_k(mixed, "right", k), abs=1e-12)


def test_more_samples_than_there_are_is_refused():
    with pytest.raises(ValueError, match="needs 3 samples; there are 2"):
        pass_at_k(2, 1, 3)
    with pytest.raises(ValueError, match="needs 3 samples; there are 2"):
        maj_at_k(["right", None], "right", 3)


def test_wilson_covers_the_truth_about_as_often_as_it_says():
    draws = np.random.default_rng(0).binomial(40, 0.3, 2000)
    inside = [low["low"] <= 0.3 <= low["high"] for low in (wilson(int(d), 40) for d in draws)]
    assert 0.93 < np.mean(inside) < 0.97
    assert wilson(0, 10)["low"] == 0
    assert wilson(10, 10)["high"] == pytest.approx(1)


@settings(max_examples=10)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=30), st.integers(0, 5))
def test_bootstrap_surrounds_the_mean_and_repeats_itself(values: list[float], seed: int):
    estimate = bootstrap(values, seed)
    assert estimate == bootstrap(values, seed)
    assert estimate["low"] - 1e-9 <= math.fsum(values) / len(values) <= estimate["high"] + 1e-9


def row(problem: str, k: int, extracted: str | None, verdict: bool | None) -> dict:
    return {"problem_id": problem, "k": k, "extracted": extracted, "verdict": verdict}


def test_equal_answers_vote_together_and_unreadable_problems_are_left_out():
    rows = [
        row("p", -1, "1/2", True), row("p", 0, "1/2", True), row("p", 1, "3", False),
        row("p", 2, "3.0", False), row("p", 3, None, False),
        row("q", -1, "5", None), row("q", 0, "(", True), row("q", 1, "5", None),
    ]  # fmt: skip
    metrics = metrics_of(rows)
    assert metrics["greedy"] == wilson(1, 1)
    assert metrics["maj@4"]["value"] == 0  # 3 and 3.0 are one answer with two votes
    assert metrics["pass@4"]["value"] == 1
    assert metrics["pass@1"] == {"value": 0.25, "low": 0.25, "high": 0.25, "n": 1}
    assert set(metrics) == {"greedy", *(f"{m}@{k}" for m in ("maj", "pass") for k in (1, 2, 4))}


def best_by_enumeration(scores: list[float], right: list[bool], k: int) -> float:
    """The chance that the best-scored sample is right, over all subsets, ties split evenly."""
    total, subsets = 0.0, list(itertools.combinations(zip(scores, right, strict=True), k))
    for subset in subsets:
        top = [correct for score, correct in subset if score == max(subset)[0]]
        total += sum(top) / len(top)
    return total / len(subsets)


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=8), st.data())
def test_best_of_k_is_the_mean_over_all_subsets(samples: list, data: st.DataObject):
    k = data.draw(st.integers(1, len(samples)))
    scores, right = [float(score) for score, _ in samples], [correct for _, correct in samples]
    by_hand = best_by_enumeration(scores, right, k)
    assert best_of_k(scores, right, k) == pytest.approx(by_hand, abs=1e-12)


@settings(deadline=None)  # the first call imports scipy
@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_exact_binomial_test(only_a: int, only_b: int):
    from scipy.stats import binomtest

    n = only_a + only_b
    theirs = binomtest(only_a, n).pvalue if n else 1.0
    assert mcnemar(only_a, only_b) == pytest.approx(theirs, abs=1e-12)
    assert mcnemar(only_a, only_b) == mcnemar(only_b, only_a)


def test_p_values_of_many_benchmarks_are_adjusted_for_their_number():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_calibration_of_the_vote():
    found = vote_calibration([(0.9, True), (0.9, True), (0.5, True), (0.5, False), (1.0, True)])
    assert [row["n"] for row in found["bins"]] == [2, 3]
    assert found["bins"][1]["accuracy"] == 1
    assert found["error"] == pytest.approx((2 * 0.0 + 3 * (1 - 2.8 / 3)) / 5)
    assert vote_calibration([]) == {"bins": [], "error": 0.0}


@pytest.mark.shared
def test_recorded_samples_by_enumeration(shared: Path, tmp_path: Path):
    """100 MATH problems with 8 recorded answers each: every K by enumeration of all subsets."""
    path = str(shared / "data/outputs/math_cot_100x8.jsonl.gz")
    settings = EvaluateSettings(
        recorded={"m": path}, benchmarks={"recorded": path}, answer_field="gt",
        completion_field="code", score_field="pred_score",
    )  # fmt: skip
    evaluate(settings, Job.open(tmp_path))
    metrics = read_json(tmp_path / "results.json")
    rows = read_parquet(tmp_path / "samples/m-recorded.parquet").to_pylist()
    groups = list(by_problem(rows).values())
    assert len(groups) == 100
    for k in range(1, 9):
        votes = [votes_of(group)[0] for group in groups]
        maj = [majority_by_enumeration(v, k) for v in votes]
        passed = [np.mean(["right" in s for s in itertools.combinations(v, k)]) for v in votes]
        for vote, by_hand in zip(votes, maj, strict=True):
            gold = "right" if "right" in vote else None
            assert maj_at_k(vote, gold, k) == pytest.approx(by_hand, abs=1e-9)
        scores = [[row["rewards"][-1] for row in group] for group in groups]
        right = [[row["verdict"] for row in group] for group in groups]
        best = [best_by_enumeration(s, r, k) for s, r in zip(scores, right, strict=True)]
        if f"m/recorded/maj@{k}" in metrics:
            assert metrics[f"m/recorded/maj@{k}"]["value"] == pytest.approx(np.mean(maj), abs=1e-9)
            assert metrics[f"m/recorded/pass@{k}"]["value"] == pytest.approx(
                np.mean(passed), abs=1e-9
            )
            assert metrics[f"m/recorded/best@{k}"]["value"] == pytest.approx(
                np.mean(best), abs=1e-9
            )
    assert metrics["m/recorded/pass@1"]["value"] == pytest.approx(0.91, abs=0.002)
