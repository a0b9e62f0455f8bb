"""An experiment made once more, with other seeds: do its figures lie in the intervals stated?"""

from pathlib import Path
from typing import Any

from seekmath.reproduce.result import read_result


def once_more(first: dict[str, Any], path: Path) -> str:
    """What the second result of ``first``'s experiment says of it; empty where there is none.

    The second lies beside the first, whose file is ``path``: ``again-NAME.json`` beside
    ``reproduce-NAME.json``. A mean over its seeds is compared with the first's interval over seeds.

    Raises:
        BadInput: the second is no result of an experiment.
    """
    beside = path.with_name(path.name.replace("reproduce-", "again-", 1))
    if beside == path or not beside.exists():
        return ""
    second = read_result(beside)
    seeds = ", ".join(map(str, second["seeds"]))
    inside, outside = _compared(first["arms"], second["arms"])
    words = f"Once more, with seeds {seeds} ({second['date']}; `{second['command']}`;"
    words += f" {beside.name}): {inside} of {inside + len(outside)} means lie in the 95% intervals"
    words += " of the first result over seeds"
    if outside:
        words += f", all but {'; '.join(outside)}"
    changed = [
        f"“{now['text']}” {now['verdict']}"
        for before, now in zip(first["claims"], second["claims"], strict=True)
        if before["verdict"] != now["verdict"]
    ]
    return f"{words}. Verdicts: {'; '.join(changed) if changed else 'the same'}."


def _compared(first: dict[str, Any], second: dict[str, Any]) -> tuple[int, list[str]]:
    """How many means lie inside, and where the others are."""
    inside, outside = 0, []
    for arm, row in second.items():
        for measure, value in row.items():
            known = first.get(arm, {}).get(measure)
            if known is None or known["low"] is None:
                continue
            # A value that never varied has an interval of no width: rounding must not leave it.
            slack = 1e-9 * max(1.0, abs(known["mean"]))
            if known["low"] - slack <= value["mean"] <= known["high"] + slack:
                inside += 1
            else:
                outside.append(f"{arm}, {measure}")
    return inside, outside
