"""The loop that all methods share, and the stage ``grpo`` (paper, Algorithm 1).

A step is a pure function of (policy, optimizer state, step number): questions and draws come by
number. So a run killed anywhere continues from its last checkpoint with the same bits.
"""

import copy
import math
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from typing import Any

from seekmath.core.files import BadInput, write_parquet
from seekmath.core.job import Job
from seekmath.core.records import SAMPLE
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.model.decoder import Decoder
from seekmath.model.filed import put_in_file
from seekmath.model.folder import load_model, save_model
from seekmath.model.host import use_cpu
from seekmath.model.linear import PRECISIONS, compute_in
from seekmath.model.low_rank import add_low_rank, merged, twin
from seekmath.model.sampler import sample
from seekmath.rl.alarms import Diverged, alarms, check, read_lines
from seekmath.rl.iterations import begin_iteration
from seekmath.rl.method import Method, Setup
from seekmath.rl.methods.dpo import dpo_method
from seekmath.rl.methods.grpo import grpo_method
from seekmath.rl.methods.online_rft import online_rft_method
from seekmath.rl.methods.ppo import ppo_method
from seekmath.rl.methods.rft import rft_method
from seekmath.rl.questions import read_questions
from seekmath.rl.rewards import Rewards, Run
from seekmath.rl.rollout import Draw, record
from seekmath.rl.settings import GrpoSettings
from seekmath.rl.shares import is_first, joined_ranks, wait, world
from seekmath.rl.step import one_step
from seekmath.rl.vllm_engine import VllmEngine
from seekmath.train.checkpoint import checkpoints, load_checkpoint, save_checkpoint
from seekmath.train.optimizer import make_adamw, pick_device
from seekmath.verify.sandbox import Sandbox

#: Every method by the name that ``--method`` gives it.
METHODS = {
    "grpo": grpo_method,
    "ppo": ppo_method,
    "online_rft": online_rft_method,
    "rft": rft_method,
    "dpo": dpo_method,
}
# Steps whose rewards are averaged for the manifest, at the start and at the end.
_SUMMARY_STEPS = 10


def grpo(settings: GrpoSettings, job: Job) -> dict[str, Any]:
    """Improve ``settings.model`` by ``settings.method``; leaves ``model/``.

    Beside it: ``metrics.jsonl`` (a line per step), ``rollouts/step-….parquet`` (schema SAMPLE,
    with advantages), ``checkpoints/`` and, with several iterations, ``iterations/``.

    Raises:
        BadInput: model, problems, reward model or reward function are not what they must be.
    """
    use_cpu(settings.threads)
    with joined_ranks(pick_device(settings.device)):
        return _reinforce(settings, job)


def _reinforce(settings: GrpoSettings, job: Job) -> dict[str, Any]:
    policy, frozen = load_policy(settings, job.seed)
    tokenizer = Tokenizer.load(settings.model)
    context = policy.config.max_position_embeddings
    questions, dropped = read_questions(settings, tokenizer, context)
    with opened_rewards(settings, tokenizer) as (rewards, run), opened_sampler(settings) as draw:
        setup = Setup(
            settings, policy, frozen, questions, tokenizer, rewards, job.seed, run, draw=draw
        )
        if settings.reference_in == "file" and frozen is not policy:
            setup = replace(setup, let_go=put_in_file(frozen, job.out))
        run_method(setup, METHODS[settings.method](setup), job)
    if is_first():
        save_model(merged(policy), job.out / "model", settings.model)
    wait()
    lines = read_lines(job.out / "metrics.jsonl")
    counts = {"steps": settings.steps, "questions": len(questions), "dropped": dropped}
    return {**_summary(lines), **counts, **_troubles(lines)}


def load_policy(settings: GrpoSettings, seed: int) -> tuple[Decoder, Decoder]:
    """The policy to train, and the policy as it is handed over, frozen.

    Where nothing asks for the latter, no memory goes to a copy: it is the policy itself; nor with
    LoRA, where it has the base's own weights.
    """
    device = pick_device(settings.device)
    if settings.reference_in == "file" and device.type != "cpu":
        raise BadInput(f"reference_in: file is for the CPU, not {device.type}; use memory")
    policy = load_model(settings.model, str(device))
    compute_in(policy, PRECISIONS[settings.precision])
    if settings.lora_rank:
        base = twin(policy)
        add_low_rank(policy, settings.lora_rank, settings.lora_alpha, seed)
        return policy, base
    if settings.keeps_frozen:
        return policy, copy.deepcopy(policy).requires_grad_(False)
    return policy, policy


@contextmanager
def opened_rewards(
    settings: GrpoSettings, tokenizer: Tokenizer
) -> Iterator[tuple[Rewards, Run | None]]:
    """The rewards of a run, and the sandbox for programs where any are to be run."""
    with ExitStack() as stack:
        run: Run | None = None
        if settings.runs_programs:
            # As many programs at once as there are processors: they end in milliseconds.
            workers = min(8, os.cpu_count() or 1)
            run = stack.enter_context(Sandbox(workers=workers, unsafe=settings.unsafe)).run_all
        rewards = Rewards(settings, tokenizer, run)
        stack.callback(rewards.close)
        yield rewards, run


