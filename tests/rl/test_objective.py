"""The objective against the paper's equations in plain Python, TRL, and the unified gradient."""

import collections
import math
import types

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from seekmath.rl.objective import (
    Scale,
    Terms,
    TokenBatch,
    gradient_coefficient,
    outputs_mean,
    token_kl,
    token_objective,
)

CLIP, BETA = 0.2, 0.04
PAPER = Terms()
LENGTHS = (7, 1, 4, 7, 2)
# The named variants, beside the paper's own terms.
VARIANTS = [
    PAPER,
    Terms(clip_low=0.2, clip_high=0.28, kl_weight=0.0),
    Terms(ratio="output"),
    Terms(importance_cap=2.0),
]


def ragged(seed: int, drift: float = 0.3, lengths: tuple[int, ...] = LENGTHS) -> TokenBatch:
    """Random outputs of different lengths in float64; what stands behind an output is junk."""
    generator = torch.Generator().manual_seed(seed)

    def normal() -> Tensor:
        return torch.randn(len(lengths), max(lengths), generator=generator, dtype=torch.float64)

    logprob = -normal().abs() - 0.1
    old = logprob + drift * normal()
    return TokenBatch(
        logprob.requires_grad_(),
        old.detach(),
        (logprob + 0.5 * normal()).detach(),
        (old + 0.4 * normal()).detach(),
        normal()[:, :1].expand_as(logprob).clone(),
        torch.arange(max(lengths)) < torch.tensor(lengths)[:, None],
        torch.arange(len(lengths)),
    )


def plain_objective(case: TokenBatch, terms: Terms = PAPER) -> float:
    """Equations 3 and 4, one number at a time."""
    total = 0.0
    outputs = len(case.mask_NT)
    for i in range(outputs):
        length = int(case.mask_NT[i].sum())
        logs = [
            [float(part[i, t]) for t in range(length)]
            for part in (case.logprob_NT.detach(), case.old_NT, case.reference_NT, case.drawn_NT)
        ]
        ratios = [math.exp(now) / math.exp(old) for now, old in zip(*logs[:2], strict=True)]
        if terms.ratio == "output":
            ratios = [math.prod(ratios) ** (1 / length)] * length
        inner = 0.0
        for t in range(length):
            rho, advantage = ratios[t], float(case.advantage_NT[i, t])
            low, high = 1 - terms.clip_low, 1 + terms.clip_high
            surrogate = min(rho * advantage, min(max(rho, low), high) * advantage)
            if terms.importance_cap:
                weight = math.exp(logs[1][t]) / math.exp(logs[3][t])
                surrogate *= min(weight, terms.importance_cap)
            u = math.exp(logs[2][t]) / math.exp(logs[0][t])
            inner += surrogate - terms.kl_weight * (u - math.log(u) - 1)
        total += inner / length
    return total / outputs


def objective(case: TokenBatch, terms: Terms = PAPER) -> Tensor:
    return outputs_mean(token_objective(case, terms), case.mask_NT, len(case.mask_NT))


@pytest.mark.parametrize("terms", VARIANTS)
@pytest.mark.parametrize("seed", range(3))
def test_the_objective_is_that_of_its_equation(seed, terms):
    case = ragged(seed)
    expected = plain_objective(case, terms)
    assert float(objective(case, terms).detach()) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("terms", VARIANTS)
@pytest.mark.parametrize("drift", [0.0, 0.3])
@pytest.mark.parametrize("seed", range(3))
def test_the_gradient_is_the_coefficient_times_that_of_the_logprob(seed, drift, terms):
    case = ragged(seed, drift)
    (expected,) = torch.autograd.grad(objective(case, terms), case.logprob_NT)
    coefficient = gradient_coefficient(case, terms)
    value = outputs_mean(coefficient * case.logprob_NT, case.mask_NT, len(case.mask_NT))
    (found,) = torch.autograd.grad(value, case.logprob_NT)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)


def test_on_policy_the_coefficient_is_that_of_the_papers_appendix():
    case = ragged(1, drift=0.0)
    found = gradient_coefficient(case, PAPER)
    ratio = case.reference_NT.exp() / case.logprob_NT.detach().exp()
    torch.testing.assert_close(found, case.advantage_NT + BETA * (ratio - 1))


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(-20, 0), st.floats(-20, 0)), min_size=1, max_size=8))
def test_kl_is_never_negative_and_zero_at_equality(pairs):
    logprob, reference = torch.tensor(pairs, dtype=torch.float64).T
    assert (token_kl(logprob, reference) >= 0).all()
    assert not token_kl(logprob, logprob).any()


