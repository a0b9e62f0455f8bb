"""The next-token loss of packed rows, shared by pre-training and fine-tuning."""

import torch
import torch.nn.functional as F
from torch import Tensor

from seekmath.corpus.packing import Rows
from seekmath.model.decoder import Decoder


def next_token_loss(model: Decoder, rows: Rows) -> tuple[Tensor, int, int]:
    """Summed cross-entropy in nats over the tokens to be learned, their count, tokens read.

    Logits are made for learned tokens only.
    """
    device = model.rotation_SD.device
    tokens, targets, positions, documents = (
        torch.from_numpy(array).to(device)
        for array in (rows.tokens_BT, rows.targets_BT, rows.positions_BT, rows.documents_BT)
    )
    loss_BT = torch.from_numpy(rows.loss_BT).to(device)
    hidden_MC = model.hidden(tokens, positions, documents)[loss_BT]
    loss = F.cross_entropy(model.logits(hidden_MC).float(), targets[loss_BT], reduction="sum")
    return loss, int(rows.loss_BT.sum()), tokens.numel()
