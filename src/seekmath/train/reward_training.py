"""The stage ``reward``: sample, judge, train and measure a reward model (paper, section 4.2).

Three kinds share one loop. ``outcome``: binary cross-entropy on the logit at the last token;
``preference``: a right solution above a wrong one of the same question (Bradley-Terry, as in
RLHF); ``process``: binary cross-entropy at the end of each step.
"""

# N solutions of a batch

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from seekmath.core.files import BadInput, write_json, write_parquet
from seekmath.core.job import Job
from seekmath.core.records import SAMPLE
from seekmath.core.seeds import rng
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.model.folder import load_model
from seekmath.model.host import use_cpu
from seekmath.train.loop import Pace, train
from seekmath.train.optimizer import pick_device
from seekmath.train.reward_data import Solution, read_solutions, sample_solutions
from seekmath.train.reward_measures import measure
from seekmath.train.reward_model import RewardModel, save_reward_model
from seekmath.train.settings import LoopSettings, RewardSettings


def reward(settings: RewardSettings, job: Job) -> dict[str, Any]:
    """Sample, grade and train; leaves ``samples.parquet``, ``model/`` and ``results.json``."""
    use_cpu(settings.threads)
    tokenizer = Tokenizer.load(settings.model)
    device = pick_device(settings.device)
    path = job.out / "samples.parquet"
    if not path.exists():
        sampler = load_model(settings.model, str(device))
        write_parquet(path, sample_solutions(sampler, tokenizer, settings, job), SAMPLE)
        del sampler
    solutions = read_solutions([path], tokenizer)
    border = round((max(s.question for s in solutions) + 1) * (1 - settings.heldout_share))
    learned = [s for s in solutions if s.question < border]
    # Measured is what the policy writes by itself.
    heldout = [s for s in solutions if s.question >= border and not s.cut]
    model = RewardModel(load_model(settings.model), settings.kind).to(device)
    last, steps = fit(model, learned, settings.kind, settings, job)
    save_reward_model(model, job.out / "model", settings.model)
    measured = measure(model.eval(), heldout, settings.kind)
    write_json(job.out / "results.json", measured)
    flat = {key: value for key, value in measured.items() if isinstance(value, float)}
    cut = sum(s.cut for s in solutions)
    counts = {"samples": len(solutions) - cut, "cut_samples": cut, "steps": steps}
    return {**last, **flat, **counts}


def fit(
    model: RewardModel,
    solutions: Sequence[Solution],
    kind: str,
    settings: LoopSettings,
    job: Job,
    *,
    rows_per_step: int = 0,
    epochs: float = 0.0,
) -> tuple[dict[str, float], int]:
    """Train ``model`` in place; the last logged line and the number of steps.

    Args:
        model: learns.
        solutions: judged solutions; process models need labels of their steps.
        kind: outcome, preference or process.
        settings: optimizer; a ``RewardSettings`` brings batch size and epochs too.
        job: where checkpoints go.
        rows_per_step: solutions (or pairs) of a batch, where the settings name none.
        epochs: passes, where the settings name none.

    Raises:
        BadInput: there is nothing to learn from.
    """
    rows_per_step = rows_per_step or getattr(settings, "rows_per_step", 32)
    epochs = epochs or getattr(settings, "epochs", 1.0)
    items: Sequence[Any] = pairs_of(solutions) if kind == "preference" else solutions
    if not items:
        raise BadInput(
            f"reward: no {'pair of right and wrong' if kind == 'preference' else ''}"
            " solution to learn from; sample more questions"
        )
    loss_of = _LOSSES[kind]
    per_epoch = max(1, len(items) // rows_per_step)

    def batch_loss(step: int) -> Iterator[tuple[Tensor, int, int]]:
        epoch, place = divmod(step, per_epoch)
        order = rng(job.seed, "reward", epoch).permutation(len(items))
        rows = order[place * rows_per_step :][:rows_per_step]
        yield loss_of(model, [items[row] for row in rows])

    steps = max(1, math.ceil(per_epoch * epochs))
    pace = Pace(steps, getattr(settings, "log_every", 5))
    return train(model, batch_loss, settings, pace, job), steps


def pairs_of(solutions: Sequence[Solution]) -> list[tuple[Solution, Solution]]:
    """The k-th right solution of each question with its k-th wrong one.

    As both answer one question, how hard it is tells nothing: a model that learns from pairs has
    to look at the solution, which is what a group's advantages ask of it.
    """
    sides: dict[int, tuple[list[Solution], list[Solution]]] = defaultdict(lambda: ([], []))
    for solution in solutions:
        sides[solution.question][not solution.right].append(solution)
    return [pair for right, wrong in sides.values() for pair in zip(right, wrong, strict=False)]


def _outcome_loss(model: RewardModel, batch: list[Solution]) -> tuple[Tensor, int, int]:
    texts = [solution.text for solution in batch]
    logits = model(texts)
    labels = torch.tensor([float(s.right) for s in batch], device=logits.device)
    loss = F.binary_cross_entropy_with_logits(logits, labels, reduction="sum")
    return loss, len(batch), sum(map(len, texts))


def _preference_loss(
    model: RewardModel, batch: list[tuple[Solution, Solution]]
) -> tuple[Tensor, int, int]:
    texts = [solution.text for pair in batch for solution in pair]
    chosen_N, rejected_N = model(texts).view(-1, 2).T
    return -F.logsigmoid(chosen_N - rejected_N).sum(), len(batch), sum(map(len, texts))


def _process_loss(model: RewardModel, batch: list[Solution]) -> tuple[Tensor, int, int]:
    texts = [solution.text for solution in batch]
    logits = model.at(texts, [solution.ends for solution in batch])
    labels = torch.tensor([v for s in batch for v in s.labels], device=logits.device)
    loss = F.binary_cross_entropy_with_logits(logits, labels, reduction="sum")
    return loss, len(labels), sum(map(len, texts))


_LOSSES: dict[str, Callable[[RewardModel, list[Any]], tuple[Tensor, int, int]]] = {
    "outcome": _outcome_loss,
    "preference": _preference_loss,
    "process": _process_loss,
}
