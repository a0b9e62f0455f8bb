"""The one optimizer loop of pre-training, fine-tuning and reward models.

A step is a pure function of (weights, optimizer state, step number): batches come by number, the
learning rate too. So a killed run continues from its last checkpoint with the same bits.
"""

import math
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from seekmath.core.job import Job
from seekmath.model.host import use_cpu
from seekmath.model.parallel import ALONE, Ranks
from seekmath.train.checkpoint import checkpoints, facts_of, restore
from seekmath.train.guard import Diverged, Guard
from seekmath.train.meter import memory_mib, peak_flops, utilisation
from seekmath.train.optimizer import gradient_norm, learning_rate, make_adamw, take_step
from seekmath.train.saver import Saver
from seekmath.train.settings import LoopSettings

#: The batch of a step in micro-batches, of each: the loss summed over what is learned, how many
#: that are, and how many tokens were read. The gradient is that of all sums over all counts.
BatchLoss = Callable[[int], Iterator[tuple[Tensor, int, int]]]
Measure = Callable[[], dict[str, float]]
#: Facts of the first so many steps, to be logged.
Describe = Callable[[int], dict[str, float]]


@dataclass(frozen=True)
class Pace:
    """How long to train and how often to log and to measure, in steps.

    With ``step_tokens``, the tokens of a step, the tokens read since step 0 are logged.
    ``borders`` are the steps at which the schedule begins anew. With ``flops_per_token`` the MFU is
    logged where the device's peak is known.
    """

    steps: int
    log_every: int
    measure_every: int = 0
    step_tokens: int = 0
    borders: tuple[int, ...] = ()
    flops_per_token: float = 0.0

    def span(self, step: int) -> tuple[int, int]:
        """First step of the schedule that ``step`` belongs to, and the step after its last."""
        edges = [0, *self.borders, self.steps]
        number = bisect_right(edges, step, hi=len(edges) - 1) - 1
        return edges[number], edges[number + 1]

    def rate(self, step: int, settings: LoopSettings) -> float:
        """The learning rate of a step."""
        first, end = self.span(step)
        return learning_rate(step - first, end - first, settings)


@dataclass(frozen=True)
class Hooks:
    """What else happens along the way.

    Attributes:
        measure: what to log now and then, such as held-out loss.
        describe: what to log at each logged step, such as how often each corpus was read.
        before: what to do before a step begins, such as keeping its weights.
    """

    measure: Measure | None = None
    describe: Describe | None = None
    before: Mapping[int, Callable[[], None]] = field(default_factory=dict)


def train(
    model: nn.Module,
    batch_loss: BatchLoss,
    settings: LoopSettings,
    pace: Pace,
    job: Job,
    hooks: Hooks = Hooks(),
    ranks: Ranks = ALONE,
) -> dict[str, float]:
    """Train ``model`` in place from its last checkpoint, if any, to the end.

    Args:
        model: what learns.
        batch_loss: from the step's number to this rank's micro-batches.
        settings: optimizer, schedule, checkpoints.
        pace: steps, and how often to log and measure.
        job: where to log and to keep ``checkpoints/``.
        hooks: what else happens.
        ranks: who trains along.

    Returns:
        The last logged line.

    Raises:
        Diverged: too many steps in a row had to be skipped.
    """
    use_cpu(settings.threads)
    run = _Run(model, settings, pace, job, hooks, ranks)
    try:
        return run.to_the_end(batch_loss)
    finally:
        run.saver.finish()


