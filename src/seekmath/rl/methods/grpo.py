"""GRPO (paper, section 4.1): online groups and their relative rewards.

Data source: questions of the training set, a group of outputs of the current policy for each.
Reward: rule, model or a user's function. Gradient coefficient: ``A + beta (pi_ref / pi - 1)``,
where A is the group-relative advantage of the output (outcome supervision) or of the steps that
end at or after the token (process supervision).
"""

import functools

import numpy as np

from seekmath.rl.advantages import outcome_advantages, process_advantages
from seekmath.rl.method import Credit, Credits, Method, Setup, online, terms_of
from seekmath.rl.objective import gradient_coefficient, token_objective
from seekmath.rl.rollout import Judged
from seekmath.rl.settings import GrpoSettings


def grpo_method(setup: Setup) -> Method:
    """The three places of the unified view, filled for GRPO."""
    settings = setup.settings
    credit = process_credit if settings.supervision == "process" else outcome_credit
    return Method(
        source=online(setup),
        reward=setup.rewards,
        credit=functools.partial(credit, settings),
        coefficient=functools.partial(gradient_coefficient, terms=terms_of(settings)),
        objective=functools.partial(token_objective, terms=terms_of(settings)),
        reads_reference=settings.kl_weight > 0,
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


def process_credit(settings: GrpoSettings, groups: list[list[Judged]]) -> Credits:
    """A token takes the sum of the standardised rewards of the steps from its own on (4.1.3)."""
    credits, equal_groups = [], 0
    for group in groups:
        advantages, equal = process_advantages(
            [judged.step_rewards for judged in group],
            [judged.step_ends for judged in group],
            [len(judged.sample.completion.token_ids) for judged in group],
            std=settings.std,
            zero_variance=settings.zero_variance,
            counted=settings.step_counted,
        )
        equal_groups += equal
        credits += [Credit(*pair) for pair in zip(group, advantages, strict=True)]
    return Credits(credits, equal_groups)
