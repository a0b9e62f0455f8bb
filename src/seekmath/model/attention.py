"""The one attention function: causal, inside a document, over a cache or not.

Packed rows are taken apart into their documents, laid out in batches of like length, and put
together again: a row of four documents costs a quarter of the products, not all of them masked.
"""

# B rows, H heads, K key-value heads, T new tokens, S all tokens, D width of a head
# M packed tokens (B x T), P slots of the documents laid out, N documents of a batch, L its longest

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

#: Up to this many keys torch's flash kernel is slower on a CPU than plain batched products.
SHORT = 320
# A batch of documents spans lengths up to this ratio, so little of it is padding. Its shape is one
# of a few, since oneDNN compiles its products for each: lengths in steps, and so many documents,
# more of short ones.
_LENGTH_RATIO, _COUNT, _SHORT_TOKENS = 1.3, 8, 128
# Taking rows apart copies; below this saving of products the masked form is as quick.
_WORTH = 0.6


@dataclass(frozen=True)
class Documents:
    """Packed rows taken apart: where each document's tokens go and how they come back.

    Attributes:
        batches: (documents, longest) of each batch, in the order of the slots.
        token_P: the packed token in each slot; what it is in a padding slot does not matter.
        slot_M: the slot of each packed token.
        padding_J: the slots that hold no token.
    """

    batches: list[tuple[int, int]]
    token_P: Tensor
    slot_M: Tensor
    padding_J: Tensor


def document_plan(documents_BT: Tensor) -> "Documents | Tensor":
    """How to attend inside documents: taken apart, or under a mask where that is no dearer.

    Args:
        documents_BT: document ids; a document is one run of equal ids inside a row. Padding may
            carry any id of its own.
    """
    plan = taken_apart(documents_BT)
    products = sum(count * longest**2 for count, longest in plan.batches)
    rows, length = documents_BT.shape
    return plan if products <= _WORTH * rows * length**2 else document_mask(documents_BT)


def taken_apart(documents_BT: Tensor) -> Documents:
    """Where each token of packed rows goes; see ``document_plan``."""
    ids = documents_BT.cpu().numpy()
    first = np.ones(ids.shape, dtype=bool)
    first[:, 1:] = ids[:, 1:] != ids[:, :-1]
    starts = np.flatnonzero(first)
    lengths = np.diff(starts, append=ids.size)
    order = np.argsort(lengths, kind="stable")
    borders = _borders(lengths[order])
    spans = [order[a:b] for a, b in itertools.pairwise(borders)]
    batches, tokens, slots, real, used = [], [], np.empty(ids.size, dtype=np.int64), [], 0
    for span in spans:
        longest = _rounded(int(lengths[span[-1]]))
        places = starts[span][:, None] + np.arange(longest)
        inside = np.arange(longest) < lengths[span][:, None]
        slots[places[inside]] = used + np.flatnonzero(inside)
        batches.append((len(span), longest))
        tokens.append(np.minimum(places, ids.size - 1).ravel())
        real.append(inside.ravel())
        used += places.size
    device = documents_BT.device
    return Documents(
        batches,
        torch.from_numpy(np.concatenate(tokens)).to(device),
        torch.from_numpy(slots).to(device),
        torch.from_numpy(np.flatnonzero(~np.concatenate(real))).to(device),
    )


