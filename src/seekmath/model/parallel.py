"""Many processes that train one model: who they are, and the sums that they share.

Started through torchrun, each process is a rank. ``tensor`` consecutive ranks split every layer
between them (tensor parallelism) and read the same rows; the other ranks read other rows.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    ParallelStyle,
    RowwiseParallel,
    parallelize_module,
)
from torch.func import functional_call
from torch.utils.checkpoint import checkpoint

from seekmath.core.files import BadInput
from seekmath.model.decoder import Decoder


@dataclass(frozen=True)
class Ranks:
    """This process among all that train together; alone by default.

    Attributes:
        rank: number of this process.
        world: number of processes.
        tensor: how many of them split each layer.
        mesh: the processes as a (data, tensor) grid; absent where there is one only.
    """

    rank: int = 0
    world: int = 1
    tensor: int = 1
    mesh: DeviceMesh | None = None

    @property
    def is_first(self) -> bool:
        """Whether this process writes what all have in common."""
        return self.rank == 0

    @property
    def readers(self) -> int:
        """How many parts a batch is read in."""
        return self.world // self.tensor

    @property
    def reader(self) -> int:
        """Which of them is this process's."""
        return self.rank // self.tensor

    @property
    def device_type(self) -> str:
        """cpu or cuda."""
        return self.mesh.device_type if self.mesh else "cpu"

    def sums(self, numbers: Sequence[float]) -> list[float]:
        """The sums over the readers, number by number; every rank must ask."""
        if self.world == 1:
            return list(numbers)
        shared = torch.tensor(numbers, dtype=torch.float64, device=self.device_type)
        dist.all_reduce(shared)
        return [value / self.tensor for value in shared.tolist()]

    def lowest(self, number: float) -> float:
        """The smallest of all ranks' numbers; every rank must ask."""
        if self.world == 1:
            return number
        shared = torch.tensor(number, dtype=torch.float64, device=self.device_type)
        dist.all_reduce(shared, dist.ReduceOp.MIN)
        return float(shared)

    def wait(self) -> None:
        """Go on when every rank has come this far."""
        if self.world > 1:
            dist.barrier()


#: One process without others.
ALONE = Ranks()


@contextlib.contextmanager
def open_ranks(device: torch.device, tensor: int) -> Iterator[Ranks]:
    """The ranks that torchrun started, or this process alone.

    Raises:
        BadInput: the number of processes is no multiple of ``tensor``.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world % tensor:
        raise BadInput(
            f"tensor_parallel: found {tensor}; it must divide the number of processes, {world}"
            " (torchrun --nproc-per-node)"
        )
    if world == 1:
        yield ALONE
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    begun = not dist.is_initialized()
    if begun:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        grid = (world // tensor, tensor)
        mesh = init_device_mesh(device.type, grid, mesh_dim_names=("data", "tensor"))
        yield Ranks(dist.get_rank(), world, tensor, mesh)
    finally:
        if begun:
            dist.destroy_process_group()


def split_layers(model: Decoder, ranks: Ranks) -> None:
    """Split every layer's matrices between the ranks of a tensor group (Megatron's scheme).

    Embedding and head stay whole in each of them.

    Raises:
        BadInput: heads do not divide by the size of the group.
    """
    if ranks.tensor == 1 or ranks.mesh is None:
        return
    config = model.config
    for name in ("num_attention_heads", "num_key_value_heads", "intermediate_size"):
        if getattr(config, name) % ranks.tensor:
            raise BadInput(
                f"tensor_parallel: found {ranks.tensor}; it must divide {name}"
                f" ({getattr(config, name)})"
            )
    plan: dict[str, ParallelStyle] = {
        f"{block}.{name}_proj": style()
        for block, name, style in (
            ("self_attn", "q", ColwiseParallel),
            ("self_attn", "k", ColwiseParallel),
            ("self_attn", "v", ColwiseParallel),
            ("self_attn", "o", RowwiseParallel),
            ("mlp", "gate", ColwiseParallel),
            ("mlp", "up", ColwiseParallel),
            ("mlp", "down", RowwiseParallel),
        )
    }
    for layer in model.model.layers:
        parallelize_module(layer, ranks.mesh["tensor"], plan)


def shard(root: nn.Module, model: Decoder, ranks: Ranks, compute: torch.dtype | None) -> None:
    """FSDP2: weights, gradients and optimizer state in parts over the data ranks, layer by layer.

    Gradients are summed, not averaged, in fp32; ``root`` is the module that is called.
    """
    assert ranks.mesh is not None
    policy = MixedPrecisionPolicy(param_dtype=compute, reduce_dtype=torch.float32)
    for module in [*model.model.layers, root]:
        sharded = fully_shard(module, mesh=ranks.mesh["data"], mp_policy=policy)
        sharded.set_gradient_divide_factor(1.0)
        # Gloo knows no other reduction, and dividing by one is none.
        sharded.set_force_sum_reduction_for_comms(True)


def sum_head_norms(model: Decoder, ranks: Ranks) -> None:
    """Add up the gradients of norms inside heads (Qwen3): each rank saw its own heads only."""
    if ranks.tensor == 1 or ranks.mesh is None:
        return
    for name, parameter in model.named_parameters():
        if ("q_norm" in name or "k_norm" in name) and parameter.grad is not None:
            gradient = parameter.grad
            local = gradient.to_local() if isinstance(gradient, DTensor) else gradient
            dist.all_reduce(local, group=ranks.mesh["tensor"].get_group())


def cast_layers(model: Decoder, kind: torch.dtype) -> None:
    """Let activations and products be of ``kind``; weights stay as they are and are cast for each.

    Gradients flow through the casts to the weights themselves, as in mixed-precision FSDP.
    """
    embed = model.model.embed_tokens
    embed.register_forward_hook(lambda module, inputs, output: output.to(kind))
    for module in [*model.model.layers, model.model.norm]:
        module.forward = partial(_cast_and_call, _Plain(module), kind)


class _Plain(nn.Module):
    """A module's forward as its class has it."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *arguments: Any) -> Any:
        return type(self.module).forward(self.module, *arguments)


def _cast_and_call(plain: _Plain, kind: torch.dtype, *arguments: Any) -> Any:
    cast = {name: parameter.to(kind) for name, parameter in plain.named_parameters()}
    return functional_call(plain, cast, arguments)


def recompute_layers(model: Decoder) -> None:
    """Store each layer's input only; the rest is computed again in the backward pass."""
    for layer in model.model.layers:
        layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)


def compile_layers(model: Decoder) -> None:
    """Compile every layer; all have one shape, so it is compiled once."""
    model.fuses = False
    for layer in model.model.layers:
        layer.compile()
