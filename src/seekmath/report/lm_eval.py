"""Results in the form of the LM evaluation harness, for leaderboards and tools that read it."""

import math
from pathlib import Path
from typing import Any

from seekmath.core.files import BadInput, write_json
from seekmath.report.runs import Run, Stage, open_run
from seekmath.report.tables import estimates

# Their names of ours; the part after the comma is the harness's filter.
_METRICS = {"greedy": "exact_match,none"}


def write_lm_eval(run_dir: str | Path, folder: str | Path) -> list[Path]:
    """Write ``FOLDER/MODEL/results.json`` for every model that a run evaluated.

    Raises:
        BadInput: the run holds no finished evaluation.
    """
    run = open_run(run_dir)
    written = []
    for stage in run.of_type("evaluate"):
        for model, results in _models(stage).items():
            path = Path(folder) / model / "results.json"
            write_json(path, as_lm_eval(model, results, stage, run))
            written.append(path)
    if not written:
        raise BadInput(f"{run_dir}: holds no finished evaluation to export")
    return written


def as_lm_eval(
    model: str, results: dict[str, dict[str, dict[str, Any]]], stage: Stage, run: Run
) -> dict[str, Any]:
    """One model's results; ``results`` maps benchmark → metric → estimate."""
    manifest = stage.manifest
    assert manifest is not None
    settings = manifest.settings
    shots = {name: _shots(stage, model, name) for name in results}
    counts = {name: int(next(iter(found.values()))["n"] or 0) for name, found in results.items()}
    recorded = settings.get("recorded", {}).get(model)
    source = {**settings.get("models", {}), **settings.get("served", {})}.get(model, model)
    return {
        "results": {name: _task(name, found) for name, found in results.items()},
        "group_subtasks": {name: [] for name in results},
        "configs": {
            name: {
                "task": name,
                "num_fewshot": shots[name],
                "output_type": "generate_until",
                # How recorded answers were made is not known.
                **({} if recorded else {"generation_kwargs": _generation(settings)}),
                "metadata": {"version": 1},
            }
            for name in results
        },
        "versions": dict.fromkeys(results, 1),
        "n-shot": shots,
        "higher_is_better": {
            name: {_name(metric).partition(",")[0]: True for metric in found}
            for name, found in results.items()
        },
        "n-samples": {name: {"original": n, "effective": n} for name, n in counts.items()},
        "config": {
            "model": "seekmath",
            "model_args": f"recorded={recorded}" if recorded else f"pretrained={source}",
            "limit": settings.get("limit") or None,
            "random_seed": manifest.seed,
        },
        "model_source": "seekmath",
        "model_name": model,
        "model_name_sanitized": model.replace("/", "__"),
        "date": manifest.started,
        "total_evaluation_time_seconds": str(manifest.wall_s),
        "seekmath": {"run": run.name, "versions": manifest.versions},
    }


def _shots(stage: Stage, model: str, benchmark: str) -> int:
    """Worked examples before each question, as ``details.json`` has them."""
    details = stage.json("details.json")
    for name in (model, benchmark):
        details = details.get(name) if isinstance(details, dict) else None
    found = details.get("shots") if isinstance(details, dict) else None
    return found if isinstance(found, int) else 0


def _generation(settings: dict[str, Any]) -> dict[str, Any]:
    """Of the greedy answers."""
    return {
        "max_gen_toks": settings.get("max_new_tokens"),
        "temperature": 0.0,
        "do_sample": False,
    }


def _models(stage: Stage) -> dict[str, dict[str, dict[str, dict[str, Any]]]]:
    found: dict[str, dict[str, dict[str, dict[str, Any]]]] = {}
    for model, benchmark, metric, estimate in estimates(stage.json("results.json")):
        found.setdefault(model, {}).setdefault(benchmark, {})[metric] = estimate
    return found


def _name(metric: str) -> str:
    return _METRICS.get(metric, f"{metric.replace('@', '_at_')},none")


def _task(name: str, metrics: dict[str, dict[str, Any]]) -> dict[str, Any]:
    task: dict[str, Any] = {"alias": name}
    for metric, estimate in metrics.items():
        ours, value, n = _name(metric), estimate["value"], estimate["n"]
        task[ours] = value
        task[ours.replace(",", "_stderr,")] = _standard_error(metric, estimate, value, n)
    return task


def _standard_error(
    metric: str, estimate: dict[str, Any], value: float | None, n: float | None
) -> Any:
    """Of a share by its sample variance, as the harness; of other means from the interval."""
    if value is None or not n or n < 2:
        return "N/A"
    if metric == "greedy":
        return math.sqrt(value * (1 - value) / (n - 1))
    if estimate["low"] is None or estimate["high"] is None:
        return "N/A"
    return (estimate["high"] - estimate["low"]) / (2 * 1.959964)
