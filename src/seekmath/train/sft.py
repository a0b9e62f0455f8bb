"""Supervised fine-tuning on worked solutions (paper, section 3).

Examples are concatenated at random up to the context; the learning rate is constant; the loss is
on the assistant's tokens only, and never on what a tool wrote.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seekmath.core.files import BadInput, read_jsonl
from seekmath.core.job import Job
from seekmath.core.seeds import rng
from seekmath.corpus.chat import render_example, with_choices, with_instruction
from seekmath.corpus.packing import Rows, pack_examples, stack
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.model.folder import load_model, save_model
from seekmath.train.language import next_token_loss
from seekmath.train.loop import Pace, train
from seekmath.train.optimizer import pick_device
from seekmath.train.settings import SftSettings

Example = tuple[list[int], list[bool]]
PackedRow = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]


def sft(settings: SftSettings, job: Job) -> dict[str, Any]:
    """Fine-tune ``settings.model`` on ``settings.problems``; leaves ``model/``.

    Raises:
        BadInput: a line lacks question or solution, or nothing is left to learn.
    """
    model = load_model(settings.model)
    if settings.context > model.config.max_position_embeddings:
        raise BadInput(
            f"context: found {settings.context}; {settings.model} allows at most"
            f" {model.config.max_position_embeddings}"
        )
    model = model.to(pick_device(settings.device))
    examples, dropped = examples_of(settings, Tokenizer.load(settings.model), job.seed)
    batches = Batches(examples, settings, job.seed)
    steps = max(1, math.ceil(batches.per_epoch * settings.epochs))
    last = train(
        model,
        lambda step: next_token_loss(model, batches.batch(step)),
        settings,
        Pace(steps, settings.log_every, step_tokens=settings.rows_per_step * settings.context),
        job,
    )
    save_model(model, job.out / "model", settings.model)
    return {**last, "examples": len(examples), "steps": steps, "dropped": {"too_long": dropped}}


def examples_of(
    settings: SftSettings, tokenizer: Tokenizer, seed: int
) -> tuple[list[Example], int]:
    """The rendered examples that fit in the context, and how many are too long for it.

    Raises:
        BadInput: a line lacks question or solution, or no example is left.
    """
    pairs = []
    for number, row in enumerate(read_jsonl(settings.problems), 1):
        for field in ("question", "solution"):
            if not isinstance(row.get(field), str):
                raise BadInput(f"{settings.problems}:{number}: {field}: expected a text")
        kind = row.get("kind", "cot")
        if not settings.kinds or kind in settings.kinds:
            asked = with_choices(row["question"], row.get("choices"))
            asked = with_instruction(asked, kind, row.get("language", "en"))
            pairs.append((asked, row["solution"]))
    if settings.limit:
        chosen = rng(seed, "limit").permutation(len(pairs))[: settings.limit]
        pairs = [pairs[place] for place in sorted(chosen.tolist())]
    rendered = [render_example(tokenizer, question, solution) for question, solution in pairs]
    short = [example for example in rendered if len(example[0]) <= settings.context + 1]
    if not short:
        raise BadInput(
            f"{settings.problems}: no example of the kinds asked for fits in context"
            f" {settings.context}"
        )
    return short, len(rendered) - len(short)


class Batches:
    """Packed rows by step number; each epoch is shuffled and packed anew."""

    def __init__(self, examples: list[Example], settings: SftSettings, seed: int) -> None:
        self._examples, self._settings, self._seed = examples, settings, seed
        self._epoch, self._rows = -1, []  # type: tuple[int, list[PackedRow]]
        # Packing differs a little from epoch to epoch; the first sets the number of steps.
        self.per_epoch = max(1, len(self._packed(0)) // settings.rows_per_step)

    def batch(self, step: int) -> Rows:
        """Rows of step ``step``."""
        epoch, place = divmod(step, self.per_epoch)
        rows, wanted = self._packed(epoch), self._settings.rows_per_step
        return stack([rows[(place * wanted + row) % len(rows)] for row in range(wanted)])

    def _packed(self, epoch: int) -> list[PackedRow]:
        if epoch != self._epoch:
            order = rng(self._seed, "sft", epoch).permutation(len(self._examples))
            shuffled = [self._examples[place] for place in order]
            self._epoch, self._rows = epoch, pack_examples(shuffled, self._settings.context)
        return self._rows