@contextmanager
def opened_sampler(settings: GrpoSettings) -> Iterator[Draw]:
    """What draws the rollouts."""
    if settings.sampler == "native":
        yield sample
        return
    if world() > 1:
        raise BadInput(f"sampler: vllm serves one process; found {world()}; use native")
    with closing(VllmEngine(settings)) as engine:
        yield engine.sample


def run_method(setup: Setup, method: Method, job: Job) -> None:
    """Train ``setup.policy`` in place by any method, from its last checkpoint to the end.

    Raises:
        Diverged: an alarm that the settings name was raised, or no step made an update for long.
            ``stopped/`` then holds the policy as it was.
    """
    settings = setup.settings
    optimizer = make_adamw(setup.policy, settings)
    folder = job.out / "checkpoints"
    start = load_checkpoint(folder, setup.policy, optimizer)
    for name, companion in method.companions.items():
        load_checkpoint(folder / name, companion.network, companion.optimizer, at=start)
    if is_first():
        job.rewind(start)
    wait()
    lines = read_lines(job.out / "metrics.jsonl")
    length = settings.steps // settings.iterations
    for step in range(start, settings.steps):
        if settings.iterations > 1 and (step == start or step % length == 0):
            _begin_iteration(setup, job, step // length)
        line, credits = one_step(setup, method, optimizer, step)
        done = step + 1
        if is_first() and _is_kept(settings, done):
            every = [*credits.credits, *credits.unused]
            rows = [record(credit.judged, credit.token_advantages) for credit in every]
            write_parquet(job.out / "rollouts" / f"step-{done:05d}.parquet", rows, SAMPLE)
        lines.append({"step": done, **line})
        _raise_alarms(lines, settings, job)
        if is_first():
            job.log(done, **{name: value for name, value in lines[-1].items() if name != "step"})
        _end_if_diverged(lines, setup, job)
        if is_first() and (done % settings.checkpoint_every == 0 or done == settings.steps):
            # The policy's last: a companion without a policy of the same step is not looked at.
            for name, companion in method.companions.items():
                save_checkpoint(folder / name, done, companion.network, companion.optimizer)
            save_checkpoint(folder, done, setup.policy, optimizer)
        job.progress(done, settings.steps, "steps", f"reward {line['reward_mean'] or 0.0:.3f}")


def _begin_iteration(setup: Setup, job: Job, iteration: int) -> None:
    """The first rank makes what the iteration begins with; the others find it made."""
    if is_first():
        begin_iteration(setup, job, iteration)
    wait()
    if not is_first():
        begin_iteration(setup, job, iteration)


def _raise_alarms(lines: list[dict[str, Any]], settings: GrpoSettings, job: Job) -> None:
    """Note the alarms in the last line, and tell those that the line before had not."""
    raised = alarms(lines, settings)
    before = str(lines[-2].get("alarms") or "").split() if len(lines) > 1 else []
    for name, words in raised.items():
        if name not in before:
            job.say(f"  [bold red]alarm[/] step {lines[-1]['step']}: {words}")
    if lines[-1]["skipped"]:
        job.say(f"  [bold red]no update[/] in step {lines[-1]['step']}: {lines[-1]['skipped']}")
    lines[-1]["alarms"] = " ".join(raised) or None


def _end_if_diverged(lines: list[dict[str, Any]], setup: Setup, job: Job) -> None:
    """Leave the policy in ``stopped/`` and raise, if the run must end."""
    try:
        check(lines, setup.settings)
    except Diverged as error:
        if is_first():
            save_model(merged(setup.policy), job.out / "stopped", setup.settings.model)
        kept = checkpoints(job.out / "checkpoints")
        last = f"the last checkpoint is {kept[-1]}" if kept else "no checkpoint was written yet"
        raise Diverged(f"{error}; the policy lies in {job.out / 'stopped'}, {last}") from None


def _is_kept(settings: GrpoSettings, done: int) -> bool:
    """Whether a step's rollouts are written: some to look at, all where a reward model learns.

    Those of the first step and of the step after each checkpoint can be replayed.
    """
    learns = settings.iterations > 1 and settings.trained_reward
    replayable = (done - 1) % settings.checkpoint_every == 0
    listed = done % settings.rollout_every == 0 or done == settings.steps
    return bool(learns or replayable or listed)


def _troubles(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """What went wrong, over the whole run."""
    raised = Counter(name for line in lines for name in str(line["alarms"] or "").split())
    return {
        "reward_errors": sum(line["reward_errors"] for line in lines),
        "reward_timeouts": sum(line["reward_timeouts"] for line in lines),
        "skipped_steps": sum(bool(line["skipped"]) for line in lines),
        "alarms": dict(raised),
    }


def _summary(lines: list[dict[str, Any]]) -> dict[str, float]:
    """Mean reward of the first and last logged steps, so that a manifest tells what was gained."""
    rewards = [line["reward_mean"] for line in lines if line["reward_mean"] is not None]
    if not rewards:
        raise BadInput("no step had a reward; see reward_errors in metrics.jsonl")
    first, last = rewards[:_SUMMARY_STEPS], rewards[-_SUMMARY_STEPS:]
    return {
        "reward_mean_first": math.fsum(first) / len(first),
        "reward_mean_last": math.fsum(last) / len(last),
    }
