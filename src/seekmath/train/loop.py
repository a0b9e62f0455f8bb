"""The one optimizer loop of pre-training, fine-tuning and reward models.

A step is a pure function of (weights, optimizer state, step number): batches come by number, the
learning rate too. So a killed run continues from its last checkpoint with the same bits.
"""

import time
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from seekmath.core.job import Job
from seekmath.train.checkpoint import load_checkpoint, save_checkpoint
from seekmath.train.optimizer import learning_rate, make_adamw, update
from seekmath.train.settings import OptimizerSettings

#: Loss of a batch: the sum over what is learned, how many that are, and how many tokens were read.
BatchLoss = Callable[[int], tuple[Tensor, int, int]]
Measure = Callable[[], dict[str, float]]
#: Facts of the first so many steps, to be logged.
Describe = Callable[[int], dict[str, float]]


@dataclass(frozen=True)
class Pace:
    """How long to train and how often to log and to measure, in steps.

    With ``step_tokens``, the tokens of a step, the tokens read since step 0 are logged.
    ``borders`` are the steps at which the schedule begins anew.
    """

    steps: int
    log_every: int
    measure_every: int = 0
    step_tokens: int = 0
    borders: tuple[int, ...] = ()

    def span(self, step: int) -> tuple[int, int]:
        """First step of the schedule that ``step`` belongs to, and the step after its last."""
        edges = [0, *self.borders, self.steps]
        number = bisect_right(edges, step, hi=len(edges) - 1) - 1
        return edges[number], edges[number + 1]

    def rate(self, step: int, settings: OptimizerSettings) -> float:
        """The learning rate of a step."""
        first, end = self.span(step)
        return learning_rate(step - first, end - first, settings)


def train(
    model: nn.Module,
    batch_loss: BatchLoss,
    settings: OptimizerSettings,
    pace: Pace,
    job: Job,
    measure: Measure | None = None,
    describe: Describe | None = None,
    before: Mapping[int, Callable[[], None]] | None = None,
) -> dict[str, float]:
    """Train ``model`` in place from its last checkpoint, if any, to the end.

    Args:
        model: what learns.
        batch_loss: from the step's number to the summed loss, its count and tokens read; the
            gradient is that of sum / count.
        settings: optimizer and schedule.
        pace: steps, and how often to log and measure.
        job: where to log and to keep ``checkpoints/``.
        measure: what to log besides, such as held-out loss.
        describe: what to log at each logged step, such as how often each corpus was read.
        before: what to do before a step begins, such as keeping its weights.

    Returns:
        The last logged line.
    """
    if settings.threads:
        torch.set_num_threads(settings.threads)
    optimizer = make_adamw(model, settings)
    folder = job.out / "checkpoints"
    start = saved = load_checkpoint(folder, model, optimizer)
    job.rewind(start)
    model.train()
    line: dict[str, float] = {}
    loss_sum, count_sum, token_sum, began = 0.0, 0, 0, time.monotonic()
    for step in range(start, pace.steps):
        if before and step in before:
            before[step]()
        loss, count, tokens = batch_loss(step)
        (loss / max(1, count)).backward()
        rate = pace.rate(step, settings)
        norm = update(model, optimizer, rate, settings.clip_norm)
        loss_sum, count_sum = loss_sum + loss.item(), count_sum + count
        token_sum += tokens
        done = step + 1
        last = done == pace.steps
        measuring = measure is not None and (done % pace.measure_every == 0 or last)
        if done % pace.log_every == 0 or measuring or last:
            line = {
                "loss": loss_sum / max(1, count_sum),
                "learning_rate": rate,
                "grad_norm": norm,
                "tokens_per_s": token_sum / (time.monotonic() - began),
            }
            if pace.step_tokens:
                line["tokens"] = done * pace.step_tokens
            if describe is not None:
                line |= describe(done)
            if measure is not None and measuring:
                line |= _without_gradient(model, measure)
            job.log(done, **line)
            loss_sum, count_sum, token_sum, began = 0.0, 0, 0, time.monotonic()
            # Only where a line was logged, so that after a kill the sums above start alike.
            if done - saved >= settings.checkpoint_every or last:
                save_checkpoint(folder, done, model, optimizer)
                saved = done
        job.progress(done, pace.steps, "steps", _note(line))
    return line


def _without_gradient(model: nn.Module, measure: Measure) -> dict[str, float]:
    model.eval()
    with torch.no_grad():
        measured = measure()
    model.train()
    return measured


def _note(line: dict[str, float]) -> str:
    return f"loss {line['loss']:.3f}" if line else ""
