"""Group-relative advantages against the formula in plain Python, and their laws."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seekmath.rl.advantages import outcome_advantages

REWARDS = arrays(np.float64, (3, 5), elements=st.floats(-3, 3).map(lambda x: round(x, 2)))


@pytest.mark.parametrize(
    ("std", "deviation"), [("population", statistics.pstdev), ("sample", statistics.stdev)]
)
@given(REWARDS)
def test_advantages_are_the_rewards_standardised_in_their_group(std, deviation, reward_QG):
    found = outcome_advantages(reward_QG, std=std)
    flat = 0
    for group, advantages in zip(reward_QG.tolist(), found.value_QG.tolist(), strict=True):
        if len(set(group)) == 1:
            flat += 1
            assert advantages == [0.0] * len(group)
        else:
            expected = [(r - statistics.mean(group)) / deviation(group) for r in group]
            assert advantages == pytest.approx(expected, abs=1e-9)
    assert found.zero_variance_groups == flat


@given(REWARDS, st.floats(0.1, 9), st.floats(-9, 9))
def test_scale_and_offset_of_the_rewards_do_not_matter(reward_QG, scale, offset):
    once = outcome_advantages(reward_QG).value_QG
    again = outcome_advantages(scale * reward_QG + offset).value_QG
    np.testing.assert_allclose(once, again, atol=1e-7)


def test_a_missing_reward_takes_no_part():
    found = outcome_advantages(np.array([[1.0, math.nan, 0.0], [math.nan, math.nan, 2.0]]))
    assert found.value_QG.tolist() == [[1.0, 0.0, -1.0], [0.0, 0.0, 0.0]]
    assert found.zero_variance_groups == 1


def test_rounding_is_not_amplified():
    found = outcome_advantages(np.array([[0.3, 0.3 + 1e-9, 0.3 - 1e-9]]))
    assert not found.value_QG.any()
    assert found.zero_variance_groups == 1
