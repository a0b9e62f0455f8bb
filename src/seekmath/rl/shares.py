"""Ranks of torchrun: each asks and judges its share of a step's questions; gradients are summed.

What a rank draws for a question follows from the question's place in the step, and every mean is
over the whole batch, so that any number of ranks learns what one would. Alone, nothing is done.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import nn

Item = TypeVar("Item")


@contextmanager
def joined_ranks(device: torch.device) -> Iterator[None]:
    """Join the other processes that torchrun started, if any."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or dist.is_initialized():
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def rank() -> int:
    """Number of this process; 0 alone."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """Number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_first() -> bool:
    """Whether this process writes what all have in common."""
    return rank() == 0


def share(items: Sequence[Item]) -> list[Item]:
    """This rank's items: every ``world``-th from its own number on."""
    return list(items[rank() :: world()])


def gathered(mine: list[Item]) -> list[Item]:
    """The items of which each rank has its ``share``, in their order; every rank must ask."""
    if world() == 1:
        return mine
    parts: list[list[Item]] = [[] for _ in range(world())]
    dist.all_gather_object(parts, mine)
    return [parts[at % len(parts)][at // len(parts)] for at in range(sum(map(len, parts)))]


def sum_gradients(model: nn.Module) -> None:
    """Add up the gradients of all ranks; a rank without any counts as zero."""
    if world() == 1:
        return
    learning = [p for p in model.parameters() if p.requires_grad]
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in learning]
    # As one vector: a call for each tensor would wait for the others as often.
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    sizes = [parameter.numel() for parameter in learning]
    for parameter, part in zip(learning, flat.split(sizes), strict=True):
        parameter.grad = part.view_as(parameter).to(parameter.dtype)


def summed(numbers: Sequence[float], *, largest: bool = False) -> list[float]:
    """Sums over the ranks, or the largest of them, number by number."""
    if world() == 1:
        return list(numbers)
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    total = torch.tensor(numbers, dtype=torch.float64, device=device)
    dist.all_reduce(total, dist.ReduceOp.MAX if largest else dist.ReduceOp.SUM)
    return total.tolist()


def wait() -> None:
    """Go on when every rank has come this far."""
    if world() > 1:
        dist.barrier()
