"""LoRA (arXiv 2106.09685): every projection learns a low-rank addition, its own weight stands.

A few lines of our own, because the base must stay readable under its own names and be shared,
without a copy, by the reference of reinforcement.
"""

# D inputs, E outputs of a projection, R rank

import math

import torch
from torch import Tensor, nn

from seekmath.core.seeds import derive
from seekmath.model.decoder import Decoder
from seekmath.model.linear import Linear, compute_in, linear

_PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


class LowRankLinear(Linear):
    """``W x + b + (alpha / R) B A x``; only A and B learn, and B begins at zero."""

    def __init__(self, base: Linear, rank: int, alpha: float, generator: torch.Generator) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = base.in_features, base.out_features
        self.weight, self.bias, self.compute = base.weight, base.bias, base.compute
        self.requires_grad_(False)
        # Uniform with the deviation of Kaiming's for a linear layer, as in the authors' code.
        bound = 1 / math.sqrt(base.in_features)
        first_RD = torch.empty(rank, base.in_features).uniform_(-bound, bound, generator=generator)
        self.lora_a = nn.Parameter(first_RD.to(base.weight))
        self.lora_b = nn.Parameter(base.weight.new_zeros(base.out_features, rank))
        self.scale = alpha / rank

    def forward(self, x: Tensor) -> Tensor:
        """The projection with its addition."""
        inner = linear(x, self.lora_a, compute=self.compute)
        added = linear(inner, self.lora_b, compute=self.compute)
        return super().forward(x) + self.scale * added

    def merged(self) -> Tensor:
        """The weight of a plain projection that does the same, (E, D)."""
        return self.weight + self.scale * (self.lora_b @ self.lora_a)


def add_low_rank(model: Decoder, rank: int, alpha: float, seed: int) -> None:
    """Let ``model`` learn by low-rank additions to all projections of its layers, and no more."""
    model.requires_grad_(False)
    for number, layer in enumerate(model.model.layers):
        for block in (layer.self_attn, layer.mlp):
            for name in _PROJECTIONS:
                if hasattr(block, name):
                    generator = torch.Generator().manual_seed(derive(seed, "lora", number, name))
                    base = getattr(block, name)
                    setattr(block, name, LowRankLinear(base, rank, alpha, generator))


def twin(model: Decoder) -> Decoder:
    """A frozen decoder with the very weights of ``model``: it takes no memory of its own."""
    with torch.device("meta"):
        other = Decoder(model.config)
    other.rotation_SD = model.rotation_SD
    other.load_state_dict(model.state_dict(), assign=True)
    compute_in(other, model.compute)
    return other.requires_grad_(False)


@torch.no_grad()
def merged(model: Decoder) -> Decoder:
    """A plain decoder that computes what ``model`` does, additions taken into the weights."""
    weights = {k: v for k, v in model.state_dict().items() if ".lora_" not in k}
    for name, module in model.named_modules():
        if isinstance(module, LowRankLinear):
            weights[f"{name}.weight"] = module.merged()
    with torch.device("meta"):
        plain = Decoder(model.config)
    plain.rotation_SD = model.rotation_SD
    plain.load_state_dict(weights, assign=True)
    compute_in(plain, model.compute)
    return plain
