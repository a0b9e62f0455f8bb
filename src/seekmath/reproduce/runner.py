"""Run an experiment over its seeds, judge its claims, write its result.

Every seed of a size has one run directory, which all experiments share: a stage that two of them
need is run once. Results stand beside it, whole, so a killed experiment goes on where it was.
"""

import statistics
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from seekmath.core.artifact import machine, read_manifest, versions
from seekmath.core.files import BadInput, whole_file, write_json
from seekmath.core.log import Display
from seekmath.core.recipe import load_recipe
from seekmath.core.run import run_recipe
from seekmath.report.gain import t_interval
from seekmath.report.plot import smooth
from seekmath.reproduce.claims import Measured, judge
from seekmath.reproduce.experiment import Curves, Experiment, Stages
from seekmath.reproduce.sizes import Size
from seekmath.stages import STAGES

#: Points of a curve in a result, about.
_MOST_STEPS = 50


def reproduce(
    name: str,
    experiment: Experiment,
    size: Size,
    seeds: list[int],
    out: Path,
    display: Display,
    command: str = "",
) -> Path:
    """Run, measure and judge; the file of the result.

    Raises:
        BadInput: another process works in a run directory of the experiment, its stages do not
            fit the size's machines, or something that it needs is missing here.
        KeyboardInterrupt: interrupted; the same call resumes.
    """
    if size.machines:
        planned(name, experiment, size, out)
    stages = experiment.stages(size)
    runs = [run_seed(name, experiment, size, seed, out, display) for seed in seeds]
    found = [experiment.measure(run, size) for run in runs]
    path = out / size.name / "results" / f"{name}.json"
    curves = [experiment.curves(run) for run in runs]
    minutes = sum(_minutes(run, stages) for run in runs)
    measured = result(name, experiment, size, seeds, found, curves, minutes, command)
    write_json(path, measured)
    return path


def result(
    name: str,
    experiment: Experiment,
    size: Size,
    seeds: list[int],
    found: list[Measured],
    curves: list[Curves],
    minutes: float,
    command: str,
) -> dict[str, Any]:
    """What a result's file holds, of what was measured and drawn for each seed."""
    return {
        "experiment": name,
        "title": experiment.title,
        "place": experiment.place,
        "size": size.name,
        "seeds": seeds,
        "claims": [judge(claim, found) for claim in experiment.claims(size)],
        "arms": summary(found),
        "curves": mean_curves(curves),
        "paper": experiment.paper,
        "differs": experiment.differs,
        "minutes": round(minutes, 1),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "versions": versions(),
        "command": command,
    }


def run_seed(
    name: str, experiment: Experiment, size: Size, seed: int, out: Path, display: Display
) -> Path:
    """Run the stages of one seed that are not finished; its run directory.

    Raises:
        BadInput: another process works there, or something that they need is missing here.
    """
    experiment.needs(size)
    run = out / size.name / f"seed-{seed}"
    recipe = _write_recipe(name, experiment.stages(size), size, seed, run)
    display.say(f"[bold]{name}[/] at size {size.name}, seed {seed}")
    run_recipe(load_recipe(recipe, [], STAGES), run, display)
    return run


def _write_recipe(name: str, stages: Stages, size: Size, seed: int, run: Path) -> Path:
    path = run / "recipes" / f"{name}.yaml"
    whole = {"name": f"{name}-{size.name}", "seed": seed, "stages": stages}
    with whole_file(path) as file:
        yaml.safe_dump(whole, file, sort_keys=False)
    return path


def planned(
    name: str, experiment: Experiment, size: Size, out: Path
) -> tuple[Path, list[dict[str, Any]]]:
    """The recipe of the first seed, and what its training takes on the size's machines.

    Raises:
        BadInput: a stage cannot fit; says what would.
    """
    from seekmath.plan import Machines, plan, refusals

    path = _write_recipe(name, experiment.stages(size), size, 0, out / size.name / "seed-0")
    recipe = load_recipe(path, [], STAGES, inputs=False)
    trained = any(stage.type_name in ("pretrain", "sft", "grpo") for stage in recipe.stages)
    entries = plan(recipe, Machines(**size.machines), size.vocab_size) if trained else []
    if refused := refusals(entries):
        raise BadInput("\n".join(refused))
    return path, entries


def summary(found: list[Measured]) -> dict[str, dict[str, dict[str, Any]]]:
    """Arm → measure → mean over seeds with its t interval, and the value of each seed."""
    return {
        arm: {measure: _over_seeds(found, arm, measure) for measure in found[0][arm]}
        for arm in found[0]
        if all(arm in measured for measured in found)
    }


def mean_curves(seeds: list[Curves]) -> Curves:
    """The mean over seeds at each step that all of them have, of some fifty steps."""
    found: Curves = {}
    for title, arms in seeds[0].items():
        found[title] = {}
        for arm in arms:
            curves = [dict(curve[title][arm]) for curve in seeds]
            steps = sorted(set.intersection(*(set(curve) for curve in curves)))
            points = [(step, statistics.fmean(c[step] for c in curves)) for step in steps]
            found[title][arm] = smooth(points, max(1, len(points) // 12))
            every = max(1, len(points) // _MOST_STEPS)
            found[title][arm] = found[title][arm][::every]
    return found


def _over_seeds(found: list[Measured], arm: str, measure: str) -> dict[str, Any]:
    values = [statistics.fmean(measured[arm][measure].values()) for measured in found]
    mean, low, high = t_interval(values)
    return {"mean": mean, "low": low, "high": high, "by_seed": values}


def _minutes(run: Path, stages: Stages) -> float:
    manifests = [read_manifest(run / stage) for stage in stages]
    return sum(manifest.wall_s for manifest in manifests if manifest) / 60
