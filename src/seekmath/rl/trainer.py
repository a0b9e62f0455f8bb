"""The loop that all methods share, and the stage ``grpo`` (paper, Algorithm 1).

A step is a pure function of (policy, optimizer state, step number): questions and draws come by
number. So a run killed anywhere continues from its last checkpoint with the same bits.
"""

import copy
import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from seekmath.core.files import BadInput, write_parquet
from seekmath.core.job import Job
from seekmath.core.records import SAMPLE
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.model.decoder import Decoder
from seekmath.model.folder import load_model, save_model
from seekmath.rl.method import Credit, Credits, Method
from seekmath.rl.methods.grpo import grpo_method
from seekmath.rl.questions import read_questions
from seekmath.rl.rollout import record
from seekmath.rl.settings import GrpoSettings
from seekmath.rl.update import Meter, accumulate, plan_chunks
from seekmath.train.checkpoint import load_checkpoint, save_checkpoint
from seekmath.train.optimizer import learning_rate, make_adamw, pick_device, update

# Steps whose rewards are averaged for the manifest, at the start and at the end.
_SUMMARY_STEPS = 10


def grpo(settings: GrpoSettings, job: Job) -> dict[str, Any]:
    """Improve ``settings.model`` by GRPO with outcome supervision; leaves ``model/``.

    Beside it: ``metrics.jsonl`` (a line per step), ``rollouts/step-….parquet`` (schema SAMPLE,
    with advantages) and ``checkpoints/``.

    Raises:
        BadInput: model, problems or reward function are not what they must be.
    """
    if settings.threads:
        torch.set_num_threads(settings.threads)
    policy = load_model(settings.model, str(pick_device(settings.device)))
    tokenizer = Tokenizer.load(settings.model)
    context = policy.config.max_position_embeddings
    questions, dropped = read_questions(settings, tokenizer, context)
    method = grpo_method(settings, questions, tokenizer, job.seed)
    run_method(policy, method, settings, job)
    save_model(policy, job.out / "model", settings.model)
    summary = _summary(job.out / "metrics.jsonl")
    return {**summary, "steps": settings.steps, "questions": len(questions), "dropped": dropped}


def run_method(policy: Decoder, method: Method, settings: GrpoSettings, job: Job) -> None:
    """Train ``policy`` in place by any method, from its last checkpoint, if any, to the end.

    The policy as handed over becomes the frozen reference.
    """
    reference = copy.deepcopy(policy).requires_grad_(False) if settings.kl_weight else None
    optimizer = make_adamw(policy, settings)
    folder = job.out / "checkpoints"
    start = load_checkpoint(folder, policy, optimizer)
    job.rewind(start)
    for step in range(start, settings.steps):
        line, credits = _step(policy, reference, optimizer, method, settings, step)
        done = step + 1
        if done == 1 or done % settings.rollout_every == 0 or done == settings.steps:
            rows = [record(credit.judged, credit.token_advantages) for credit in credits]
            write_parquet(job.out / "rollouts" / f"step-{done:05d}.parquet", rows, SAMPLE)
        job.log(done, **line)
        if done % settings.checkpoint_every == 0 or done == settings.steps:
            save_checkpoint(folder, done, policy, optimizer)
        job.progress(done, settings.steps, "steps", f"reward {line['reward_mean'] or 0.0:.3f}")


def _step(
    policy: Decoder,
    reference: Decoder | None,
    optimizer: torch.optim.AdamW,
    method: Method,
    settings: GrpoSettings,
    step: int,
) -> tuple[dict[str, Any], list[Credit]]:
    """One exploration and its updates; the logged line and what every output was worth."""
    times_s: dict[str, float] = {}
    with _timed(times_s, "step_s"):
        with _timed(times_s, "rollout_s"):
            groups = method.source(policy, step)
        with _timed(times_s, "reward_s"):
            judged = iter(method.reward([sample for group in groups for sample in group]))
            credits = method.credit([[next(judged) for _ in group] for group in groups])
        with _timed(times_s, "update_s"):
            updated = _update(policy, reference, optimizer, method, settings, credits, step)
    return {**_measured(credits), **updated, **times_s}, credits.credits


def _update(
    policy: Decoder,
    reference: Decoder | None,
    optimizer: torch.optim.AdamW,
    method: Method,
    settings: GrpoSettings,
    credits: Credits,
    step: int,
) -> dict[str, float | None]:
    """``updates_per_batch`` gradient steps on the outputs whose reward is known."""
    device = next(policy.parameters()).device
    known = [credit for credit in credits.credits if math.isfinite(credit.judged.total)]
    chunks = plan_chunks(known, settings.micro_batch_tokens, device)
    rate = learning_rate(step, settings.steps, settings)
    meters, norms = [], []
    for _ in range(settings.updates_per_batch if known else 0):
        meters.append(accumulate(policy, reference, chunks, method, settings))
        norms.append(update(policy, optimizer, rate, settings.clip_norm))
    first = meters[0] if meters else Meter()
    tokens = max(1, first.tokens)
    return {
        "kl": first.kl / tokens if reference is not None else None,
        "entropy": first.entropy / tokens,
        "loss": first.loss,
        "grad_norm": norms[0] if norms else 0.0,
        "learning_rate": rate,
        "clip_fraction": sum(m.clipped for m in meters) / (tokens * max(1, len(meters))),
        # A nucleus sampler draws from another distribution than the policy that is trained.
        "logprob_gap": first.gap if settings.top_p == 1 else None,
    }


def _measured(credits: Credits) -> dict[str, Any]:
    """What a step's outputs look like; means are over outputs."""
    every = [credit.judged for credit in credits.credits]
    known = [judged.total for judged in every if math.isfinite(judged.total)]
    lengths = [len(judged.sample.completion.token_ids) for judged in every]
    cut = sum(judged.sample.completion.stop_reason == "length" for judged in every)
    return {
        "reward_mean": math.fsum(known) / len(known) if known else None,
        "right": sum(judged.verdict is True for judged in every) / len(every),
        "reward_errors": len(every) - len(known),
        "zero_variance_groups": credits.zero_variance_groups,
        "completions": len(every),
        "completion_tokens": sum(lengths),
        "completion_length": sum(lengths) / len(every),
        "truncated": cut,
    }


@contextmanager
def _timed(times_s: dict[str, float], name: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    times_s[name] = round(time.perf_counter() - began, 4)


def _summary(path: Path) -> dict[str, float]:
    """Mean reward of the first and last logged steps, so that a manifest tells what was gained."""
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    rewards = [line["reward_mean"] for line in lines if line["reward_mean"] is not None]
    if not rewards:
        raise BadInput(f"{path}: no step had a reward; see reward_errors")
    first, last = rewards[:_SUMMARY_STEPS], rewards[-_SUMMARY_STEPS:]
    return {
        "reward_mean_first": math.fsum(first) / len(first),
        "reward_mean_last": math.fsum(last) / len(last),
    }
