"""Attention of many completions, packed without padding, to their prompts and to themselves.

A completion's scores fall in two: those on its prompt's keys, one product for all completions of a
prompt, and the causal ones on its own. Two softmaxes are joined by their normalisers::

    out = a softmax(S_prompt) V_prompt + (1 - a) softmax(S_own) V_own,
    a = Z_prompt / (Z_prompt + Z_own)

so nothing is masked but the own triangle, and no prompt is ever copied.
"""

# M packed tokens, P prompts, L tokens of the longest, N completions of a lot, T its longest
# K key-value heads, E query heads of each, H = K x E heads, D width of a head

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from seekmath.model import fused, group_kernels, kernels
from seekmath.model.decoder import LayerCache
from seekmath.model.fused import array, arrays, as_rows

# Completions of a lot differ in length by at most this ratio, so that little of it is padding.
_LENGTH_RATIO = 1.25
# Scores of a lot, so many at most: they pass through the cache of a processor, not its memory.
_LOT_SCORES = 2**20


@dataclass(frozen=True)
class Span:
    """The packed tokens ``start`` to ``end``: all completions of prompt ``prompt``."""

    prompt: int
    length: int  # of the prompt
    start: int
    end: int


@dataclass(frozen=True)
class Lot:
    """Completions of like length: the (N, T) packed token of each place; padding repeats a token.

    ``back_X`` are the flat places that hold a token, and ``token_X`` which: all where ``whole``.
    """

    token_NT: Tensor
    length_N: Tensor
    back_X: Tensor
    token_X: Tensor
    whole: bool


@dataclass(frozen=True)
class Packing:
    """Where completions stand, prompt by prompt."""

    spans: list[Span]
    lots: list[Lot]


def pack(
    prompt_N: list[int], lengths_N: list[int], prompt_lengths: list[int], heads: int, device: Any
) -> Packing:
    """The packing of completions whose prompts' numbers ascend.

    Args:
        prompt_N: each completion's prompt.
        lengths_N: its tokens.
        prompt_lengths: tokens of each prompt.
        heads: query heads.
        device: of the tensors.
    """
    starts = [0]
    for length in lengths_N:
        starts.append(starts[-1] + length)
    spans: list[Span] = []
    for number, prompt in enumerate(prompt_N):
        begin = spans.pop().start if spans and spans[-1].prompt == prompt else starts[number]
        spans.append(Span(prompt, prompt_lengths[prompt], begin, starts[number + 1]))
    lots: list[list[int]] = []
    for number in sorted(range(len(lengths_N)), key=lambda n: (lengths_N[n], n)):
        length = lengths_N[number]
        full = bool(lots) and (len(lots[-1]) + 1) * length**2 * heads > _LOT_SCORES
        if not lots or full or length > 4 + _LENGTH_RATIO * lengths_N[lots[-1][0]]:
            lots.append([])
        lots[-1].append(number)
    return Packing(
        [span for span in spans if span.length],
        [_lot([(starts[n], lengths_N[n]) for n in lot], device) for lot in lots],
    )


def _lot(places: list[tuple[int, int]], device: Any) -> Lot:
    start_N1 = torch.tensor([[start] for start, _ in places], device=device)
    length_N1 = torch.tensor([[length] for _, length in places], device=device)
    place_T = torch.arange(max(length for _, length in places), device=device)
    inside_NT = place_T < length_N1
    token_NT = start_N1 + torch.minimum(place_T, length_N1 - 1)
    back_X = inside_NT.flatten().nonzero()[:, 0]
    whole = bool(inside_NT.all())
    return Lot(token_NT, length_N1[:, 0], back_X, token_NT[inside_NT], whole)


