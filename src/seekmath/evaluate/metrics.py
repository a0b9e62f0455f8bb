"""Accuracy with its interval, unbiased Pass@K, exact Maj@K and best-of-K, paired comparison.

Maj@K is the chance that the commonest answer among K of a problem's n samples, drawn without
replacement, is right; ties are broken evenly. It is computed exactly, not by one draw; so is
best-of-K, the chance that the sample a reward model likes best is right.
"""

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from typing import TypedDict

from seekmath.core.seeds import rng

_RESAMPLES = 2000


class Estimate(TypedDict):
    """A share with its 95% interval over n problems."""

    value: float
    low: float
    high: float
    n: int


class CalibrationBin(TypedDict):
    """Problems whose majority had about the same share of votes."""

    share: float
    accuracy: float
    n: int


class Calibration(TypedDict):
    """Accuracy of majorities by their share of the votes; ``error`` is the mean distance."""

    bins: list[CalibrationBin]
    error: float


def wilson(right: int, n: int, z: float = 1.959964) -> Estimate:
    """The share right / n with Wilson's 95% interval."""
    share = right / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # At 0 and n the bound is the share itself, which rounding would miss.
    low, high = min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half))
    return {"value": share, "low": low, "high": high, "n": n}


def bootstrap(values: Sequence[float], seed: int = 0) -> Estimate:
    """The mean of per-problem values with a percentile bootstrap over problems."""
    import numpy as np

    array = np.asarray(values, dtype=float)
    rows = rng(seed, "bootstrap").integers(0, len(array), (_RESAMPLES, len(array)))
    low, high = np.quantile(array[rows].mean(axis=1), [0.025, 0.975])
    return {"value": float(array.mean()), "low": float(low), "high": float(high), "n": len(array)}


def pass_at_k(n: int, right: int, k: int) -> float:
    """Chance that at least one of k of the n samples is right: 1 - C(n-c, k) / C(n, k)."""
    if k > n:
        raise ValueError(f"pass@{k} needs {k} samples; there are {n}")
    return 1.0 - math.comb(n - right, k) / math.comb(n, k)


def maj_at_k(answers: Sequence[str | None], gold_group: str | None, k: int) -> float:
    """Chance that the commonest of k answers is the right one, ties broken evenly.

    Args:
        answers: what each sample answered, equal answers alike; None gave no answer and has no
            vote.
        gold_group: the answer among them that is right, or None when none is.
        k: votes.
    """
    n = len(answers)
    if k > n:
        raise ValueError(f"maj@{k} needs {k} samples; there are {n}")
    counts = Counter(answer for answer in answers if answer is not None)
    right = counts.pop(gold_group, 0) if gold_group is not None else 0
    if right == 0:
        return 0.0
    others = tuple(sorted(counts.values(), reverse=True))
    silent = n - right - sum(others)
    total = 0.0
    for votes in range(1, min(right, k) + 1):
        total += math.comb(right, votes) * _rest(others, silent, k - votes, votes)
    return float(total / math.comb(n, k))


def _rest(others: tuple[int, ...], silent: int, left: int, votes: int) -> float:
    """Ways to draw the ``left`` other votes, each weighted by the right answer's chance to win."""

    @cache
    def ways(place: int, left: int, ties: int) -> float:
        if place == len(others):
            return math.comb(silent, left) / (ties + 1) if left <= silent else 0.0
        total = 0.0
        for drawn in range(min(others[place], left, votes) + 1):
            more = ways(place + 1, left - drawn, ties + (drawn == votes))
            total += math.comb(others[place], drawn) * more
        return total

    return ways(0, left, 0)


def best_of_k(scores: Sequence[float], right: Sequence[bool], k: int) -> float:
    """Chance that the best-scored of k of the n samples is right, ties of score broken evenly."""
    n = len(scores)
    if k > n:
        raise ValueError(f"best@{k} needs {k} samples; there are {n}")
    total, below = Fraction(0), n
    for _, group in itertools.groupby(
        sorted(zip(scores, right, strict=True), reverse=True), key=lambda pair: pair[0]
    ):
        tied = [correct for _, correct in group]
        # Subsets whose best is in this group; each of its members is as likely to be taken.
        subsets = math.comb(below, k) - math.comb(below - len(tied), k)
        total += Fraction(subsets * sum(tied), len(tied))
        below -= len(tied)
    return float(total / math.comb(n, k))


def vote_calibration(groups: Sequence[tuple[float, bool]], bins: int = 5) -> Calibration:
    """How often a majority is right, by its share of the votes.

    Args:
        groups: for each problem the share of its samples that gave the commonest answer, and
            whether that answer is right.
        bins: of equal width between 0 and 1.

    Returns:
        The bins that hold problems, and the expected calibration error: the mean distance of
        share and accuracy, weighted by the problems of each bin.
    """
    rows: list[CalibrationBin] = []
    for number in range(bins):
        inside = [
            (share, right) for share, right in groups if min(int(share * bins), bins - 1) == number
        ]
        if inside:
            share = sum(share for share, _ in inside) / len(inside)
            accuracy = sum(right for _, right in inside) / len(inside)
            rows.append({"share": share, "accuracy": accuracy, "n": len(inside)})
    error = sum(row["n"] * abs(row["share"] - row["accuracy"]) for row in rows)
    return {"bins": rows, "error": error / len(groups) if groups else 0.0}


def mcnemar(only_a: int, only_b: int) -> float:
    """Exact two-sided p-value that two models are equally good, from where they differ.

    Args:
        only_a: problems that only the first model answers right.
        only_b: problems that only the second model answers right.
    """
    n = only_a + only_b
    tail = sum(math.comb(n, k) for k in range(min(only_a, only_b) + 1))
    return min(1.0, 2 * tail / 2**n)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for their number (Holm 1979), in the order given."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted, least = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = least
    return adjusted
