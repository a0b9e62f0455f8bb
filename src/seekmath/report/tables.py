"""Accuracies of every model on every benchmark, as data and as a table for the terminal."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seekmath.report.numbers import finite, span
from seekmath.report.runs import Run, open_run

if TYPE_CHECKING:
    from rich.table import Table

#: The generated benchmarks of the embedded world: what each stands for and what it asks.
GENERATED = {
    "mini-gsm8k": ("GSM8K", "English word problems of one to three steps"),
    "mini-math": ("MATH", "equations, fractions and modular arithmetic, answers in LaTeX"),
    "mini-ocw": ("OCW Courses", "quantities from formulas of science"),
    "mini-sat": ("SAT", "equations, multiple choice"),
    "mini-mmlu-stem": ("MMLU-STEM", "facts and short computations, multiple choice"),
    "mini-cmath": ("CMATH", "Chinese word problems of one to three steps"),
    "mini-gaokao-cloze": ("Gaokao-MathCloze", "Chinese, fill in the number"),
    "mini-gaokao-qa": ("Gaokao-MathQA", "Chinese, multiple choice"),
}
_ORDER = {name: place for place, name in enumerate(GENERATED)}

Cells = dict[str, dict[str, Any]]


def final_table(run_dir: str | Path) -> dict[str, Any]:
    """The accuracies of a run: ``{"benchmarks": […], "rows": [{"model", "cells"}], "note"}``.

    ``cells`` maps a benchmark to its metrics (``greedy``, ``maj@4``, ``pass@4`` …), each with
    ``value``, ``low``, ``high`` (shares of 1; a 95% interval) and ``n`` problems.
    """
    return accuracies(open_run(run_dir))


def accuracies(run: Run) -> dict[str, Any]:
    """As ``final_table``, of an opened run."""
    stages = [(stage.name, stage.json("results.json")) for stage in run.of_type("evaluate")]
    several = sum(1 for _, results in stages if results) > 1
    rows: dict[str, Cells] = {}
    for stage, results in stages:
        for model, benchmark, metric, estimate in estimates(results):
            cells = rows.setdefault(f"{stage}: {model}" if several else model, {})
            cells.setdefault(benchmark, {})[metric] = estimate
    found = dict.fromkeys(name for cells in rows.values() for name in cells)
    return {
        "benchmarks": sorted(found, key=lambda name: (_ORDER.get(name, len(_ORDER)), name)),
        "rows": [{"model": model, "cells": cells} for model, cells in rows.items()],
        "note": "mini-* are generated counterparts, not the real benchmarks",
    }


def estimates(results: Any) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """(model, benchmark, metric, estimate) of ``results.json``, whatever it holds."""
    if not isinstance(results, dict):
        return
    for key, estimate in results.items():
        parts = key.rsplit("/", 2)
        if len(parts) == 3 and isinstance(estimate, dict):
            wanted = {name: finite(estimate.get(name)) for name in ("value", "low", "high", "n")}
            yield parts[0], parts[1], parts[2], wanted


@dataclass(frozen=True)
class BenchmarkRow:
    """Accuracies on one benchmark, one for each model; ``best`` is the highest value.

    Of greedy answers, or where there are none (``sampled``) the mean of samples.
    """

    name: str
    n: float | None
    estimates: list[dict[str, Any] | None]
    best: float | None
    sampled: bool


def by_benchmark(table: dict[str, Any]) -> list[BenchmarkRow]:
    """The table turned round: benchmarks down, models across, greedy accuracies only."""
    found = []
    for name in table["benchmarks"]:
        sampled = not any("greedy" in row["cells"].get(name, {}) for row in table["rows"])
        metric = "pass@1" if sampled else "greedy"
        estimates = [row["cells"].get(name, {}).get(metric) for row in table["rows"]]
        values = [e["value"] for e in estimates if e and e["value"] is not None]
        n = next((e["n"] for e in estimates if e), None)
        found.append(BenchmarkRow(name, n, estimates, max(values, default=None), sampled))
    return found


def ks(cells: Cells, benchmark: str, metric: str) -> list[int]:
    """The K for which ``metric`` ("maj" or "pass") of a benchmark was measured, ascending."""
    names = cells.get(benchmark, {})
    found = (name.removeprefix(f"{metric}@") for name in names if name.startswith(f"{metric}@"))
    return sorted(int(k) for k in found if k.isdecimal())


def sampled_columns(table: dict[str, Any]) -> list[tuple[str, str]]:
    """(benchmark, metric) of the largest K of each sampled benchmark."""
    columns: dict[tuple[str, str], None] = {}
    for benchmark in table["benchmarks"]:
        for metric in ("maj", "pass", "best"):
            found = [k for row in table["rows"] for k in ks(row["cells"], benchmark, metric)]
            if found:
                columns[benchmark, f"{metric}@{max(found)}"] = None
    return list(columns)


def rich_table(run_dir: str | Path) -> "Table":
    """The same for a terminal of 80 columns: models down, benchmarks across, per cent."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    data = final_table(run_dir)
    table = Table(
        title="Accuracy in per cent, greedy unless named (95% interval)",
        caption=data["note"],
        box=box.SIMPLE_HEAD,
        # The box's own dividers are spaces; more would not fit three models on ten columns.
        padding=0,
        show_edge=False,
    )
    table.add_column("model", vertical="bottom")
    columns = [(name, "greedy") for name in data["benchmarks"]] + sampled_columns(data)
    for benchmark, metric in columns:
        header = benchmark.replace("-", "-\n")
        header += "" if metric == "greedy" else f"\n{metric}"
        table.add_column(Text(header, justify="right"), justify="right", vertical="bottom")
    for row in data["rows"]:
        cells = [row["cells"].get(benchmark, {}).get(metric) for benchmark, metric in columns]
        table.add_row(Text(row["model"]), *map(_terminal_cell, cells))
    return table


def _terminal_cell(estimate: dict[str, Any] | None) -> Any:
    from rich.text import Text

    if not estimate or estimate["value"] is None:
        return Text("–", style="dim")
    interval = span(estimate["low"], estimate["high"], digits=0)
    return Text.assemble(f"{100 * estimate['value']:.1f}\n", (interval, "dim"))
