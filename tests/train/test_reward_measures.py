from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seekmath.train.reward_measures import area_under_curve, auc_within, best_of, calibration_error


def test_area_under_the_curve_counts_pairs():
    right = np.array([True, True, False, False])
    assert area_under_curve(np.array([3.0, 2.0, 1.0, 0.0]), right) == 1.0
    assert area_under_curve(np.array([0.0, 1.0, 2.0, 3.0]), right) == 0.0
    assert area_under_curve(np.array([1.0, 0.0, 1.0, 0.0]), right) == 0.5


def test_within_a_question_easy_ones_do_not_help():
    easy = np.array([8.0, 9.0, 9.0]), np.array([False, True, True])
    hard = np.array([1.0, 0.0]), np.array([False, True])
    one_sided = np.array([5.0, 5.0]), np.array([True, True])
    assert auc_within([easy, hard, one_sided]) == pytest.approx(2 / 3)
    assert auc_within([one_sided]) is None


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=1, max_size=7), st.data())
def test_best_of_k_is_the_mean_over_all_subsets(solutions, data):
    k = data.draw(st.integers(1, len(solutions)))
    chances = []
    for subset in combinations(solutions, k):
        top = max(score for _, score in subset)
        tied = [right for right, score in subset if score == top]
        chances.append(sum(tied) / len(tied))
    right, scores = zip(*solutions, strict=True)
    assert best_of(right, scores, k) == pytest.approx(sum(chances) / len(chances))


def test_calibration_is_the_gap_of_each_bin():
    probability = np.array([0.05, 0.05, 0.95, 0.95])
    assert calibration_error(probability, np.array([0, 0, 1, 1], bool)) == pytest.approx(0.05)
    assert calibration_error(probability, np.array([1, 1, 0, 0], bool)) == pytest.approx(0.95)
