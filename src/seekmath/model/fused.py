"""Norm, gate and rotation of the decoder, differentiable, each in one pass over memory.

torch has them as chains of operators that write every step between; on a CPU, where a small model
is bound by memory, that is a good part of a training step. Elsewhere the chains are taken.
"""

# C width, D width of a head, … any leading dimensions

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from seekmath.model import kernels


def rms_norm(x: Tensor, weight_C: Tensor, eps: float) -> Tensor:
    """Root-mean-square normalisation of the last dimension."""
    if not (is_plain(x) and is_plain(weight_C)):
        return F.rms_norm(x, (x.shape[-1],), weight_C, eps)
    out: Tensor = _Norm.apply(x, weight_C, eps)
    return out


def gated(gate: Tensor, up: Tensor) -> Tensor:
    """SwiGLU's ``silu(gate) * up``."""
    if not (is_plain(gate) and is_plain(up)):
        return F.silu(gate) * up
    out: Tensor = _Gated.apply(gate, up)
    return out


def rotate(x_BTHD: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Turn each pair (d, d + D/2) by its position's angle.

    Args:
        x_BTHD: queries or keys.
        cosine: (B or 1, T, D).
        sine: of the same shape, with its sign for each half.
    """
    if is_plain(x_BTHD):
        out: Tensor = _Turned.apply(x_BTHD, cosine, sine)
        return out
    swapped_BTHD = torch.cat(x_BTHD.chunk(2, dim=-1)[::-1], dim=-1)
    return torch.addcmul(x_BTHD * cosine[:, :, None], swapped_BTHD, sine[:, :, None])


def is_plain(x: Tensor) -> bool:
    """Whether kernels serve: a whole tensor in fp32 on a CPU, and one thread, as they have."""
    return (
        type(x) in (Tensor, torch.nn.Parameter)
        and x.dtype == torch.float32
        and x.device.type == "cpu"
        and torch.get_num_threads() == 1
        and not torch.compiler.is_compiling()
    )


class _Norm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight_C: Tensor, eps: float) -> Tensor:
        x_MC = x.reshape(-1, x.shape[-1]).contiguous()
        # What numpy has seen keeps its memory, and sharded training takes that of weights away.
        weight_C = weight_C.clone()
        out_MC, scale_M = torch.empty_like(x_MC), x_MC.new_empty(len(x_MC))
        kernels.norm(array(x_MC), array(weight_C), eps, array(out_MC), array(scale_M))
        ctx.save_for_backward(x_MC, weight_C, scale_M)
        return out_MC.view(x.shape)

    @staticmethod
    def backward(ctx: Any, to_out: Tensor) -> tuple[Tensor | None, ...]:
        x_MC, weight_C, scale_M = ctx.saved_tensors
        to_x_MC, to_weight_C = torch.empty_like(x_MC), torch.zeros_like(weight_C)
        to_out_MC = to_out.reshape(x_MC.shape).contiguous()
        kernels.norm_back(*arrays(x_MC, weight_C, scale_M, to_out_MC, to_x_MC, to_weight_C))
        return to_x_MC.view(to_out.shape), to_weight_C, None


class _Gated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:
        gate, up = gate.contiguous(), up.contiguous()
        out = torch.empty_like(gate)
        kernels.swiglu(*_flat(gate, up, out))
        ctx.save_for_backward(gate, up)
        return out

    @staticmethod
    def backward(ctx: Any, to_out: Tensor) -> tuple[Tensor, Tensor]:
        gate, up = ctx.saved_tensors
        to_gate, to_up = torch.empty_like(gate), torch.empty_like(up)
        kernels.swiglu_back(*_flat(gate, up, to_out.contiguous(), to_gate, to_up))
        return to_gate, to_up


class _Turned(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_BTHD: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        ctx.save_for_backward(cosine, sine)
        return _turned(x_BTHD, cosine, sine)

    @staticmethod
    def backward(ctx: Any, to_out: Tensor) -> tuple[Tensor, None, None]:
        cosine, sine = ctx.saved_tensors
        return _turned(to_out, cosine, -sine), None, None


def _turned(x_BTHD: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    x_MHD = x_BTHD.contiguous().flatten(0, 1)
    out_MHD = torch.empty_like(x_MHD)
    angles = (part.flatten(0, 1).contiguous() for part in (cosine, sine))
    kernels.turn(*arrays(x_MHD, *angles, out_MHD))
    return out_MHD.view(x_BTHD.shape)


def array(tensor: Tensor) -> Any:
    """The tensor as a kernel takes it: its memory, seen by numpy."""
    return tensor.detach().numpy()


def arrays(*tensors: Tensor) -> tuple[Any, ...]:
    """Several of them."""
    return tuple(map(array, tensors))


def _flat(*tensors: Tensor) -> list[Any]:
    return [tensor.detach().view(-1).numpy() for tensor in tensors]
