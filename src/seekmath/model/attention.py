"""The one attention function: causal, inside a document, over a cache or not."""

# B rows, H heads, K key-value heads, T new tokens, S all tokens, D width of a head

import torch
import torch.nn.functional as F
from torch import Tensor


def document_mask(documents_BT: Tensor) -> Tensor:
    """The (B, 1, T, T) mask of packed rows: true where a token may look.

    A token sees the tokens at and before it that carry its own document id, so a packed row gives
    each document the logits that it has alone. Padding may carry any id of its own.
    """
    length = documents_BT.shape[1]
    causal_TT = torch.ones(length, length, dtype=torch.bool, device=documents_BT.device).tril()
    same_BTT = documents_BT[:, :, None] == documents_BT[:, None, :]
    return (same_BTT & causal_TT)[:, None]


def attend(query_BHTD: Tensor, key_BKSD: Tensor, value_BKSD: Tensor, mask: Tensor | None) -> Tensor:
    """Scaled dot-product attention; without a mask it is causal and T must equal S.

    Args:
        query_BHTD: queries of the new tokens.
        key_BKSD: keys of all tokens; H is a multiple of K.
        value_BKSD: values of all tokens.
        mask: broadcastable to (B, H, T, S); boolean (true = look) or additive.

    Returns:
        The (B, H, T, D) mixture of values.
    """
    return F.scaled_dot_product_attention(
        query_BHTD,
        key_BKSD,
        value_BKSD,
        attn_mask=mask,
        is_causal=mask is None,
        enable_gqa=query_BHTD.shape[1] != key_BKSD.shape[1],
    )