@pytest.mark.parametrize("mean", ["outputs", "tokens", "constant"])
def test_parts_of_a_batch_add_up(mean):
    case = ragged(2)
    values = token_objective(case, PAPER)
    scale = Scale(mean, len(LENGTHS), sum(LENGTHS), 9)
    whole = scale(values, case.mask_NT)
    parts = [scale(values[rows], case.mask_NT[rows]) for rows in ([0, 3], [1], [2, 4])]
    torch.testing.assert_close(sum(parts), whole)


def test_means_are_those_of_their_papers():
    values = torch.tensor([[1.0, 2.0, 3.0], [5.0, 9.0, 9.0]])
    mask = torch.tensor([[True, True, True], [True, False, False]])
    found = [float(Scale(mean, 2, 4, 10)(values, mask)) for mean in ("outputs", "tokens")]
    assert found == [(2 + 5) / 2, 11 / 4]
    assert float(Scale("constant", 2, 4, 10)(values, mask)) == pytest.approx(11 / 20)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("drift", [0.0, 0.3])
@pytest.mark.parametrize(
    ("theirs", "terms", "mean"),
    [
        ("grpo", PAPER, "outputs"),
        ("dr_grpo", PAPER, "constant"),
        ("bnpo", Terms(clip_high=0.28, kl_weight=0.0), "tokens"),
        ("grpo", Terms(ratio="output", kl_weight=0.0), "outputs"),
    ],
)
def test_loss_kl_and_gradient_are_those_of_trl(seed, drift, theirs, terms, mean):
    case = ragged(seed, drift)
    trainer = trl_trainer(case.logprob_NT, theirs, terms)
    inputs = {
        "prompt_ids": torch.zeros(5, 1, dtype=torch.long),
        "prompt_mask": torch.ones(5, 1, dtype=torch.long),
        "completion_ids": torch.zeros(5, 7, dtype=torch.long),
        "completion_mask": case.mask_NT.long(),
        "advantages": case.advantage_NT if terms.ratio == "token" else case.advantage_NT[:, 0],
        "old_per_token_logps": case.old_NT,
        "ref_per_token_logps": case.reference_NT,
    }
    from trl import GRPOTrainer

    their_loss = GRPOTrainer._compute_loss(trainer, trainer.model, inputs)
    scale = Scale(mean, len(LENGTHS), sum(LENGTHS), trainer.max_completion_length)
    our_loss = -scale(token_objective(case, terms), case.mask_NT)
    torch.testing.assert_close(our_loss, their_loss, rtol=1e-12, atol=1e-14)
    if terms.kl_weight:
        kl = (token_kl(case.logprob_NT, case.reference_NT) * case.mask_NT).sum()
        kl = float((kl / case.mask_NT.sum()).detach())
        assert kl == pytest.approx(trainer._metrics["train"]["kl"][0])
    (our_gradient,) = torch.autograd.grad(our_loss, case.logprob_NT)
    (their_gradient,) = torch.autograd.grad(their_loss, case.logprob_NT)
    torch.testing.assert_close(our_gradient, their_gradient, rtol=1e-12, atol=1e-14)


def trl_trainer(logprob: Tensor, loss_type: str, terms: Terms) -> types.SimpleNamespace:
    """What TRL's loss reads of its trainer."""
    return types.SimpleNamespace(
        _get_per_token_logps_and_entropies=lambda *_, **__: (logprob, logprob.detach(), None),
        model=types.SimpleNamespace(training=True),
        args=types.SimpleNamespace(use_bias_correction_kl=False, delta=None),
        accelerator=types.SimpleNamespace(
            num_processes=1, gather=lambda x: x, reduce=lambda x, reduction: x
        ),
        _metrics={"train": collections.defaultdict(list)},
        beta=terms.kl_weight,
        epsilon_low=terms.clip_low,
        epsilon_high=terms.clip_high,
        loss_type=loss_type,
        importance_sampling_level="token" if terms.ratio == "token" else "sequence",
        max_completion_length=11,
        top_entropy_quantile=1.0,
        off_policy_mask_threshold=None,
        current_gradient_accumulation_steps=1,
        aux_loss_enabled=False,
        use_vllm=False,
        _entropy_bonus_enabled=False,
    )