class _Run:
    """A run under way."""

    def __init__(
        self,
        model: nn.Module,
        settings: LoopSettings,
        pace: Pace,
        job: Job,
        hooks: Hooks,
        ranks: Ranks,
    ) -> None:
        self.model, self.settings, self.pace = model, settings, pace
        self.job, self.hooks, self.ranks = job, hooks, ranks
        self.optimizer = make_adamw(model, settings)
        folder = job.out / "checkpoints"
        facts = restore(folder, model, self.optimizer, ranks, job.say)
        self.start = self.saved = facts["step"]
        self.guard = Guard(settings, facts.get("guard"))
        keep = (settings.keep_checkpoints, settings.keep_every)
        self.saver = Saver(folder, ranks, *keep, job.say)
        if ranks.is_first:
            job.rewind(self.start)
        self._begin_line()

    def to_the_end(self, batch_loss: BatchLoss) -> dict[str, float]:
        """Every step from where the run stands."""
        self.model.train()
        line: dict[str, float] = {}
        for step in range(self.start, self.pace.steps):
            if step in self.hooks.before:
                self.hooks.before[step]()
            if step in self.pace.borders:
                self.guard.forget()
            norm = self._step(step, batch_loss)
            line = self._end_step(step + 1, norm) or line
            note = f"loss {line['loss']:.3f}" if line else ""
            self.job.progress(step + 1, self.pace.steps, "steps", note)
        return line

    def _step(self, step: int, batch_loss: BatchLoss) -> float:
        """Take one step, or skip it; the gradient's norm."""
        sums = [0.0, 0.0, 0.0]
        for loss, count, tokens in batch_loss(step):
            loss.backward()
            sums = [a + b for a, b in zip(sums, (loss.item(), count, tokens), strict=True)]
        loss_sum, learned, read = self.ranks.sums(sums)
        scale = 1 / max(1.0, learned)
        norm = gradient_norm(self.model, self.ranks) * scale
        objection = self.guard.objection(loss_sum * scale, norm)
        if objection:
            self._skip(step, objection)
        else:
            rate = self.pace.rate(step, self.settings)
            take_step(self.model, self.optimizer, rate, self.settings.clip_norm, norm, scale)
            self._loss_sum += loss_sum
            self._count += learned
        self._tokens += read
        return norm

    def _skip(self, step: int, objection: str) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        self.job.say(f"[yellow]![/] step {step + 1} skipped: {objection}")
        if not self.guard.lost:
            return
        self.saver.finish()
        found = checkpoints(self.job.out / "checkpoints")
        good = f"the last good checkpoint is {found[-1]}" if found else "there is no checkpoint yet"
        raise Diverged(
            f"stopped at step {step + 1}: {self.guard.in_a_row} steps in a row were skipped"
            f" (the last: {objection}); {good}; lower peak_lr, or check the data"
        )

    def _end_step(self, done: int, norm: float) -> dict[str, Any]:
        """Log and save, where it is time to; the logged line."""
        pace, hooks = self.pace, self.hooks
        last = done == pace.steps
        measuring = hooks.measure is not None and (done % pace.measure_every == 0 or last)
        if not (done % pace.log_every == 0 or measuring or last):
            return {}
        speed = self._tokens / (time.monotonic() - self._began)
        device = next(self.model.parameters()).device
        line: dict[str, Any] = {
            "loss": self._loss_sum / max(1.0, self._count),
            "learning_rate": pace.rate(done - 1, self.settings),
            "grad_norm": norm if math.isfinite(norm) else None,
            "tokens_per_s": speed,
            "memory_mib": round(memory_mib(device), 1),
        }
        peak = self.ranks.world * peak_flops(device)
        if pace.flops_per_token and peak:
            line["mfu"] = utilisation(speed, pace.flops_per_token, peak)
        if pace.step_tokens:
            line["tokens"] = done * pace.step_tokens
        if self.guard.skipped:
            line["skipped_steps"] = self.guard.skipped
        if hooks.describe is not None:
            line |= hooks.describe(done)
        if hooks.measure is not None and measuring:
            line |= _without_gradient(self.model, hooks.measure)
        self.job.log(done, **line)
        # Only where a line was logged, so that after a kill the sums start alike.
        if done - self.saved >= self.settings.checkpoint_every or last:
            facts = {"guard": self.guard.facts, **facts_of(self.model)}
            self.saver.save(done, self.model, self.optimizer, facts)
            self.saved = done
        self._begin_line()
        return line

    def _begin_line(self) -> None:
        self._loss_sum, self._count, self._tokens = 0.0, 0.0, 0.0
        self._began = time.monotonic()


def _without_gradient(model: nn.Module, measure: Measure) -> dict[str, float]:
    model.eval()
    with torch.no_grad():
        measured = measure()
    model.train()
    return measured
