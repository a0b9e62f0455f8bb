"""GRPO's objective and its gradient coefficient, as pure functions (paper, eqs. 3, 4 and 21).

The objective of N outputs, each of its own length::

    J = 1/N sum_i 1/|o_i| sum_t { min(rho A, clip(rho, 1 - eps, 1 + eps) A) - beta KL }

with ``rho = pi / pi_old`` and ``KL = u - log u - 1``, ``u = pi_ref / pi``, per token. Its gradient
is that of ``1/N sum_i 1/|o_i| sum_t GC log pi`` with the coefficient held fixed, which is the form
that all methods of the paper share (section 5.2.1, eq. 5).
"""

# N outputs, T tokens of the longest; log-probabilities in nats

import torch
from torch import Tensor


def token_ratio(logprob_NT: Tensor, old_NT: Tensor) -> Tensor:
    """``pi / pi_old`` of each token."""
    return torch.exp(logprob_NT - old_NT)


def token_kl(logprob_NT: Tensor, reference_NT: Tensor) -> Tensor:
    """Unbiased estimate of KL(pi || pi_ref) per token, never negative (eq. 4)."""
    log_u_NT = reference_NT - logprob_NT
    return torch.exp(log_u_NT) - log_u_NT - 1


def clipped(ratio_NT: Tensor, advantage_NT: Tensor, clip_epsilon: float) -> Tensor:
    """Where the clip holds: the ratio has left the interval on the side of its advantage."""
    above_NT = (ratio_NT > 1 + clip_epsilon) & (advantage_NT > 0)
    below_NT = (ratio_NT < 1 - clip_epsilon) & (advantage_NT < 0)
    return above_NT | below_NT


def token_objective(
    logprob_NT: Tensor,
    old_NT: Tensor,
    reference_NT: Tensor,
    advantage_NT: Tensor,
    *,
    clip_epsilon: float,
    kl_weight: float,
) -> Tensor:
    """What eq. 3 sums over tokens: the clipped surrogate less the weighted KL, (N, T)."""
    ratio_NT = token_ratio(logprob_NT, old_NT)
    within_NT = ratio_NT.clamp(1 - clip_epsilon, 1 + clip_epsilon)
    surrogate_NT = torch.minimum(ratio_NT * advantage_NT, within_NT * advantage_NT)
    return surrogate_NT - kl_weight * token_kl(logprob_NT, reference_NT)


def gradient_coefficient(
    logprob_NT: Tensor,
    old_NT: Tensor,
    reference_NT: Tensor,
    advantage_NT: Tensor,
    *,
    clip_epsilon: float,
    kl_weight: float,
) -> Tensor:
    """The factor of ``grad log pi`` in GRPO's gradient (eq. 21), (N, T), without gradient.

    The paper prints it for ``pi_old = pi``: ``A + beta (pi_ref / pi - 1)``. With several updates
    per batch the advantage carries the ratio, and vanishes where the clip holds.
    """
    with torch.no_grad():
        ratio_NT = token_ratio(logprob_NT, old_NT)
        push_NT = ratio_NT * advantage_NT
        push_NT = push_NT.masked_fill(clipped(ratio_NT, advantage_NT, clip_epsilon), 0.0)
        return push_NT + kl_weight * (torch.exp(reference_NT - logprob_NT) - 1)


def outputs_mean(value_NT: Tensor, mask_NT: Tensor, outputs: int) -> Tensor:
    """Mean over the tokens of each output, summed over outputs and divided by ``outputs``.

    ``outputs`` counts those of the whole batch, so that the parts of any split into micro-batches
    add up to the same number. A row without tokens adds nothing.
    """
    length_N = mask_NT.sum(dim=1).clamp(min=1)
    return ((value_NT * mask_NT).sum(dim=1) / length_N).sum() / outputs
