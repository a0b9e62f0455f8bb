"""PPO (paper, section 4.1.1): a critic instead of a group, and the KL term inside the reward.

Data source: outputs of the current policy. Reward: the outcome at the last token, and at every
token ``-beta log(pi_old / pi_ref)`` (eq. 2). Gradient coefficient: the advantage by GAE from the
critic's values, clipped with its ratio (eq. 1).
"""

# N outputs, L tokens of prompt and completion, T tokens of the longest completion

import copy
import functools
import math
from dataclasses import replace

import torch
from torch import Tensor

from seekmath.core.files import BadInput
from seekmath.model.decoder import Decoder
from seekmath.model.logprobs import completion_logprobs
from seekmath.model.low_rank import merged
from seekmath.rl.advantages import generalised_advantages
from seekmath.rl.method import Companion, Credit, Credits, Method, Setup, online, terms_of
from seekmath.rl.objective import gradient_coefficient, token_objective
from seekmath.rl.rollout import Judged, Sample
from seekmath.rl.settings import GrpoSettings
from seekmath.rl.update import split_by_tokens
from seekmath.train.optimizer import learning_rate, make_adamw, update
from seekmath.train.reward_model import RewardModel, load_reward_model


def ppo_method(setup: Setup) -> Method:
    """The three places of the unified view, filled for PPO, and the critic that learns beside."""
    settings = setup.settings
    critic = make_critic(setup)
    optimizer = make_adamw(critic, settings)
    # The KL term stands in the reward.
    terms = replace(terms_of(settings), kl_weight=0.0)
    return Method(
        source=online(setup),
        reward=setup.rewards,
        credit=functools.partial(gae_credit, settings, setup.frozen, critic),
        coefficient=functools.partial(gradient_coefficient, terms=terms),
        objective=functools.partial(token_objective, terms=terms),
        companions={
            "critic": Companion(
                critic, optimizer, functools.partial(learn_values, settings, critic, optimizer)
            )
        },
    )


def make_critic(setup: Setup) -> RewardModel:
    """A network with a scalar head: the reward model where there is one, else of the policy."""
    device = next(setup.policy.parameters()).device
    if setup.settings.reward_model:
        critic = load_reward_model(setup.settings.reward_model, str(device))
    else:
        critic = RewardModel(copy.deepcopy(merged(setup.policy))).to(device)
    if critic.decoder.config.vocab_size < setup.policy.config.vocab_size:
        raise BadInput("reward_model: its vocabulary is smaller than the policy's")
    critic.requires_grad_(True)
    return critic


@torch.no_grad()
def gae_credit(
    settings: GrpoSettings, frozen: Decoder, critic: RewardModel, groups: list[list[Judged]]
) -> Credits:
    """Advantages and returns of every token from the critic's values (section 4.1.1)."""
    every = [judged for group in groups for judged in group]
    credits: list[Credit | None] = [None] * len(every)
    for rows in split_by_tokens(
        list(range(len(every))), lambda row: _tokens(every[row]), settings.micro_batch_tokens
    ):
        part = [every[row] for row in rows]
        reference = _reference_logprobs(settings, frozen, part)
        values = _values(critic, [judged.sample for judged in part])
        for at, row in enumerate(rows):
            length = len(every[row].sample.completion.token_ids)
            credits[row] = _credit(
                settings, every[row], reference[at][:length], values[at, :length].tolist()
            )
    return Credits([credit for credit in credits if credit is not None], 0)


def _credit(
    settings: GrpoSettings, judged: Judged, reference: list[float], values: list[float]
) -> Credit:
    # A tool's tokens are no actions: time passes from one token of the policy to its next.
    places = [t for t, written in enumerate(judged.sample.written) if written]
    drawn = judged.sample.completion.logprobs
    rewards = [-settings.kl_weight * (drawn[t] - reference[t]) for t in places]
    # A reward that could not be had keeps the output out of the update (see trainer).
    rewards[-1] += judged.total if math.isfinite(judged.total) else 0.0
    some, goals = generalised_advantages(
        rewards,
        [values[t] for t in places],
        discount=settings.discount,
        smoothing=settings.gae_lambda,
    )
    advantages, returns = [0.0] * len(drawn), [0.0] * len(drawn)
    for t, advantage, goal in zip(places, some, goals, strict=True):
        advantages[t], returns[t] = advantage, goal
    return Credit(judged, advantages, returns)


def _reference_logprobs(
    settings: GrpoSettings, frozen: Decoder, part: list[Judged]
) -> list[list[float]]:
    if not settings.kl_weight:
        return [judged.sample.completion.logprobs for judged in part]
    found = completion_logprobs(
        frozen,
        [judged.sample.question.prompt_ids for judged in part],
        [judged.sample.completion.token_ids for judged in part],
        temperature=settings.temperature,
    )
    return found[0].tolist()


def _values(critic: RewardModel, samples: list[Sample]) -> Tensor:
    """V of each completion token's state, what stands before the token, (N, T)."""
    device = critic.score.weight.device
    prompts = [sample.question.prompt_ids for sample in samples]
    completions = [sample.completion.token_ids for sample in samples]
    rows = [p + c[:-1] for p, c in zip(prompts, completions, strict=True)]
    width = max(map(len, rows))
    tokens_NL = torch.tensor([row + [0] * (width - len(row)) for row in rows], device=device)
    value_NL = critic.score(critic.decoder.hidden(tokens_NL))[:, :, 0]
    longest = max(map(len, completions))
    start_N1 = torch.tensor([[len(prompt) - 1] for prompt in prompts], device=device)
    at_NT = (start_N1 + torch.arange(longest, device=device)).clamp(max=width - 1)
    return value_NL.gather(1, at_NT)


def learn_values(
    settings: GrpoSettings,
    critic: RewardModel,
    optimizer: torch.optim.AdamW,
    credits: Credits,
    step: int,
) -> dict[str, float]:
    """Move the critic towards the returns: mean squared error over all tokens."""
    known = [c for c in credits.credits if math.isfinite(c.judged.total)]
    if not known:
        return {"critic_loss": 0.0}
    tokens = sum(sum(credit.judged.sample.written) for credit in known)
    total = 0.0
    for _ in range(settings.updates_per_batch):
        total = 0.0
        for part in split_by_tokens(
            known, lambda credit: _tokens(credit.judged), settings.micro_batch_tokens
        ):
            value_NT = _values(critic, [credit.judged.sample for credit in part])
            width = value_NT.shape[1]
            goal_NT = _padded([credit.token_returns for credit in part], width, value_NT)
            written = [[float(v) for v in credit.judged.sample.written] for credit in part]
            mask_NT = _padded(written, width, value_NT)
            loss = (((value_NT - goal_NT) ** 2) * mask_NT).sum() / tokens
            loss.backward()
            total += float(loss.detach())
        rate = settings.critic_lr_factor * learning_rate(step, settings.steps, settings)
        update(critic, optimizer, rate, settings.clip_norm)
    return {"critic_loss": total}


def _padded(rows: list[list[float]], width: int, like: Tensor) -> Tensor:
    return torch.tensor([row + [0.0] * (width - len(row)) for row in rows], device=like.device)


def _tokens(judged: Judged) -> int:
    return len(judged.sample.question.prompt_ids) + len(judged.sample.completion.token_ids)
