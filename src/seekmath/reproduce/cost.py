"""What an experiment has cost on this machine, and what its rest will."""

import math
import statistics
from pathlib import Path
from typing import Any, NamedTuple

from seekmath.core.artifact import read_manifest
from seekmath.reproduce.experiment import Experiment
from seekmath.reproduce.sizes import Size
from seekmath.world.formal import MINI_MINIF2F
from seekmath.world.settings import WorldSettings

#: Seconds a unit of work with a model of size tiny on two cores (x86_64, 2026), until a stage of
#: the kind has run on this machine; units are those of ``_work``.
_SECONDS = {
    "world": 7e-4, "mine": 6.5e-4, "tokenize": 3e-4, "pretrain": 8e-5, "sft": 7e-3,
    "reward": 0.015, "reward-process": 0.065, "grpo": 0.0105, "evaluate": 0.0045,
}  # fmt: skip
#: A greedy answer costs as much as so many samples, which share their prompt and are batched.
_GREEDY = 4
#: A theorem with its proof costs as much as so many word problems, in fine-tuning.
_THEOREM = 2


class Cost(NamedTuple):
    """Stages that are finished and in all, minutes they took, minutes that the rest will take.

    ``measured`` says whether each unfinished stage's kind has run on this machine.
    """

    finished: int
    stages: int
    spent: float
    left: float
    measured: bool


def cost(experiment: Experiment, size: Size, seeds: list[int], out: Path) -> Cost:
    """What an experiment has cost on this machine, and what its rest will.

    An unfinished stage is expected to take as long for a unit of work as finished ones of its kind
    did, in any run directory of the size, or else what it takes on two cores. ``left`` is NaN where
    neither is known: for larger models.
    """
    folder = out / size.name
    rates = _rates(folder, size)
    finished, spent, left, measured = 0, 0.0, 0.0, True
    bodies = experiment.stages(size)
    for seed in seeds:
        for name, body in bodies.items():
            manifest = read_manifest(folder / f"seed-{seed}" / name)
            if manifest and manifest.state == "finished":
                finished, spent = finished + 1, spent + manifest.wall_s / 60
                continue
            kind = _kind(body.get("type", name), body)
            measured = measured and kind in rates
            left += rates.get(kind, _reference(kind, size)) * _work(kind, body, size) / 60
    return Cost(finished, len(bodies) * len(seeds), spent, left, measured)


def _rates(folder: Path, size: Size) -> dict[str, float]:
    """Seconds a unit of work of each kind of stage that is finished."""
    took: dict[str, list[float]] = {}
    for path in sorted(folder.glob("seed-*/*/stage.json")):
        manifest = read_manifest(path.parent)
        if manifest and manifest.state == "finished":
            kind = _kind(manifest.type, manifest.settings)
            work = _work(kind, manifest.settings, size)
            took.setdefault(kind, []).append(manifest.wall_s / work)
    return {kind: statistics.median(times) for kind, times in took.items()}


def _reference(kind: str, size: Size) -> float:
    tiny = size.pretrain["size"] == "tiny" and size.embedded
    return _SECONDS[kind] if tiny else math.nan


def _kind(type_name: str, body: dict[str, Any]) -> str:
    return "reward-process" if body.get("kind") == "process" else type_name


def _work(kind: str, body: dict[str, Any], size: Size) -> float:
    """Pages, pages by rounds, tokens, problems, samples or answers."""
    world = WorldSettings(**size.world)
    match kind:
        case "world":
            return float(body.get("pages", world.pages))
        case "mine":
            return float(world.pages * (1 + body["rounds"]))
        case "pretrain":
            return float(body["steps"] * body["rows_per_step"] * body["context"])
        case "sft":
            return float(body["epochs"] * _examples(body, size, world))
        case "reward" | "reward-process":
            return float(body["questions"] * body["samples_per_question"])
        case "grpo":
            return float(body["steps"] * body["questions_per_step"] * body["group_size"])
        case "evaluate":
            return float(len(body["models"]) * sum(_answers(body, size, world)))
    return float(world.pages)


def _examples(body: dict[str, Any], size: Size, world: WorldSettings) -> int:
    """What an epoch of fine-tuning costs, in word problems."""
    if body["kinds"] == ["proof"]:
        return _THEOREM * WorldSettings(**size.formal).formal_problems
    return sum(world.training_problems.values())


def _answers(body: dict[str, Any], size: Size, world: WorldSettings) -> list[int]:
    """What each benchmark costs, in samples."""
    sizes = {"mini-gsm8k": world.gsm8k_size}
    sizes[MINI_MINIF2F] = WorldSettings(**size.formal).formal_size
    return [
        sizes.get(name, world.benchmark_size)
        * (_GREEDY + (body.get("samples", 0) if name in body.get("sampled", ()) else 0))
        for name in body["benchmarks"]
    ]
