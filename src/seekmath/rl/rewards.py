"""Rewards: the answer rule, the form, reward models, a user's function, and their weighted sum.

A sample whose reward cannot be had (an exception, None, NaN) gets no gradient and is counted.
"""

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

from seekmath.core.files import BadInput
from seekmath.core.functions import load_function
from seekmath.corpus.chat import prompt_text
from seekmath.corpus.steps import step_ends
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.rl.rollout import Judged, Sample
from seekmath.rl.settings import GrpoSettings
from seekmath.train.optimizer import pick_device
from seekmath.train.reward_model import (
    RewardModel,
    load_reward_model,
    score,
    score_steps,
)
from seekmath.verify.extract import extract_answer
from seekmath.verify.grade import Grade, grade

#: One number for each sample; NaN where the reward could not be had.
Reward = Callable[[list[Sample]], list[float]]

# Ways in which a writer marks an answer as one.
_MARKED = ("boxed", "hashes", "stated")


class Rewards:
    """The rewards of a run with their weights; call it on samples to have them judged."""

    def __init__(self, settings: GrpoSettings, tokenizer: Tokenizer) -> None:
        self._weights = settings.reward_weights
        self._settings, self._tokenizer = settings, tokenizer
        device = str(pick_device(settings.device))
        #: Reward models in use, by the name of their setting; Algorithm 1 trains them on.
        self.models = {
            name: load_reward_model(folder, device)
            for name in ("reward_model", "process_model")
            if (folder := getattr(settings, name))
        }
        self._others: dict[str, Reward] = {}
        if "model" in self._weights:
            self._others["model"] = model_reward(self.models["reward_model"])
        if "function" in self._weights:
            self._others["function"] = function_reward(settings.reward, settings.reward_name)

    def __call__(self, samples: list[Sample]) -> list[Judged]:
        """Judge every sample: all rewards in the order of their names, and the weighted sum."""
        grades = [_grade(sample) for sample in samples]
        columns: list[list[float]] = []
        for name in self._weights:
            if name == "answer":
                columns.append([_from_verdict(judged) for judged in grades])
            elif name == "format":
                columns.append([format_reward(sample) for sample in samples])
            elif name == "length":
                longest = self._settings.max_new_tokens
                columns.append([length_reward(sample, longest) for sample in samples])
            else:
                columns.append(self._others[name](samples))
        ends = [step_ends(self._tokenizer, sample.completion.token_ids) for sample in samples]
        steps: list[list[float]] = [[] for _ in samples]
        if "process_model" in self.models:
            steps = process_rewards(self.models["process_model"], samples, ends)
        return [
            self._judged(
                sample, grades[row], [column[row] for column in columns], ends[row], steps[row]
            )
            for row, sample in enumerate(samples)
        ]

    def _judged(
        self,
        sample: Sample,
        judged: Grade | Exception,
        rewards: list[float],
        ends: list[int],
        step_rewards: list[float],
    ) -> Judged:
        weights = self._weights.values()
        total = math.fsum(weight * value for weight, value in zip(weights, rewards, strict=True))
        if self._settings.truncated == "punish" and sample.completion.stop_reason == "length":
            total -= 1.0
        if isinstance(judged, Exception):
            reason = f"error: {judged!r}"
            return Judged(sample, total, rewards, None, None, reason, ends, step_rewards)
        told = (judged.verdict, judged.extracted, judged.reason)
        return Judged(sample, total, rewards, *told, ends, step_rewards)


def _grade(sample: Sample) -> Grade | Exception:
    try:
        return grade(
            sample.question.answer,
            sample.text,
            choices=sample.question.columns.get("choices") or None,
            strict=True,
        )
    except Exception as error:  # one odd output must not end a run of days
        return error


def _from_verdict(judged: Grade | Exception) -> float:
    """One for a right answer, zero for a wrong one; a gold answer nobody can read tells nothing."""
    if isinstance(judged, Exception) or judged.verdict is None:
        return math.nan
    return float(judged.verdict)


