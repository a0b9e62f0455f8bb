"""Verdicts: a law for each kind of claim, and what must never be told."""

import math

from hypothesis import given
from hypothesis import strategies as st

from seekmath.reproduce.claims import Claim, judge

ABOVE = Claim("", "a", "m", "b")
BELOW = Claim("", "b", "m", "a")
NOT_ABOVE = Claim("", "a", "m", "b", "not above", 0.02)
shares = st.floats(0, 1, allow_nan=False)
seeds_of_both = st.integers(2, 5).flatmap(
    lambda n: st.lists(
        st.lists(st.tuples(shares, shares), min_size=4, max_size=4), min_size=n, max_size=n
    )
)


def measured(pairs):
    ours, other = zip(*pairs, strict=True)
    return {
        "a": {"m": {str(place): value for place, value in enumerate(ours)}},
        "b": {"m": {str(place): value for place, value in enumerate(other)}},
    }


@given(seeds_of_both)
def test_a_claim_holds_where_its_opposite_does_not(rows):
    seeds = [measured(pairs) for pairs in rows]
    there, back = judge(ABOVE, seeds), judge(BELOW, seeds)
    opposite = {"holds": "does not hold", "does not hold": "holds"}
    assert back["verdict"] == opposite.get(there["verdict"], "cannot be told")
    assert math.isclose(there["mean"], -back["mean"], abs_tol=1e-12)


@given(seeds_of_both)
def test_an_interval_that_holds_zero_tells_nothing_of_a_rise(rows):
    found = judge(ABOVE, [measured(pairs) for pairs in rows])
    ends = [found["over_seeds"], found["over_problems"]]
    if any(low <= 0 <= high for low, high in ends):
        assert found["verdict"] == "cannot be told"


def test_a_single_seed_never_tells():
    found = judge(ABOVE, [measured([(1.0, 0.0)] * 8)])
    assert found["verdict"] == "cannot be told"


def test_seeds_that_agree_on_some_problems_and_not_on_others():
    # The same mean in each seed, but only because two problems of four rose.
    seeds = [measured([(1.0, 0.0), (1.0, 0.0), (0.0, 0.0), (0.0, 0.0)])] * 3
    found = judge(ABOVE, seeds)
    assert found["over_seeds"] == (0.5, 0.5)
    assert found["over_problems"][0] == 0.0  # a resample may hold none of the two
    assert found["verdict"] == "cannot be told"


def test_no_rise_is_told_only_within_the_margin():
    flat = [measured([(0.5, 0.5)] * 10)] * 3
    assert judge(NOT_ABOVE, flat)["verdict"] == "holds"
    risen = [measured([(0.6, 0.5)] * 10)] * 3
    assert judge(NOT_ABOVE, risen)["verdict"] == "does not hold"
    little = [measured([(0.51, 0.5)] * 10)] * 3
    assert judge(NOT_ABOVE, little)["verdict"] == "holds"


def test_a_claim_against_a_fixed_value():
    claim = Claim("", "a", "m", 0.9)
    seeds = [{"a": {"m": {"": value}}} for value in (0.95, 0.96, 0.97)]
    found = judge(claim, seeds)
    assert found["verdict"] == "holds"
    assert found["over_problems"] is None


def test_problems_without_a_value_in_one_arm_are_left_out():
    seeds = [{"a": {"m": {"1": 1.0, "2": 1.0}}, "b": {"m": {"1": 0.0}}}] * 2
    assert judge(ABOVE, seeds)["by_seed"] == [1.0, 1.0]


def test_two_arms_that_can_do_nothing_tell_nothing():
    floor = [measured([(0.0, 0.0)] * 10)] * 3
    assert judge(NOT_ABOVE, floor)["verdict"] == "cannot be told"
