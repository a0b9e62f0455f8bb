"""Supervised fine-tuning on worked solutions (paper, section 3).

Examples are concatenated at random up to the context; the learning rate is constant; the loss is
on the assistant's tokens only, and never on what a tool wrote.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seekmath.core.files import BadInput, read_jsonl, whole_file
from seekmath.core.job import Job
from seekmath.core.seeds import rng
from seekmath.corpus.chat import CHAT_TEMPLATE
from seekmath.corpus.examples import Example, render_row
from seekmath.corpus.packing import Rows, pack_examples, stack
from seekmath.corpus.template import ChatTemplate
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.model.folder import load_config
from seekmath.model.parallel import open_ranks
from seekmath.train.loop import Pace, train
from seekmath.train.optimizer import pick_device
from seekmath.train.settings import SftSettings
from seekmath.train.trackers import tracked
from seekmath.train.trainee import Trainee, check_context

PackedRow = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]


def sft(settings: SftSettings, job: Job) -> dict[str, Any]:
    """Fine-tune ``settings.model`` on ``settings.problems``; leaves ``model/``.

    Raises:
        BadInput: a line is of no known format, or nothing is left to learn.
    """
    check_context(load_config(Path(settings.model)), settings)
    examples, dropped = examples_of(settings, Tokenizer.load(settings.model), job.seed)
    batches = Batches(examples, settings, job.seed)
    steps = max(1, math.ceil(batches.per_epoch * settings.epochs))
    device = pick_device(settings.device)
    with open_ranks(device, settings.tensor_parallel) as ranks, tracked(settings, job):
        trainee = Trainee(Path(settings.model), settings, ranks, device, job.seed)
        last = train(
            trainee.model,
            lambda step: trainee.losses(step, batches.rows),
            settings,
            Pace(steps, settings.log_every, step_tokens=settings.rows_per_step * settings.context),
            job,
            ranks=ranks,
        )
        trainee.save(job.out / "model", Path(settings.model))
        if settings.template == "paper" and ranks.is_first:
            # Not that of the model it began from, which it no longer follows.
            with whole_file(job.out / "model" / "chat_template.jinja") as file:
                file.write(CHAT_TEMPLATE)
    return {**last, "examples": len(examples), "steps": steps, "dropped": {"too_long": dropped}}


def examples_of(
    settings: SftSettings, tokenizer: Tokenizer, seed: int
) -> tuple[list[Example], int]:
    """The rendered examples that fit in the context, and how many are too long for it.

    Raises:
        BadInput: a line is of no known format, or no example is left.
    """
    rows = []
    for number, row in enumerate(read_jsonl(settings.problems), 1):
        if not settings.kinds or row.get("kind", "cot") in settings.kinds:
            rows.append((number, row))
    if settings.limit:
        chosen = rng(seed, "limit").permutation(len(rows))[: settings.limit]
        rows = [rows[place] for place in sorted(chosen.tolist())]
    template = ChatTemplate.load(settings.model) if settings.template == "model" else None
    rendered = []
    for number, row in rows:
        try:
            rendered.append(render_row(tokenizer, row, template))
        except ValueError as error:
            raise BadInput(f"{settings.problems}:{number}: {error}") from None
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
        return self.rows(step, 0, self._settings.rows_per_step)

    def rows(self, step: int, first: int, count: int) -> Rows:
        """Some of the rows of step ``step``."""
        epoch, place = divmod(step, self.per_epoch)
        rows, start = self._packed(epoch), place * self._settings.rows_per_step + first
        return stack([rows[(start + row) % len(rows)] for row in range(count)])

    def _packed(self, epoch: int) -> list[PackedRow]:
        if epoch != self._epoch:
            order = rng(self._seed, "sft", epoch).permutation(len(self._examples))
            shuffled = [self._examples[place] for place in order]
            self._epoch, self._rows = epoch, pack_examples(shuffled, self._settings.context)
        return self._rows
