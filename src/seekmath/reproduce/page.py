"""Results as Markdown: for the terminal one experiment, for docs/reproduction.md all of them."""

import math
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from seekmath.core.files import whole_file
from seekmath.reproduce.result import read_result

_HEAD = """# The paper, re-enacted

This page is written by `seekmath reproduce --page`; every figure comes from a result file in
`benchmarks/results/`, with the command that made it.
"""
#: What a reader must know first, in paragraphs.
ABOUT = (
    "What small models on a generated world can say: whether the machinery does what the paper says"
    " that it does (rounds that converge, groups whose advantages move a policy, votes that"
    " sharpen), with seeds, intervals and paired comparisons. What they cannot say: how large an"
    " effect is at 1.3B or 7B parameters on the real web. A model of a few million parameters that"
    " learns sums from a few million tokens has other limits than one that has read the web, and a"
    " claim that fails here may hold there, as one that holds here may fail there.",
    "A verdict is given only where a 95% interval over seeds, and one over problems, leave no"
    " other. Nothing was tuned so that a claim holds.",
)
SIGNS = {"holds": "✓", "does not hold": "✗", "cannot be told": "?"}


def write_page(results: Iterable[Path], out: Path) -> None:
    """Write the page of all ``results`` (JSON files) to ``out``, whole or not at all.

    Raises:
        BadInput: a file is no result of an experiment.
    """
    about = [textwrap.fill(paragraph, 100) + "\n" for paragraph in ABOUT]
    sections = [experiment_section(read_result(path), path.name) for path in results]
    with whole_file(out) as file:
        file.write("\n".join([_HEAD, *about, *sections]))


def experiment_section(result: dict[str, Any], source: str) -> str:
    """One experiment: verdicts, its table beside the paper's, what differs."""
    seeds = len(result["seeds"])
    lines = [
        f"## {result['title']} ({result['experiment']})",
        "",
        f"{result['place']}. Size {result['size']}, {seeds} seeds, {result['minutes']} minutes of"
        f" {result['machine']} on {result['date']}{_commit(result)}; `{result['command']}`;"
        f" {source}.",
        "",
        *_claims(result["claims"]),
        "",
        *_table(result["arms"], "here, mean over seeds (95% interval)", ours),
        "",
    ]
    if result["paper"]:
        lines += [*_table(result["paper"], "the paper", shown), ""]
    return "\n".join([*lines, f"What differs: {result['differs']}", ""])


def _claims(claims: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| claim | verdict | difference | over seeds | over problems |",
        "|---|---|---|---|---|",
    ]
    for claim in claims:
        verdict = f"{SIGNS[claim['verdict']]} {claim['verdict']}"
        if claim["verdict"] == "cannot be told":
            verdict += " at this size"
        measure = claim["measure"]
        problems = span(claim["over_problems"], measure) if claim["over_problems"] else ""
        lines.append(
            f"| {claim['text']} | {verdict} | {shown(claim['mean'], measure, '+')} |"
            f" {span(claim['over_seeds'], measure)} | {problems} |"
        )
    return lines


def shown(value: float, measure: str, sign: str = "") -> str:
    """Bits and memory as they are, shares in per cent."""
    if measure.endswith("iB"):
        return f"{value:{sign},.0f}"
    return f"{value:{sign}.3f}" if measure.startswith("bits") else f"{100 * value:{sign}.1f}"


def span(ends: Sequence[float | None], measure: str) -> str:
    """An interval of a difference."""
    low, high = ends
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return "one seed"
    return f"{shown(low, measure, '+')} to {shown(high, measure, '+')}"


def ours(value: dict[str, Any], measure: str) -> str:
    """A mean over seeds with its interval."""
    mean, low, high = value["mean"], value["low"], value["high"]
    if low is None or math.isnan(low):
        return shown(mean, measure)
    return f"{shown(mean, measure)} ({shown(low, measure)} to {shown(high, measure)})"


def _table(arms: dict[str, dict[str, Any]], title: str, shown: Any) -> list[str]:
    """Arms side by side, a line for each measure."""
    measures = list(dict.fromkeys(measure for row in arms.values() for measure in row))
    lines = [f"| {title} | {' | '.join(arms)} |", "|---" * (len(arms) + 1) + "|"]
    for measure in measures:
        cells = [shown(row[measure], measure) if measure in row else "" for row in arms.values()]
        lines.append(f"| {measure} | {' | '.join(cells)} |")
    return lines


def _commit(result: dict[str, Any]) -> str:
    """The commit that the result was made at, where a checkout made it."""
    commit = result["versions"].get("commit")
    return f", commit {commit}" if commit else ""
