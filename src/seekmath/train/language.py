"""The next-token loss of packed rows, shared by pre-training and fine-tuning."""

# M learned tokens, C width, V vocabulary

from typing import Any

import torch
from torch import Tensor

from seekmath.corpus.packing import Rows
from seekmath.model.decoder import Decoder

# Logits of so many tokens at a time: they stay in the cache, and never stand in memory whole.
_CHUNK = 512


class _ChunkedCrossEntropy(torch.autograd.Function):
    """Summed cross-entropy of ``hidden @ weight.T``; the gradient is made along the way."""

    @staticmethod
    def forward(ctx: Any, hidden_MC: Tensor, weight_VC: Tensor, target_M: Tensor) -> Tensor:
        total = hidden_MC.new_zeros((), dtype=torch.float32)
        hidden_grad_MC = torch.empty_like(hidden_MC)
        weight_grad_VC = torch.zeros_like(weight_VC)
        for start in range(0, len(hidden_MC), _CHUNK):
            part = slice(start, start + _CHUNK)
            logits = (hidden_MC[part] @ weight_VC.T).float()
            target_1 = target_M[part, None]
            log_total_1 = logits.logsumexp(dim=-1, keepdim=True)
            total += (log_total_1 - logits.gather(1, target_1)).sum()
            # softmax minus one at the target, in place of the logits
            grad = logits.sub_(log_total_1).exp_()
            grad.scatter_add_(1, target_1, grad.new_full(target_1.shape, -1.0))
            grad = grad.to(weight_VC.dtype)
            torch.mm(grad, weight_VC, out=hidden_grad_MC[part])
            weight_grad_VC.addmm_(grad.T, hidden_MC[part])
        ctx.save_for_backward(hidden_grad_MC, weight_grad_VC)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        hidden_grad_MC, weight_grad_VC = ctx.saved_tensors
        return hidden_grad_MC * grads[0], weight_grad_VC * grads[0], None


def summed_cross_entropy(hidden_MC: Tensor, weight_VC: Tensor, target_M: Tensor) -> Tensor:
    """Cross-entropy in nats of the targets, summed; equal to torch's on the whole logits."""
    if torch.is_grad_enabled():
        return _ChunkedCrossEntropy.apply(hidden_MC, weight_VC, target_M)
    total = hidden_MC.new_zeros((), dtype=torch.float32)
    for hidden, target in zip(hidden_MC.split(_CHUNK), target_M.split(_CHUNK), strict=True):
        logits = (hidden @ weight_VC.T).float()
        total += torch.nn.functional.cross_entropy(logits, target, reduction="sum")
    return total


def next_token_loss(model: Decoder, rows: Rows) -> tuple[Tensor, int, int]:
    """Summed cross-entropy in nats over the tokens to be learned, their count, tokens read."""
    device = model.rotation_SD.device
    tokens, targets, positions, documents = (
        torch.from_numpy(array).to(device)
        for array in (rows.tokens_BT, rows.targets_BT, rows.positions_BT, rows.documents_BT)
    )
    loss_BT = torch.from_numpy(rows.loss_BT).to(device)
    hidden_MC = model.hidden(tokens, positions, documents)[loss_BT]
    loss = summed_cross_entropy(hidden_MC, model.head, targets[loss_BT])
    return loss, int(rows.loss_BT.sum()), tokens.numel()
