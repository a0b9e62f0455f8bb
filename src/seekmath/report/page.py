"""The HTML report of a run: one file, no scripts, nothing loaded from elsewhere.

Everything a run holds may be hostile (crawled pages, model output): templates escape all text, and
the page's content security policy forbids scripts and requests besides.
"""

import json
import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from seekmath.core.files import whole_file
from seekmath.report import numbers
from seekmath.report.answers import MOST_PROBLEMS, read_answers
from seekmath.report.details import parts, read_details
from seekmath.report.figures import (
    accuracy_chart,
    grpo_charts,
    k_charts,
    loss_charts,
    pretrain_charts,
    reward_facts,
)
from seekmath.report.gain import read_gain
from seekmath.report.mining import read_mining
from seekmath.report.mixture import read_mixture
from seekmath.report.rollouts import cut_text, read_rollouts
from seekmath.report.runs import Run, open_run
from seekmath.report.tables import GENERATED, accuracies, by_benchmark, sampled_columns
from seekmath.report.trials import read_trials
from seekmath.report.troubles import largest_gap, troubles

_MOST_SETTINGS = 8000
_PROVED = re.compile(r" \((?:Coq|Isabelle)[^)]*\)$")  # the prover in a benchmark's title
_SECTIONS = ("accuracy", "mining", "curves", "rollouts")
# Those of a folder of one stage, by its type; others are shown whole.
_OWN_SECTIONS = {
    "evaluate": ("accuracy",),
    "mine": ("mining",),
    "decontaminate": ("mining",),
    "pretrain": ("curves",),
    "sft": ("curves",),
    "reward": ("curves",),
    "grpo": ("curves", "rollouts"),
}


def write_report(
    run_dir: str | Path, out: str | Path | None = None, answers: int = MOST_PROBLEMS
) -> Path:
    """Write the report of a run directory, whole or not at all, and return its path.

    Args:
        run_dir: a run, finished or not, or the folder of a single stage.
        out: the HTML file; ``report.html`` in the run by default.
        answers: problems of each benchmark whose single answers are shown.

    Raises:
        BadInput: ``run_dir`` is neither.
    """
    run = open_run(run_dir)
    path = Path(out) if out else run.folder / "report.html"
    # Text of a run may hold lone surrogates, which UTF-8 cannot write.
    page = render(run, answers).encode("utf-8", errors="replace")
    with whole_file(path, "wb") as file:
        file.write(page)
    return path


def render(run: Run, answers: int = MOST_PROBLEMS) -> str:
    """The page as text."""
    table = accuracies(run)
    return environment().get_template("report.html").render(
        run=run,
        sections=_sections(run),
        facts=_facts(run),
        table=table,
        headline=by_benchmark(table),
        how_answered=_how_answered(run),
        proved=any(_PROVED.search(name) for name in table["benchmarks"]),
        sampled=sampled_columns(table),
        generated=GENERATED,
        accuracy=accuracy_chart(table),
        k_charts=k_charts(table),
        gain=read_gain(run.folder / "grpo_gain.json"),
        minings=[read_mining(stage) for stage in _of(run, "mine", "decontaminate")],
        trials=read_trials(run),
        curves=_curves(run),
        mixtures={stage.name: read_mixture(stage) for stage in run.stages},
        rewards=[(stage, reward_facts(stage)) for stage in run.of_type("reward")],
        troubles={stage.name: troubles(stage) for stage in run.of_type("grpo")},
        gaps={stage.name: largest_gap(stage) for stage in run.of_type("grpo")},
        evaluations=[(stage, read_details(stage)) for stage in run.of_type("evaluate")],
        answers=[(stage, read_answers(stage, answers)) for stage in run.of_type("evaluate")],
        rollouts=[(stage, read_rollouts(stage)) for stage in run.of_type("grpo")],
        settings={stage.name: _settings(stage.manifest) for stage in run.stages if stage.manifest},
    )  # fmt: skip


def environment() -> Environment:
    """The templates, which escape every text, with the filters for numbers."""
    environment = Environment(
        loader=PackageLoader("seekmath.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("percent", "span", "points", "signed", "count", "number", "duration", "memory"):
        environment.filters[name] = getattr(numbers, name)
    environment.filters["parts"] = parts
    return environment


def _sections(run: Run) -> tuple[str, ...]:
    alone = run.stages[0].type if len(run.stages) == 1 else ""
    return _OWN_SECTIONS.get(alone, _SECTIONS)


def _of(run: Run, *types: str) -> list[Any]:
    return [stage for stage in run.stages if stage.type in types and stage.manifest]


def _how_answered(run: Run) -> str:
    """What the accuracies are of."""
    settings = [stage.manifest.settings for stage in _of(run, "evaluate")]
    recorded = any(one.get("recorded") for one in settings)
    asked = any(one.get("models") or one.get("served") for one in settings)
    if recorded and asked:
        return "One answer to each question, by greedy decoding or as it was recorded"
    return "Recorded answers" if recorded else "Greedy decoding, one answer to each question"


def _curves(run: Run) -> list[Any]:
    """(stage, charts) of every stage that learns, in the run's order."""
    makers = {
        "pretrain": pretrain_charts,
        "sft": loss_charts,
        "reward": loss_charts,
        "grpo": grpo_charts,
    }
    return [(stage, makers[stage.type](stage)) for stage in _of(run, *makers)]


def _facts(run: Run) -> dict[str, Any]:
    """The header: total time, machines and versions, each value once."""
    manifests = [stage.manifest for stage in run.stages if stage.manifest]
    versions: dict[str, dict[str, None]] = {}
    for manifest in manifests:
        for package, version in manifest.versions.items():
            versions.setdefault(package, {})[version] = None
    return {
        "wall_s": sum(manifest.wall_s for manifest in manifests),
        "peak_mib": max((manifest.peak_memory_mib for manifest in manifests), default=0.0),
        "machines": list(dict.fromkeys(manifest.machine for manifest in manifests)),
        "versions": {package: ", ".join(found) for package, found in versions.items()},
        "started": min((manifest.started for manifest in manifests), default=""),
        "finished": all(stage.state == "finished" for stage in run.stages),
    }


def _settings(manifest: Any) -> tuple[str, int]:
    whole = {
        "seed": manifest.seed,
        "settings": manifest.settings,
        "metrics": manifest.metrics,
        "inputs": manifest.inputs,
    }
    return cut_text(json.dumps(whole, indent=2, ensure_ascii=False), _MOST_SETTINGS)
