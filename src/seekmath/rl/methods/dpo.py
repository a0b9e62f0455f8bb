"""DPO (paper, eq. 12 to 14; arXiv 2305.18290): right outputs preferred to wrong ones, in pairs.

Data source: outputs of the SFT model, one right and one wrong of the same question. Reward: the
rule. The loss of a pair is ``-log sigma(beta (r(o+) - r(o-)))`` where r is the log-ratio of policy
to reference: its mean over the output's tokens in the paper, its sum in the standard form.

With the mean over the batch's 2 P outputs the coefficient is ``+-2 beta sigma(-margin)``, times
the output's length in the standard form: the 2 because P pairs are averaged, beta because the
paper's eq. 14 leaves it to the learning rate and an exact gradient cannot.
"""

# P pairs, N = 2 P outputs, T tokens of the longest

import functools

import torch
import torch.nn.functional as F
from torch import Tensor

from seekmath.rl.method import Credit, Credits, Method, Setup, offline
from seekmath.rl.objective import TokenBatch
from seekmath.rl.rollout import Judged
from seekmath.rl.settings import GrpoSettings


def dpo_method(setup: Setup) -> Method:
    """The three places of the unified view, filled for DPO."""
    settings = setup.settings
    return Method(
        source=offline(setup),
        reward=setup.rewards,
        credit=pairs,
        coefficient=functools.partial(pair_coefficient, settings),
        objective=functools.partial(pair_objective, settings),
        reads_reference=True,
    )


def pairs(groups: list[list[Judged]]) -> Credits:
    """The k-th right output of each question with its k-th wrong one, +1 and -1; the rest unused.

    An output is right or wrong by the rule; one that could not be judged is unused.
    """
    credits: list[Credit] = []
    unused: list[Credit] = []
    without = 0
    for group in groups:
        right = [judged for judged in group if judged.verdict is True]
        wrong = [judged for judged in group if judged.verdict is False]
        for chosen, rejected in zip(right, wrong, strict=False):
            number = len(credits) // 2
            credits += [_signed(chosen, 1.0, number), _signed(rejected, -1.0, number)]
        most = min(len(right), len(wrong))
        without += not most
        kept = {id(judged) for judged in [*right[:most], *wrong[:most]]}
        unused += [_signed(judged, 0.0, -1) for judged in group if id(judged) not in kept]
    return Credits(credits, without, unused)


def _signed(judged: Judged, sign: float, pair: int) -> Credit:
    return Credit(judged, [sign] * len(judged.sample.completion.token_ids), pair=pair)


def pair_coefficient(settings: GrpoSettings, batch: TokenBatch) -> Tensor:
    """The coefficient of each token, (N, T); eq. 14 with beta and the mean over pairs."""
    with torch.no_grad():
        weight_N1 = 2 * settings.dpo_beta * torch.sigmoid(-_margins(settings, batch))[:, None]
        if settings.dpo_ratio == "sum":
            weight_N1 = weight_N1 * batch.mask_NT.sum(dim=1, keepdim=True)
        return batch.advantage_NT * weight_N1


def pair_objective(settings: GrpoSettings, batch: TokenBatch) -> Tensor:
    """log sigma(margin) of an output's pair at each of its tokens, so that the mean is eq. 12."""
    return F.logsigmoid(_margins(settings, batch))[:, None].expand_as(batch.logprob_NT)


def _margins(settings: GrpoSettings, batch: TokenBatch) -> Tensor:
    """``beta (r(o+) - r(o-))`` of the pair that each output is of, (N,)."""
    log_ratio_NT = (batch.logprob_NT - batch.reference_NT) * batch.mask_NT
    ratio_N = log_ratio_NT.sum(dim=1)
    if settings.dpo_ratio == "mean":
        ratio_N = ratio_N / batch.mask_NT.sum(dim=1).clamp(min=1)
    sign_N = batch.advantage_NT[:, 0]
    return settings.dpo_beta * sign_N * (ratio_N - ratio_N[batch.pair_N])
