"""Metrics against enumeration of every subset, and their laws."""

import gzip
import itertools
import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seekmath.evaluate.metrics import bootstrap, maj_at_k, pass_at_k, wilson
from seekmath.evaluate.runner import metrics_of
from seekmath.verify.grade import grade

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


@pytest.mark.shared
def test_recorded_samples_by_enumeration(shared: Path):
    with gzip.open(shared / "data/outputs/math_cot_100x8.jsonl.gz", "rt") as file:
        problems = [json.loads(line) for line in file]
    rows, votes = [], []
    for problem in problems:
        judged = [grade(problem["gt"], text) for text in problem["code"]]
        identity = str(problem["idx"])
        rows += [row(identity, k, g.extracted, g.verdict) for k, g in enumerate(judged)]
        votes.append(["right" if g.verdict else g.extracted for g in judged])
    metrics = metrics_of(rows)
    for k in (1, 2, 4, 8):
        by_hand = np.mean([majority_by_enumeration(v, k) for v in votes])
        # Wrong answers written in two ways are one vote here and two by hand: rare, never better.
        assert metrics[f"maj@{k}"]["value"] == pytest.approx(by_hand, abs=5e-3)
        passed = np.mean(
            [np.mean(["right" in s for s in itertools.combinations(v, k)]) for v in votes]
        )
        assert metrics[f"pass@{k}"]["value"] == pytest.approx(passed, abs=1e-12)
    assert metrics["pass@1"]["value"] == pytest.approx(0.91, abs=0.002)  # 728 or 729 of 800
