"""One step of any method: explore, judge, credit, update (paper, Algorithm 1, lines 5 to 10)."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from seekmath.rl.method import Credit, Credits, Method, Setup
from seekmath.rl.rollout import Judged
from seekmath.rl.settings import GrpoSettings
from seekmath.rl.update import Meter, accumulate, plan_chunks
from seekmath.train.optimizer import learning_rate, update


def one_step(
    setup: Setup, method: Method, optimizer: torch.optim.AdamW, step: int
) -> tuple[dict[str, Any], Credits]:
    """Step number ``step`` (from 0); the line to log and what every output was worth."""
    times_s = {"rollout_s": 0.0, "reward_s": 0.0}
    with _timed(times_s, "step_s"):
        groups, replaced = _explore(setup, method, step, times_s)
        with _timed(times_s, "reward_s"):
            credits = method.credit(groups)
        with _timed(times_s, "update_s"):
            updated = _update(setup, method, optimizer, credits, step)
    rounded = {name: round(value, 4) for name, value in times_s.items()}
    return {**_measured(credits), "replaced_groups": replaced, **updated, **rounded}, credits


def _explore(
    setup: Setup, method: Method, step: int, times_s: dict[str, float]
) -> tuple[list[list[Judged]], int]:
    """Judged groups; those with equal rewards are replaced as often as ``resample`` allows."""
    wanted = setup.settings.questions_per_step
    kept: list[list[Judged]] = []
    replaced = 0
    for attempt in range(setup.settings.resample + 1):
        with _timed(times_s, "rollout_s"):
            groups = method.source(setup.policy, step, attempt)
        with _timed(times_s, "reward_s"):
            judged = iter(method.reward([sample for group in groups for sample in group]))
            found = [[next(judged) for _ in group] for group in groups]
        if not setup.settings.resample:
            return found, 0
        differing = [group for group in found if _differ(group, setup.settings)]
        last = attempt == setup.settings.resample
        kept += differing[: wanted - len(kept)]
        if len(kept) == wanted:
            break
        missing = wanted - len(kept)
        if last:
            equal = [group for group in found if not _differ(group, setup.settings)]
            kept += equal[:missing]
        else:
            replaced += missing
    return kept, replaced


def _differ(group: list[Judged], settings: GrpoSettings) -> bool:
    known = [judged.total for judged in group if math.isfinite(judged.total)]
    return bool(known) and max(known) - min(known) > settings.zero_variance


def _update(
    setup: Setup, method: Method, optimizer: torch.optim.AdamW, credits: Credits, step: int
) -> dict[str, float | None]:
    """``updates_per_batch`` gradient steps on the outputs that have a say."""
    settings, policy = setup.settings, setup.policy
    device = next(policy.parameters()).device
    known = [credit for credit in credits.credits if _has_a_say(credit, settings)]
    chunks = plan_chunks(known, settings.micro_batch_tokens, device)
    reference = setup.frozen if method.reads_reference else None
    rate = learning_rate(step, settings.steps, settings)
    meters, norms = [], []
    for _ in range(settings.updates_per_batch if known else 0):
        meters.append(accumulate(policy, reference, chunks, method, settings))
        norms.append(update(policy, optimizer, rate, settings.clip_norm))
    learned: dict[str, float] = {}
    for companion in method.companions.values():
        learned |= companion.learn(credits, step)
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
        "logprob_gap": first.gap if settings.top_p == 1 and settings.draws_online else None,
        **learned,
    }


def _has_a_say(credit: Credit, settings: GrpoSettings) -> bool:
    cut = credit.judged.sample.completion.stop_reason == "length"
    return math.isfinite(credit.judged.total) and not (cut and settings.truncated == "mask")


def _measured(credits: Credits) -> dict[str, Any]:
    """What a step's outputs look like; means are over outputs."""
    every = [credit.judged for credit in [*credits.credits, *credits.unused]]
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
    times_s[name] = times_s.get(name, 0.0) + time.perf_counter() - began
