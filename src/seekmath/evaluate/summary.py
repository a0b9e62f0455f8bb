"""Metrics and counts of one model on one benchmark, from its stored answers."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from seekmath.evaluate.answer import GREEDY
from seekmath.evaluate.judge import PROOF
from seekmath.evaluate.metrics import (
    Estimate,
    best_of_k,
    bootstrap,
    maj_at_k,
    pass_at_k,
    vote_calibration,
    wilson,
)
from seekmath.verify.equal import equal

Row = dict[str, Any]
#: Columns of the stored answers that metrics need.
NEEDED = [
    "problem_id", "k", "extracted", "verdict", "reason", "stop_reason", "tokens", "rewards",
    "subject", "level", "overlap", "program_right", "programs",
]  # fmt: skip


def metrics_of(rows: list[Row]) -> dict[str, Estimate]:
    """Every metric of one model on one benchmark; proofs are not voted on.

    A problem whose gold answer cannot be read has no verdict and is left out of all of them.
    """
    rows = _judged(rows)
    metrics = _accuracies(rows)
    groups = list(by_problem(rows).values())
    if not groups:
        return metrics
    n = min(len(group) for group in groups)
    votes = [] if are_proofs(rows) else [votes_of(group) for group in groups]
    scored = all(row.get("rewards") for group in groups for row in group)
    for k in [2**power for power in range(n.bit_length())]:
        passed = [pass_at_k(len(g), sum(r["verdict"] for r in g), k) for g in groups]
        metrics[f"pass@{k}"] = bootstrap(passed)
        if votes:
            metrics[f"maj@{k}"] = bootstrap([maj_at_k(answers, gold, k) for answers, gold in votes])
        if scored:
            metrics[f"best@{k}"] = bootstrap([_best(group, k) for group in groups])
    return metrics


def details_of(rows: list[Row]) -> dict[str, Any]:
    """What stands beside the metrics: counts, tokens, subjects and levels, calibration, flags."""
    unjudged = _unjudged(rows)
    judged = _judged(rows)
    tokens = [row["tokens"] for row in rows if row.get("tokens") is not None]
    stops = Counter(row["stop_reason"] for row in rows)
    programs = Counter(status for row in rows for status in row.get("programs") or [])
    groups = list(by_problem(judged).values())
    return {
        "problems": len({row["problem_id"] for row in rows}),
        "answers": len(rows),
        "unjudged": dict(sorted(unjudged.items())),
        "no_answer_found": sum(row["extracted"] is None for row in judged),
        "cut_at_the_limit": stops.get("length", 0),
        "refused": sum(n for reason, n in stops.items() if reason.startswith("refused")),
        "timeouts": programs.get("timeout", 0) + programs.get(f"{PROOF}timeout", 0),
        "programs": dict(programs),
        "tokens_mean": round(sum(tokens) / len(tokens), 1) if tokens else None,
        "tokens_total": sum(tokens),
        "by_subject": _parts(judged, "subject"),
        "by_level": _parts(judged, "level"),
        "flagged": {
            row["problem_id"]: round(row["overlap"], 3) for row in rows if row.get("overlap")
        },
        "vote_calibration": vote_calibration([_majority(group) for group in groups])
        if groups and not are_proofs(judged)
        else None,
    }


def are_proofs(rows: Iterable[Row]) -> bool:
    """Whether a prover judged them: each proof stands for itself, and none of them votes."""
    return any(ending.startswith(PROOF) for row in rows for ending in row.get("programs") or [])


def by_problem(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The samples of each problem, greedy answers left out."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row["k"] != GREEDY:
            groups.setdefault(row["problem_id"], []).append(row)
    return groups


def votes_of(group: list[Row]) -> tuple[list[str | None], str | None]:
    """Each sample's answer, equal ones under one name, and the name of the right one."""
    names: dict[str, str] = {}  # as written → the first of its equals
    answers: list[str | None] = []
    for row in group:
        text = row["extracted"]
        if text is None:
            answers.append(None)
        elif row["verdict"]:
            answers.append("right")
        else:
            if text not in names:
                firsts = dict.fromkeys(names.values())
                names[text] = next((one for one in firsts if equal(one, text).right), text)
            # Apart from the name "right", whatever a model wrote.
            answers.append(f"wrong:{names[text]}")
    return answers, "right" if "right" in answers else None


def _accuracies(rows: list[Row]) -> dict[str, Estimate]:
    greedy = [row for row in rows if row["k"] == GREEDY]
    if not greedy:
        return {}
    metrics = {"greedy": wilson(sum(row["verdict"] for row in greedy), len(greedy))}
    programs = [row["program_right"] for row in greedy if row.get("program_right") is not None]
    if programs:
        metrics["program"] = wilson(sum(programs), len(greedy))
    clean = [row["verdict"] for row in greedy if not row.get("overlap")]
    if clean and len(clean) < len(greedy):
        metrics["greedy-unseen"] = wilson(sum(clean), len(clean))
    return metrics


def _best(group: list[Row], k: int) -> float:
    return best_of_k([row["rewards"][-1] for row in group], [row["verdict"] for row in group], k)


def _majority(group: list[Row]) -> tuple[float, bool]:
    """The commonest answer's share of all samples, and whether it is right (a tie is not)."""
    answers, _ = votes_of(group)
    counts = Counter(answer for answer in answers if answer is not None)
    if not counts:
        return 0.0, False
    most = max(counts.values())
    tops = [answer for answer, count in counts.items() if count == most]
    return most / len(answers), tops == ["right"]


def _parts(rows: list[Row], field: str) -> dict[str, dict[str, Estimate]]:
    """Accuracy by a field's values: of greedy answers, and the mean of samples."""
    values = sorted({str(row[field]) for row in rows if row.get(field)})
    if len(values) < 2:
        return {}
    parts: dict[str, dict[str, Estimate]] = {}
    for value in values:
        some = [row for row in rows if str(row.get(field)) == value]
        found = {k: v for k, v in _accuracies(some).items() if k == "greedy"}
        groups = by_problem(some).values()
        if groups:
            found["pass@1"] = bootstrap([sum(r["verdict"] for r in g) / len(g) for g in groups])
        parts[value] = found
    return parts


def _unjudged(rows: list[Row]) -> dict[str, str]:
    return {row["problem_id"]: str(row.get("reason")) for row in rows if row["verdict"] is None}


def _judged(rows: list[Row]) -> list[Row]:
    left_out = _unjudged(rows)
    return [row for row in rows if row["problem_id"] not in left_out]
