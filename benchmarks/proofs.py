"""Coq on miniF2F: statements that load, warm checks per second, what automation alone proves.

    seekmath prove STATEMENTS --automation --split test --out TEST
    seekmath prove STATEMENTS --automation --split valid --out VALID
    python benchmarks/proofs.py --statements STATEMENTS --test TEST --valid VALID

STATEMENTS are JSON lines with name, split and statement. A warm check is a statement and a proof in,
a verdict out, by a session that is already started. Each statement of the test split gets the proof
that automation found, if any; the proof of another statement; and one that stops half-way. As these
search for up to a second each, four that decide at once are measured apart on each statement. Seconds
are processor time of coqtop and of this process together, as the machine may be busy.
"""

import argparse
import random
import statistics
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from timing import save

from seekmath.core.files import read_jsonl
from seekmath.verify.coq import AUTOMATION_CPU_S, PORTFOLIO, Coq
from seekmath.verify.prove import summary

_SINGLE = 3  # accepted proofs before the libraries are examined as a whole
HALF_WAY = "intros."
# Proofs that decide fast whether they hold: what they cost is mostly what a check costs.
DECIDING = ("intros; lra.", "intros; lia.", "reflexivity.", HALF_WAY)


def loading(coq: Coq, statements: dict[str, str]) -> dict[str, object]:
    """How many statements load, and why the others do not."""
    failed = {
        name: done.reason
        for name, text in sorted(statements.items(), key=lambda one: one[1])
        if (done := coq.load(text))
    }
    return {"statements": len(statements), "load": len(statements) - len(failed), "not": failed}


def the_mix(statements: dict[str, str], found: dict[str, str], seed: int) -> list[tuple[str, str]]:
    """(name, proof): right ones, others' and unfinished ones."""
    chance = random.Random(seed)
    pool = list(found.values())
    mix = list(found.items())
    mix += [(name, chance.choice(pool)) for name in statements]
    mix += [(name, HALF_WAY) for name in statements]
    return mix


def warm_checks(
    coq: Coq, statements: dict[str, str], mix: list[tuple[str, str]]
) -> dict[str, object]:
    """Each of the mix once, in this order; a check for which a session was started is put apart."""
    spent: list[tuple[float, str, str, str]] = []
    began, wall_s = time.process_time(), time.monotonic()
    cold: list[float] = []
    for name, proof in mix:
        before, sessions = coq.cpu_s(), coq.sessions()
        done = coq.check(statements[name], proof)
        cpu_s = max(coq.cpu_s() - before, 0.0)
        if coq.sessions() > sessions:
            cold.append(cpu_s)
        else:
            spent.append((cpu_s, name, proof, done.verdict))
    own_s = time.process_time() - began
    wall_s = time.monotonic() - wall_s
    seconds = sorted(one[0] for one in spent)
    total = sum(seconds) + own_s
    return {
        "checks": len(spent),
        "sessions_started_s": [round(one, 2) for one in cold],
        "verdicts": dict(Counter(one[3] for one in spent).most_common()),
        "per_cpu_second": round(len(spent) / total, 1),
        "per_cpu_second_without_timeouts": _rate([one for one in spent if one[3] != "timeout"]),
        "per_wall_second": round(len(spent) / wall_s, 1),
        "own_ms_each": round(1e3 * own_s / len(spent), 2),
        "coqtop_ms": {
            "median": round(1e3 * statistics.median(seconds), 2),
            "p90": round(1e3 * seconds[int(0.9 * len(seconds))], 2),
            "p99": round(1e3 * seconds[int(0.99 * len(seconds))], 2),
            "max": round(1e3 * seconds[-1], 2),
        },
        "by_verdict_median_ms": {
            verdict: round(1e3 * statistics.median([o[0] for o in spent if o[3] == verdict]), 2)
            for verdict in {one[3] for one in spent}
        },
        "slowest": [
            {"name": name, "proof": proof, "verdict": verdict, "ms": round(1e3 * cpu_s, 1)}
            for cpu_s, name, proof, verdict in sorted(spent, reverse=True)[:12]
        ],
    }


def _rate(some: list[tuple[float, str, str, str]]) -> float:
    return round(len(some) / max(sum(one[0] for one in some), 1e-9), 1)


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--statements", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--valid", type=Path)
    parser.add_argument("--every", type=int, default=1, help="warm checks of each N-th statement")
    given = parser.parse_args()
    lines = list(read_jsonl(given.statements))
    statements = {row["name"]: row["statement"] for row in lines}
    test = {row["name"]: row["statement"] for row in lines if row["split"] == "test"}
    splits: dict[str, list[dict[str, Any]]] = {"test": list(read_jsonl(given.test))}
    if given.valid:
        splits["valid"] = list(read_jsonl(given.valid))
    proved = {row["name"]: row["proof"] for row in splits["test"] if row["verdict"] == "proved"}
    with Coq(cpu_s=AUTOMATION_CPU_S) as coq:
        loaded = loading(coq, statements)
        some = dict(list(test.items())[:: given.every])
        mix = the_mix(some, {name: p for name, p in proved.items() if name in some}, seed=0)
        for name, proof in list(proved.items())[: _SINGLE + 1]:
            coq.check(test[name], proof)  # until the libraries are examined
        plain = [(name, proof) for name in some for proof in DECIDING]
        by_head = sorted(mix, key=lambda one: test[one[0]])
        found = {
            "what": "miniF2F statements for Coq; no model",
            "prover": coq.describe(),
            "loading": loaded,
            "automation": {
                split: summary(rows, f"miniF2F {split} ({coq.title})", len(rows))
                for split, rows in splits.items()
            },
            "portfolio": list(PORTFOLIO),
            "seconds_of_a_tactic": AUTOMATION_CPU_S,
            "proved_by": {
                split: dict(Counter(r["proof"] for r in rows if r["verdict"] == "proved"))
                for split, rows in splits.items()
            },
            "warm_checks": {
                "same heads together": warm_checks(coq, test, by_head),
                "any order": warm_checks(coq, test, random.Random(1).sample(mix, len(mix))),
                "deciding tactics, same heads together": warm_checks(
                    coq, test, sorted(plain, key=lambda one: test[one[0]])
                ),
                "deciding tactics, any order": warm_checks(
                    coq, test, random.Random(2).sample(plain, len(plain))
                ),
            },
        }
    with Coq(cpu_s=AUTOMATION_CPU_S, list_axioms=True) as coq:
        few = [one for one in by_head if one[1] != HALF_WAY][::8][:10]
        coq.load(test[few[0][0]])
        found["warm_checks"]["each proof's axioms listed"] = warm_checks(coq, test, few)
    save("proofs", found)
    sys.stdout.write(f"{found['warm_checks']}\n")


if __name__ == "__main__":
    main()
