"""Two models on the same problems: where they differ, and whether that can be chance.

Greedy answers by McNemar's exact test and a paired bootstrap over problems; samples by a paired
bootstrap of Pass@1 and Maj@K. P-values of several benchmarks are adjusted for their number (Holm).
"""

from pathlib import Path
from typing import Any, TypedDict

from seekmath.core.complaints import unknown
from seekmath.core.files import BadInput, read_parquet
from seekmath.evaluate.answer import GREEDY
from seekmath.evaluate.metrics import Estimate, bootstrap, holm, maj_at_k, mcnemar
from seekmath.evaluate.summary import Row, are_proofs, by_problem, votes_of

_COLUMNS = ["problem_id", "k", "question", "gold", "extracted", "verdict", "programs"]


class Comparison(TypedDict):
    """One metric on one benchmark: shares of a and b, and the difference b − a.

    ``only_a`` and ``only_b`` are the problems that only one of them answers right, ``p`` is exact
    and ``p_adjusted`` Holm's; for sampled metrics the former are empty and the latter None.
    """

    benchmark: str
    metric: str
    n: int
    a: float
    b: float
    difference: Estimate
    only_a: list[str]
    only_b: list[str]
    p: float | None
    p_adjusted: float | None


def compare(a: str, b: str) -> list[Comparison]:
    """Compare two models that were evaluated on the same benchmarks.

    Args:
        a: the folder of an evaluation, or ``FOLDER:MODEL`` where it holds several models.
        b: the same; the difference is b less a.

    Raises:
        BadInput: a folder holds no answers, several models and none is named, or the two have no
            problem in common.
    """
    files_a, files_b = _answers(a), _answers(b)
    names = [name for name in files_a if name in files_b]
    if not names:
        raise BadInput(
            f"{a} and {b} share no benchmark: {', '.join(files_a)}; {', '.join(files_b)}"
        )
    found = [row for name in names for row in _benchmark(name, files_a[name], files_b[name])]
    exact = [row for row in found if row["p"] is not None]
    for row, adjusted in zip(exact, holm([row["p"] or 0.0 for row in exact]), strict=True):
        row["p_adjusted"] = adjusted
    return found


def _answers(where: str) -> dict[str, Path]:
    """The files of answers of one model by benchmark."""
    folder, model = (where, "") if Path(where).exists() else where.rpartition(":")[::2]
    samples = Path(folder) / "samples"
    if not samples.is_dir():
        raise BadInput(f"{where}: no folder of an evaluation (it holds samples/*.parquet)")
    named: dict[str, dict[str, Path]] = {}
    for path in sorted(samples.glob("*.parquet")):
        table = read_parquet(path, ["benchmark"])
        benchmark = str(table["benchmark"][0]) if len(table) else ""
        named.setdefault(path.stem.removesuffix(f"-{benchmark}"), {})[benchmark] = path
    if not named:
        raise BadInput(f"{samples}: holds no answers; has the evaluation finished?")
    if not model and len(named) > 1:
        raise BadInput(f"{where}: holds several models; write {folder}:MODEL, {', '.join(named)}")
    if model and model not in named:
        raise BadInput(unknown(where, model, list(named)))
    return named[model] if model else next(iter(named.values()))


def _benchmark(name: str, path_a: Path, path_b: Path) -> list[Comparison]:
    rows_a, rows_b = (read_parquet(path, _COLUMNS).to_pylist() for path in (path_a, path_b))
    _check_same(name, rows_a, rows_b)
    left_out = {row["problem_id"] for row in [*rows_a, *rows_b] if row["verdict"] is None}
    rows_a, rows_b = (
        [row for row in rows if row["problem_id"] not in left_out] for rows in (rows_a, rows_b)
    )
    greedy = _paired(name, "greedy", _greedy(rows_a), _greedy(rows_b))
    return [row for row in [greedy, *_sampled(name, rows_a, rows_b)] if row]


def _check_same(name: str, rows_a: list[Row], rows_b: list[Row]) -> None:
    asked = {row["problem_id"]: (row["question"], row["gold"]) for row in rows_a}
    for row in rows_b:
        if asked.get(row["problem_id"], (row["question"], row["gold"])) != (
            row["question"],
            row["gold"],
        ):
            raise BadInput(
                f"{name}: {row['problem_id']} is another problem in each; the two evaluations"
                " used different files"
            )


def _greedy(rows: list[Row]) -> dict[str, float]:
    return {row["problem_id"]: float(row["verdict"]) for row in rows if row["k"] == GREEDY}


def _sampled(name: str, rows_a: list[Row], rows_b: list[Row]) -> list[Comparison | None]:
    groups = by_problem(rows_a), by_problem(rows_b)
    if not groups[0] or not groups[1]:
        return []
    votes = min(len(group) for side in groups for group in side.values())
    found = []
    proofs = are_proofs([*rows_a, *rows_b])
    for metric in ("pass@1",) if proofs else ("pass@1", f"maj@{votes}"):
        values = [
            {problem: _value(group, metric, votes) for problem, group in side.items()}
            for side in groups
        ]
        found.append(_paired(name, metric, *values))
    return found


def _value(group: list[Row], metric: str, votes: int) -> float:
    if metric == "pass@1":
        return sum(row["verdict"] for row in group) / len(group)
    return maj_at_k(*votes_of(group), votes)


def _paired(name: str, metric: str, a: dict[str, float], b: dict[str, float]) -> Comparison | None:
    both = [problem for problem in a if problem in b]
    if not both:
        return None
    exact = metric == "greedy"
    only_a = [problem for problem in both if exact and a[problem] > b[problem]]
    only_b = [problem for problem in both if exact and b[problem] > a[problem]]
    return {
        "benchmark": name,
        "metric": metric,
        "n": len(both),
        "a": sum(a[problem] for problem in both) / len(both),
        "b": sum(b[problem] for problem in both) / len(both),
        "difference": bootstrap([b[problem] - a[problem] for problem in both]),
        "only_a": only_a,
        "only_b": only_b,
        "p": mcnemar(len(only_a), len(only_b)) if exact else None,
        "p_adjusted": None,
    }


def as_lines(rows: list[Comparison]) -> list[list[Any]]:
    """Rows of a table in per cent and percentage points, one for each metric."""
    return [
        [
            row["benchmark"],
            row["metric"],
            str(row["n"]),
            f"{100 * row['a']:.1f}",
            f"{100 * row['b']:.1f}",
            f"{100 * row['difference']['value']:+.1f}",
            f"{100 * row['difference']['low']:+.1f}…{100 * row['difference']['high']:+.1f}",
            f"{len(row['only_a'])}/{len(row['only_b'])}" if row["p"] is not None else "",
            f"{row['p_adjusted']:.3g}" if row["p_adjusted"] is not None else "",
        ]
        for row in rows
    ]