class GroupAttention:
    """A decoder's cache for one forward pass over packed completions, (1, heads, M, D)."""

    def __init__(self, packing: Packing, prompts: list[LayerCache]) -> None:
        """``prompts`` hold each layer's (P, K, L, D) keys and values."""
        self._packing, self._prompts = packing, prompts

    def mix(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """The mixture of values for the queries."""
        prompts = self._prompts[layer]
        packed = (x[0].transpose(0, 1) for x in (query, key, value))
        mixed_MHD: Tensor = _Attention.apply(*packed, prompts.keys, prompts.values, self._packing)
        return mixed_MHD.transpose(0, 1)[None]


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, pk: Tensor, pv: Tensor, packing: Packing
    ) -> Tensor:
        scale = 1 / math.sqrt(q.shape[2])
        own_weights, own_MHD, own_log_MH = _attend_own(q, k, v, packing.lots, scale)
        if not packing.spans:
            ctx.save_for_backward(q, k, v, pk, pv, own_MHD, torch.zeros_like(own_log_MH))
            ctx.parts = packing, scale, own_weights, []
            return own_MHD
        prompt_weights, mixed_MHD, log_MH = _attend_prompts(q, pk, pv, packing.spans, scale)
        # A completion without a prompt before it has a normaliser of zero there.
        share_MH = torch.sigmoid(log_MH - own_log_MH)
        mixed_MHD.sub_(own_MHD).mul_(share_MH[:, :, None]).add_(own_MHD)
        ctx.save_for_backward(q, k, v, pk, pv, mixed_MHD, share_MH)
        ctx.parts = packing, scale, own_weights, prompt_weights
        return mixed_MHD

    @staticmethod
    def backward(ctx: Any, to_mixed: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, pk, pv, mixed_MHD, share_MH = ctx.saved_tensors
        packing, scale, own_weights, prompt_weights = ctx.parts
        to_mixed = to_mixed.contiguous()
        mean_MH1 = (to_mixed * mixed_MHD).sum(dim=-1, keepdim=True)
        to_q, to_k, to_v = _back_own(
            (q, k, v), packing.lots, own_weights, 1 - share_MH, to_mixed, mean_MH1, scale
        )
        to_pk, to_pv = torch.zeros_like(pk), torch.zeros_like(pv)
        for span, weights in zip(packing.spans, prompt_weights, strict=True):
            tokens = slice(span.start, span.end)
            prompt = (span.prompt, slice(None), slice(span.length))
            keys, values = pk[prompt], pv[prompt]
            pairs, heads = keys.shape[0], q.shape[1]
            to_rows = _by_pair(to_mixed[tokens], pairs)
            share = _by_pair(share_MH[tokens, :, None], pairs)
            to_score = torch.bmm(to_rows, values.transpose(1, 2))
            mean = _by_pair(mean_MH1[tokens], pairs)
            weights = _softmax_back(weights, share, mean, to_score)
            to_pv[prompt] += torch.bmm(weights.transpose(1, 2), to_rows)
            to_q[tokens].add_(_by_token(torch.bmm(to_score, keys), heads), alpha=scale)
            rows = _by_pair(q[tokens], pairs)
            to_pk[prompt] += torch.bmm(to_score.transpose(1, 2), rows) * scale
        return to_q, to_k, to_v, to_pk, to_pv, None


def _attend_prompts(
    q: Tensor, pk: Tensor, pv: Tensor, spans: list[Span], scale: float
) -> tuple[list[Tensor], Tensor, Tensor]:
    """Each span's softmax weights (K, M' x E, L'); each token's mixture and log-normaliser."""
    mixed_MHD, log_MH = torch.zeros_like(q), q.new_full(q.shape[:2], -torch.inf)
    every = []
    for span in spans:
        keys, values = (x[span.prompt, :, : span.length] for x in (pk, pv))
        rows = _by_pair(q[span.start : span.end], keys.shape[0])
        scores = _scaled(rows, keys.transpose(1, 2), scale)
        weights, log = _softmax(scores)
        mixed_MHD[span.start : span.end] = _by_token(torch.bmm(weights, values), q.shape[1])
        log_MH[span.start : span.end] = _by_token(log, q.shape[1])[:, :, 0]
        every.append(weights)
    return every, mixed_MHD, log_MH


def _attend_own(
    q: Tensor, k: Tensor, v: Tensor, lots: list[Lot], scale: float
) -> tuple[list[Tensor], Tensor, Tensor]:
    """Each lot's softmax weights (N x K, E x T, T); each token's mixture and log-normaliser."""
    mixed_MHD, log_MH = torch.empty_like(q), q.new_empty(q.shape[:2])
    every, heads, pairs = [], q.shape[1], k.shape[1]
    for lot in lots:
        length = lot.token_NT.shape[1]
        rows, keys, values = (_laid_out(x, lot, pairs) for x in (q, k, v))
        if fused.serves(rows):
            weights, log = _softened(_scaled(rows, keys.transpose(1, 2), scale), causal=True)
        else:
            ahead_TT = rows.new_full((length, length), -torch.inf).triu(1)
            ahead = ahead_TT.repeat(heads // pairs, 1).expand(len(rows), -1, -1)
            scores = torch.baddbmm(ahead, rows, keys.transpose(1, 2), alpha=scale)
            weights, log = _softmax(scores)
        _put_back(mixed_MHD, torch.bmm(weights, values), lot)
        _put_back(log_MH[:, :, None], log, lot)
        every.append(weights)
    return every, mixed_MHD, log_MH


def _back_own(
    qkv: tuple[Tensor, Tensor, Tensor],
    lots: list[Lot],
    own_weights: list[Tensor],
    share_MH: Tensor,
    to_mixed: Tensor,
    mean_MH1: Tensor,
    scale: float,
) -> tuple[Tensor, Tensor, Tensor]:
    to_q, to_k, to_v = (torch.empty_like(x) for x in qkv)
    pairs = qkv[1].shape[1]
    for lot, weights in zip(lots, own_weights, strict=True):
        rows, keys, values = (_laid_out(x, lot, pairs) for x in qkv)
        to_rows = _laid_out(to_mixed, lot, pairs)
        share = _laid_out(share_MH[:, :, None], lot, pairs)
        if not lot.whole:
            # Padding repeats a token: what it sends back must not count twice.
            share = share * _inside(lot, share)
        to_score = torch.bmm(to_rows, values.transpose(1, 2))
        weights = _softmax_back(weights, share, _laid_out(mean_MH1, lot, pairs), to_score)
        _put_back(to_v, torch.bmm(weights.transpose(1, 2), to_rows), lot)
        _put_back(to_q, torch.bmm(to_score, keys), lot, scale)
        _put_back(to_k, torch.bmm(to_score.transpose(1, 2), rows), lot, scale)
    return to_q, to_k, to_v


def _inside(lot: Lot, like: Tensor) -> Tensor:
    inside = torch.zeros(lot.token_NT.numel(), dtype=like.dtype, device=like.device)
    inside[lot.back_X] = 1
    rows = inside.view(lot.token_NT.shape)
    each = like.shape[1] // rows.shape[1]
    return rows.repeat_interleave(like.shape[0] // len(rows), 0).repeat(1, each)[:, :, None]


def _scaled(rows: Tensor, keys: Tensor, scale: float) -> Tensor:
    nothing = rows.new_zeros(1).expand(rows.shape[0], rows.shape[1], keys.shape[2])
    return torch.baddbmm(nothing, rows, keys, beta=0, alpha=scale)


def _softmax(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Softmax over the last dimension, and the logarithm of its normaliser with a last one of 1."""
    if fused.serves(scores):
        return _softened(scores, causal=False)
    weights = torch.softmax(scores, dim=-1)
    # At the largest score: its weight is at least 1/S, so its logarithm is exact.
    top = scores.amax(dim=-1, keepdim=True)
    return weights, top - weights.amax(dim=-1, keepdim=True).log()


def _softened(scores: Tensor, *, causal: bool) -> tuple[Tensor, Tensor]:
    """The same by a kernel, in place; ``causal``: under the own triangle of each turn of keys."""
    log = scores.new_empty(*scores.shape[:2], 1)
    kernels.softmax(as_rows(scores), 1.0, causal, array(log.view(-1)))
    return scores, log


def _softmax_back(weights: Tensor, share: Tensor, mean: Tensor, to_score: Tensor) -> Tensor:
    """The weights times their rows' share; ``to_score`` becomes the gradient of the scores."""
    if fused.serves(weights):
        scaled = torch.empty_like(weights)
        rows = (x.reshape(weights.shape[:2]) for x in (share, mean))
        group_kernels.softmax_back(*arrays(weights, *rows, to_score, scaled))
        return scaled
    scaled = weights * share
    to_score.sub_(mean).mul_(scaled)
    return scaled


def _by_pair(x_MHX: Tensor, pairs: int) -> Tensor:
    """(M, H, X) as (K, M x E, X)."""
    tokens, _, last = x_MHX.shape
    return x_MHX.reshape(tokens, pairs, -1, last).transpose(0, 1).reshape(pairs, -1, last)


def _by_token(x: Tensor, heads: int) -> Tensor:
    """The way back, to (M, H, X)."""
    pairs, _, last = x.shape
    apart = x.view(pairs, -1, heads // pairs, last)
    return apart.transpose(0, 1).reshape(-1, heads, last)


def _laid_out(x_MHX: Tensor, lot: Lot, pairs: int) -> Tensor:
    """(M, H, X) as (N x K, E x T, X), padding filled with any token."""
    last, (rows, length) = x_MHX.shape[2], lot.token_NT.shape
    if fused.serves(x_MHX):
        out_NHTX = x_MHX.new_empty(rows, x_MHX.shape[1], length, last)
        group_kernels.lay_out(*arrays(x_MHX.contiguous(), lot.token_NT, out_NHTX))
        return out_NHTX.view(rows * pairs, -1, last)
    taken = x_MHX.reshape(len(x_MHX), -1).index_select(0, lot.token_NT.flatten())
    apart = taken.view(rows, length, pairs, -1, last).permute(0, 2, 3, 1, 4)
    return apart.reshape(rows * pairs, -1, last)


def _put_back(x_MHX: Tensor, laid_out: Tensor, lot: Lot, scale: float = 1.0) -> None:
    """The way back, times ``scale``: each token's place into ``x_MHX``."""
    last, (rows, length) = laid_out.shape[2], lot.token_NT.shape
    if fused.serves(x_MHX):
        laid_out_NHTX = laid_out.view(rows, -1, length, last)
        token_NT, length_N = arrays(lot.token_NT, lot.length_N)
        group_kernels.put_back(array(laid_out_NHTX), token_NT, length_N, scale, array(x_MHX))
        return
    if scale != 1:
        laid_out = laid_out * scale
    apart = laid_out.view(rows, x_MHX.shape[1], length, last).transpose(1, 2)
    flat = apart.reshape(rows * length, x_MHX.shape[1], last)
    x_MHX[lot.token_X] = flat if lot.whole else flat[lot.back_X]
