"""Platt's line against scikit-learn, and laws of the reliability table and the histogram."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from seekmath.mine.calibration import fit_line, histogram, reliability
from seekmath.mine.fasttext_score import probability


def drawn(slope, intercept, number=20_000, seed=0):
    rng = np.random.default_rng(seed)
    odds = rng.normal(0, 3, number)
    return odds, rng.random(number) < probability(slope * odds + intercept)


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.0), (0.3, 1.0), (2.5, -0.7)])
def test_the_line_is_found_and_is_scikit_learns(slope, intercept):
    odds, positive = drawn(slope, intercept)
    line = fit_line(odds, positive)
    peer = LogisticRegression(C=np.inf).fit(odds[:, None], positive)
    assert line.slope == pytest.approx(peer.coef_[0, 0], rel=1e-2)
    assert line.intercept == pytest.approx(peer.intercept_[0], abs=2e-2)
    before = reliability(probability(odds), positive)["error"]
    after = reliability(probability(line(odds)), positive)["error"]
    assert after < 0.015
    assert slope == 1.0 or before > 5 * after


def test_classes_that_do_not_overlap_give_a_finite_line():
    odds = np.concatenate([np.full(10, -0.2), np.full(10, 0.2)])
    line = fit_line(odds, odds > 0)
    assert np.isfinite([line.slope, line.intercept]).all()
    # Platt's targets for ten of a class are 11/12 and 1/12.
    np.testing.assert_allclose(np.unique(probability(line(odds))), [1 / 12, 11 / 12], atol=1e-6)


def test_log_odds_without_spread_give_the_share_of_positives():
    line = fit_line(np.full(8, 3.0), np.arange(8) < 2)
    assert probability(line(np.array([3.0])))[0] == pytest.approx((2 * 3 / 4 + 6 / 8) / 8, abs=1e-6)


def test_a_table_by_hand():
    scores, positive = np.array([0.05, 0.05, 0.95, 1.0]), np.array([False, True, True, True])
    found = reliability(scores, positive)
    assert found["bins"] == [
        {"from": 0.0, "pages": 2, "mean_score": 0.05, "positives": 0.5},
        {"from": 0.9, "pages": 2, "mean_score": 0.975, "positives": 1.0},
    ]
    assert found["error"] == pytest.approx((2 * 0.45 + 2 * 0.025) / 4)


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 10**9)), max_size=50))
def test_a_histogram_loses_nothing(pages):
    scores = np.array([score for score, _ in pages])
    tokens = np.array([number for _, number in pages], np.int64)
    rows = histogram(scores, tokens)
    assert sum(row["pages"] for row in rows) == len(pages)
    assert sum(row["tokens"] for row in rows) == tokens.sum()
    assert [row["from"] for row in rows] == sorted(row["from"] for row in rows)
