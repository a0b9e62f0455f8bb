"""Answering: what is asked of a model, a server or a file, and what comes back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from seekmath.evaluate.prompts import Prompt
from seekmath.evaluate.settings import EvaluateSettings
from seekmath.verify.execution import Execution, Program

#: k of the greedy answer; samples count from 0.
GREEDY = -1

Run = Callable[[list[Program]], list[Execution]]


@dataclass(frozen=True)
class Ask:
    """One completion that is wanted: sample ``k`` of a problem, or its greedy answer."""

    problem_id: str
    k: int
    prompt: Prompt


@dataclass(frozen=True)
class Reply:
    """One completion.

    Attributes:
        text: what was written, tool output among it.
        tokens: how many tokens the model wrote; None where it is not known.
        stop_reason: "stop", "length", or why there is no answer.
        token_ids: the tokens, where the native sampler drew them in one go.
        logprobs: of each, in nats.
        executions: the programs that ran for it.
        scores: a reward model's, where they were recorded.
    """

    text: str
    tokens: int | None
    stop_reason: str
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    executions: tuple[Execution, ...] = ()
    scores: tuple[float, ...] = ()


Keep = Callable[[Ask, Reply], None]


class Answerer(Protocol):
    """A model, a server or a file that answers."""

    def ks(self, problem_id: str, sampled: bool) -> list[int]:
        """Which answers of a problem there are to be: ``GREEDY`` and sample numbers."""

    def answer(self, asks: list[Ask], keep: Keep) -> None:
        """Answer each ask; ``keep`` is called as soon as one is finished, in any order."""


def wanted_ks(settings: EvaluateSettings, sampled: bool) -> list[int]:
    """The greedy answer, and K samples where they are wanted."""
    return [GREEDY, *range(settings.samples if sampled else 0)]
