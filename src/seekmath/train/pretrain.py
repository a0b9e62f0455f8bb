"""Pre-training on token shards (paper, sections 2.2 and 2.3), afresh or continued."""

import math
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from seekmath.core.files import BadInput
from seekmath.core.job import Job
from seekmath.corpus.mixture import Curriculum, weights_by_size
from seekmath.corpus.packing import rows_of, stack, stream_row
from seekmath.corpus.shards import Shard, open_shards
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.model.decoder import Decoder
from seekmath.model.folder import load_model, save_model
from seekmath.model.sizes import sized
from seekmath.train.language import next_token_loss
from seekmath.train.loop import Pace, train
from seekmath.train.optimizer import decay_start, pick_device
from seekmath.train.settings import PretrainSettings


def pretrain(settings: PretrainSettings, job: Job) -> dict[str, Any]:
    """Train a decoder on the shards in ``settings.tokens``; leaves ``model/``.

    Where the schedule ends in a decay, ``before_decay/`` holds the model as it was before: the one
    to continue from on other data (the paper, section 2.3).

    Raises:
        BadInput: shards, weights or the model to continue from do not fit.
    """
    tokenizer_folder = Path(settings.tokens, "tokenizer")
    tokenizer = Tokenizer.load(tokenizer_folder)
    curriculum = curriculum_of(settings, open_shards(settings.tokens, "train"), job.seed)
    model = _start(settings, tokenizer, job.seed).to(pick_device(settings.device))
    heldout = open_shards(settings.tokens, "heldout")
    rows = settings.rows_per_step
    epochs = curriculum.epochs(settings.steps * rows)
    for name, count in epochs.items():
        if count > settings.max_epochs:
            job.say(
                f"[yellow]![/] corpus '{name}' will be read {count:.1f} times"
                f" (max_epochs {settings.max_epochs:g}); lower its weight or steps"
            )
    pace = _pace(settings)
    first, end = pace.span(settings.steps - 1)
    flat_until = first + decay_start(end - first, settings)
    last = train(
        model,
        lambda step: next_token_loss(model, curriculum.batch(step * rows, rows)),
        settings,
        pace,
        job,
        lambda: heldout_loss(model, heldout, settings),
        lambda steps: _of_each("epochs", curriculum.epochs(steps * rows)),
        {flat_until: lambda: save_model(model, job.out / "before_decay", tokenizer_folder)},
    )
    save_model(model, job.out / "model", tokenizer_folder)
    return {
        **last,
        "parameters": sum(p.numel() for p in model.parameters()),
        "epochs": {k: round(v, 3) for k, v in epochs.items()},
        "weights": curriculum.weights(settings.steps * rows - 1),
    }


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


def _pace(settings: PretrainSettings) -> Pace:
    borders = accumulate(phase.steps for phase in settings.phases[:-1])
    return Pace(
        settings.steps,
        settings.log_every,
        settings.heldout_every,
        settings.rows_per_step * settings.context,
        tuple(borders) if settings.schedule_per_phase else (),
    )


def _of_each(kind: str, found: dict[str, float]) -> dict[str, float]:
    return {f"{kind}/{name}": round(value, 4) for name, value in found.items()}


def _start(settings: PretrainSettings, tokenizer: Tokenizer, seed: int) -> Decoder:
    if not settings.model:
        config = sized(
            settings.size,
            vocab_size=tokenizer.vocab_size,
            context=settings.context,
            bos_token_id=tokenizer.bos_id,
            eos_token_id=tokenizer.eos_id,
            pad_token_id=tokenizer.pad_id,
        )
        return Decoder(config, seed)
    model = load_model(settings.model)
    if model.config.vocab_size < tokenizer.vocab_size:
        raise BadInput(
            f"{settings.tokens}: was tokenized with {tokenizer.vocab_size} entries,"
            f" {settings.model} has {model.config.vocab_size};"
            f" tokenize with --tokenizer {settings.model}"
        )
    if model.config.max_position_embeddings < settings.context:
        raise BadInput(
            f"context: found {settings.context}; {settings.model} allows at most"
            f" {model.config.max_position_embeddings}"
        )
    return model


def heldout_loss(
    model: Decoder, shards: dict[str, Shard], settings: PretrainSettings
) -> dict[str, float]:
    """Loss in nats per token and bits per byte of the held-out documents of each corpus."""
    measured: dict[str, float] = {}
    for name, shard in shards.items():
        rows = min(settings.heldout_rows, rows_of(shard, settings.context))
        if rows == 0:
            continue
        loss_sum, count_sum = 0.0, 0
        for first in range(0, rows, settings.rows_per_step):
            chosen = range(first, min(rows, first + settings.rows_per_step))
            batch = stack([stream_row(shard, row, settings.context) for row in chosen])
            loss, count, _ = next_token_loss(model, batch)
            loss_sum, count_sum = loss_sum + float(loss), count_sum + count
        bytes_per_token = shard.text_bytes / len(shard.tokens)
        measured[f"heldout_loss/{name}"] = loss_sum / count_sum
        measured[f"bits_per_byte/{name}"] = loss_sum / count_sum / math.log(2) / bytes_per_token
    if measured:
        for kind in ("heldout_loss", "bits_per_byte"):
            parts = [value for key, value in measured.items() if key.startswith(kind)]
            measured[kind] = float(np.mean(parts))
    return measured
