"""AdamW without decay on norms and biases, and learning rates as pure functions of the step."""

import math
import os

import torch
from torch import nn
from torch.distributed.tensor import DTensor

from seekmath.model.parallel import ALONE, Ranks
from seekmath.train.settings import OptimizerSettings

# Where the multi-step schedule falls, as shares of the steps, and to which share of the peak.
_FALLS = ((0.8, 0.316), (0.9, 0.1))


def learning_rate(step: int, steps: int, settings: OptimizerSettings) -> float:
    """The rate of step ``step`` (from 0) of ``steps``.

    Linear warm-up, then one of: multistep (the paper, section 2.2: ×0.316 after 80% of training,
    ×0.1 of the peak after 90%), cosine down to a tenth of the peak, wsd (flat, then falling as
    1 - sqrt of the decay's progress; Hägele et al., arXiv 2405.18392), or constant.
    """
    if step < settings.warmup_steps:
        return settings.peak_lr * (step + 1) / settings.warmup_steps
    factor = 1.0
    if settings.schedule == "multistep":
        factor = next((f for share, f in reversed(_FALLS) if step / steps >= share), 1.0)
    elif settings.schedule == "cosine":
        share = (step - settings.warmup_steps) / max(1, steps - settings.warmup_steps)
        factor = 0.1 + 0.45 * (1 + math.cos(math.pi * min(1.0, share)))
    elif settings.schedule == "wsd":
        start = decay_start(steps, settings)
        # The first step of the decay is already below the peak, the last above zero.
        factor = 1 - math.sqrt(max(0, step - start + 1) / (steps - start + 1))
    return settings.peak_lr * factor


def decay_start(steps: int, settings: OptimizerSettings) -> int:
    """The first of ``steps`` whose rate has begun to fall; ``steps`` where it never stays flat."""
    if settings.schedule == "multistep":
        return math.ceil(_FALLS[0][0] * steps - 1e-9)
    if settings.schedule == "wsd":
        return steps - max(1, round(settings.decay_share * steps))
    return steps


def make_adamw(model: nn.Module, settings: OptimizerSettings) -> torch.optim.AdamW:
    """AdamW over every parameter; matrices decay, norms and biases do not."""
    matrices = [p for p in model.parameters() if p.requires_grad and p.ndim >= 2]
    others = [p for p in model.parameters() if p.requires_grad and p.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        groups, lr=settings.peak_lr, betas=(0.9, settings.beta2), eps=1e-8, fused=True
    )


def update(model: nn.Module, optimizer: torch.optim.AdamW, rate: float, clip_norm: float) -> float:
    """Clip the gradients, take one step at ``rate``, clear them; the norm before is returned.

    Raises:
        FloatingPointError: the norm is no number.
    """
    norm = gradient_norm(model)
    if not math.isfinite(norm):
        raise FloatingPointError(
            f"the gradient norm is {norm}; lower peak_lr or clip_norm, or check the data"
        )
    take_step(model, optimizer, rate, clip_norm, norm)
    return norm


def gradient_norm(model: nn.Module, ranks: Ranks = ALONE) -> float:
    """The norm of all gradients together, over all ranks where they are sharded."""
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    if ranks.world == 1:
        return float(nn.utils.get_total_norm(gradients))
    squares = torch.zeros((), dtype=torch.float64, device=ranks.device_type)
    for gradient in gradients:
        local = gradient.to_local() if isinstance(gradient, DTensor) else gradient
        # Each element lies on so many ranks and must count once.
        squares += local.double().square().sum() / (ranks.world / _shards(gradient))
    torch.distributed.all_reduce(squares)
    return float(squares.sqrt())


def _shards(tensor: torch.Tensor) -> int:
    if not isinstance(tensor, DTensor):
        return 1
    sizes = zip(tensor.device_mesh.shape, tensor.placements, strict=True)
    return math.prod(size for size, placement in sizes if not placement.is_replicate())


def take_step(
    model: nn.Module,
    optimizer: torch.optim.AdamW,
    rate: float,
    clip_norm: float,
    norm: float,
    scale: float = 1.0,
) -> None:
    """One step at ``rate`` on the gradients times ``scale``, clipped, which are cleared.

    ``norm`` is that of the gradients times ``scale``.
    """
    factor = scale * min(1.0, clip_norm / (norm + 1e-6))
    if factor != 1.0:
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        local = [g.to_local() if isinstance(g, DTensor) else g for g in gradients]
        torch._foreach_mul_(local, factor)
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def pick_device(name: str) -> torch.device:
    """The device of a setting; ``auto`` takes CUDA, then Apple's, then the CPU.

    Under torchrun each process has the CUDA device of its own number.
    """
    if name in ("auto", "cuda") and torch.cuda.is_available() and "LOCAL_RANK" in os.environ:
        return torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    if name != "auto":
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
