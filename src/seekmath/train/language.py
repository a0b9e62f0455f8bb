"""The next-token loss of packed rows, shared by pre-training and fine-tuning."""

# M learned tokens, C width, V vocabulary

from typing import Any

import torch
from torch import Tensor, nn

from seekmath.corpus.packing import Rows
from seekmath.model import fused
from seekmath.model.decoder import Decoder
from seekmath.model.linear import linear, onednn

# Logits of so many tokens at a time, and on a CPU of so many elements: they never stand in memory
# whole, and on a CPU stay near its cache.
_CHUNK, _CHUNK_ELEMENTS = 512, 1 << 24


class _ChunkedCrossEntropy(torch.autograd.Function):
    """Summed cross-entropy of ``hidden @ weight.T``; the gradient is made along the way."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden_MC: Tensor,
        weight_VC: Tensor,
        target_M: Tensor,
        z_weight: float,
        compute: torch.dtype,
    ) -> Tensor:
        total = hidden_MC.new_zeros((), dtype=torch.float32)
        hidden_grad_MC = torch.empty_like(hidden_MC)
        # Many chunks add up here: in fp32 whatever the products are in.
        weight_grad_VC = torch.zeros_like(weight_VC, dtype=torch.float32)
        size = _chunk(weight_VC)
        factor_VC = weight_VC.to(compute) if fused.serves(hidden_MC, weight_VC) else weight_VC
        for start in range(0, len(hidden_MC), size):
            part = slice(start, start + size)
            hidden = hidden_MC[part].to(factor_VC.dtype)
            loss, grad = _loss_and_gradient(
                linear(hidden, factor_VC).float(), target_M[part], z_weight
            )
            total += loss
            grad = grad.to(factor_VC.dtype)
            hidden_grad_MC[part] = linear(grad, factor_VC.t())
            if grad.dtype == torch.float32:
                with onednn():
                    weight_grad_VC.addmm_(grad.t(), hidden)
            else:
                weight_grad_VC += grad.t() @ hidden
        ctx.save_for_backward(hidden_grad_MC, weight_grad_VC)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        hidden_grad_MC, weight_grad_VC = ctx.saved_tensors
        scale = grads[0]
        if scale.device.type == "cpu" and scale == 1:  # asking a GPU would have it wait
            return hidden_grad_MC, weight_grad_VC.to(hidden_grad_MC.dtype), None, None, None
        weight_grad = (weight_grad_VC * scale).to(hidden_grad_MC.dtype)
        return hidden_grad_MC * scale, weight_grad, None, None, None


def _loss_and_gradient(
    logits: Tensor, target_M: Tensor, z_weight: float
) -> tuple[Tensor | float, Tensor]:
    """Summed loss of (M, V) logits and its gradient, which takes their place."""
    if fused.serves(logits):
        return fused.cross_entropy(logits, target_M, z_weight), logits
    target_1 = target_M[:, None]
    log_total_1 = logits.logsumexp(dim=-1, keepdim=True)
    total = (log_total_1 - logits.gather(1, target_1)).sum()
    # softmax minus one at the target, in place of the logits
    grad = logits.sub_(log_total_1).exp_()
    if z_weight:
        total += z_weight * log_total_1.square().sum()
        grad.mul_(1 + 2 * z_weight * log_total_1)
    grad.scatter_add_(1, target_1, grad.new_full(target_1.shape, -1.0))
    return total, grad


def summed_cross_entropy(
    hidden_MC: Tensor,
    weight_VC: Tensor,
    target_M: Tensor,
    z_weight: float = 0.0,
    compute: torch.dtype = torch.float32,
) -> Tensor:
    """Cross-entropy in nats of the targets, summed; equal to torch's on the whole logits.

    With ``z_weight``, in training, that times the squared logarithm of the softmax's denominator
    is added for each target (z-loss; PaLM, arXiv 2204.02311, section 5). ``compute`` is that of
    the products on a CPU.
    """
    if torch.is_grad_enabled():
        return _ChunkedCrossEntropy.apply(hidden_MC, weight_VC, target_M, z_weight, compute)
    total = hidden_MC.new_zeros((), dtype=torch.float32)
    size = _chunk(weight_VC)
    for hidden, target in zip(hidden_MC.split(size), target_M.split(size), strict=True):
        logits = linear(hidden, weight_VC, compute=compute).float()
        total += torch.nn.functional.cross_entropy(logits, target, reduction="sum")
    return total


def _chunk(weight_VC: Tensor) -> int:
    if weight_VC.device.type != "cpu":
        return _CHUNK
    return min(_CHUNK, max(64, _CHUNK_ELEMENTS // weight_VC.shape[0]))


class Learner(nn.Module):
    """A decoder with its loss: one module, so that what trains many ranks can be put around it."""

    def __init__(self, model: Decoder, z_weight: float = 0.0) -> None:
        super().__init__()
        self.model = model
        self.z_weight = z_weight

    def forward(
        self,
        tokens_BT: Tensor,
        targets_BT: Tensor,
        positions_BT: Tensor,
        documents_BT: Tensor,
        loss_BT: Tensor,
    ) -> Tensor:
        """The loss summed over the tokens to be learned, in nats."""
        hidden_MC = self.model.hidden(tokens_BT, positions_BT, documents_BT)[loss_BT]
        head_VC = self.model.head.to(hidden_MC.dtype)
        targets_M = targets_BT[loss_BT]
        compute = self.model.compute
        return summed_cross_entropy(hidden_MC, head_VC, targets_M, self.z_weight, compute)


def tensors_of(rows: Rows, device: torch.device) -> tuple[Tensor, ...]:
    """The arguments of a ``Learner`` on its device."""
    arrays = (rows.tokens_BT, rows.targets_BT, rows.positions_BT, rows.documents_BT, rows.loss_BT)
    return tuple(torch.from_numpy(array).to(device) for array in arrays)


def next_token_loss(model: Decoder, rows: Rows) -> tuple[Tensor, int, int]:
    """Summed cross-entropy in nats over the tokens to be learned, their count, tokens read."""
    loss = Learner(model)(*tensors_of(rows, model.rotation_SD.device))
    return loss, int(rows.loss_BT.sum()), rows.tokens_BT.size
