"""One step of any method: explore, judge, credit, update (paper, Algorithm 1, lines 5 to 10)."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from seekmath.core.memory import give_back
from seekmath.model.decoder import Decoder
from seekmath.rl.alarms import finite
from seekmath.rl.method import Credit, Credits, Method, Setup
from seekmath.rl.probe import sampler_gap
from seekmath.rl.rollout import Judged
from seekmath.rl.settings import GrpoSettings
from seekmath.rl.shares import gathered, share
from seekmath.rl.update import Meter, accumulate, plan_chunks, read_reference
from seekmath.train.optimizer import learning_rate, update
from seekmath.verify.execution import Execution


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
            samples = [sample for group in groups for sample in group]
            judged = iter(method.reward(samples) if samples else [])
            found = gathered([[next(judged) for _ in group] for group in groups])
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
) -> dict[str, float | str | None]:
    """``updates_per_batch`` gradient steps on the outputs that have a say."""
    settings, policy = setup.settings, setup.policy
    device = next(policy.parameters()).device
    known = [credit for credit in credits.credits if has_a_say(credit, settings)]
    chunks = plan_chunks(_of_this_rank(known), settings.micro_batch_tokens, device)
    reference = setup.frozen if method.reads_reference else None
    rate = learning_rate(step, settings.steps, settings)
    meters: list[Meter] = []
    norms: list[float] = []
    # Before the update: the model must still be the one that drew.
    probed = None if _sees_the_sampler(settings) else _probe(setup, credits)
    skipped = "" if known else "no output has a reward"
    read_reference(reference, chunks, settings)
    setup.let_go()
    for _ in range(settings.updates_per_batch if known else 0):
        meters.append(accumulate(policy, reference, chunks, method, settings))
        try:
            norms.append(_stepped(policy, optimizer, rate, meters[-1], settings))
        except FloatingPointError as error:
            skipped = str(error)
            optimizer.zero_grad(set_to_none=True)
            break
    if settings.reference_in == "file":
        give_back()  # what gradients took, before the reference is read again
    first = meters[0] if meters else Meter()
    tokens = max(1, first.tokens)
    return {
        "kl": finite(first.kl / tokens) if reference is not None and known else None,
        "entropy": finite(first.entropy / tokens) if known else None,
        "loss": finite(first.loss) if known else None,
        "grad_norm": norms[0] if norms else None,
        "learning_rate": rate,
        "clip_fraction": sum(m.clipped for m in meters) / (tokens * max(1, len(meters))),
        "logprob_gap": (first.gap if known else None) if probed is None else probed,
        "skipped": skipped or None,
        **_learned(method, credits, step),
    }


def _of_this_rank(credits: list[Credit]) -> list[Credit]:
    """The outputs of this rank's share of the questions: those of a question stay together."""
    names = dict.fromkeys(credit.judged.sample.question.text for credit in credits)
    mine = set(share(list(names)))
    return [credit for credit in credits if credit.judged.sample.question.text in mine]


def _stepped(
    policy: Decoder, optimizer: torch.optim.AdamW, rate: float, meter: Meter, settings: GrpoSettings
) -> float:
    """One step of the optimizer; the gradient's norm. Nothing changes where it is not finite."""
    if not math.isfinite(meter.loss):
        raise FloatingPointError(f"the loss is {meter.loss}")
    return update(policy, optimizer, rate, settings.clip_norm)


def _learned(method: Method, credits: Credits, step: int) -> dict[str, float | None]:
    """What the method's companions learned; one whose gradient is not finite stays as it was."""
    learned: dict[str, float | None] = {}
    for name, companion in method.companions.items():
        try:
            learned |= companion.learn(credits, step)
        except FloatingPointError:
            companion.optimizer.zero_grad(set_to_none=True)
            learned[f"{name}_loss"] = None
    return learned


def _sees_the_sampler(settings: GrpoSettings) -> bool:
    """Whether the update's first pass is over the very distribution that the sampler drew from."""
    return settings.draws_online and settings.top_p == 1


def _probe(setup: Setup, credits: Credits) -> float:
    """Largest difference between sampler and trainer on the outputs of one question, in nats."""
    sampler = setup.policy if setup.settings.draws_online else setup.frozen
    every = [credit.judged.sample for credit in [*credits.credits, *credits.unused]]
    some = [sample for sample in every if sample.question == every[0].question]
    return sampler_gap(sampler, some, setup.settings)


def has_a_say(credit: Credit, settings: GrpoSettings) -> bool:
    """Whether an output takes part in the gradient."""
    cut = credit.judged.sample.completion.stop_reason != "stop"
    return math.isfinite(credit.judged.total) and not (cut and settings.truncated == "mask")


def _measured(credits: Credits) -> dict[str, Any]:
    """What a step's outputs look like; means are over outputs."""
    every = [credit.judged for credit in [*credits.credits, *credits.unused]]
    known = [judged.total for judged in every if math.isfinite(judged.total)]
    lengths = [len(judged.sample.completion.token_ids) for judged in every]
    cut = sum(judged.sample.completion.stop_reason != "stop" for judged in every)
    ran = [execution for judged in every for execution in judged.sample.executions]
    return {
        "reward_mean": math.fsum(known) / len(known) if known else None,
        "right": sum(judged.verdict is True for judged in every) / len(every),
        "reward_errors": len(every) - len(known),
        "reward_timeouts": sum(judged.fault == "timeout" for judged in every),
        "zero_variance_groups": credits.zero_variance_groups,
        "completions": len(every),
        "completion_tokens": sum(lengths),
        "completion_length": sum(lengths) / len(every),
        "truncated": cut,
        **_programs(ran, len(every)),
        **_steps(every),
    }


def _steps(every: list[Judged]) -> dict[str, float]:
    """Mean reward of a step of reasoning; nothing without process supervision."""
    known = [one for judged in every for one in judged.step_rewards if math.isfinite(one)]
    return {"step_reward_mean": math.fsum(known) / len(known)} if known else {}


def _programs(ran: list[Execution], outputs: int) -> dict[str, float]:
    """Programs per output and the share that ended without an error; nothing where none ran."""
    if not ran:
        return {}
    right = sum(execution.status == "ok" for execution in ran)
    return {"programs": len(ran) / outputs, "programs_ok": right / len(ran)}


@contextmanager
def _timed(times_s: dict[str, float], name: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    times_s[name] = times_s.get(name, 0.0) + time.perf_counter() - began
