"""Rewards: the answer rule, form, length, programs, reward models, a user's function; their sum.

A sample whose reward cannot be had (an exception, a time-out, None, NaN, a sandbox that failed)
gets no gradient and is counted.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from seekmath.corpus.steps import step_ends
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.rl.reward_function import FunctionReward
from seekmath.rl.rollout import Judged, Sample
from seekmath.rl.settings import GrpoSettings
from seekmath.train.optimizer import pick_device
from seekmath.train.reward_model import (
    RewardModel,
    load_reward_model,
    score,
    score_steps,
)
from seekmath.verify.execution import Execution, Program
from seekmath.verify.extract import extract_answer
from seekmath.verify.grade import Grade, grade
from seekmath.verify.python_tool import any_program, last_output, result_of

#: Executes programs, in order.
Run = Callable[[list[Program]], list[Execution]]

# Ways in which a writer marks an answer as one.
_MARKED = ("boxed", "hashes", "stated")
SANDBOX_FAILED = "the sandbox failed"


@dataclass
class _Sheet:
    """What is known of some samples: verdicts, steps, rewards by name, and what went wrong."""

    samples: list[Sample]
    grades: list[Grade | Exception]
    ends: list[list[int]]
    step_rewards: list[list[float]]
    rewards: dict[str, list[float]] = field(default_factory=dict)
    faults: dict[int, str] = field(default_factory=dict)


class Rewards:
    """The rewards of a run with their weights; call it on samples to have them judged.

    Args:
        settings: which rewards, with which weights.
        tokenizer: tells where steps end.
        run: executes programs, where a reward or the policy asks for it.
    """

    def __init__(
        self, settings: GrpoSettings, tokenizer: Tokenizer, run: Run | None = None
    ) -> None:
        self._weights = settings.reward_weights
        self._settings, self._tokenizer, self._run = settings, tokenizer, run
        device = str(pick_device(settings.device))
        #: Reward models in use, by the name of their setting; Algorithm 1 trains them on.
        self.models = {
            name: load_reward_model(folder, device)
            for name in ("reward_model", "process_model")
            if (folder := getattr(settings, name))
        }
        self._function = (
            FunctionReward(settings.reward, settings.reward_name, settings.reward_timeout_s)
            if "function" in self._weights
            else None
        )

    def close(self) -> None:
        """End the process of the user's function."""
        if self._function:
            self._function.close()

    def __call__(self, samples: list[Sample]) -> list[Judged]:
        """Judge every sample: all rewards in the order of their names, and the weighted sum."""
        ends = [_written_ends(self._tokenizer, sample) for sample in samples]
        steps: list[list[float]] = [[] for _ in samples]
        if "process_model" in self.models:
            steps = process_rewards(self.models["process_model"], samples, ends)
        sheet = _Sheet(samples, [_grade(sample) for sample in samples], ends, steps)
        for row, sample in enumerate(samples):
            if any(execution.status == "unrun" for execution in sample.executions):
                sheet.faults[row] = SANDBOX_FAILED
        for name in self._weights:
            sheet.rewards[name] = self._column(name, sheet)
        return [self._judged(sheet, row) for row in range(len(samples))]

    def _column(self, name: str, sheet: _Sheet) -> list[float]:
        """The reward ``name`` of every sample."""
        samples = sheet.samples
        if name == "answer":
            return [_from_verdict(judged) for judged in sheet.grades]
        if name == "format":
            return [format_reward(sample) for sample in samples]
        if name == "length":
            return [length_reward(sample, self._settings.max_new_tokens) for sample in samples]
        if name == "process":
            return [min(steps, default=math.nan) for steps in sheet.step_rewards]
        if name == "model":
            return model_rewards(self.models["reward_model"], samples)
        if name == "code":
            assert self._run
            return code_rewards(samples, self._settings.mode, self._run)
        assert self._function
        values = self._function(samples)
        sheet.faults |= self._function.faults
        return values

    def _judged(self, sheet: _Sheet, row: int) -> Judged:
        sample, judged = sheet.samples[row], sheet.grades[row]
        rewards = [column[row] for column in sheet.rewards.values()]
        weights = self._weights.values()
        total = math.fsum(weight * value for weight, value in zip(weights, rewards, strict=True))
        if self._settings.truncated == "punish" and sample.completion.stop_reason != "stop":
            total -= 1.0
        fault = sheet.faults.get(row, "")
        if fault == SANDBOX_FAILED:
            total = math.nan
        told: tuple[bool | None, str | None, str]
        if isinstance(judged, Exception):
            told = (None, None, f"error: {judged!r}")
        else:
            told = (judged.verdict, judged.extracted, judged.reason)
        return Judged(
            sample, total, rewards, *told, sheet.ends[row], sheet.step_rewards[row], fault
        )


def _written_ends(tokenizer: Tokenizer, sample: Sample) -> list[int]:
    """Ends of the steps that the policy wrote; lines that only a tool wrote are none."""
    ends = step_ends(tokenizer, sample.completion.token_ids)
    return [end for end in ends if sample.written[end]]


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


def code_rewards(samples: list[Sample], mode: str, run: Run) -> list[float]:
    """One where the program of an output comes to the answer, else zero.

    Of tool-integrated reasoning the last output counts, which was run already; otherwise the
    output's program is run. NaN where the sandbox failed, or the gold answer cannot be read.
    """
    if mode == "tool":
        return [_by_result(sample, last_output(sample.text)) for sample in samples]
    programs = [any_program(sample.text) for sample in samples]
    executions = iter(run([program for program in programs if program]))
    found = []
    for sample, program in zip(samples, programs, strict=True):
        execution = next(executions) if program else None
        if program is None or execution is None:
            found.append(0.0)
        elif execution.status == "unrun":
            found.append(math.nan)
        else:
            ok = execution.status == "ok"
            found.append(_by_result(sample, result_of(program, execution) if ok else None))
    return found


def _by_result(sample: Sample, result: str | None) -> float:
    if not result:
        return 0.0
    choices = sample.question.columns.get("choices") or None
    return _from_verdict(grade(sample.question.answer, result, choices=choices, strict=True))


def process_rewards(
    model: RewardModel, samples: list[Sample], ends: list[list[int]]
) -> list[list[float]]:
    """The probability that a process reward model gives to each step, in [0, 1] (4.1.3)."""
    texts = [one.question.prompt_ids + one.completion.token_ids for one in samples]
    starts = [len(one.question.prompt_ids) for one in samples]
    places = [[start + end for end in one] for start, one in zip(starts, ends, strict=True)]
    return [scores.sigmoid().tolist() for scores in score_steps(model, texts, places)]


def model_rewards(model: RewardModel, samples: list[Sample]) -> list[float]:
    """The probability that an outcome reward model gives to "right", in [0, 1].

    The probability rather than the logit, so that it can be weighed against other rewards. A model
    of preferences gives its logit: only differences within a group mean anything.
    """
    texts = [one.question.prompt_ids + one.completion.token_ids for one in samples]
    logits = score(model, texts)
    return (logits if model.kind == "preference" else logits.sigmoid()).tolist()
