"""Records what verl's and OpenRLHF's functions give on seeded ragged tensors: ``peers.json``.

Both need packages that tests should not (ray, deepspeed, flash-attn …), so their results are kept:

    pip install --no-deps --target peers verl openrlhf tensordict omegaconf codetiming orjson \\
        pyvers antlr4-python3-runtime==4.9.3
    PYTHONPATH=peers python tests/rl/record_peers.py

Nothing of theirs is changed; of OpenRLHF only the module of losses is loaded, and ``deepspeed``,
which it imports and does not use there, is left out.
"""

import importlib
import json
import sys
import types
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

LENGTHS = (7, 1, 4, 7, 2, 3)
CLIP_LOW, CLIP_HIGH = 0.2, 0.28
LONGEST, BETA, CAP = 11, 0.3, 2.0
GROUPS = (0, 0, 0, 1, 1, 1)
DISCOUNT, SMOOTHING = 0.97, 0.9
VERL_MEANS = {
    "outputs": "seq-mean-token-mean",
    "tokens": "token-mean",
    "constant": "seq-mean-token-sum-norm",
}


def case(seed: int) -> dict[str, Tensor]:
    """Random outputs of different lengths in float64; some tokens in between are a tool's."""
    generator = torch.Generator().manual_seed(seed)
    rows, width = len(LENGTHS), max(LENGTHS)

    def normal() -> Tensor:
        return torch.randn(rows, width, generator=generator, dtype=torch.float64)

    logprob = -normal().abs() - 0.1
    old = logprob + 0.3 * normal()
    mask = torch.arange(width) < torch.tensor(LENGTHS)[:, None]
    tool = (torch.rand(rows, width, generator=generator) < 0.3) & mask
    tool[:, 0] = False
    return {
        "logprob": logprob,
        "old": old,
        "reference": logprob + 0.5 * normal(),
        "drawn": old + 0.6 * normal(),
        "advantage": normal(),
        "mask": mask,
        "written": mask & ~tool,
        "reward": normal() * mask,
        "value": normal(),
    }


def with_gradient(given: dict[str, Tensor], loss_of: Any) -> dict[str, Any]:
    """A loss and its gradient in the log-probabilities."""
    logprob = given["logprob"].clone().requires_grad_()
    loss = loss_of(logprob)
    (gradient,) = torch.autograd.grad(loss, logprob)
    return {"loss": loss.item(), "gradient": gradient.tolist()}


def verl(given: dict[str, Tensor]) -> dict[str, Any]:
    """verl's ``core_algos``."""
    from verl.trainer.ppo import core_algos
    from verl.workers.config import ActorConfig

    found: dict[str, Any] = {}
    mask = given["mask"].double()
    for name, mode in VERL_MEANS.items():
        for loss in ("vanilla", "gspo"):
            config = ActorConfig(
                strategy="fsdp",
                ppo_micro_batch_size_per_gpu=1,
                rollout_n=1,
                clip_ratio=CLIP_LOW,
                clip_ratio_low=CLIP_LOW,
                clip_ratio_high=CLIP_HIGH,
                # The dual clip is not in the papers' objective.
                clip_ratio_c=1e9,
                global_batch_info={"loss_scale_factor": LONGEST} if name == "constant" else {},
            )
            function = core_algos.get_policy_loss_fn(loss)
            advantage = given["advantage"]
            if loss == "gspo":
                advantage = advantage[:, :1].expand_as(advantage)
            found[f"{loss} {name}"] = with_gradient(
                given,
                lambda logprob, f=function, a=advantage, c=config, m=mode: f(
                    given["old"], logprob, a, mask, m, c
                )[0],
            )
    found["k3"] = with_gradient(
        given,
        lambda logprob: core_algos.agg_loss(
            core_algos.kl_penalty(logprob, given["reference"], "k3"), mask, "seq-mean-token-mean"
        ),
    )
    for std in ("sample", "none"):
        advantage, _ = core_algos.compute_grpo_outcome_advantage(
            given["reward"],
            mask,
            np.array(GROUPS),
            epsilon=0.0,
            norm_adv_by_std_in_grpo=std == "sample",
        )
        found[f"advantage {std}"] = advantage[:, 0].tolist()
    _, returns = core_algos.compute_gae_advantage_return(
        given["reward"], given["value"], given["written"].double(), DISCOUNT, SMOOTHING
    )
    found["returns"] = returns.tolist()
    return found


def openrlhf(given: dict[str, Tensor]) -> dict[str, Any]:
    """OpenRLHF's losses."""
    losses = _openrlhf_losses()
    mask = given["mask"].double()
    found: dict[str, Any] = {}
    kinds: dict[str, dict[str, Any]] = {
        "ppo outputs": {"token_level_loss": False},
        "ppo tokens": {},
        "gspo outputs": {"policy_loss_type": "gspo"},
        "capped outputs": {
            "token_level_loss": False,
            "is_correction_level": "token",
            "is_correction_mode": "clip",
            "is_correction_threshold": (0.0, CAP),
        },
    }
    for name, options in kinds.items():
        loss = losses.PolicyLoss(CLIP_LOW, CLIP_HIGH, **options)
        advantage = given["advantage"]
        if "gspo" in name:
            advantage = advantage[:, :1].expand_as(advantage)
        found[name] = with_gradient(
            given,
            lambda logprob, f=loss, a=advantage: f(logprob, given["old"], a, mask, given["drawn"])[
                0
            ],
        )
    for ratio in ("sum", "mean"):
        found[f"dpo {ratio}"] = with_gradient(
            given, lambda logprob, r=ratio: _dpo(losses, given, logprob, r)
        )
    return found


def _dpo(losses: Any, given: dict[str, Tensor], logprob: Tensor, ratio: str) -> Tensor:
    """Pairs are rows 0 and 3, 1 and 4, 2 and 5; the former are chosen."""
    mask = given["mask"]
    sums = [(x * mask).sum(1) for x in (logprob, given["reference"])]
    if ratio == "mean":
        sums = [x / mask.sum(1) for x in sums]
    policy, reference = sums
    return losses.DPOLoss(BETA)(policy[:3], policy[3:], reference[:3], reference[3:])[0]


def _openrlhf_losses() -> Any:
    sys.modules.setdefault("deepspeed", types.ModuleType("deepspeed"))
    spec = importlib.util.find_spec("openrlhf")
    assert spec
    assert spec.submodule_search_locations
    # The package's own __init__ loads models and engines; its losses need none of them.
    package = types.ModuleType("openrlhf_models")
    package.__path__ = [f"{next(iter(spec.submodule_search_locations))}/models"]
    sys.modules["openrlhf_models"] = package
    return importlib.import_module("openrlhf_models.loss")


def main() -> None:
    found = []
    for seed in range(2):
        given = case(seed)
        inputs = {name: tensor.tolist() for name, tensor in given.items()}
        found.append({"given": inputs, "verl": verl(given), "openrlhf": openrlhf(given)})
    record = {
        "versions": {name: version(name) for name in ("verl", "openrlhf", "torch")},
        "made_by": "tests/rl/record_peers.py",
        "cases": found,
    }
    Path(__file__).with_name("peers.json").write_text(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
