"""Rewards: rule, form, a user's function with all its ways to fail, and weighted sums."""

import math

import pytest
from pydantic import ValidationError

from seekmath.core.files import BadInput
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.model.sampler import Completion
from seekmath.rl.questions import Question
from seekmath.rl.reward_function import FunctionReward
from seekmath.rl.rollout import Sample
from seekmath.rl.settings import GrpoSettings
from seekmath.rl.trainer import opened_rewards
from seekmath.verify.sandbox import NoIsolation, Sandbox


def sampled(text: str, answer: str = "12", ended: bool = True, **columns: object) -> Sample:
    row = {"question": "q", "answer": answer, **columns}
    done = Completion([1, 2], [-0.5, -0.5], "stop" if ended else "length")
    return Sample(Question("id", "q", answer, [3], row), 0, done, text)


def judge(samples: list[Sample], **changes: object):
    settings = GrpoSettings(model="m", problems="p", **changes)
    with opened_rewards(settings, Tokenizer.train(["12 + 3 = 15\n#### 15"] * 3, 270)) as (
        rewards,
        _,
    ):
        return rewards(samples)


@pytest.fixture
def function_reward():
    """Makes rewards of a user's function; their processes end with the test."""
    made = []

    def make(path: str, name: str = "reward", timeout_s: float = 60.0) -> FunctionReward:
        made.append(FunctionReward(path, name, timeout_s))
        return made[-1]

    yield make
    for one in made:
        one.close()


def function(tmp_path, body: str, signature: str = "prompts, completions, **columns"):
    path = tmp_path / "mine.py"
    path.write_text(f"def reward({signature}):\n    {body}\n")
    return str(path)


def test_the_rule_rewards_right_answers_only():
    texts = ["3 * 4 = 12\n#### 12", "#### 13", "no idea", "#### 12 or 13"]
    found = judge([sampled(text) for text in texts])
    assert [one.total for one in found] == [1.0, 0.0, 0.0, 0.0]
    assert [one.verdict for one in found] == [True, False, False, False]
    assert found[1].extracted == "13"


def test_a_gold_answer_nobody_can_read_gives_no_reward():
    (found,) = judge([sampled("#### 12", answer="")])
    assert math.isnan(found.total)


def test_form_needs_a_marked_answer_and_an_end():
    samples = [sampled("#### 1"), sampled("it is 1, so yes" * 9), sampled("#### 1", ended=False)]
    assert [one.total for one in judge(samples, rewards={"format": 1.0})] == [1.0, 0.0, 0.0]


def test_rewards_are_summed_with_their_weights(tmp_path):
    path = function(tmp_path, "return [len(c) for c in completions]")
    weights = {"function": 0.5, "answer": 2.0, "format": -1.0}
    (found,) = judge([sampled("#### 12")], rewards=weights, reward=path)
    assert found.rewards == [1.0, 1.0, 7.0]  # answer, format, function
    assert found.total == 2.0 - 1.0 + 3.5


def test_a_function_gets_prompts_completions_and_columns(function_reward, tmp_path):
    body = (
        "assert prompts == ['User: q\\n\\nAssistant:'] * 2; "
        "return [a + b for a, b in zip(level, columns['x'])]"
    )
    path = function(tmp_path, body, "prompts, level, **columns")
    found = function_reward(path, "reward")([sampled("", level=1, x=5), sampled("", level=2, x=6)])
    assert found == [6.0, 8.0]


def test_a_function_may_take_only_what_it_needs(function_reward, tmp_path):
    path = function(tmp_path, "return [1 for _ in completions]", "completions")
    assert function_reward(path, "reward")([sampled("a")]) == [1.0]


def test_a_sample_that_fails_is_the_only_one_to_lose(function_reward, tmp_path):
    body = (
        "return [{'0': None, '1': float('inf')}.get(c, 0) if c < '2' else 1 / (int(c) - 2)"
        " for c in completions]"
    )
    found = function_reward(function(tmp_path, body), "reward")(
        [sampled(text) for text in ("0", "1", "2", "3", "x")]
    )
    assert [math.isnan(value) for value in found] == [True, True, True, False, True]
    assert found[3] == 1.0


