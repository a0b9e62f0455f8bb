"""Answering: the native sampler on a model folder, each completion graded as it comes."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from seekmath.core.seeds import derive
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.evaluate.benchmarks import Problem
from seekmath.evaluate.prompts import Shots, judged_part, prompt_ids, shown_prompt
from seekmath.evaluate.settings import EvaluateSettings
from seekmath.model.decoder import Decoder
from seekmath.model.folder import load_model
from seekmath.model.sampler import Completion, sample
from seekmath.verify.grade import grade

Row = dict[str, Any]  # one record of core.records.SAMPLE
#: k of the greedy answer; samples count from 0.
GREEDY = -1
# Completions asked for at once: many enough that ended rows always find a successor.
_AT_ONCE = 1024


class Answerer:
    """A model that is loaded when it is first asked."""

    def __init__(self, folder: str | Path, settings: EvaluateSettings, seed: int) -> None:
        self._folder, self._settings, self._seed = folder, settings, seed
        self._loaded: tuple[Decoder, Tokenizer] | None = None

    def answers(
        self,
        problems: list[Problem],
        shots: Shots,
        *,
        sampled: bool,
        progress: Callable[[int], None],
    ) -> Iterator[Row]:
        """Graded answers: one greedy answer, or K samples, of each problem in order.

        Args:
            problems: what to answer.
            shots: worked examples before each question.
            sampled: K samples at the settings' temperature instead of one greedy answer.
            progress: told after each batch how many problems are done.
        """
        n = self._settings.samples if sampled else 1
        step = max(1, _AT_ONCE // n)
        for start in range(0, len(problems), step):
            part = problems[start : start + step]
            groups = self._sample(part, shots, n, sampled)
            for problem, group in zip(part, groups, strict=True):
                for k, completion in enumerate(group):
                    yield self._row(problem, shots, k if sampled else GREEDY, completion)
            progress(start + len(part))

    def _model(self) -> tuple[Decoder, Tokenizer]:
        if self._loaded is None:
            device = _device(self._settings.device)
            self._loaded = load_model(self._folder, device), Tokenizer.load(self._folder)
        return self._loaded

    def _sample(
        self, problems: list[Problem], shots: Shots, n: int, sampled: bool
    ) -> list[list[Completion]]:
        decoder, tokenizer = self._model()
        return sample(
            decoder,
            [prompt_ids(tokenizer, problem, shots) for problem in problems],
            n=n,
            max_new_tokens=self._settings.max_new_tokens,
            temperature=self._settings.temperature if sampled else 0.0,
            top_p=self._settings.top_p if sampled else 1.0,
            stop_ids=set() if tokenizer.eos_id is None else {tokenizer.eos_id},
            seed=derive(self._seed, "evaluate"),
            # The same problem draws the same numbers, whatever else is asked with it.
            prompt_keys=[derive(0, problem.id) for problem in problems],
            max_rows=self._settings.max_rows,
        )

    def _row(self, problem: Problem, shots: Shots, k: int, completion: Completion) -> Row:
        text = self._model()[1].decode(completion.token_ids)
        judged = grade(problem.answer, judged_part(text, shots), choices=problem.choices or None)
        return {
            "problem_id": problem.id,
            "k": k,
            "prompt": shown_prompt(problem, shots),
            "completion": text,
            "token_ids": completion.token_ids,
            "logprobs": completion.logprobs,
            "stop_reason": completion.stop_reason,
            "extracted": judged.extracted,
            "verdict": judged.verdict,
            "reason": judged.reason,
            "gold": problem.answer,
        }


def _device(name: str) -> str:
    if name != "auto":
        return name
    return "cuda" if torch.cuda.is_available() else "cpu"
