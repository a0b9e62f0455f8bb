"""Group-relative advantages against the formula in plain Python, and their laws."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seekmath.rl.advantages import (
    generalised_advantages,
    outcome_advantages,
    process_advantages,
)

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


def plain_process(step_rewards, step_ends, lengths, counted):
    """Section 4.1.3, one number at a time."""
    every = [r for rewards in step_rewards for r in rewards]
    mean = sum(every) / len(every)
    deviation = math.sqrt(sum((r - mean) ** 2 for r in every) / len(every))
    return [
        [
            sum(
                (r - mean) / deviation
                for r, end in zip(rewards, ends, strict=True)
                if (end >= t if counted == "own" else end > t)
            )
            for t in range(length)
        ]
        for rewards, ends, length in zip(step_rewards, step_ends, lengths, strict=True)
    ]


@pytest.mark.parametrize("counted", ["own", "later"])
def test_process_advantages_are_those_of_the_paper(counted):
    rewards, ends = [[0.1, 0.9], [0.4], [0.2, 0.3, 0.8]], [[2, 5], [3], [0, 1, 4]]
    lengths = [6, 4, 5]
    found, equal = process_advantages(rewards, ends, lengths, counted=counted)
    expected = plain_process(rewards, ends, lengths, counted)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs)
    assert not equal


def test_equal_step_rewards_teach_nothing():
    found, equal = process_advantages([[0.5, 0.5], [0.5]], [[0, 2], [1]], [3, 2])
    assert equal
    assert found == [[0, 0, 0], [0, 0]]


def test_one_step_per_output_is_outcome_supervision():
    found, _ = process_advantages([[1.0], [0.0], [0.0]], [[2], [1], [3]], [3, 2, 4])
    expected = outcome_advantages(np.array([[1.0, 0.0, 0.0]])).value_QG[0]
    for values, one in zip(found, expected, strict=True):
        assert values == pytest.approx([one] * len(values))


@pytest.mark.parametrize(("discount", "smoothing"), [(1.0, 0.95), (0.9, 0.5), (1.0, 1.0)])
def test_gae_is_its_sum(discount, smoothing):
    rewards, values = [0.1, -0.2, 0.0, 1.0], [0.3, 0.5, -0.1, 0.7]
    deltas = [
        r + discount * after - v
        for r, v, after in zip(rewards, values, [*values[1:], 0.0], strict=True)
    ]
    expected = [
        sum((discount * smoothing) ** ahead * deltas[t + ahead] for ahead in range(4 - t))
        for t in range(4)
    ]
    advantages, returns = generalised_advantages(
        rewards, values, discount=discount, smoothing=smoothing
    )
    assert advantages == pytest.approx(expected)
    assert returns == pytest.approx([a + v for a, v in zip(expected, values, strict=True)])
