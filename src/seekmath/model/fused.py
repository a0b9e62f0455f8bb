"""What a decoder does beside products and attention, by compiled kernels with gradients by hand.

torch has norm, gate and rotation as chains of operators that write every step between; on a CPU,
where a small model is bound by memory, that is a good part of a training step. Where the kernels
cannot serve the chains are taken; both give the same numbers.
"""

# M tokens, C width, V vocabulary, D width of a head, … any leading dimensions

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from seekmath.model import kernels

# With more threads torch's operators, which share rows out, win.
_THREADS = 2


def serves(*tensors: Tensor) -> bool:
    """Whether the kernels can compute with these: whole tensors in fp32 on a CPU, few threads."""
    # Asked first, so that a compiler traces nothing of the rest.
    if torch.compiler.is_compiling() or torch.get_num_threads() > _THREADS:
        return False
    return all(
        t.device.type == "cpu"
        and t.dtype == torch.float32
        and type(t) in (Tensor, torch.nn.Parameter)
        for t in tensors
    )


def rms_norm(x: Tensor, weight_C: Tensor, eps: float) -> Tensor:
    """Root-mean-square normalisation of the last dimension."""
    if not serves(x, weight_C):
        return F.rms_norm(x, (x.shape[-1],), weight_C, eps)
    return add_and_norm(x, None, weight_C, eps)[1]


def add_and_norm(
    x: Tensor,
    more: Tensor | None,
    weight_C: Tensor,
    eps: float,
    kind: torch.dtype = torch.float32,
) -> tuple[Tensor, Tensor]:
    """x, plus ``more`` if there is any, and the RMSNorm of that, of ``kind``; where ``serves``."""
    found: tuple[Tensor, Tensor] = _Norm.apply(x, more, weight_C, eps, kind)
    return found


def gated(gate: Tensor, up: Tensor) -> Tensor:
    """SwiGLU's ``silu(gate) * up``."""
    if not serves(gate, up):
        return F.silu(gate) * up
    out: Tensor = _Gated.apply(gate, up)
    return out


def gated_beside(wide: Tensor) -> Tensor:
    """The same from gate and up beside each other, in fp32 or bf16; where ``serves``."""
    out: Tensor = _Gated.apply(wide)
    return out


def rotate(x_BTHD: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Turn each pair (d, d + D/2) by its position's angle.

    Args:
        x_BTHD: queries or keys.
        cosine: (B or 1, T, D).
        sine: of the same shape, with its sign for each half.
    """
    if serves(x_BTHD):
        out: Tensor = _Turned.apply(x_BTHD, cosine, sine)
        return out
    swapped_BTHD = torch.cat(x_BTHD.chunk(2, dim=-1)[::-1], dim=-1)
    return torch.addcmul(x_BTHD * cosine[:, :, None], swapped_BTHD, sine[:, :, None])


def cross_entropy(logits_MV: Tensor, target_M: Tensor, z_weight: float) -> float:
    """The summed loss in nats, with z-loss; its gradient takes the place of the logits."""
    loss: float = kernels.cross_entropy(as_rows(logits_MV), target_M.numpy(), z_weight)
    return loss


class _Norm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, more: Tensor | None, weight_C: Tensor, eps: float, kind: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        total = x = x.contiguous()
        if more is not None:
            total = torch.empty_like(x)
            kernels.add(as_rows(x), as_rows(more.contiguous()), as_rows(total))
        y = torch.empty_like(x, dtype=kind)
        inverse_M = torch.empty(x.shape[:-1].numel())
        # A copy: numpy pins the memory that it shares, which FSDP gives back.
        kernels.norm(as_rows(total), array(weight_C.clone()), eps, as_rows(y), array(inverse_M))
        ctx.save_for_backward(total, weight_C, inverse_M)
        ctx.more = None if more is None else more.dtype
        ctx.set_materialize_grads(False)
        return total, y

    @staticmethod
    def backward(
        ctx: Any, beside: Tensor | None, gradient: Tensor | None
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None, None, None]:
        total, weight_C, inverse_M = ctx.saved_tensors
        if gradient is None:
            more = None if ctx.more is None or beside is None else beside.to(ctx.more)
            return beside, more, None, None, None
        to_x, to_weight_C = torch.empty_like(total), torch.zeros_like(weight_C)
        rounds = ctx.more not in (None, torch.float32)
        to_more = torch.empty_like(total, dtype=ctx.more) if rounds else total[..., :0, :]
        kernels.norm_back(
            as_rows(gradient.contiguous()),
            as_rows(total[..., :0, :] if beside is None else beside.contiguous()),
            as_rows(total),
            array(weight_C.clone()),
            array(inverse_M),
            as_rows(to_x),
            array(to_weight_C),
            as_rows(to_more),
        )
        more = None if ctx.more is None else to_more if rounds else to_x
        return to_x, more, to_weight_C, None, None


class _Gated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *halves: Tensor) -> Tensor:
        halves = tuple(half.contiguous() for half in halves)
        ctx.save_for_backward(*halves)
        *leading, width = halves[0].shape
        out = halves[0].new_empty(*leading, width * len(halves) // 2)
        kernels.gate(_pair(halves), as_rows(out))
        return out

    @staticmethod
    def backward(ctx: Any, to_out: Tensor) -> tuple[Tensor, ...]:
        halves = ctx.saved_tensors
        to_halves = tuple(map(torch.empty_like, halves))
        kernels.gate_back(as_rows(to_out.contiguous()), _pair(halves), _pair(to_halves))
        return to_halves


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


def array(x: Tensor) -> Any:
    """An array on the same memory; bf16, which numpy does not know, as its bits."""
    x = x.detach()
    return (x.view(torch.uint16) if x.dtype == torch.bfloat16 else x).numpy()


def arrays(*tensors: Tensor) -> tuple[Any, ...]:
    """Several of them."""
    return tuple(map(array, tensors))


def as_rows(x: Tensor) -> Any:
    """All but the last dimension as one."""
    return array(x).reshape(-1, x.shape[-1])


def _pair(halves: tuple[Tensor, ...]) -> Any:
    if len(halves) == 2:
        return as_rows(halves[0]), as_rows(halves[1])
    return as_rows(halves[0]).reshape(-1, 2, halves[0].shape[-1] // 2)
