"""The outer loop of iterative GRPO (paper, Algorithm 1): reference renewed, reward model trained.

Iteration i begins with the policy as its reference. Where a reward model takes part, it is first
trained on what the policy wrote in iteration i - 1, with a share of earlier samples replayed. What
an iteration begins with lies whole in ``iterations/<i>/``, so a killed run finds it again.
"""

import math
from dataclasses import replace
from pathlib import Path

from safetensors.torch import load_file

from seekmath.core.files import read_parquet, whole_folder, write_parquet
from seekmath.core.job import Job
from seekmath.core.records import SAMPLE
from seekmath.core.seeds import derive, rng
from seekmath.model.folder import load_weights, save_model, save_weights
from seekmath.rl.method import Setup
from seekmath.rl.settings import GrpoSettings
from seekmath.train.reward_data import LabelPlan, Solution, label_steps, read_solutions
from seekmath.train.reward_model import RewardModel
from seekmath.train.reward_training import fit, pairs_of
from seekmath.train.settings import LoopSettings

#: Solutions in a batch when a reward model is trained on.
_ROWS = 32


def begin_iteration(setup: Setup, job: Job, iteration: int) -> None:
    """Make reference and reward models those of ``iteration`` (from 0, which begins as given)."""
    if iteration == 0:
        return
    folder = job.out / "iterations" / f"{iteration:02d}"
    if not (folder / "reference").exists():
        for name, model in setup.rewards.models.items():
            # The models of iteration i start from those of i - 1, in memory or on disk.
            _restore(model, job.out / "iterations" / f"{iteration - 1:02d}" / name)
            _train_on(setup, job, iteration, name, model)
            with whole_folder(folder / name) as scratch:
                save_weights(dict(model.named_parameters()), scratch)
        # Last, since its presence says that the iteration is ready.
        save_model(setup.policy, folder / "reference", setup.settings.model)
        job.say(f"  iteration {iteration + 1} of {setup.settings.iterations} begins")
    for name, model in setup.rewards.models.items():
        _restore(model, folder / name)
    if setup.frozen is not setup.policy:
        weights = load_weights(folder / "reference")
        setup.frozen.load_state_dict(weights, strict=False)


def _restore(model: RewardModel, folder: Path) -> None:
    path = folder / "model.safetensors"
    if path.exists():
        model.load_state_dict(load_file(path), strict=False)
        model.eval()


def _train_on(setup: Setup, job: Job, iteration: int, name: str, model: RewardModel) -> None:
    """One pass over the samples of the iteration that has ended, and replayed earlier ones."""
    settings = setup.settings
    inner = job.out / "iterations" / f"{iteration:02d}-{name}"
    if name == "process_model":
        kind = "process"
        files = [_labelled(setup, job, n, inner) for n in range(1, iteration + 1)]
    else:
        kind = "preference" if model.kind == "preference" else "outcome"
        files = _rollouts(settings, job, 1, iteration)
    length = len(files) // iteration
    earlier = [Path(settings.replay)] if settings.replay else []
    mixed = with_replay(
        read_solutions(files[-length:], setup.tokenizer),
        read_solutions([*earlier, *files[:-length]], setup.tokenizer),
        settings.replay_share,
        derive(job.seed, "replay", iteration),
    )
    if kind == "preference" and not pairs_of(mixed):
        return  # no question was answered both right and wrong
    learning = LoopSettings.model_validate(
        {
            "peak_lr": settings.reward_lr,
            "threads": settings.threads,
            "device": settings.device,
        }
    )
    with Job.open(inner, derive(job.seed, "reward-model", iteration)) as training:
        fit(model.train(), mixed, kind, learning, training, rows_per_step=_ROWS, epochs=1)
    model.eval()


def _rollouts(settings: GrpoSettings, job: Job, first: int, last: int) -> list[Path]:
    """The rollouts of iterations ``first`` to ``last``, counted from 1."""
    length = settings.steps // settings.iterations
    steps = range((first - 1) * length + 1, last * length + 1)
    return [job.out / "rollouts" / f"step-{step:05d}.parquet" for step in steps]


def _labelled(setup: Setup, job: Job, number: int, inner: Path) -> Path:
    """Rollouts of the iteration ``number`` (from 1) with estimated labels of their steps.

    Those of earlier iterations lie there already: only the newest are labelled, by the policy
    that wrote them.
    """
    path = inner.parent / f"{number:02d}-process_model" / "labelled.parquet"
    if not path.exists():
        settings = setup.settings
        rows = [
            row
            for file in _rollouts(settings, job, number, number)
            for row in read_parquet(file).to_pylist()
            if row["verdict"] is not None
        ]
        order = rng(job.seed, "labelled", number).permutation(len(rows))
        chosen = [rows[place] for place in sorted(order[: settings.labelled_samples].tolist())]
        plan = LabelPlan(
            settings.completions_per_step, settings.max_new_tokens, settings.temperature, "hard"
        )
        seed = derive(job.seed, "step-labels", number)
        label_steps(chosen, setup.policy, setup.tokenizer, plan, seed)
        write_parquet(path, chosen, SAMPLE)
    return path


def with_replay(
    fresh: list[Solution], earlier: list[Solution], share: float, seed: int
) -> list[Solution]:
    """``fresh`` with so many of ``earlier`` that these are ``share`` of the whole.

    All of ``earlier`` where there are fewer. Its questions are numbered after those of ``fresh``:
    a number stands for one question among the solutions that were read together.
    """
    after = 1 + max((solution.question for solution in fresh), default=-1)
    earlier = [replace(solution, question=after + solution.question) for solution in earlier]
    wanted = min(len(earlier), math.ceil(len(fresh) * share / (1 - share)))
    chosen = sorted(rng(seed, "rows").permutation(len(earlier))[:wanted].tolist())
    return [*fresh, *(earlier[place] for place in chosen)]
