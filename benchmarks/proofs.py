"""Coq on miniF2F: statements that load, checks per second, and what automation alone proves.

    seekmath prove STATEMENTS --automation --split test --cpu-s 2.5 --out CHECKED
    python benchmarks/proofs.py --statements STATEMENTS --checked CHECKED

STATEMENTS are JSON lines with name, split and statement. Seconds are processor time of coqtop.
"""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

from timing import save

from seekmath.core.files import read_jsonl
from seekmath.verify.coq import PORTFOLIO, Coq
from seekmath.verify.prove import summary


def loading(coq: Coq, statements: dict[str, str]) -> dict[str, object]:
    """How many statements load, and why the others do not."""
    failed = {
        name: done.reason
        for name, text in sorted(statements.items(), key=lambda one: one[1])
        if (done := coq.load(text))
    }
    return {"statements": len(statements), "load": len(statements) - len(failed), "not": failed}


def warm_checks(coq: Coq, statements: dict[str, str], proofs: dict[str, str]) -> dict[str, float]:
    """The proofs that automation found, checked again."""
    rounds, cpu_s, wall_s, proved = 1, 0.0, 0.0, 0
    for name, proof in sorted(proofs.items(), key=lambda one: statements[one[0]]):
        began = time.monotonic()
        found = [coq.check(statements[name], proof) for _ in range(rounds)]
        wall_s += time.monotonic() - began
        cpu_s += sum(done.cpu_s for done in found)
        proved += sum(done.verdict == "proved" for done in found)
    total = rounds * len(proofs)
    return {
        "checks": total,
        "proved": proved,
        "per_cpu_second": round(total / cpu_s, 1),
        "per_wall_second": round(total / wall_s, 1),
    }


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--statements", type=Path, required=True)
    parser.add_argument("--checked", type=Path, nargs="+", required=True)
    given = parser.parse_args()
    statements = {row["name"]: row["statement"] for row in read_jsonl(given.statements)}
    rows = [row for path in given.checked for row in read_jsonl(path)]
    proofs = {row["name"]: row["proof"] for row in rows if row["verdict"] == "proved"}
    with Coq() as coq:
        found = {
            "what": "miniF2F statements for Coq; no model",
            "prover": coq.describe(),
            "loading": loading(coq, statements),
            "automation": summary(rows, "miniF2F test", "Coq"),
            "portfolio": list(PORTFOLIO),
            "proved_by": dict(Counter(proofs.values()).most_common()),
            "warm_checks": warm_checks(coq, statements, proofs),
        }
    save("proofs", found)
    sys.stdout.write(f"{found['warm_checks']}\n")


if __name__ == "__main__":
    main()