def _borders(lengths: np.ndarray[Any, np.dtype[np.int64]]) -> list[int]:
    """Where batches begin among ascending lengths."""
    borders = [len(lengths)]
    for place in range(len(lengths) - 1, -1, -1):
        longest = lengths[borders[-1] - 1]
        count = _COUNT * max(1, _SHORT_TOKENS // _rounded(int(longest)))
        apart = longest > 16 + _LENGTH_RATIO * lengths[place]
        if apart or borders[-1] - place > count:
            borders.append(place + 1)
    return [0, *borders[::-1]]


def _rounded(length: int) -> int:
    step = 8 if length <= 64 else 16
    return -(-length // step) * step


def document_mask(documents_BT: Tensor) -> Tensor:
    """The (B, 1, T, T) mask of packed rows: true where a token may look.

    A token sees the tokens at and before it that carry its own document id, so a packed row gives
    each document the logits that it has alone.
    """
    length = documents_BT.shape[1]
    causal_TT = torch.ones(length, length, dtype=torch.bool, device=documents_BT.device).tril()
    same_BTT = documents_BT[:, :, None] == documents_BT[:, None, :]
    return (same_BTT & causal_TT)[:, None]


def attend(
    query_BHTD: Tensor, key_BKSD: Tensor, value_BKSD: Tensor, seen: Tensor | Documents | None
) -> Tensor:
    """Scaled dot-product attention.

    Args:
        query_BHTD: queries of the new tokens.
        key_BKSD: keys of all tokens; H is a multiple of K.
        value_BKSD: values of all tokens.
        seen: a boolean mask broadcastable to (B, H, T, S), true = look; documents taken apart;
            or nothing: then it is causal and T must equal S.

    Returns:
        The (B, H, T, D) mixture of values.
    """
    if isinstance(seen, Documents):
        return _attend_apart(query_BHTD, key_BKSD, value_BKSD, seen)
    if query_BHTD.device.type == "cpu" and key_BKSD.shape[2] <= SHORT:
        return _attend_short(query_BHTD, key_BKSD, value_BKSD, seen)
    return F.scaled_dot_product_attention(
        query_BHTD,
        key_BKSD,
        value_BKSD,
        attn_mask=seen,
        is_causal=seen is None,
        enable_gqa=query_BHTD.shape[1] != key_BKSD.shape[1],
    )


def _attend_apart(q: Tensor, k: Tensor, v: Tensor, documents: Documents) -> Tensor:
    rows, heads, length, width = q.shape
    laid_out = [_lay_out(part, documents) for part in (q, k, v)]
    mixed, start = [], 0
    for count, longest in documents.batches:
        end = start + count * longest
        query, key, value = (
            part[start:end].view(count, longest, -1, width).transpose(1, 2) for part in laid_out
        )
        # Padding follows a document, and causal attention never looks that far.
        mixed_NHLD = attend(query, key, value, None)
        mixed.append(mixed_NHLD.transpose(1, 2).reshape(count * longest, -1))
        start = end
    joined_PC = torch.cat(mixed) if len(mixed) > 1 else mixed[0]
    together_MC = _Moved.apply(joined_PC, documents.slot_M, documents.token_P, documents.padding_J)
    return together_MC.view(rows, length, heads, width).transpose(1, 2)


def _lay_out(x_BHTD: Tensor, documents: Documents) -> Tensor:
    x_MC = x_BHTD.transpose(1, 2).reshape(documents.slot_M.shape[0], -1)
    return _Moved.apply(x_MC, documents.token_P, documents.slot_M, None)


class _Moved(torch.autograd.Function):
    """Rows in another order; the gradient is moved back by a plain copy, not added up."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, take: Tensor, back: Tensor, unused: Tensor | None) -> Tensor:
        ctx.save_for_backward(back, unused)
        return x.index_select(0, take)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        back, unused = ctx.saved_tensors
        moved = gradient.index_select(0, back)
        return moved if unused is None else moved.index_fill_(0, unused, 0), None, None, None


def _attend_short(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Attention by two batched products and a softmax, for few keys on a CPU."""
    rows, heads, length, width = q.shape
    if heads != k.shape[1]:
        k, v = (part.repeat_interleave(heads // k.shape[1], dim=1) for part in (k, v))
    slots, scale = k.shape[2], 1 / math.sqrt(width)
    query_GTD = q.reshape(rows * heads, length, width)
    key_GDS = k.reshape(rows * heads, slots, width).transpose(1, 2)
    if mask is None:
        ahead_TS = torch.full((length, slots), -torch.inf, dtype=q.dtype).triu(1)
        scores_GTS = torch.baddbmm(
            ahead_TS.expand(rows * heads, -1, -1), query_GTD, key_GDS, alpha=scale
        )
    else:
        hidden = torch.zeros(mask.shape, dtype=q.dtype).masked_fill_(~mask, -torch.inf)
        scores_BHTS = torch.bmm(query_GTD * scale, key_GDS).view(rows, heads, length, slots)
        # Added in place: filling would copy the scores, and their gradient once more.
        scores_GTS = scores_BHTS.add_(hidden).view(-1, length, slots)
    weights_GTS = torch.softmax(scores_GTS, dim=-1)
    mixed_GTD = torch.bmm(weights_GTS, v.reshape(rows * heads, slots, width))
    return mixed_GTD.view(rows, heads, length, width)