def format_reward(sample: Sample) -> float:
    """One for an output that ends by itself and marks its answer (``####``, a box, …)."""
    found = extract_answer(sample.text, sample.question.columns.get("choices") or None)
    return float(found.how in _MARKED and sample.completion.stop_reason == "stop")


def length_reward(sample: Sample, longest: int) -> float:
    """One for an empty output, falling to zero for one as long as may be."""
    return 1.0 - len(sample.completion.token_ids) / longest


def process_rewards(
    model: RewardModel, samples: list[Sample], ends: list[list[int]]
) -> list[list[float]]:
    """The probability that a process reward model gives to each step, in [0, 1] (4.1.3)."""
    texts = [one.question.prompt_ids + one.completion.token_ids for one in samples]
    starts = [len(one.question.prompt_ids) for one in samples]
    places = [[start + end for end in one] for start, one in zip(starts, ends, strict=True)]
    return [scores.sigmoid().tolist() for scores in score_steps(model, texts, places)]


def model_reward(model: RewardModel) -> Reward:
    """The probability that an outcome reward model gives to "right", in [0, 1].

    The probability rather than the logit, so that it can be weighed against other rewards.
    """

    def reward(samples: list[Sample]) -> list[float]:
        texts = [one.question.prompt_ids + one.completion.token_ids for one in samples]
        return score(model, texts).sigmoid().tolist()

    return reward


def function_reward(path: str, name: str) -> Reward:
    """A user's function ``(prompts, completions, **columns) -> list of numbers``.

    Each column of the problems' file comes as a list with one entry per completion, as in TRL.
    Where a call on all samples fails, each sample is tried by itself.

    Raises:
        BadInput: the file or the function is not there, or the function fails on every sample or
            returns another number of rewards.
    """
    function = load_function(path, name, hint="; name it with reward_name")
    accepted = inspect.signature(function).parameters.values()
    takes_all = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in accepted)
    names = {one.name for one in accepted}

    def call(samples: Sequence[Sample]) -> list[float]:
        given = _arguments(samples)
        found = function(**{k: v for k, v in given.items() if takes_all or k in names})
        is_list = isinstance(found, Sequence) and not isinstance(found, str)
        if not is_list or len(found) != len(samples):
            raise BadInput(
                f"{path}: {name}: returned {_described(found)}; needed: a list of"
                f" {len(samples)} numbers, one per completion"
            )
        return [_finite(value) for value in found]

    def reward(samples: list[Sample]) -> list[float]:
        try:
            return call(samples)
        except BadInput:
            raise
        except Exception:  # whatever a user's code raises costs the samples that raise it
            values, errors = zip(*(_alone(call, sample) for sample in samples), strict=True)
        if all(errors):
            raise BadInput(f"{path}: {name}: fails on every sample: {errors[0]!r}")
        return list(values)

    return reward


def _alone(
    call: Callable[[Sequence[Sample]], list[float]], sample: Sample
) -> tuple[float, Exception | None]:
    try:
        return call([sample])[0], None
    except BadInput:
        raise
    except Exception as error:
        return math.nan, error


def _arguments(samples: Sequence[Sample]) -> dict[str, list[Any]]:
    # Lines of one file may differ in their columns: a missing one is None.
    names = dict.fromkeys(key for sample in samples for key in sample.question.columns)
    columns = {key: [sample.question.columns.get(key) for sample in samples] for key in names}
    return {
        **columns,
        "prompts": [prompt_text(sample.question.text) for sample in samples],
        "completions": [sample.text for sample in samples],
    }


def _finite(value: Any) -> float:
    number = math.nan if value is None else float(value)
    return number if math.isfinite(number) else math.nan


def _described(value: Any) -> str:
    return f"{len(value)} values" if isinstance(value, list) else type(value).__name__
