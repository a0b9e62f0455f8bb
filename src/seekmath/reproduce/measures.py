"""Values of single problems from the stored answers of an evaluation, and curves of a run's log."""

import json
from pathlib import Path

from seekmath.core.files import read_parquet
from seekmath.evaluate.answer import GREEDY
from seekmath.evaluate.metrics import maj_at_k, pass_at_k
from seekmath.evaluate.summary import by_problem, votes_of
from seekmath.reproduce.claims import Values

_COLUMNS = ["problem_id", "k", "extracted", "verdict"]


def greedy(folder: Path, model: str, benchmark: str) -> Values:
    """1 for each problem whose greedy answer is right, else 0; unjudged ones are left out."""
    rows = read_parquet(_file(folder, model, benchmark), _COLUMNS).to_pylist()
    return {
        row["problem_id"]: float(row["verdict"])
        for row in rows
        if row["k"] == GREEDY and row["verdict"] is not None
    }


def sampled(folder: Path, model: str, benchmark: str, ks: list[int]) -> dict[str, Values]:
    """``maj@K`` and ``pass@K`` of each problem, exact over its samples."""
    rows = read_parquet(_file(folder, model, benchmark), _COLUMNS).to_pylist()
    left_out = {row["problem_id"] for row in rows if row["verdict"] is None}
    found: dict[str, Values] = {f"{name}@{k}": {} for k in ks for name in ("maj", "pass")}
    for problem, group in by_problem(rows).items():
        if problem in left_out:
            continue
        answers, right = votes_of(group)
        for k in ks:
            found[f"maj@{k}"][problem] = maj_at_k(answers, right, k)
            found[f"pass@{k}"][problem] = pass_at_k(
                len(group), sum(row["verdict"] for row in group), k
            )
    return found


def logged(stage: Path) -> list[dict[str, float]]:
    """The lines of a stage's ``metrics.jsonl``."""
    lines = (stage / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _file(folder: Path, model: str, benchmark: str) -> Path:
    return folder / "samples" / f"{model}-{benchmark}.parquet"


def curve(stage: Path, key: str) -> list[tuple[float, float]]:
    """(step, value) of the lines of a stage's log that have ``key``."""
    return [(row["step"], row[key]) for row in logged(stage) if row.get(key) is not None]
