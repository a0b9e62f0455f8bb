"""GRPO with outcome supervision (paper, section 4.1): online groups, their relative rewards.

Data source: questions of the training set, a group of outputs of the current policy for each.
Reward: rule, model or a user's function. Gradient coefficient: ``A + beta (pi_ref / pi - 1)``.
"""

import functools
from collections.abc import Callable

import numpy as np
from torch import Tensor

from seekmath.core.seeds import derive
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.model.decoder import Decoder
from seekmath.rl.advantages import outcome_advantages
from seekmath.rl.method import Credit, Credits, Method, TokenBatch
from seekmath.rl.objective import gradient_coefficient, token_objective
from seekmath.rl.questions import Question, questions_of_step
from seekmath.rl.rewards import Rewards
from seekmath.rl.rollout import Judged, Sample, roll_out
from seekmath.rl.settings import GrpoSettings


def grpo_method(
    settings: GrpoSettings, questions: list[Question], tokenizer: Tokenizer, seed: int
) -> Method:
    """The three places of the unified view, filled for GRPO."""

    def source(policy: Decoder, step: int) -> list[list[Sample]]:
        asked = questions_of_step(questions, settings.questions_per_step, seed, step)
        return roll_out(policy, tokenizer, asked, settings, derive(seed, "step", step))

    return Method(
        source=source,
        reward=Rewards(settings),
        credit=functools.partial(outcome_credit, settings),
        coefficient=functools.partial(_at_tokens, gradient_coefficient, settings),
        objective=functools.partial(_at_tokens, token_objective, settings),
    )


def outcome_credit(settings: GrpoSettings, groups: list[list[Judged]]) -> Credits:
    """Every token of an output takes the output's group-relative advantage (section 4.1.2)."""
    reward_QG = np.array([[judged.total for judged in group] for group in groups])
    advantages = outcome_advantages(
        reward_QG, std=settings.std, zero_variance=settings.zero_variance
    )
    flat = [judged for group in groups for judged in group]
    credits = [
        Credit(judged, [float(value)] * len(judged.sample.completion.token_ids))
        for judged, value in zip(flat, advantages.value_QG.ravel(), strict=True)
    ]
    return Credits(credits, advantages.zero_variance_groups)


def _at_tokens(
    function: Callable[..., Tensor], settings: GrpoSettings, batch: TokenBatch
) -> Tensor:
    return function(
        batch.logprob_NT,
        batch.old_NT,
        batch.reference_NT,
        batch.advantage_NT,
        clip_epsilon=settings.clip_epsilon,
        kl_weight=settings.kl_weight,
    )
