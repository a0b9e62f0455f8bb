"""Advantages: group-relative for outcomes and for steps (4.1.2, 4.1.3), and GAE for PPO (4.1.1)."""

# Q questions, G samples of each; T tokens, K steps of one output

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Std = Literal["population", "sample", "none"]
From = Literal["own", "later"]


class Advantages(NamedTuple):
    """Advantages (Q, G), zero where a reward is missing, and the groups that teach nothing."""

    value_QG: Matrix
    zero_variance_groups: int


def outcome_advantages(
    reward_QG: Matrix, *, std: Std = "population", zero_variance: float = 1e-6
) -> Advantages:
    """Standardise each group's rewards: ``(r_i - mean(r)) / std(r)``, one value per output.

    Args:
        reward_QG: rewards; NaN where a reward could not be had. Such a sample takes no part in
            its group's mean and deviation.
        std: divide the squares by the number of rewards, or by one less; or do not divide by the
            deviation at all, as Dr. GRPO (arXiv 2503.20783).
        zero_variance: at or below this deviation the rewards of a group are held to be equal: its
            advantages are zero instead of amplified rounding, and the group is counted.

    Returns:
        Every token of an output takes its output's advantage.
    """
    known_QG = np.isfinite(reward_QG)
    count_Q1 = known_QG.sum(axis=1, keepdims=True)
    filled_QG = np.where(known_QG, reward_QG, 0.0)
    mean_Q1 = filled_QG.sum(axis=1, keepdims=True) / np.maximum(count_Q1, 1)
    centred_QG = np.where(known_QG, filled_QG - mean_Q1, 0.0)
    freedom_Q1 = np.maximum(count_Q1 - (std == "sample"), 1)
    deviation_Q1 = np.sqrt((centred_QG**2).sum(axis=1, keepdims=True) / freedom_Q1)
    flat_Q1 = deviation_Q1 <= zero_variance
    scale_Q1 = np.where(flat_Q1 | (std == "none"), 1.0, deviation_Q1)
    value_QG = np.where(flat_Q1, 0.0, centred_QG / scale_Q1)
    return Advantages(value_QG, int(flat_Q1.sum()))


def process_advantages(
    step_rewards: Sequence[Sequence[float]],
    step_ends: Sequence[Sequence[int]],
    lengths: Sequence[int],
    *,
    std: Std = "population",
    zero_variance: float = 1e-6,
    counted: From = "own",
) -> tuple[list[list[float]], bool]:
    """Token advantages of one group's outputs from the rewards of their steps (section 4.1.3).

    The rewards of all steps of all outputs are standardised together; a token's advantage is the
    sum over the steps that end at or after it.

    Args:
        step_rewards: for each of the G outputs a reward for each step; NaN where it could not be
            had. Such a step is left out.
        step_ends: index of each step's last token.
        lengths: tokens of each output.
        std: as in ``outcome_advantages``.
        zero_variance: as in ``outcome_advantages``.
        counted: ``own``: the paper's ``index(j) >= t``, a step's last token is moved by its own
            step; ``later``: ``index(j) > t``, as some presentations print it.

    Returns:
        A value for each token of each output, and whether the group's rewards were all equal.
    """
    flat = np.array([[r for rewards in step_rewards for r in rewards]], dtype=np.float64)
    scaled, equal = outcome_advantages(flat, std=std, zero_variance=zero_variance)
    values = iter(scaled[0].tolist())
    advantages = []
    for ends, length in zip(step_ends, lengths, strict=True):
        gained_T = np.zeros(length)
        for end in ends:
            gained_T[: end + (counted == "own")] += next(values)
        advantages.append(gained_T.tolist())
    return advantages, bool(equal)


def generalised_advantages(
    reward_T: Sequence[float], value_T: Sequence[float], *, discount: float, smoothing: float
) -> tuple[list[float], list[float]]:
    """GAE of one output (arXiv 1506.02438): advantages, and returns as the critic's targets.

    ``A_t = sum_l (discount smoothing)^l delta_(t+l)`` with ``delta_t = r_t + discount V_(t+1) -
    V_t``; the value after the last token is zero, as the output has ended.
    """
    advantages = [0.0] * len(reward_T)
    ahead, following = 0.0, 0.0
    for t in range(len(reward_T) - 1, -1, -1):
        delta = reward_T[t] + discount * following - value_T[t]
        ahead = delta + discount * smoothing * ahead
        advantages[t], following = ahead, value_T[t]
    returns = [a + v for a, v in zip(advantages, value_T, strict=True)]
    return advantages, returns
