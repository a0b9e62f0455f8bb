"""How far a classifier's probabilities can be taken at their word.

Probabilities of pages that the classifier was trained on say nothing; so the log-odds here come
from classifiers that had not seen the page (``recall`` makes them). A line is fitted through them
(Platt 1999, with his targets for small samples), and reliability is counted in bins.
"""

# N texts, B bins

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seekmath.mine.fasttext_score import probability

_BINS = 10
_NEWTON_STEPS = 100


@dataclass(frozen=True)
class Line:
    """Calibrated log-odds = ``slope`` * log-odds + ``intercept``."""

    slope: float
    intercept: float

    def __call__(self, log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated log-odds."""
        return self.slope * log_odds + self.intercept


def fit_line(log_odds: NDArray[np.float64], positive: NDArray[np.bool_]) -> Line:
    """The line of greatest likelihood, by Newton's method with halved steps.

    Targets are (P + 1)/(P + 2) and 1/(Q + 2) for P positives and Q negatives instead of 1 and 0,
    so that classes that do not overlap give a steep line and not an infinite one.

    Args:
        log_odds: shape (N,).
        positive: labels, shape (N,), both classes among them.
    """
    ones = int(positive.sum())
    target = np.where(positive, (ones + 1) / (ones + 2), 1 / (len(positive) - ones + 2))
    spread = float(log_odds.std()) or 1.0
    design = np.stack([(log_odds - log_odds.mean()) / spread, np.ones(len(log_odds))])
    at = np.zeros(2)
    for _ in range(_NEWTON_STEPS):
        found = probability(at @ design)
        gradient = design @ (found - target)
        curvature = (design * (found * (1 - found))) @ design.T + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        while _loss(at - step, design, target) > _loss(at, design, target) + 1e-12:
            step /= 2
        at = at - step
        if np.abs(step).max() < 1e-9:
            break
    slope = float(at[0]) / spread
    return Line(slope, float(at[1]) - slope * float(log_odds.mean()))


def _loss(at: NDArray[np.float64], design: NDArray[np.float64], target: NDArray[np.float64]) -> Any:
    """Negative log-likelihood of the targets."""
    log_odds = at @ design
    return (np.logaddexp(0.0, log_odds) - target * log_odds).sum()


def reliability(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> dict[str, Any]:
    """Ten bins of equal width with mean score and share of positives in each, and two summaries.

    Returns:
        ``bins``: rows ``from``, ``pages``, ``mean_score``, ``positives`` (a share), empty bins left
        out; ``error``: expected calibration error, the mean over pages of the gap between the two
        in the page's bin; ``brier``: mean squared distance of score and label.
    """
    place = np.minimum((scores * _BINS).astype(int), _BINS - 1)
    rows = []
    gap = 0.0
    for at in np.unique(place).tolist():
        here = place == at
        mean, share = float(scores[here].mean()), float(positive[here].mean())
        gap += abs(mean - share) * int(here.sum())
        rows.append(
            {
                "from": at / _BINS,
                "pages": int(here.sum()),
                "mean_score": round(mean, 4),
                "positives": round(share, 4),
            }
        )
    brier = float(((scores - positive) ** 2).mean())
    return {"bins": rows, "error": round(gap / len(scores), 6), "brier": round(brier, 6)}


def histogram(
    scores: NDArray[np.floating[Any]], tokens: NDArray[np.int64], bins: int = 20
) -> list[dict[str, float | int]]:
    """Pages and tokens by score, in bins of equal width over 0 to 1."""
    place = np.minimum((scores * bins).astype(int), bins - 1)
    pages = np.bincount(place, minlength=bins).tolist()
    of_tokens = np.bincount(place, weights=tokens, minlength=bins).tolist()
    return [
        {"from": at / bins, "pages": pages[at], "tokens": int(of_tokens[at])} for at in range(bins)
    ]


def add_histograms(parts: Sequence[Sequence[Mapping[str, Any]]]) -> list[dict[str, float | int]]:
    """The histogram of all parts together; ``parts`` are of equal bins."""
    return [
        {
            "from": bins[0]["from"],
            "pages": sum(one["pages"] for one in bins),
            "tokens": sum(one["tokens"] for one in bins),
        }
        for bins in zip(*parts, strict=True)
    ]
