"""GRPO's objective and its gradient coefficient, as pure functions (paper, eqs. 3, 4 and 21).

The objective of N outputs, each of its own length::

    J = 1/N sum_i 1/|o_i| sum_t { min(rho A, clip(rho, 1 - eps, 1 + eps) A) - beta KL }

with ``rho = pi / pi_old`` and ``KL = u - log u - 1``, ``u = pi_ref / pi``, per token. Its gradient
is that of ``1/N sum_i 1/|o_i| sum_t GC log pi`` with the coefficient held fixed, which is the form
that all methods of the paper share (section 5.2.1, eq. 5). PPO's is the same without the KL term.
"""

# N outputs, T tokens of the longest; log-probabilities in nats

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor


@dataclass(frozen=True)
class TokenBatch:
    """Some outputs at token level, in nats, without gradient; padding is where the mask is false.

    Attributes:
        logprob_NT: the policy now.
        old_NT: the policy that the step began with, by the trainer.
        reference_NT: the frozen policy.
        drawn_NT: the policy that drew the tokens, by the sampler.
        advantage_NT: the advantage of each token.
        mask_NT: tokens that the policy wrote.
        pair_N: for methods on pairs, the row of each output's other half.
    """

    logprob_NT: Tensor
    old_NT: Tensor
    reference_NT: Tensor
    drawn_NT: Tensor
    advantage_NT: Tensor
    mask_NT: Tensor
    pair_N: Tensor


@dataclass(frozen=True)
class Terms:
    """What the objective is made of; the defaults are the paper's.

    Attributes:
        clip_low: the ratio is clipped below 1 - clip_low.
        clip_high: and above 1 + clip_high; larger than ``clip_low`` in DAPO (arXiv 2503.14476).
        kl_weight: beta; zero leaves the KL term out.
        ratio: of each token, or of the whole output: the geometric mean over its tokens, as in
            GSPO (arXiv 2507.18071).
        importance_cap: weigh each token by min(pi_old / pi_drawn, cap), where sampler and trainer
            compute the same policy with different rounding; 0 does not.
    """

    clip_low: float = 0.2
    clip_high: float = 0.2
    kl_weight: float = 0.04
    ratio: Literal["token", "output"] = "token"
    importance_cap: float = 0.0


def token_kl(logprob_NT: Tensor, reference_NT: Tensor) -> Tensor:
    """Unbiased estimate of KL(pi || pi_ref) per token, never negative (eq. 4)."""
    log_u_NT = reference_NT - logprob_NT
    return torch.exp(log_u_NT) - log_u_NT - 1


def policy_ratio(batch: TokenBatch, terms: Terms) -> Tensor:
    """``pi / pi_old`` of each token, or of its whole output, (N, T)."""
    log_ratio_NT = batch.logprob_NT - batch.old_NT
    if terms.ratio == "output":
        log_ratio_NT = _mean_over_tokens(log_ratio_NT, batch.mask_NT)
    return torch.exp(log_ratio_NT)


def clipped(ratio_NT: Tensor, advantage_NT: Tensor, terms: Terms) -> Tensor:
    """Where the clip holds: the ratio has left the interval on the side of its advantage."""
    above_NT = (ratio_NT > 1 + terms.clip_high) & (advantage_NT > 0)
    below_NT = (ratio_NT < 1 - terms.clip_low) & (advantage_NT < 0)
    return above_NT | below_NT


def token_objective(batch: TokenBatch, terms: Terms) -> Tensor:
    """What eq. 3 sums over tokens: the clipped surrogate less the weighted KL, (N, T)."""
    ratio_NT, advantage_NT = policy_ratio(batch, terms), _advantage(batch, terms)
    within_NT = ratio_NT.clamp(1 - terms.clip_low, 1 + terms.clip_high)
    value_NT = torch.minimum(ratio_NT * advantage_NT, within_NT * advantage_NT)
    if terms.kl_weight:
        value_NT = value_NT - terms.kl_weight * token_kl(batch.logprob_NT, batch.reference_NT)
    return value_NT


def gradient_coefficient(batch: TokenBatch, terms: Terms) -> Tensor:
    """The factor of ``grad log pi`` in GRPO's gradient (eq. 21), (N, T), without gradient.

    The paper prints it for ``pi_old = pi``: ``A + beta (pi_ref / pi - 1)``. With several updates
    per batch the advantage carries the ratio, and vanishes where the clip holds.
    """
    with torch.no_grad():
        ratio_NT, advantage_NT = policy_ratio(batch, terms), _advantage(batch, terms)
        push_NT = ratio_NT * advantage_NT
        push_NT = push_NT.masked_fill(clipped(ratio_NT, advantage_NT, terms), 0.0)
        if terms.kl_weight:
            ahead_NT = torch.exp(batch.reference_NT - batch.logprob_NT) - 1
            push_NT = push_NT + terms.kl_weight * ahead_NT
        return push_NT


def _advantage(batch: TokenBatch, terms: Terms) -> Tensor:
    advantage_NT = batch.advantage_NT
    if terms.ratio == "output":
        advantage_NT = _mean_over_tokens(advantage_NT, batch.mask_NT)
    if terms.importance_cap:
        gap_NT = (batch.old_NT - batch.drawn_NT) * batch.mask_NT
        advantage_NT = advantage_NT * gap_NT.exp().clamp(max=terms.importance_cap)
    return advantage_NT


def _mean_over_tokens(value_NT: Tensor, mask_NT: Tensor) -> Tensor:
    length_N1 = mask_NT.sum(dim=1, keepdim=True).clamp(min=1)
    return ((value_NT * mask_NT).sum(dim=1, keepdim=True) / length_N1).expand_as(value_NT)


@dataclass(frozen=True)
class Scale:
    """How the values of tokens become one number, the same for any split into micro-batches.

    Attributes:
        mean: ``outputs``: mean over an output's tokens, then over outputs (the paper);
            ``tokens``: over all tokens of the batch (DAPO); ``constant``: the sum over an
            output's tokens by the longest allowed, then over outputs (Dr. GRPO).
        outputs: outputs of the whole batch.
        tokens: tokens of the whole batch.
        longest: most tokens an output may have.
    """

    mean: Literal["outputs", "tokens", "constant"]
    outputs: int
    tokens: int
    longest: int

    def __call__(self, value_NT: Tensor, mask_NT: Tensor) -> Tensor:
        """This part's share of the batch's mean."""
        if self.mean == "outputs":
            return outputs_mean(value_NT, mask_NT, self.outputs)
        divisor = self.tokens if self.mean == "tokens" else self.outputs * self.longest
        return (value_NT * mask_NT).sum() / max(1, divisor)


def outputs_mean(value_NT: Tensor, mask_NT: Tensor, outputs: int) -> Tensor:
    """Mean over the tokens of each output, summed over outputs and divided by ``outputs``.

    ``outputs`` counts those of the whole batch, so that the parts of any split into micro-batches
    add up to the same number. A row without tokens adds nothing.
    """
    length_N = mask_NT.sum(dim=1).clamp(min=1)
    return ((value_NT * mask_NT).sum(dim=1) / length_N).sum() / outputs
