"""Results as Markdown: for the terminal one experiment, for docs/reproduction.md all of them."""

import math
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from seekmath.core.files import whole_file
from seekmath.report.numbers import minus
from seekmath.reproduce.again import once_more
from seekmath.reproduce.charts import clipped, is_share
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
#: Of so many seeds the values themselves say more than an interval, which is wide.
_FEW_SEEDS = 3
SIGNS = {"holds": "✓", "does not hold": "✗", "cannot be told": "?"}


def write_page(results: Iterable[Path], out: Path) -> None:
    """Write the page of all ``results`` (JSON files) to ``out``, whole or not at all.

    Raises:
        BadInput: a file is no result of an experiment.
    """
    about = [textwrap.fill(paragraph, 100) + "\n" for paragraph in ABOUT]
    sections = [_with_again(read_result(path), path) for path in results]
    with whole_file(out) as file:
        file.write("\n".join([_HEAD, *about, *sections]))


def _with_again(result: dict[str, Any], path: Path) -> str:
    again = once_more(result, path)
    return experiment_section(result, path.name) + (f"\n{again}\n" if again else "")


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
        *_table(result["arms"], legend(result), ours),
        "",
        *([found, ""] if seeds > _FEW_SEEDS and (found := cut(result)) else []),
    ]
    if result["paper"]:
        lines += [*_table(result["paper"], "the paper", shown), ""]
    return "\n".join([*lines, f"What differs: {result['differs']}", ""])


def _claims(claims: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| claim | verdict | difference | 95% over seeds | 95% over problems |",
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
        return minus(f"{value:{sign},.0f}")
    return minus(f"{100 * value:{sign}.1f}" if is_share(measure) else f"{value:{sign}.3f}")


def span(ends: Sequence[float | None], measure: str) -> str:
    """An interval of a difference."""
    low, high = ends
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return "one seed"
    return f"{shown(low, measure, '+')} to {shown(high, measure, '+')}"


def ours(value: dict[str, Any], measure: str) -> str:
    """A mean over seeds with each seed's value, or, of more than three, with its interval."""
    mean, by_seed = shown(value["mean"], measure), value["by_seed"]
    if len(by_seed) < 2:
        return mean
    if len(by_seed) <= _FEW_SEEDS:
        return f"{mean} ({' · '.join(shown(one, measure) for one in by_seed)})"
    low, high = (shown(end, measure) for end in clipped(value["low"], value["high"], measure))
    return f"{mean} ({low} to {high})"


def legend(result: dict[str, Any]) -> str:
    """What a table of ``ours`` shows."""
    seeds = len(result["seeds"])
    if seeds < 2:
        return "here, one seed"
    few = seeds <= _FEW_SEEDS
    return f"here, mean over seeds ({'each seed' if few else '95% interval'})"


def cut(result: dict[str, Any]) -> str:
    """The line under figures or a table where an interval is cut, or ""."""
    ends = (
        (value["low"], value["high"])
        for row in result["arms"].values()
        for measure, value in row.items()
        if is_share(measure) and value["low"] is not None
    )
    over = any(low < 0 or high > 1 for low, high in ends)
    return "Intervals (Student's t over seeds) of shares are cut at 0 and 100%." if over else ""


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
