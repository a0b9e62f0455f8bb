"""Claims and their verdicts: from an interval over seeds, never from a single run.

A claim compares two arms. Two intervals of the difference must agree before it is judged:
Student's t over seeds, and, where the arms share problems, a paired bootstrap over problems of the
mean over seeds. The first carries what varies between trainings, the second what a small test set
leaves open.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict

from seekmath.evaluate.metrics import bootstrap
from seekmath.report.gain import t_interval

#: Problem → value; a value that belongs to no problem stands under "".
Values = dict[str, float]
#: Arm → measure → values, of one seed.
Measured = dict[str, dict[str, Values]]
#: A rise of a share below this counts as none.
NO_RISE = 0.02
Verdict = Literal["holds", "does not hold", "cannot be told"]


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper's as a difference of two arms.

    Attributes:
        text: the sentence.
        arm: the arm that it speaks of.
        measure: what is compared.
        against: the other arm, or a fixed value.
        kind: "above": arm − against is greater than zero; "not above": it is at most ``margin``.
        margin: the smallest rise that would count, in the measure's unit.
    """

    text: str
    arm: str
    measure: str
    against: str | float
    kind: Literal["above", "not above"] = "above"
    margin: float = 0.0


class Judged(TypedDict):
    """A claim's difference by seed, its mean, its two intervals and the verdict."""

    text: str
    verdict: Verdict
    arm: str
    against: str
    measure: str
    by_seed: list[float]
    mean: float
    over_seeds: tuple[float, float]
    over_problems: tuple[float, float] | None


def judge(claim: Claim, seeds: Sequence[Measured]) -> Judged:
    """The verdict on ``claim``; each of ``seeds`` holds both arms.

    Problems that an arm has no value for (an answer that could not be judged) are left out of both.
    """
    pairs = [_differences(claim, measured) for measured in seeds]
    by_seed = [math.fsum(found.values()) / len(found) for found in pairs]
    mean, low, high = t_interval(by_seed)
    problems = _over_problems(pairs)
    ends = [(low, high), *([problems] if problems else [])]
    verdict = _verdict(claim, min(e[0] for e in ends), max(e[1] for e in ends))
    return {
        "text": claim.text,
        "verdict": "cannot be told" if _on_the_floor(claim, seeds) else verdict,
        "arm": claim.arm,
        "against": str(claim.against),
        "measure": claim.measure,
        "by_seed": by_seed,
        "mean": mean,
        "over_seeds": (low, high),
        "over_problems": problems,
    }


def _verdict(claim: Claim, low: float, high: float) -> Verdict:
    if math.isnan(low) or math.isnan(high):
        return "cannot be told"
    if claim.kind == "above":
        return "holds" if low > 0 else "does not hold" if high < 0 else "cannot be told"
    return "holds" if high <= claim.margin else "does not hold" if low > 0 else "cannot be told"


def _differences(claim: Claim, measured: Measured) -> Values:
    ours = measured[claim.arm][claim.measure]
    if isinstance(claim.against, float):
        return {problem: value - claim.against for problem, value in ours.items()}
    other = measured[claim.against][claim.measure]
    return {problem: value - other[problem] for problem, value in ours.items() if problem in other}


def _on_the_floor(claim: Claim, seeds: Sequence[Measured]) -> bool:
    """Whether neither arm ever did anything right: then that none is better says nothing."""
    arms = [claim.arm] + ([] if isinstance(claim.against, float) else [claim.against])
    return not any(any(m[arm][claim.measure].values()) for m in seeds for arm in arms)


def _over_problems(pairs: list[Values]) -> tuple[float, float] | None:
    shared = [p for p in pairs[0] if p and all(p in found for found in pairs)]
    if len(shared) < 2:
        return None
    found = bootstrap([math.fsum(pair[p] for pair in pairs) / len(pairs) for p in shared])
    return found["low"], found["high"]
