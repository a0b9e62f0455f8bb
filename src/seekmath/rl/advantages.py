"""Group-relative advantages with outcome supervision (paper, section 4.1.2)."""

# Q questions, G samples of each

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


class Advantages(NamedTuple):
    """Advantages (Q, G), zero where a reward is missing, and the groups that teach nothing."""

    value_QG: Matrix
    zero_variance_groups: int


def outcome_advantages(
    reward_QG: Matrix,
    *,
    std: Literal["population", "sample"] = "population",
    zero_variance: float = 1e-6,
) -> Advantages:
    """Standardise each group's rewards: ``(r_i - mean(r)) / std(r)``, one value per output.

    Args:
        reward_QG: rewards; NaN where a reward could not be had. Such a sample takes no part in
            its group's mean and deviation.
        std: divide the squares by the number of rewards, or by one less.
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
    value_QG = np.where(flat_Q1, 0.0, centred_QG / np.where(flat_Q1, 1.0, deviation_Q1))
    return Advantages(value_QG, int(flat_Q1.sum()))
