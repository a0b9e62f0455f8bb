"""The objective against the paper's equations in plain Python, TRL, and the unified gradient."""

import collections
import math
import types
from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from seekmath.rl.objective import (
    gradient_coefficient,
    outputs_mean,
    token_kl,
    token_objective,
)

CLIP, BETA = 0.2, 0.04
TERMS = {"clip_epsilon": CLIP, "kl_weight": BETA}


class Ragged(NamedTuple):
    logprob: Tensor
    old: Tensor
    reference: Tensor
    advantage: Tensor
    mask: Tensor


def ragged(seed: int, drift: float = 0.3, lengths: tuple[int, ...] = (7, 1, 4, 7, 2)) -> Ragged:
    """Random outputs of different lengths in float64; what stands behind an output is junk."""
    generator = torch.Generator().manual_seed(seed)

    def normal() -> Tensor:
        return torch.randn(len(lengths), max(lengths), generator=generator, dtype=torch.float64)

    logprob = -normal().abs() - 0.1
    advantage = normal()[:, :1].expand_as(logprob).clone()
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    return Ragged(
        logprob.requires_grad_(),
        (logprob + drift * normal()).detach(),
        (logprob + 0.5 * normal()).detach(),
        advantage,
        mask,
    )


def plain_objective(case: Ragged) -> float:
    """Equations 3 and 4, one number at a time."""
    case = Ragged(*(part.detach() for part in case))
    total = 0.0
    outputs = len(case.mask)
    for i in range(outputs):
        length = int(case.mask[i].sum())
        inner = 0.0
        for t in range(length):
            logprob, old = float(case.logprob[i, t]), float(case.old[i, t])
            reference, advantage = float(case.reference[i, t]), float(case.advantage[i, t])
            rho = math.exp(logprob) / math.exp(old)
            u = math.exp(reference) / math.exp(logprob)
            surrogate = min(rho * advantage, min(max(rho, 1 - CLIP), 1 + CLIP) * advantage)
            inner += surrogate - BETA * (u - math.log(u) - 1)
        total += inner / length
    return total / outputs


def objective(case: Ragged) -> Tensor:
    values = token_objective(case.logprob, case.old, case.reference, case.advantage, **TERMS)
    return outputs_mean(values, case.mask, len(case.mask))


@pytest.mark.parametrize("seed", range(5))
def test_the_objective_is_that_of_the_paper(seed):
    case = ragged(seed)
    assert float(objective(case).detach()) == pytest.approx(plain_objective(case), rel=1e-12)


@pytest.mark.parametrize("drift", [0.0, 0.3])
@pytest.mark.parametrize("seed", range(5))
def test_the_gradient_is_the_coefficient_times_that_of_the_logprob(seed, drift):
    case = ragged(seed, drift)
    (expected,) = torch.autograd.grad(objective(case), case.logprob)
    coefficient = gradient_coefficient(
        case.logprob, case.old, case.reference, case.advantage, **TERMS
    )
    (found,) = torch.autograd.grad(
        outputs_mean(coefficient * case.logprob, case.mask, len(case.mask)), case.logprob
    )
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)


def test_on_policy_the_coefficient_is_that_of_the_papers_appendix():
    case = ragged(1, drift=0.0)
    found = gradient_coefficient(case.logprob, case.old, case.reference, case.advantage, **TERMS)
    ratio = case.reference.exp() / case.logprob.detach().exp()
    torch.testing.assert_close(found, case.advantage + BETA * (ratio - 1))


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(-20, 0), st.floats(-20, 0)), min_size=1, max_size=8))
def test_kl_is_never_negative_and_zero_at_equality(pairs):
    logprob, reference = torch.tensor(pairs, dtype=torch.float64).T
    assert (token_kl(logprob, reference) >= 0).all()
    assert not token_kl(logprob, logprob).any()


def test_parts_of_a_batch_add_up():
    case = ragged(2)
    values = token_objective(case.logprob, case.old, case.reference, case.advantage, **TERMS)
    whole = outputs_mean(values, case.mask, 5)
    parts = [outputs_mean(values[rows], case.mask[rows], 5) for rows in ([0, 3], [1], [2, 4])]
    torch.testing.assert_close(sum(parts), whole)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("drift", [0.0, 0.3])
def test_loss_kl_and_gradient_are_those_of_trl(seed, drift):
    case = ragged(seed, drift)
    trainer = trl_trainer(case.logprob)
    inputs = {
        "prompt_ids": torch.zeros(5, 1, dtype=torch.long),
        "prompt_mask": torch.ones(5, 1, dtype=torch.long),
        "completion_ids": torch.zeros(5, 7, dtype=torch.long),
        "completion_mask": case.mask.long(),
        "advantages": case.advantage,
        "old_per_token_logps": case.old,
        "ref_per_token_logps": case.reference,
    }
    from trl import GRPOTrainer

    theirs = GRPOTrainer._compute_loss(trainer, trainer.model, inputs)
    ours = -objective(case)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-14)
    kl = (token_kl(case.logprob, case.reference) * case.mask).sum() / case.mask.sum()
    assert float(kl.detach()) == pytest.approx(trainer._metrics["train"]["kl"][0])
    (our_gradient,) = torch.autograd.grad(ours, case.logprob)
    (their_gradient,) = torch.autograd.grad(theirs, case.logprob)
    torch.testing.assert_close(our_gradient, their_gradient, rtol=1e-12, atol=1e-14)


def trl_trainer(logprob: Tensor) -> types.SimpleNamespace:
    """What TRL's loss reads of its trainer, set to the paper's objective."""
    return types.SimpleNamespace(
        _get_per_token_logps_and_entropies=lambda *_, **__: (logprob, logprob.detach(), None),
        model=types.SimpleNamespace(training=True),
        args=types.SimpleNamespace(use_bias_correction_kl=False, delta=None),
        accelerator=types.SimpleNamespace(
            num_processes=1, gather=lambda x: x, reduce=lambda x, reduction: x
        ),
        _metrics={"train": collections.defaultdict(list)},
        beta=BETA,
        epsilon_low=CLIP,
        epsilon_high=CLIP,
        loss_type="grpo",
        importance_sampling_level="token",
        top_entropy_quantile=1.0,
        off_policy_mask_threshold=None,
        current_gradient_accumulation_steps=1,
        aux_loss_enabled=False,
        use_vllm=False,
        _entropy_bonus_enabled=False,
    )
