"""Pre-training on token shards (paper, sections 2.2 and 2.3), afresh or continued."""

import math
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from seekmath.core.files import BadInput
from seekmath.core.job import Job
from seekmath.corpus.mixture import Curriculum, weights_by_size
from seekmath.corpus.packing import Rows, rows_of, stack, stream_row
from seekmath.corpus.shards import Shard, open_shards
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.model.cost import flops_per_token
from seekmath.model.folder import load_config
from seekmath.model.parallel import open_ranks
from seekmath.model.sizes import ModelConfig, sized
from seekmath.train.loop import Hooks, Pace, train
from seekmath.train.optimizer import decay_start, pick_device
from seekmath.train.settings import PretrainSettings
from seekmath.train.trackers import tracked
from seekmath.train.trainee import Trainee, check_context


def pretrain(settings: PretrainSettings, job: Job) -> dict[str, Any]:
    """Train a decoder on the shards in ``settings.tokens``; leaves ``model/``.

    Where the schedule ends in a decay, ``before_decay/`` holds the model as it was before: the one
    to continue from on other data (the paper, section 2.3).

    Raises:
        BadInput: shards, weights or the model to continue from do not fit.
    """
    tokenizer_folder = Path(settings.tokens, "tokenizer")
    start = _start(settings, Tokenizer.load(tokenizer_folder))
    curriculum = curriculum_of(settings, open_shards(settings.tokens, "train"), job.seed)
    heldout = open_shards(settings.tokens, "heldout")
    device = pick_device(settings.device)
    with open_ranks(device, settings.tensor_parallel) as ranks, tracked(settings, job):
        trainee = Trainee(start, settings, ranks, device, job.seed)
        epochs = _warned(curriculum, settings, job)
        pace = _pace(settings, trainee.model.config)
        first, end = pace.span(settings.steps - 1)
        flat_until = first + decay_start(end - first, settings)
        rows = settings.rows_per_step
        hooks = Hooks(
            lambda: heldout_loss(trainee, heldout, settings),
            lambda steps: (
                _of_each("epochs", curriculum.epochs(steps * rows))
                | _of_each("share", curriculum.weights(steps * rows - 1))
            ),
            {flat_until: lambda: trainee.save(job.out / "before_decay", tokenizer_folder)},
        )
        last = train(
            trainee.model,
            lambda step: trainee.losses(
                step, lambda step, first, count: curriculum.batch(step * rows + first, count)
            ),
            settings,
            pace,
            job,
            hooks,
            ranks,
        )
        trainee.save(job.out / "model", tokenizer_folder)
    return {
        **last,
        "parameters": sum(p.numel() for p in trainee.model.parameters()),
        "epochs": {k: round(v, 3) for k, v in epochs.items()},
        "weights": curriculum.weights(settings.steps * rows - 1),
    }


def _warned(curriculum: Curriculum, settings: PretrainSettings, job: Job) -> dict[str, float]:
    """How often each corpus will be read; too often is said."""
    epochs = curriculum.epochs(settings.steps * settings.rows_per_step)
    for name, count in epochs.items():
        if count > settings.max_epochs:
            job.say(
                f"[yellow]![/] corpus '{name}' will be read {count:.1f} times"
                f" (max_epochs {settings.max_epochs:g}); lower its weight or steps"
            )
    return epochs


def curriculum_of(settings: PretrainSettings, shards: dict[str, Shard], seed: int) -> Curriculum:
    """The mixtures of a run in order; without phases there is one."""
    common = settings.weights or weights_by_size(shards)
    parts = [(phase.steps, phase.weights or common) for phase in settings.phases]
    rows = settings.rows_per_step
    return Curriculum.of(
        shards,
        [(steps * rows, weights) for steps, weights in parts or [(settings.steps, common)]],
        settings.context,
        seed,
    )


def _pace(settings: PretrainSettings, config: ModelConfig) -> Pace:
    borders = accumulate(phase.steps for phase in settings.phases[:-1])
    return Pace(
        settings.steps,
        settings.log_every,
        settings.heldout_every,
        settings.rows_per_step * settings.context,
        tuple(borders) if settings.schedule_per_phase else (),
        flops_per_token(config, settings.context),
    )


def _of_each(kind: str, found: dict[str, float]) -> dict[str, float]:
    return {f"{kind}/{name}": round(value, 4) for name, value in found.items()}


def _start(settings: PretrainSettings, tokenizer: Tokenizer) -> ModelConfig | Path:
    """The configuration of a fresh model, or the folder to go on from."""
    if not settings.model:
        return sized(
            settings.size,
            vocab_size=tokenizer.vocab_size,
            context=settings.context,
            bos_token_id=tokenizer.bos_id,
            eos_token_id=tokenizer.eos_id,
            pad_token_id=tokenizer.pad_id,
        )
    config = load_config(Path(settings.model))
    if config.vocab_size < tokenizer.vocab_size:
        raise BadInput(
            f"{settings.tokens}: was tokenized with {tokenizer.vocab_size} entries,"
            f" {settings.model} has {config.vocab_size};"
            f" tokenize with --tokenizer {settings.model}"
        )
    check_context(config, settings)
    return Path(settings.model)


def heldout_loss(
    trainee: Trainee, shards: dict[str, Shard], settings: PretrainSettings
) -> dict[str, float]:
    """Loss in nats per token and bits per byte of the held-out documents of each corpus."""
    measured: dict[str, float] = {}
    for name, shard in shards.items():
        rows = min(settings.heldout_rows, rows_of(shard, settings.context))
        if rows == 0:
            continue

        def chosen(numbers: range, shard: Shard = shard) -> Rows:
            return stack([stream_row(shard, row, settings.context) for row in numbers])

        loss = trainee.mean_loss(rows, chosen)
        bytes_per_token = shard.text_bytes / len(shard.tokens)
        measured[f"heldout_loss/{name}"] = loss
        measured[f"bits_per_byte/{name}"] = loss / math.log(2) / bytes_per_token
    if measured:
        for kind in ("heldout_loss", "bits_per_byte"):
            parts = [value for key, value in measured.items() if key.startswith(kind)]
            measured[kind] = float(np.mean(parts))
    return measured
