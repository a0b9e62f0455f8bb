"""Exploration: the policy answers each question G times (paper, Algorithm 1, line 7)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from seekmath.core.seeds import derive
from seekmath.corpus.chat import prompt_text
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.model.decoder import Decoder
from seekmath.model.sampler import Completion, sample
from seekmath.rl.questions import Question
from seekmath.rl.settings import GrpoSettings
from seekmath.verify.execution import Execution

#: What draws completions: ``model.sampler.sample``, or one that takes its place.
Draw = Callable[..., list[list[Completion]]]


@dataclass(frozen=True)
class Sample:
    """The ``k``-th output for a question; ``text`` is what rewards read.

    Attributes:
        question: what was asked.
        k: number of the output among those of its question.
        completion: all tokens of the output; those of a tool have a log-probability of zero.
        text: what rewards read.
        by_tool: for each token whether a tool wrote it; empty where no tool took part.
        executions: the programs that ran for it.
    """

    question: Question
    k: int
    completion: Completion
    text: str
    by_tool: list[bool] = field(default_factory=list)
    executions: tuple[Execution, ...] = ()

    @property
    def written(self) -> list[bool]:
        """For each token whether the policy wrote it: only those are learned from."""
        if self.by_tool:
            return [not tool for tool in self.by_tool]
        return [True] * len(self.completion.token_ids)


@dataclass(frozen=True)
class Judged:
    """A sample with what it earned: each reward, their weighted sum, the rule's verdict.

    ``total`` and a reward that could not be had are NaN. ``step_ends`` index the last token of
    each step; ``step_rewards`` are there with process supervision only; ``fault`` says why a
    reward could not be had, where that is known.
    """

    sample: Sample
    total: float
    rewards: list[float]
    verdict: bool | None
    extracted: str | None
    reason: str
    step_ends: list[int] = field(default_factory=list)
    step_rewards: list[float] = field(default_factory=list)
    fault: str = ""


def roll_out(
    policy: Decoder,
    tokenizer: Tokenizer,
    questions: list[Question],
    settings: GrpoSettings,
    seed: int,
    places: list[int] | None = None,
    draw: Draw = sample,
) -> list[list[Sample]]:
    """Sample a group for each question, as [question][k].

    ``seed`` is that of the step; with the ``places`` of the questions in the step (0, 1, … by
    default) it decides every draw, whichever of them are asked here.
    """
    assert tokenizer.eos_id is not None
    groups = draw(
        policy,
        [question.prompt_ids for question in questions],
        n=settings.group_size,
        max_new_tokens=settings.max_new_tokens,
        temperature=settings.temperature,
        top_p=settings.top_p,
        stop_ids={tokenizer.eos_id},
        seed=derive(seed, "rollout"),
        prompt_keys=places,
        max_rows=settings.sampler_rows,
    )
    return [
        [
            Sample(question, k, done, tokenizer.decode(done.token_ids))
            for k, done in enumerate(group)
        ]
        for question, group in zip(questions, groups, strict=True)
    ]


def record(judged: Judged, advantage: list[float]) -> dict[str, Any]:
    """A row of ``rollouts/*.parquet`` (schema SAMPLE); ``advantage`` has one value per token."""
    drawn = judged.sample
    return {
        "problem_id": drawn.question.id,
        "benchmark": "",
        "k": drawn.k,
        "prompt": prompt_text(drawn.question.text),
        "completion": drawn.text,
        "token_ids": drawn.completion.token_ids,
        "logprobs": drawn.completion.logprobs,
        "by_tool": drawn.by_tool or None,
        "stop_reason": drawn.completion.stop_reason,
        "extracted": judged.extracted,
        "verdict": judged.verdict,
        "reason": f"{judged.reason}; {judged.fault}" if judged.fault else judged.reason,
        "gold": drawn.question.answer,
        "rewards": judged.rewards,
        "step_ends": judged.step_ends,
        "step_rewards": judged.step_rewards,
        "advantages": advantage,
    }
