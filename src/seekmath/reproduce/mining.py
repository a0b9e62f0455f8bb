"""Figure 2: the loop of collecting, discovering domains and annotating converges."""

from pathlib import Path

from seekmath.reproduce.chain import mined
from seekmath.reproduce.claims import Claim, Measured
from seekmath.reproduce.experiment import Experiment
from seekmath.reproduce.measures import logged
from seekmath.reproduce.sizes import Size


def _measure(run: Path, size: Size) -> Measured:
    rounds = logged(run / "mine")
    names = {
        "recall": "recall",
        "precision": "precision",
        "average precision": "average_precision",
        "already collected": "share_already_collected",
    }
    found = {
        f"round {row['step']}": {name: {"": row[key]} for name, key in names.items() if key in row}
        for row in rounds
    }
    return {**found, "last round": found[f"round {rounds[-1]['step']}"]}


def _claims(size: Size) -> list[Claim]:
    converged = Claim(
        "In the last round about 98% was already collected (at least 97%).",
        "last round", "already collected", 0.97,
    )  # fmt: skip
    if not size.embedded:  # no truth to measure recall and precision against
        return [converged]
    return [
        Claim("Later rounds find mathematics that the first round missed.",
              "last round", "recall", "round 1"),
        converged,
        Claim("What is collected stays mathematics (precision at least 90%).",
              "last round", "precision", 0.90),
    ]  # fmt: skip


FIGURE_2 = Experiment(
    title="Rounds of mining converge",
    place="Figure 2, section 2.1",
    stages=mined,
    measure=_measure,
    claims=_claims,
    paper={"round 4": {"already collected": 0.98}},
    differs="A generated web of a few thousand pages instead of Common Crawl's 40 billion; prefixes"
    " are marked by the stated automatic policy, not by a person. A run whose rounds find nothing"
    " new stops before the fourth.",
)
