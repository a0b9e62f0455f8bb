"""How good a reward model is on questions kept out: accuracy, AUC, calibration, best-of-K."""

# N solutions, B bins

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seekmath.train.reward_data import Solution
from seekmath.train.reward_model import RewardModel, score, score_steps

_BINS = 10


def measure(model: RewardModel, heldout: Sequence[Solution], kind: str) -> dict[str, Any]:
    """Figures of a reward model; ``best_of_k`` picks by its score, ``pass_at_k`` by the truth.

    A process model scores a solution by its least likely step, as Math-Shepherd does.
    """
    logits = [score(model, [s.text for s in heldout])]
    measured: dict[str, Any] = {}
    if kind == "process":
        steps = score_steps(model, [s.text for s in heldout], [s.ends for s in heldout])
        measured |= _figures(
            "step",
            np.concatenate([one.cpu().numpy() for one in steps]),
            np.array([v > 0.5 for s in heldout for v in s.labels]),
        )
        scores = np.array([float(one.min()) for one in steps])
    else:
        scores = logits[0].cpu().numpy()
    labels = np.array([solution.right for solution in heldout])
    measured |= _figures("heldout", scores, labels)
    if kind != "preference":
        measured["heldout_calibration_error"] = calibration_error(
            1 / (1 + np.exp(-scores.astype(np.float64))), labels
        )
    groups: dict[int, list[int]] = defaultdict(list)
    for at, solution in enumerate(heldout):
        groups[solution.question].append(at)
    within = auc_within([(scores[rows], labels[rows]) for rows in groups.values()])
    if within is not None:
        measured["heldout_auc_within"] = within
    measured["best_of_k"], measured["pass_at_k"] = _curves(heldout, scores, groups)
    return measured


def _figures(name: str, scores: NDArray[np.float32], labels: NDArray[np.bool_]) -> dict[str, float]:
    """Accuracy at logit 0, the base rate, and the area under the ROC curve."""
    figures = {
        f"{name}_accuracy": float(((scores > 0) == labels).mean()),
        f"{name}_base_rate": float(labels.mean()),
        f"{name}_samples": float(len(labels)),
    }
    if labels.any() and not labels.all():
        figures[f"{name}_auc"] = area_under_curve(scores, labels)
    return figures


def area_under_curve(scores: NDArray[np.float32], labels: NDArray[np.bool_]) -> float:
    """Chance that a right answer scores above a wrong one, ties counted half."""
    right, wrong = scores[labels][:, None], scores[~labels][None]
    return float((right > wrong).mean() + 0.5 * (right == wrong).mean())


def auc_within(
    questions: Sequence[tuple[NDArray[np.float32], NDArray[np.bool_]]],
) -> float | None:
    """Chance that a right answer scores above a wrong one to the same question.

    That is what a group's advantages see of a reward model; over all questions together it also
    counts that easy ones score higher. None where no question has both.
    """
    pairs, won = 0, 0.0
    for scores, labels in questions:
        count = int(labels.sum()) * int((~labels).sum())
        if count:
            pairs += count
            won += count * area_under_curve(scores, labels)
    return won / pairs if pairs else None


def calibration_error(probability_N: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    """Expected calibration error: |mean probability - share right| over ten equal bins."""
    bin_N = np.minimum((probability_N * _BINS).astype(int), _BINS - 1)
    gaps = [
        abs(probability_N[bin_N == b].mean() - labels[bin_N == b].mean()) * (bin_N == b).sum()
        for b in range(_BINS)
        if (bin_N == b).any()
    ]
    return float(sum(gaps) / len(labels))


def best_of(right: Sequence[bool], scores: Sequence[float], k: int) -> float:
    """Chance that the best scored of k solutions, drawn without replacement, is right; exact.

    Solutions of equal score share the chance that one of them is the best.
    """
    ranked = sorted(zip(scores, right, strict=True), key=lambda pair: -pair[0])
    n, total, at = len(ranked), 0.0, 0
    while at < n:
        end = at
        while end < n and ranked[end][0] == ranked[at][0]:
            end += 1
        # Some of the tied is drawn, and none that stands above them.
        chance = (math.comb(n - at, k) - math.comb(n - end, k)) / math.comb(n, k)
        total += chance * sum(good for _, good in ranked[at:end]) / (end - at)
        at = end
    return total


def _curves(
    heldout: Sequence[Solution], scores: NDArray[np.float32], groups: dict[int, list[int]]
) -> tuple[dict[str, float], dict[str, float]]:
    most = min(map(len, groups.values()), default=0)
    ks = [2**power for power in range(most.bit_length()) if 2**power <= most]
    best, passed = {}, {}
    for k in ks:
        chosen, any_right = [], []
        for rows in groups.values():
            right = [heldout[row].right for row in rows]
            chosen.append(best_of(right, [float(scores[row]) for row in rows], k))
            any_right.append(1 - math.comb(right.count(False), k) / math.comb(len(right), k))
        best[str(k)] = sum(chosen) / len(chosen)
        passed[str(k)] = sum(any_right) / len(any_right)
    return best, passed
