"""Alarms follow from the logged lines, and a run that has diverged ends."""

import pytest
from pydantic import ValidationError

from seekmath.rl.alarms import Diverged, alarms, check
from seekmath.rl.settings import GrpoSettings


def given(**changes: object) -> GrpoSettings:
    return GrpoSettings(model="m", problems="p", **changes)


def lines(count: int, **last: object) -> list[dict]:
    """A calm run, then twelve steps that differ from it."""
    calm = {
        "reward_mean": 0.2,
        "right": 0.2,
        "kl": 0.01,
        "entropy": 0.5,
        "completion_length": 40.0,
        "truncated": 1,
        "completions": 64,
        "logprob_gap": 1e-6,
        "skipped": None,
        "alarms": None,
    }
    odd = [{**calm, **last}] * 12 if last else []
    return [{"step": n + 1, **line} for n, line in enumerate([calm] * count + odd)]


def test_a_calm_run_raises_none():
    for count in (1, 5, 30):
        assert alarms(lines(count), given()) == {}


@pytest.mark.parametrize(
    ("last", "name", "words"),
    [
        ({"kl": 1.5}, "kl", "1.50 nats"),
        ({"entropy": 0.04}, "entropy", "8%"),
        ({"completion_length": 200.0}, "length", "5 times"),
        ({"completion_length": 10.0}, "length", "0.25 times"),
        ({"truncated": 48}, "truncated", "75%"),
        ({"reward_mean": 0.4, "right": 0.05}, "exploited", "from 20.0% to 5.0%"),
        ({"step_reward_mean": 0.4, "right": 0.05}, None, ""),
        ({"reward_mean": 0.1, "right": 0.05}, None, ""),
        ({"logprob_gap": 0.7}, "logprob_gap", "0.7 nats"),
        ({"logprob_gap": float("nan")}, "logprob_gap", "nan nats"),
    ],
)
def test_each_alarm_says_what_is_wrong(last, name, words):
    found = alarms(lines(20, **last), given())
    assert list(found) == ([name] if name else [])
    assert words in found.get(name, "")


def test_thresholds_are_settings():
    odd = lines(20, kl=1.5, entropy=0.04)
    assert alarms(odd, given(most_kl=2.0, least_entropy=0.0)) == {}


def test_one_odd_step_is_no_alarm():
    run = [*lines(20), {**lines(1)[0], "step": 21, "kl": 4.0, "completion_length": 300.0}]
    assert alarms(run, given()) == {}


def test_steps_without_a_number_are_left_out():
    assert alarms(lines(20, kl=None, entropy=None, logprob_gap=None), given()) == {}


def test_a_run_ends_on_the_alarms_that_are_named():
    odd = lines(20, kl=1.5)
    odd[-1]["alarms"] = "kl"
    check(odd, given())
    check(odd, given(stop_on=["entropy"]))
    with pytest.raises(Diverged, match="step 32: KL to the reference"):
        check(odd, given(stop_on=["kl"]))


def test_a_run_ends_after_some_steps_without_update():
    few, many = lines(20), lines(20)
    for line in few[-4:]:
        line["skipped"] = "the loss is nan"
    check(few, given(most_skipped=5))
    for line in many[-5:]:
        line["skipped"] = "the loss is nan"
    with pytest.raises(Diverged, match="steps 16 to 20 made no update: the loss is nan"):
        check(many, given(most_skipped=5))


def test_an_unknown_alarm_is_refused():
    with pytest.raises(ValidationError, match="did you mean 'entropy'"):
        given(stop_on=["entropi"])
