"""A kept step once more: its loss, KL and gradient from the checkpoint that it began with.

For finding out why a step did what it did; nothing is trained and nothing written.
"""

from collections import defaultdict
from pathlib import Path
from typing import Any

import torch

from seekmath.core.artifact import read_manifest
from seekmath.core.files import BadInput, read_parquet
from seekmath.core.job import Job
from seekmath.core.recipe import with_sources
from seekmath.corpus.chat import prompt_text
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.model.sampler import Completion
from seekmath.rl.alarms import read_lines
from seekmath.rl.iterations import begin_iteration
from seekmath.rl.method import Credits, Method, Setup
from seekmath.rl.questions import Question, read_questions
from seekmath.rl.rollout import Judged, Sample
from seekmath.rl.settings import GrpoSettings
from seekmath.rl.step import has_a_say
from seekmath.rl.trainer import METHODS, load_policy, opened_rewards
from seekmath.rl.update import accumulate, plan_chunks
from seekmath.train.checkpoint import checkpoints, load_checkpoint
from seekmath.train.optimizer import make_adamw

Row = dict[str, Any]
#: What is both logged and replayed.
MEASURES = ("loss", "kl", "entropy", "logprob_gap", "grad_norm")


def replay(folder: Path, step: int) -> dict[str, dict[str, float | None]]:
    """Measure the first update of step ``step`` (from 1) again.

    Args:
        folder: of the stage ``grpo``; its model and problems must still be where they were.
        step: one whose rollouts were kept and whose checkpoint before it is still there. Step 1
            begins with the model itself.

    Returns:
        For each of ``MEASURES`` what was ``logged`` and what is ``replayed``; and for
        ``advantages`` the largest difference between those stored and those that the stored
        rewards give.

    Raises:
        BadInput: the step cannot be replayed; says which can.
    """
    manifest = read_manifest(folder)
    if manifest is None or manifest.type != "grpo":
        raise BadInput(f"{folder}: is no folder of the stage grpo")
    paths = {label: given["path"] for label, given in manifest.inputs.items()}
    settings = with_sources(GrpoSettings.model_validate(manifest.settings), paths)
    assert isinstance(settings, GrpoSettings)
    _check_checkpoint(folder, step)
    rows = read_parquet(folder / "rollouts" / f"step-{step:05d}.parquet").to_pylist()
    logged = next(
        (line for line in read_lines(folder / "metrics.jsonl") if line["step"] == step), {}
    )
    policy, frozen = load_policy(settings, manifest.seed)
    tokenizer = Tokenizer.load(settings.model)
    questions, _ = read_questions(settings, tokenizer, policy.config.max_position_embeddings)
    with opened_rewards(settings, tokenizer) as (rewards, run), Job.open(folder) as job:
        setup = Setup(settings, policy, frozen, questions, tokenizer, rewards, manifest.seed, run)
        method = METHODS[settings.method](setup)
        _restore(setup, method, job, step - 1)
        credits = method.credit(_groups(rows, questions, settings))
    found = _measured(setup, method, credits)
    again = {name: {"logged": logged.get(name), "replayed": found[name]} for name in MEASURES}
    again["advantages"] = {"largest_difference": _difference(rows, credits)}
    return again


def _check_checkpoint(folder: Path, step: int) -> None:
    there = [int(path.stem.removeprefix("step-")) for path in checkpoints(folder / "checkpoints")]
    if step - 1 not in [0, *there]:
        can = ", ".join(str(one + 1) for one in [0, *there])
        raise BadInput(
            f"{folder}: step {step} began with the checkpoint of step {step - 1}, which is not"
            f" there; can be replayed: {can} (checkpoint_every)"
        )


def _restore(setup: Setup, method: Method, job: Job, done: int) -> None:
    """Policy, companions, reference and reward models as they were after ``done`` steps."""
    settings, folder = setup.settings, job.out / "checkpoints"
    if done:
        load_checkpoint(folder, setup.policy, make_adamw(setup.policy, settings), at=done)
        for name, companion in method.companions.items():
            load_checkpoint(folder / name, companion.network, companion.optimizer, at=done)
    iteration = done // (settings.steps // settings.iterations)
    if iteration:
        begin_iteration(setup, job, iteration)


def _groups(
    rows: list[Row], questions: list[Question], settings: GrpoSettings
) -> list[list[Judged]]:
    """The stored outputs, judged as they were, by question."""
    asked = {prompt_text(question.text): question for question in questions}
    # A question may come twice in a step: the second time its k begin anew.
    seen: dict[tuple[str, int], int] = defaultdict(int)
    groups: dict[tuple[str, int], list[Judged]] = defaultdict(list)
    for row in rows:
        time = seen[row["prompt"], row["k"]]
        seen[row["prompt"], row["k"]] += 1
        if row["prompt"] not in asked:
            raise BadInput(f"the problems have changed: no question is {row['prompt'][:80]!r}")
        groups[row["prompt"], time].append(_judged(row, asked[row["prompt"]], settings))
    return [sorted(group, key=lambda judged: judged.sample.k) for group in groups.values()]


def _judged(row: Row, question: Question, settings: GrpoSettings) -> Judged:
    done = Completion(row["token_ids"], row["logprobs"], row["stop_reason"])
    sample = Sample(question, row["k"], done, row["completion"], row["by_tool"] or [])
    total = sum(
        weight * value
        for weight, value in zip(settings.reward_weights.values(), row["rewards"], strict=True)
    )
    if settings.truncated == "punish" and row["stop_reason"] != "stop":
        total -= 1.0
    told = (row["verdict"], row["extracted"], row["reason"])
    return Judged(sample, total, row["rewards"], *told, row["step_ends"], row["step_rewards"] or [])


def _measured(setup: Setup, method: Method, credits: Credits) -> dict[str, float | None]:
    settings, policy = setup.settings, setup.policy
    known = [credit for credit in credits.credits if has_a_say(credit, settings)]
    if not known:
        return dict.fromkeys(MEASURES)
    reference = setup.frozen if method.reads_reference else None
    device = next(policy.parameters()).device
    chunks = plan_chunks(known, settings.micro_batch_tokens, device)
    meter = accumulate(policy, reference, chunks, method, settings)
    norm = torch.nn.utils.clip_grad_norm_(policy.parameters(), settings.clip_norm)
    return {
        "loss": meter.loss,
        "kl": meter.kl / meter.tokens if reference is not None else None,
        "entropy": meter.entropy / meter.tokens,
        "logprob_gap": meter.gap,
        "grad_norm": float(norm),
    }


def _difference(rows: list[Row], credits: Credits) -> float:
    stored = {(row["prompt"], row["k"], *row["token_ids"]): row["advantages"] for row in rows}
    largest = 0.0
    for credit in [*credits.credits, *credits.unused]:
        one = credit.judged.sample
        kept = stored[(prompt_text(one.question.text), one.k, *one.completion.token_ids)]
        pairs = zip(credit.token_advantages, kept, strict=True)
        largest = max(largest, *(abs(now - then) for now, then in pairs))
    return largest
