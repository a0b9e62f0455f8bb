"""The loop that all methods share, and the stage ``grpo`` (paper, Algorithm 1).

A step is a pure function of (policy, optimizer state, step number): questions and draws come by
number. So a run killed anywhere continues from its last checkpoint with the same bits.
"""

import copy
import json
import math
from pathlib import Path
from typing import Any

import torch

from seekmath.core.files import BadInput, write_parquet
from seekmath.core.job import Job
from seekmath.core.records import SAMPLE
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.model.folder import load_model, save_model
from seekmath.rl.iterations import begin_iteration
from seekmath.rl.method import Method, Setup
from seekmath.rl.methods.dpo import dpo_method
from seekmath.rl.methods.grpo import grpo_method
from seekmath.rl.methods.online_rft import online_rft_method
from seekmath.rl.methods.ppo import ppo_method
from seekmath.rl.methods.rft import rft_method
from seekmath.rl.questions import read_questions
from seekmath.rl.rewards import Rewards
from seekmath.rl.rollout import record
from seekmath.rl.settings import GrpoSettings
from seekmath.rl.step import one_step
from seekmath.train.checkpoint import load_checkpoint, save_checkpoint
from seekmath.train.optimizer import make_adamw, pick_device

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
    if settings.threads:
        torch.set_num_threads(settings.threads)
    policy = load_model(settings.model, str(pick_device(settings.device)))
    tokenizer = Tokenizer.load(settings.model)
    context = policy.config.max_position_embeddings
    questions, dropped = read_questions(settings, tokenizer, context)
    rewards = Rewards(settings, tokenizer)
    # Where nothing asks the policy as it was handed over, no memory goes to a copy.
    frozen = copy.deepcopy(policy).requires_grad_(False) if settings.keeps_frozen else policy
    setup = Setup(settings, policy, frozen, questions, tokenizer, rewards, job.seed)
    run_method(setup, METHODS[settings.method](setup), job)
    save_model(policy, job.out / "model", settings.model)
    summary = _summary(job.out / "metrics.jsonl")
    return {**summary, "steps": settings.steps, "questions": len(questions), "dropped": dropped}


def run_method(setup: Setup, method: Method, job: Job) -> None:
    """Train ``setup.policy`` in place by any method, from its last checkpoint to the end."""
    settings = setup.settings
    optimizer = make_adamw(setup.policy, settings)
    folder = job.out / "checkpoints"
    start = load_checkpoint(folder, setup.policy, optimizer)
    for name, companion in method.companions.items():
        load_checkpoint(folder / name, companion.network, companion.optimizer, at=start)
    job.rewind(start)
    length = settings.steps // settings.iterations
    for step in range(start, settings.steps):
        if settings.iterations > 1 and (step == start or step % length == 0):
            begin_iteration(setup, job, step // length)
        line, credits = one_step(setup, method, optimizer, step)
        done = step + 1
        if _is_kept(settings, done):
            every = [*credits.credits, *credits.unused]
            rows = [record(credit.judged, credit.token_advantages) for credit in every]
            write_parquet(job.out / "rollouts" / f"step-{done:05d}.parquet", rows, SAMPLE)
        job.log(done, **line)
        if done % settings.checkpoint_every == 0 or done == settings.steps:
            # The policy's last: a companion without a policy of the same step is not looked at.
            for name, companion in method.companions.items():
                save_checkpoint(folder / name, done, companion.network, companion.optimizer)
            save_checkpoint(folder, done, setup.policy, optimizer)
        job.progress(done, settings.steps, "steps", f"reward {line['reward_mean'] or 0.0:.3f}")


def _is_kept(settings: GrpoSettings, done: int) -> bool:
    """Whether a step's rollouts are written: some to look at, all where a reward model learns."""
    learns = settings.iterations > 1 and settings.trained_reward
    return bool(learns or done == 1 or done % settings.rollout_every == 0 or done == settings.steps)


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
