"""Counts beside the accuracies of an evaluation: ``details.json`` as tables."""

from typing import Any

from seekmath.report.runs import Stage

_COUNTS = (
    "answers", "tokens_mean", "no_answer_found", "cut_at_the_limit", "timeouts", "refused",
)  # fmt: skip


def read_details(stage: Stage) -> list[dict[str, Any]]:
    """One row for each model and benchmark; none where the file is absent or of another form."""
    details = stage.json("details.json")
    rows = []
    for model, benchmarks in (details if isinstance(details, dict) else {}).items():
        for benchmark, found in (benchmarks if isinstance(benchmarks, dict) else {}).items():
            if isinstance(found, dict):
                rows.append(
                    {
                        "model": model,
                        "benchmark": benchmark,
                        **{name: found.get(name) for name in _COUNTS},
                        "unjudged": len(found.get("unjudged") or ()),
                        "flagged": len(found.get("flagged") or ()),
                        "mostly": _mostly(found.get("flagged")),
                        "calibration": _calibration(found.get("vote_calibration")),
                        "by_subject": found.get("by_subject") or {},
                        "by_level": found.get("by_level") or {},
                    }
                )
    return rows


def _calibration(found: Any) -> dict[str, Any] | None:
    """The bins of the vote, or None where no benchmark was sampled."""
    bins = found.get("bins") if isinstance(found, dict) else None
    if not isinstance(bins, list) or not all(isinstance(one, dict) for one in bins):
        return None
    names = ("share", "accuracy", "n")
    rows = [{name: one.get(name) for name in names} for one in bins]
    return {"bins": rows, "error": found.get("error")} if rows else None


def _mostly(flagged: Any) -> int:
    """Flagged problems of which half or more is quoted."""
    shares = flagged.values() if isinstance(flagged, dict) else ()
    return sum(isinstance(share, int | float) and share >= 0.5 for share in shares)


def parts(rows: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Tables by subject and by level of each benchmark that has several."""
    tables = []
    for benchmark in dict.fromkeys(row["benchmark"] for row in rows):
        some = [row for row in rows if row["benchmark"] == benchmark]
        for field in ("by_subject", "by_level"):
            values = sorted({value for row in some for value in row[field]})
            if values:
                lines = [(one, [_cell(row[field].get(one)) for row in some]) for one in values]
                title = f"{benchmark} {field.removeprefix('by_')}"
                models = [row["model"] for row in some]
                tables.append((title, {"models": models, "rows": lines}))
    return tables


def _cell(metrics: Any) -> Any:
    """The greedy estimate, or the mean of samples."""
    found = metrics if isinstance(metrics, dict) else {}
    return found.get("greedy") or found.get("pass@1")
