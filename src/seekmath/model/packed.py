"""Attention inside the documents of packed rows on a CPU, by compiled kernels, gradients by hand.

It serves where ``fused.serves``; elsewhere the decoder takes ``attention.attend``; both give the
same numbers.
"""

# B rows, T tokens, M packed tokens (B x T), C width, H heads, K key-value heads, D width of a head
# N documents of a batch, L its longest, P half a head's width, Q queries of all heads of a document

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seekmath.model import kernels
from seekmath.model.attention import SHORT, Documents, attend
from seekmath.model.fused import array, as_rows
from seekmath.model.linear import onednn


@dataclass(frozen=True)
class PackedAttention:
    """Attention inside the documents of packed rows, from projections to their mixture.

    Attributes:
        documents: the rows taken apart.
        head_dim: width of a head.
        cosine_MP: of each token's angles.
        sine_MP: of each token's angles.
    """

    documents: Documents
    head_dim: int
    cosine_MP: Tensor
    sine_MP: Tensor

    def __call__(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """The mixture, (B, T, H x D), from (B, T, heads, D) not yet turned by position."""
        heads = (query.shape[2], key.shape[2], value.shape[2])
        return self.mix(torch.cat([query, key, value], dim=2).flatten(2), heads)

    def mix(self, wide_BTW: Tensor, heads: tuple[int, int, int]) -> Tensor:
        """The same from queries, keys and values beside each other, so many heads of each."""
        laid_out = _LaidOut.apply(wide_BTW, self, heads)
        mixed = [
            _Attention.apply(q, k, v) if q.shape[2] <= SHORT else attend(q, k, v, None)
            for q, k, v in zip(laid_out[::3], laid_out[1::3], laid_out[2::3], strict=True)
        ]
        joined: Tensor = _Joined.apply(self, wide_BTW.shape[:2], wide_BTW.dtype, *mixed)
        return joined

    def spread(self, wide: Tensor, heads: tuple[int, ...], turned: int) -> list[Tensor]:
        """Of each batch (N, heads, L, D) for each number of heads; the first so many turned."""
        found, x_MH2P = [], self._halves(wide.contiguous())
        for slot, tokens_NL in self._batches:
            first, longest = 0, tokens_NL.shape[1]
            for number, count in enumerate(heads):
                y_NHLD = torch.empty(len(tokens_NL), count, longest, self.head_dim)
                y_NHL2P = array(y_NHLD).reshape(*y_NHLD.shape[:-1], 2, -1)
                where = (tokens_NL, array(self.documents.slot_M), slot)
                angles = (number < turned, array(self.cosine_MP), array(self.sine_MP))
                kernels.lay_out(x_MH2P, first, *where, *angles, y_NHL2P)
                first += count
                found.append(y_NHLD)
        return found

    def gather(self, parts: tuple[Tensor, ...], each: int, turned: int, wide_MW: Tensor) -> Tensor:
        """The way back, into ``wide_MW``; of each batch there are ``each`` parts."""
        y_MH2P = self._halves(wide_MW)
        for place, (slot, tokens_NL) in enumerate(self._batches):
            first = 0
            for number, part in enumerate(parts[place * each : place * each + each]):
                where = (tokens_NL, array(self.documents.slot_M), slot)
                angles = (number < turned, array(self.cosine_MP), array(self.sine_MP))
                x_NHL2P = array(part.contiguous()).reshape(*part.shape[:-1], 2, -1)
                kernels.collect(x_NHL2P, first, *where, *angles, y_MH2P)
                first += part.shape[1]
        return wide_MW

    def _halves(self, wide: Tensor) -> Any:
        """Heads of each token, each in the two halves of its pairs."""
        return array(wide).reshape(len(self.documents.slot_M), -1, 2, self.head_dim // 2)

    @cached_property
    def _batches(self) -> list[tuple[int, Any]]:
        """First slot and (N, L) tokens of each batch."""
        found, slot = [], 0
        tokens_P = array(self.documents.token_P)
        for count, longest in self.documents.batches:
            end = slot + count * longest
            found.append((slot, tokens_P[slot:end].reshape(count, longest)))
            slot = end
        return found


class _LaidOut(torch.autograd.Function):
    """Queries, keys and values of every batch, in this order, the first two turned."""

    @staticmethod
    def forward(
        ctx: Any, wide_BTW: Tensor, packed: PackedAttention, heads: tuple[int, int, int]
    ) -> tuple[Tensor, ...]:
        ctx.packed, ctx.shape, ctx.kind = packed, wide_BTW.shape, wide_BTW.dtype
        return tuple(packed.spread(wide_BTW, heads, turned=2))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        to_wide = torch.empty(ctx.shape, dtype=ctx.kind)
        return ctx.packed.gather(gradients, 3, 2, to_wide), None, None


class _Joined(torch.autograd.Function):
    """The mixtures of every batch as packed tokens."""

    @staticmethod
    def forward(
        ctx: Any,
        packed: PackedAttention,
        shape: tuple[int, int],
        kind: torch.dtype,
        *parts: Tensor,
    ) -> Tensor:
        ctx.packed, ctx.heads = packed, parts[0].shape[1]
        mixed = torch.empty(*shape, ctx.heads * packed.head_dim, dtype=kind)
        return packed.gather(parts, 1, 0, mixed)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, None, *ctx.packed.spread(gradient, (ctx.heads,), turned=0)


class _Attention(torch.autograd.Function):
    """Causal attention over a few keys: two batched products and a softmax in place."""

    @staticmethod
    def forward(ctx: Any, q_NHLD: Tensor, k_NKLD: Tensor, v_NKLD: Tensor) -> Tensor:
        q, k, v = _grouped(q_NHLD, k_NKLD, v_NKLD)
        with onednn():
            weights_GQL = torch.bmm(q, k.transpose(1, 2))
            scale = 1 / math.sqrt(q.shape[-1])
            no_log = np.empty(0, np.float32)
            kernels.softmax(as_rows(weights_GQL), scale, True, no_log)
            ctx.save_for_backward(q_NHLD, k_NKLD, v_NKLD, weights_GQL)
            return torch.bmm(weights_GQL, v).view(q_NHLD.shape)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        q_NHLD, k_NKLD, v_NKLD, weights_GQL = ctx.saved_tensors
        q, k, v = _grouped(q_NHLD, k_NKLD, v_NKLD)
        to_mixed = gradient.contiguous().view(q.shape)
        with onednn():
            to_v = torch.bmm(weights_GQL.transpose(1, 2), to_mixed)
            to_scores = torch.bmm(to_mixed, v.transpose(1, 2))
            scale = 1 / math.sqrt(q.shape[-1])
            kernels.causal_softmax_back(as_rows(to_scores), as_rows(weights_GQL), scale)
            to_q = torch.bmm(to_scores, k)
            to_k = torch.bmm(to_scores.transpose(1, 2), q)
        return to_q.view(q_NHLD.shape), to_k.view(k_NKLD.shape), to_v.view(v_NKLD.shape)


def _grouped(q_NHLD: Tensor, k_NKLD: Tensor, v_NKLD: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Queries of the heads that share keys below each other, (N K, queries, D)."""
    count, kinds, longest, width = k_NKLD.shape
    return (
        q_NHLD.reshape(count * kinds, -1, width),
        k_NKLD.reshape(count * kinds, longest, width),
        v_NKLD.reshape(count * kinds, longest, width),
    )
