"""Losses, advantages, KL and gradients against what verl and OpenRLHF gave on the same tensors.

Where the definitions coincide: without the dual clip, without verl's epsilon in the deviation, and
before verl whitens the advantages of GAE. ``record_peers.py`` made the record and says how.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from seekmath.core.files import read_json
from seekmath.rl.advantages import generalised_advantages, outcome_advantages
from seekmath.rl.methods.dpo import pair_objective
from seekmath.rl.objective import Scale, Terms, TokenBatch, token_kl, token_objective
from seekmath.rl.settings import GrpoSettings
from tests.rl.record_peers import BETA, CAP, CLIP_HIGH, CLIP_LOW, DISCOUNT, LONGEST, SMOOTHING

CASES = read_json(Path(__file__).with_name("peers.json"))["cases"]
CLIPPED = Terms(clip_low=CLIP_LOW, clip_high=CLIP_HIGH, kl_weight=0.0)
# Both add 1e-8 to an output's number of tokens.
CLOSE = {"rtol": 1e-7, "atol": 1e-9}


@pytest.fixture(params=range(len(CASES)))
def case(request) -> dict[str, Any]:
    return CASES[request.param]


def batch_of(case: dict[str, Any]) -> TokenBatch:
    def tensor(name: str) -> Tensor:
        return torch.tensor(case["given"][name], dtype=torch.float64)

    return TokenBatch(
        tensor("logprob").requires_grad_(),
        tensor("old"),
        tensor("reference"),
        tensor("drawn"),
        tensor("advantage"),
        torch.tensor(case["given"]["mask"]),
        torch.tensor([3, 4, 5, 0, 1, 2]),
    )


def of_outputs(batch: TokenBatch) -> TokenBatch:
    """One advantage for a whole output."""
    return replace(batch, advantage_NT=batch.advantage_NT[:, :1].expand_as(batch.advantage_NT))


def check(batch: TokenBatch, value_NT: Tensor, mean: str, theirs: dict[str, Any]) -> None:
    """The mean of ``value_NT`` and its gradient are what they lose."""
    scale = Scale(mean, len(batch.mask_NT), int(batch.mask_NT.sum()), LONGEST)  # type: ignore[arg-type]
    loss = -scale(value_NT, batch.mask_NT)
    (gradient,) = torch.autograd.grad(loss, batch.logprob_NT)
    expected = torch.tensor(theirs["gradient"], dtype=torch.float64)
    torch.testing.assert_close(gradient, expected, **CLOSE)
    assert loss.item() == pytest.approx(theirs["loss"], rel=1e-7)
    assert expected.any()


@pytest.mark.parametrize("mean", ["outputs", "tokens", "constant"])
def test_the_clipped_objective_is_verls(case, mean):
    batch = batch_of(case)
    check(batch, token_objective(batch, CLIPPED), mean, case["verl"][f"vanilla {mean}"])


def test_the_ratio_of_whole_outputs_is_verls_gspo(case):
    batch = of_outputs(batch_of(case))
    terms = replace(CLIPPED, ratio="output")
    check(batch, token_objective(batch, terms), "outputs", case["verl"]["gspo outputs"])


def test_kl_is_verls(case):
    batch = batch_of(case)
    kl_NT = token_kl(batch.logprob_NT, batch.reference_NT)
    check(batch, -kl_NT, "outputs", case["verl"]["k3"])


@pytest.mark.parametrize("std", ["sample", "none"])
def test_group_relative_advantages_are_verls(case, std):
    reward_QG = np.array(case["given"]["reward"]).sum(axis=1).reshape(2, 3)
    found = outcome_advantages(reward_QG, std=std).value_QG.ravel()
    np.testing.assert_allclose(found, case["verl"][f"advantage {std}"], rtol=1e-6)


def test_gae_is_verls_with_a_tool_in_between(case):
    rewards, values, written, returns = (
        np.array(part)
        for part in (
            case["given"]["reward"],
            case["given"]["value"],
            case["given"]["written"],
            case["verl"]["returns"],
        )
    )
    for row, places in enumerate(written):
        _, found = generalised_advantages(
            rewards[row, places].tolist(),
            values[row, places].tolist(),
            discount=DISCOUNT,
            smoothing=SMOOTHING,
        )
        np.testing.assert_allclose(found, returns[row, places], rtol=1e-12)


@pytest.mark.parametrize("mean", ["outputs", "tokens"])
def test_the_clipped_objective_is_openrlhfs(case, mean):
    batch = batch_of(case)
    check(batch, token_objective(batch, CLIPPED), mean, case["openrlhf"][f"ppo {mean}"])


def test_the_ratio_of_whole_outputs_is_openrlhfs_gspo(case):
    batch = of_outputs(batch_of(case))
    terms = replace(CLIPPED, ratio="output")
    check(batch, token_objective(batch, terms), "outputs", case["openrlhf"]["gspo outputs"])


def test_the_capped_importance_weight_is_openrlhfs(case):
    batch = batch_of(case)
    terms = replace(CLIPPED, importance_cap=CAP)
    check(batch, token_objective(batch, terms), "outputs", case["openrlhf"]["capped outputs"])


@pytest.mark.parametrize("ratio", ["sum", "mean"])
def test_dpo_is_openrlhfs(case, ratio):
    sign = torch.tensor([[1.0]] * 3 + [[-1.0]] * 3, dtype=torch.float64)
    batch = batch_of(case)
    batch = replace(batch, advantage_NT=sign.expand_as(batch.advantage_NT))
    settings = GrpoSettings(model="m", problems="p", method="dpo", dpo_beta=BETA, dpo_ratio=ratio)
    check(batch, pair_objective(settings, batch), "outputs", case["openrlhf"][f"dpo {ratio}"])


def test_the_record_says_where_it_comes_from():
    record = json.loads(Path(__file__).with_name("peers.json").read_text())
    assert set(record["versions"]) == {"verl", "openrlhf", "torch"}