def test_a_function_that_hangs_costs_the_samples_it_hangs_on(function_reward, tmp_path):
    body = (
        "import time; [time.sleep(600) for c in completions if c == 'slow'];"
        " return [len(c) for c in completions]"
    )
    reward = function_reward(function(tmp_path, body), timeout_s=3.0)
    found = reward([sampled(text) for text in ("a", "slow", "abc")])
    assert [found[0], found[2]] == [1.0, 3.0]
    assert math.isnan(found[1])
    assert reward.faults == {1: "timeout"}
    # Killed and begun anew, it serves the next step.
    assert reward([sampled("ab")]) == [2.0]
    assert reward.faults == {}


def test_a_function_deaf_to_signals_is_killed_as_well(function_reward, tmp_path):
    # A search that backtracks for ever holds the interpreter: no thread and no alarm gets through.
    body = "import re; return [bool(re.match('(a*)*b', c * 60)) for c in completions]"
    reward = function_reward(function(tmp_path, body), timeout_s=1.0)
    assert reward([sampled("b")]) == [1.0]
    assert [math.isnan(value) for value in reward([sampled("b"), sampled("a")])] == [False, True]


def test_a_function_that_ends_its_process_costs_one_sample(function_reward, tmp_path):
    body = "import os; ['x' in completions and os._exit(3)]; return [1] * len(completions)"
    reward = function_reward(function(tmp_path, body))
    found = reward([sampled("a"), sampled("x"), sampled("b")])
    assert found[::2] == [1.0, 1.0]
    assert reward.faults == {1: "its process ended with code 3"}


def test_time_for_one_by_one_is_bounded_too(function_reward, tmp_path):
    body = (
        "import time; time.sleep(600 if 'slow' in completions else 0);"
        " return [1] * len(completions)"
    )
    reward = function_reward(function(tmp_path, body), timeout_s=1.5)
    assert reward([sampled("a")]) == [1.0]
    found = reward([sampled("slow")] * 30 + [sampled("a")])
    assert all(math.isnan(value) for value in found)
    assert len(reward.faults) == 31


def test_what_a_function_prints_disturbs_nothing(function_reward, tmp_path, capfd):
    body = "print('{}', flush=True); return [input.__name__ == 'input'] * len(completions)"
    assert function_reward(function(tmp_path, body))([sampled("a")]) == [1.0]
    assert "{}" in capfd.readouterr().err


def test_programs_are_run_and_their_result_is_judged():
    texts = [
        "```python\nprint(3 * 4)\n```",
        "def solution():\n    return 12",
        "```python\nprint(13)\n```",
        "```python\nwhile 1 print\n```",
        "",
    ]
    try:
        with Sandbox():
            pass
    except NoIsolation as error:
        pytest.skip(str(error))
    found = judge([sampled(text) for text in texts], rewards={"code": 1.0})
    assert [one.total for one in found] == [1.0, 1.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise KeyError('gold')", "fails on every sample: KeyError"),
        ("return [1.0, 2.0]", "returned 2 values; needed: a list of 1 numbers"),
        ("return 'a'", "returned str"),
    ],
)
def test_a_function_that_cannot_work_is_refused(function_reward, tmp_path, body, words):
    with pytest.raises(BadInput, match=words):
        function_reward(function(tmp_path, body), "reward")([sampled("a")])


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("none.py", None, "no such file"),
        ("bad.py", "def (", "fails when it is loaded"),
        ("other.py", "x = 1", "has no function 'reward'"),
        ("reward.txt", "x = 1", "must end in .py"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(function_reward, tmp_path, name, text, words):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(BadInput, match=words):
        function_reward(str(tmp_path / name), "reward")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rewards": {"anwser": 1.0}}, "found 'anwser' .did you mean 'answer'"),
        ({"rewards": {"model": 1.0}}, "reward_model is not set"),
    ],
)
def test_weights_without_their_reward_are_refused(changes, words):
    with pytest.raises(ValidationError, match=words):
        GrpoSettings(model="m", problems="p", **changes)


def test_weights_follow_from_what_is_given():
    given = {"reward": "r.py", "reward_model": "rm"}
    assert GrpoSettings(model="m", problems="p").reward_weights == {"answer": 1.0}
    assert GrpoSettings(model="m", problems="p", **given).reward_weights == {
        "model": 1.0,
        "function": 1.0,
    }
