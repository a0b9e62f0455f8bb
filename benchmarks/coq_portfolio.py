"""Which of the tactics that Coq's libraries offer the automation row tries: chosen on valid alone.

    python benchmarks/coq_portfolio.py --statements STATEMENTS --tried TRIED --in-full 115

The candidates are fixed by documentation, not by looking at statements: the solvers of the
reference manual (for logic, micromega, ring and field, nsatz, evaluation), alone, after its ways to
open hypotheses and goals, and as the leaves of ``intuition``; and CoqHammer's quicker tactics,
alone, and two of them with their option ``solve:`` given each arithmetic solver. Each trial has one
second of processor time. The rule:

1. On some statements of the valid split every candidate is tried. Of those that prove the same ones
   only the first is left.
2. What is left is tried on the others of the split, in the order of their text (``--until``).
3. Over all these the candidate is taken that proves the most statements which none taken
   before proves, among equals the one that costs the least; until none adds any.
4. The same once more with the candidates that are not yet taken: what proves one statement in two
   ways is likelier to prove another.

A statement on which the first five candidates run out of time is left at that. TRIED keeps each
trial, so that a killed run goes on; its statements that are tried in full count first.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from timing import save

from seekmath.core.files import read_jsonl
from seekmath.verify.coq import AUTOMATION_CPU_S, Coq

_NSATZ = "NsatzTactic.nsatz_default"
_EUCLID = "Zify.zify; PreOmega.Z.to_euclidean_division_equations"
ARITHMETIC = (
    "lia", "nia", "lra", "nra", "ring", "(field; lra)", _NSATZ, f"({_EUCLID}; lia)",
    f"({_EUCLID}; nia)",
)  # fmt: skip
LOGIC = (
    "reflexivity", "vm_compute; reflexivity", "easy", "eauto", "tauto", "firstorder", "congruence",
    "discriminate", "contradiction",
)  # fmt: skip
HAMMER = ("hauto", "qauto", "strivial", "sfirstorder", "scongruence")
SOLVING = ("hauto", "qauto")
# A statement is given up when so many candidates, from the first on, all run out of time.
HOPELESS = 5
OPENED = "Coq.Program.Tactics.destruct_conjs; subst"
OPENINGS = ("", f"{OPENED}; ", f"{OPENED}; simpl in *; ")


def candidates() -> Iterator[str]:
    """Each once, in the order of the documentation."""
    yield "reflexivity."
    for tactic in (*LOGIC, *HAMMER):
        yield f"intros; {tactic}."
    for opening in OPENINGS:
        for tactic in ARITHMETIC:
            yield f"intros; {opening}{tactic}."
            yield f"intros; {opening}repeat split; {tactic}."
    for tactic in ARITHMETIC:
        yield f"intros; intuition {tactic}."
        for hammer in SOLVING:
            yield f"intros; {hammer} solve: {tactic}."


class Trials:
    """All trials so far, in memory and in a file."""

    def __init__(self, coq: Coq, path: Path, statements: dict[str, str]) -> None:
        self._coq, self._path, self._statements = coq, path, statements
        pool = set(candidates())
        rows = read_jsonl(path) if path.exists() else ()
        self.rows = {(r["name"], r["proof"]): r for r in rows if r["proof"] in pool}

    def in_full(self, pool: Sequence[str], count: int) -> list[str]:
        """Statements on which each of ``pool`` was tried; more are tried until they are ``count``."""
        order = sorted(self._statements, key=self._statements.__getitem__)
        whole = [name for name in order if all((name, proof) in self.rows for proof in pool)]
        for name in [name for name in order if name not in whole][: max(0, count - len(whole))]:
            self.attempt(name, pool)
            whole.append(name)
        return whole

    def attempt(self, name: str, pool: Sequence[str]) -> None:
        """Try each of ``pool`` on a statement."""
        late = 0
        for proof in pool:
            if (name, proof) not in self.rows:
                done = self._coq.check(self._statements[name], proof)
                row = {"name": name, "proof": proof, "verdict": done.verdict, "cpu_s": done.cpu_s}
                self.rows[name, proof] = row
                with open(self._path, "a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
            late = late + 1 if self.rows[name, proof]["verdict"] == "timeout" else -len(pool)
            if late == HOPELESS:
                return

    def of(self, names: Collection[str], pool: Collection[str]) -> list[dict[str, Any]]:
        """The trials of these candidates on these statements."""
        return [r for (name, proof), r in self.rows.items() if name in names and proof in pool]


def proofs_and_costs(rows: list[dict[str, Any]]) -> tuple[dict[str, set[str]], dict[str, float]]:
    """What each candidate proves, and its processor time over all statements, seconds."""
    proves: dict[str, set[str]] = {row["proof"]: set() for row in rows}
    cost: dict[str, float] = defaultdict(float)
    for row in rows:
        cost[row["proof"]] += row["cpu_s"]
        if row["verdict"] == "proved":
            proves[row["proof"]].add(row["name"])
    return proves, cost


def first_of_each(rows: list[dict[str, Any]]) -> list[str]:
    """Of the candidates that prove the same statements, and any at all, the first."""
    proves, _ = proofs_and_costs(rows)
    found: dict[frozenset[str], str] = {}
    for proof in candidates():
        if proves[proof]:
            found.setdefault(frozenset(proves[proof]), proof)
    return list(found.values())


def cover(rows: list[dict[str, Any]]) -> list[tuple[str, list[str]]]:
    """The third step: (candidate, the statements that it adds), in the order taken."""
    proves, cost = proofs_and_costs(rows)
    taken: list[tuple[str, list[str]]] = []
    covered: set[str] = set()
    while True:
        best = max(proves, key=lambda proof: (len(proves[proof] - covered), -cost[proof]))
        added = proves[best] - covered
        if not added:
            return taken
        taken.append((best, sorted(added)))
        covered |= added


def main() -> None:
    """Try what is not yet tried, choose and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--statements", type=Path, required=True)
    parser.add_argument("--tried", type=Path, required=True)
    parser.add_argument("--in-full", type=int, default=115, help="statements that all are tried on")
    parser.add_argument("--until", type=int, default=0, help="of the split in order of text; 0 all")
    given = parser.parse_args()
    lines = read_jsonl(given.statements)
    valid = {row["name"]: row["statement"] for row in lines if row["split"] == "valid"}
    pool = list(candidates())
    with Coq(cpu_s=AUTOMATION_CPU_S) as coq:
        trials = Trials(coq, given.tried, valid)
        whole = trials.in_full(pool, given.in_full)
        left = first_of_each(trials.of(whole, pool))
        sys.stderr.write(f"{len(whole)} statements tried in full; left: {left}\n")
        others = sorted(valid, key=valid.__getitem__)[: given.until or len(valid)]
        for place, name in enumerate(others, 1):
            trials.attempt(name, left)
            sys.stderr.write(f"\r{place} of {len(others)} statements")
    chosen_on = {*whole, *others}
    rows = trials.of(chosen_on, left)
    first = cover(rows)
    spared = [row for row in rows if row["proof"] not in dict(first)]
    taken = [*first, *cover(spared)]
    save(
        "coq-portfolio",
        {
            "what": "statements of miniF2F valid for Coq; no model; the test split was not read",
            "candidates": len(pool),
            "tried_in_full_on": whole,
            "left_after_that": left,
            "trials": len(trials.rows),
            "cpu_s": round(sum(row["cpu_s"] for row in trials.rows.values()), 1),
            "chosen_on_statements": len(chosen_on),
            "proved_by_any_left": sum(len(added) for _, added in first),
            "taken": [{"proof": proof, "adds": added} for proof, added in taken],
        },
    )
    for proof, added in taken:
        sys.stdout.write(f"{len(added):3} {proof}\n")


if __name__ == "__main__":
    main()
