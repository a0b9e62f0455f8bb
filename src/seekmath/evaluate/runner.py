"""Evaluation (paper, sections 2.3 and 4.2): every model on every benchmark (stage ``evaluate``).

Greedy accuracy with Wilson's interval; for the sampled benchmarks Maj@K and Pass@K for K = 1, 2,
4 … (Figure 7) with bootstrap intervals over problems. A finished pair of model and benchmark is
kept as a Parquet file of its samples and never asked again.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from seekmath.core.files import BadInput, read_parquet, write_json, write_parquet
from seekmath.core.job import Job
from seekmath.core.records import SAMPLE
from seekmath.evaluate.answer import GREEDY, Answerer, Row
from seekmath.evaluate.benchmarks import Problem, benchmark_files, load_benchmark
from seekmath.evaluate.metrics import Estimate, bootstrap, maj_at_k, pass_at_k, wilson
from seekmath.evaluate.prompts import Shots, draw_shots
from seekmath.evaluate.settings import EvaluateSettings
from seekmath.verify.equal import equal

_READ = ["problem_id", "k", "extracted", "verdict"]


def evaluate(settings: EvaluateSettings, job: Job) -> dict[str, Any]:
    """Measure every model on every benchmark; leaves ``results.json`` and ``samples/``.

    Returns:
        ``model/benchmark/metric`` → value; and ``unreadable``: benchmark → problems left out
        because their gold answer cannot be read.
    """
    if settings.threads:
        torch.set_num_threads(settings.threads)
    benchmarks = _load(settings)
    paths = _sample_paths(settings, list(benchmarks), job.out / "samples")
    results: dict[str, Estimate] = {}
    unreadable: dict[str, int] = {}
    done = 0
    for model, folder in settings.models.items():
        answerer = Answerer(folder, settings, job.seed)
        for name, problems in benchmarks.items():

            def show(share: float, done: int = done, note: str = f"{model} on {name}") -> None:
                job.progress(done + share, len(paths), "benchmarks", note)

            path = paths[model, name]
            if not path.exists():
                shots = _shots(settings, model, name, problems[0].subject, job.seed)
                answers = _answers(answerer, problems, shots, name in settings.sampled, show)
                write_parquet(path, [{**row, "benchmark": name} for row in answers], SAMPLE)
            done += 1
            rows = read_parquet(path, _READ).to_pylist()
            for metric, estimate in metrics_of(rows).items():
                results[f"{model}/{name}/{metric}"] = estimate
            if left_out := len(_unreadable(rows)):
                unreadable[name] = left_out
    write_json(job.out / "results.json", results)
    values = {name: round(estimate["value"], 4) for name, estimate in results.items()}
    return {**values, **({"unreadable": unreadable} if unreadable else {})}


def _load(settings: EvaluateSettings) -> dict[str, list[Problem]]:
    files = benchmark_files(settings.benchmarks)
    for field, names, known in (
        ("sampled", settings.sampled, list(files)),
        ("few_shot_models", settings.few_shot_models, list(settings.models)),
    ):
        if unknown := set(names) - set(known):
            raise BadInput(f"{field}: found {sorted(unknown)}; allowed: {sorted(known)}")
    return {
        name: load_benchmark(file, settings.question_field, settings.answer_field, settings.limit)
        for name, file in files.items()
    }


def _sample_paths(
    settings: EvaluateSettings, benchmarks: list[str], folder: Path
) -> dict[tuple[str, str], Path]:
    paths = {
        (model, name): folder / f"{model}-{name}.parquet"
        for model in settings.models
        for name in benchmarks
    }
    if len(set(paths.values())) < len(paths) or any("/" in model for model in settings.models):
        raise BadInput(f"models: names must not clash as file names; found {list(settings.models)}")
    return paths


def _shots(
    settings: EvaluateSettings, model: str, benchmark: str, subject: str, seed: int
) -> Shots:
    if not settings.shots or model not in settings.few_shot_models:
        return []
    return draw_shots(settings, benchmark, subject, seed)


def _answers(
    answerer: Answerer,
    problems: list[Problem],
    shots: Shots,
    sampled: bool,
    show: Callable[[float], None],
) -> list[Row]:
    """The greedy answer of each problem, then K samples of each where they are wanted."""
    passes = [False, True] if sampled else [False]
    rows: list[Row] = []
    for turn, drawn in enumerate(passes):

        def progress(finished: int, turn: int = turn) -> None:
            show((turn + finished / len(problems)) / len(passes))

        progress(0)
        rows += answerer.answers(problems, shots, sampled=drawn, progress=progress)
    return rows


def metrics_of(rows: list[Row]) -> dict[str, Estimate]:
    """Every metric of one model on one benchmark from its stored samples.

    A problem whose gold answer cannot be read has no verdict and is left out of all of them.
    """
    left_out = _unreadable(rows)
    rows = [row for row in rows if row["problem_id"] not in left_out]
    greedy = [row["verdict"] for row in rows if row["k"] == GREEDY]
    metrics = {"greedy": wilson(sum(greedy), len(greedy))} if greedy else {}
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row["k"] != GREEDY:
            groups.setdefault(row["problem_id"], []).append(row)
    if not groups:
        return metrics
    votes = [_votes(group) for group in groups.values()]
    n = min(len(group) for group in groups.values())
    for k in [2**power for power in range(n.bit_length())]:
        passed = [pass_at_k(len(g), sum(r["verdict"] for r in g), k) for g in groups.values()]
        metrics[f"pass@{k}"] = bootstrap(passed)
        metrics[f"maj@{k}"] = bootstrap([maj_at_k(answers, gold, k) for answers, gold in votes])
    return metrics


def _unreadable(rows: list[Row]) -> set[str]:
    return {row["problem_id"] for row in rows if row["verdict"] is None}


def _votes(group: list[Row]) -> tuple[list[str | None], str | None]:
    """Each sample's answer, equal ones under one name, and the name of the right one."""
    names: list[str] = []
    answers: list[str | None] = []
    for row in group:
        if row["extracted"] is None:
            answers.append(None)
        elif row["verdict"]:
            answers.append("right")
        else:
            text = row["extracted"]
            known = next((name for name in names if equal(name, text).right), None)
            if known is None:
                names.append(text)
            # Apart from the name "right", whatever a model wrote.
            answers.append(f"wrong:{known or text}")
    return answers, "right" if "right" in answers else None
