import math

import pytest

from seekmath.train.guard import Guard
from seekmath.train.settings import LoopSettings

SETTINGS = LoopSettings(peak_lr=1.0, spike_sigma=6, most_skips=3)


def steady(guard, count=128):
    """``count`` losses and norms around 2 with deviation 0.1."""
    for number in range(count):
        assert guard.objection(2 + 0.1 * (-1) ** number, 2 + 0.1 * (-1) ** number) == ""


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_no_number_is_skipped_from_the_first_step(bad):
    guard = Guard(SETTINGS)
    assert guard.objection(bad, 1.0) == f"loss {bad}"
    assert guard.objection(1.0, bad) == f"gradient norm {bad}"
    assert not guard.lost
    assert guard.objection(1.0, 1.0) == ""
    assert (guard.in_a_row, guard.skipped) == (0, 2)


def test_six_deviations_above_the_last_128_are_a_spike():
    guard = Guard(SETTINGS)
    steady(guard)
    assert guard.objection(2.59, 2.0) == ""
    assert guard.objection(2.0, 4.0).startswith("gradient norm 4 after 1.999 ± 0.1")
    assert guard.objection(-50.0, 0.0) == ""


def test_a_gradient_that_clipping_leaves_alone_is_no_spike():
    guard = Guard(LoopSettings(peak_lr=1.0, clip_norm=4.0))
    steady(guard)
    assert guard.objection(2.0, 4.0) == ""
    assert guard.objection(2.0, 5.0).startswith("gradient norm 5 after")
    assert guard.objection(3.5, 2.0).startswith("loss 3.5 after")


def test_few_steps_judge_no_spike_and_new_data_begins_anew():
    guard = Guard(SETTINGS)
    steady(guard, 127)
    assert guard.objection(90.0, 2.0) == ""
    guard.forget()
    steady(guard, 100)
    assert guard.objection(90.0, 2.0) == ""


def test_a_change_for_good_is_soon_no_spike():
    guard = Guard(LoopSettings(peak_lr=1.0, most_skips=10))
    steady(guard)
    skipped = [bool(guard.objection(3.0 + 0.01 * n, 2.0)) for n in range(20)]
    assert skipped[0]
    assert not any(skipped[10:])
    assert not guard.lost


def test_after_too_many_in_a_row_it_is_lost_and_its_facts_tell_all():
    guard = Guard(SETTINGS)
    steady(guard)
    for _ in range(2):
        assert guard.objection(math.nan, 1.0)
    again = Guard(SETTINGS, guard.facts)
    assert again.facts == guard.facts
    assert not again.lost
    assert again.objection(1e9, 1.0)
    assert again.lost
