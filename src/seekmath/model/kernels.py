"""What a decoder does beside matrix products, for a CPU: each in one pass over its numbers.

torch's operators read and write every activation some forty times a layer; at the width of a
laptop's model that is as much time as the products. Arrays are contiguous and in fp32; what goes
into products or comes from them may be in bf16, given as its 16 bits.
"""

# M tokens, C width, R rows, L longest document, D width of a head, H heads, N documents
# I feed-forward width, P half a head's width; while sampling: R rows, K key-value heads, G prompts

import math
from functools import partial
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

from seekmath.core.compiled import kernel

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

_LOG2_E = np.float32(1 / math.log(2))
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_ONE, _HALF = np.float32(1), np.float32(0.5)
# Without Python's check for a zero divisor, which keeps a loop from being vectorised.
_dividing = partial(kernel, error_model="numpy")
_fast = partial(kernel, fastmath={"contract", "reassoc", "nsz", "arcp"}, error_model="numpy")


@intrinsic
def _float_of(context: Any, bits: Any) -> Any:
    """The fp32 number that 32 bits stand for."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(types.float32))

    return types.float32(types.uint32), build


@intrinsic
def _bits_of(context: Any, number: Any) -> Any:
    """The 32 bits of an fp32 number."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(types.uint32))

    return types.uint32(types.float32), build


def _read(x: Any) -> Any:
    """The number that is kept in an array."""


@overload(_read)
def _read_by_type(x: Any) -> Any:
    def of_bits(x: Any) -> Any:
        return _float_of(np.uint32(np.uint32(x) << np.uint32(16)))  # type: ignore[call-arg]

    def itself(x: Any) -> Any:
        return x

    return of_bits if x == types.uint16 else itself


def _kept(x: Any, array: Any) -> Any:
    """A number as it is kept in an array: in bf16 rounded to the nearest, halves to even."""


@overload(_kept)
def _kept_by_type(x: Any, array: Any) -> Any:
    def rounded(x: Any, array: Any) -> Any:
        bits: Any = _bits_of(x)  # type: ignore[call-arg]
        odd = np.uint32(np.uint32(bits >> np.uint32(16)) & np.uint32(1))
        return np.uint16(np.uint32(bits + np.uint32(0x7FFF) + odd) >> np.uint32(16))

    def itself(x: Any, array: Any) -> Any:
        return x

    return rounded if array.dtype == types.uint16 else itself


@kernel
def _exp(x: Any) -> Any:
    """e to the x, to 2e-7 of its value (Cephes' polynomial), so that a loop of it is vectorised."""
    x = min(max(x, np.float32(-87)), np.float32(88))
    n = np.floor(x * _LOG2_E + _HALF)
    r = x - n * _LN2_HIGH - n * _LN2_LOW
    p = np.float32(1.9875691500e-4)
    p = p * r + np.float32(1.3981999507e-3)
    p = p * r + np.float32(8.3334519073e-3)
    p = p * r + np.float32(4.1665795894e-2)
    p = p * r + np.float32(1.6666665459e-1)
    p = p * r + np.float32(5.0000001201e-1)
    p = p * r * r + r + _ONE
    bits = np.uint32((np.int32(n) + np.int32(127)) << np.int32(23))
    return p * _float_of(bits)  # type: ignore[call-arg]


def _sum(x: Floats, row: int, end: int) -> Any:
    total = np.float32(0)
    for i in range(end):
        total += x[row, i]
    return total


def _dot(x: Floats, y: Floats, row: int, end: int) -> Any:
    total = np.float32(0)
    for i in range(end):
        total += x[row, i] * y[row, i]
    return total


def _weighted_dot(x: Any, y: Floats, w: Floats, row: int) -> Any:
    total = np.float32(0)
    for i in range(x.shape[1]):
        total += _read(x[row, i]) * y[row, i] * w[i]
    return total


def _highest(x: Floats, row: int, end: int) -> Any:
    highest = np.float32(-np.inf)
    for i in range(end):
        highest = max(highest, x[row, i])
    return highest


# Sums in any order, which lets them be vectorised; the same order on every call.
_ANY_ORDER = {"reassoc", "contract", "nsz", "nnan"}
_sum = kernel(_sum, fastmath=_ANY_ORDER)
_dot = kernel(_dot, fastmath=_ANY_ORDER)
_weighted_dot = kernel(_weighted_dot, fastmath=_ANY_ORDER)
_highest = kernel(_highest, fastmath=_ANY_ORDER)


@kernel
def norm(x_MC: Floats, w_C: Floats, eps: float, y_MC: Any, inverse_M: Floats) -> None:
    """RMSNorm."""
    rows, width = x_MC.shape
    for m in range(rows):
        inverse = np.float32(1 / math.sqrt(_dot(x_MC, x_MC, m, width) / width + eps))
        inverse_M[m] = inverse
        for i in range(width):
            y_MC[m, i] = _kept(x_MC[m, i] * inverse * w_C[i], y_MC)


@kernel
def add(x_MC: Floats, more_MC: Any, sum_MC: Floats) -> None:
    """The sum of two arrays."""
    rows, width = x_MC.shape
    for m in range(rows):
        for i in range(width):
            sum_MC[m, i] = x_MC[m, i] + _read(more_MC[m, i])


@kernel
def norm_back(
    g_MC: Any,
    beside_MC: Floats,
    x_MC: Floats,
    w_C: Floats,
    inverse_M: Floats,
    to_x_MC: Floats,
    to_w_C: Floats,
    to_more_MC: Any,
) -> None:
    """Gradients of RMSNorm; ``beside_MC``, that of x's other use, is added, if it has rows.

    The sum is written to ``to_more_MC`` as well, if that has rows.
    """
    rows, width = x_MC.shape
    for m in range(rows):
        inverse = inverse_M[m]
        shrink = _weighted_dot(g_MC, x_MC, w_C, m) * inverse * inverse / np.float32(width)
        for i in range(width):
            g = _read(g_MC[m, i])
            to_x_MC[m, i] = inverse * (g * w_C[i] - x_MC[m, i] * shrink)
            to_w_C[i] += g * x_MC[m, i] * inverse
        if beside_MC.shape[0]:
            for i in range(width):
                to_x_MC[m, i] += beside_MC[m, i]
        if to_more_MC.shape[0]:
            for i in range(width):
                to_more_MC[m, i] = _kept(to_x_MC[m, i], to_more_MC)


def _gate_and_up(both: Any, m: int) -> Any:
    """Row m's two halves: of one array, (M, 2, I), or of two, (M, I) each."""


@overload(_gate_and_up, inline="always")
def _gate_and_up_by_type(both: Any, m: int) -> Any:
    def of_one(both: Any, m: int) -> Any:
        return both[m, 0], both[m, 1]

    def of_two(both: Any, m: int) -> Any:
        return both[0][m], both[1][m]

    return of_one if isinstance(both, types.Array) else of_two


@_dividing
def gate(both: Any, y_MI: Any) -> None:
    """SwiGLU: silu(gate) times up, from (M, 2, I) or two of (M, I)."""
    for m in range(len(y_MI)):
        y_I = y_MI[m]
        gate_I, up_I = _gate_and_up(both, m)
        for i in range(len(y_I)):
            g = _read(gate_I[i])
            y_I[i] = _kept(g / (_ONE + _exp(-g)) * _read(up_I[i]), y_I)


@_dividing
def gate_back(g_MI: Any, both: Any, to_both: Any) -> None:
    """Gradients of SwiGLU."""
    share_I = np.empty(g_MI.shape[1], np.float32)
    for m in range(len(g_MI)):
        g_I = g_MI[m]
        gate_I, up_I = _gate_and_up(both, m)
        to_gate_I, to_up_I = _gate_and_up(to_both, m)
        # One loop that wrote both halves of one array would not be vectorised.
        for i in range(len(g_I)):
            x = _read(gate_I[i])
            share_I[i] = _ONE / (_ONE + _exp(-x))
            to_up_I[i] = _kept(_read(g_I[i]) * x * share_I[i], to_up_I)
        for i in range(len(g_I)):
            x, share = _read(gate_I[i]), share_I[i]
            slope = share + x * share * (_ONE - share)
            to_gate_I[i] = _kept(_read(g_I[i]) * _read(up_I[i]) * slope, to_gate_I)


@kernel
def lay_out(
    x_MH2P: Any,
    first: int,
    tokens_NL: Ints,
    slot_M: Ints,
    first_slot: int,
    turned: bool,
    cosine_MP: Floats,
    sine_MP: Floats,
    y_NHL2P: Floats,
) -> None:
    """Heads from the ``first`` on, of packed tokens, to documents of equal length.

    They are turned by their positions if so asked; padding is zero.
    """
    documents, heads, longest, _, half = y_NHL2P.shape
    for n in range(documents):
        for step in range(longest):
            m = tokens_NL[n, step]
            real = slot_M[m] == first_slot + n * longest + step
            for h in range(heads):
                if not real:
                    for d in range(half):
                        y_NHL2P[n, h, step, 0, d] = 0
                        y_NHL2P[n, h, step, 1, d] = 0
                elif not turned:
                    for d in range(half):
                        y_NHL2P[n, h, step, 0, d] = _read(x_MH2P[m, first + h, 0, d])
                        y_NHL2P[n, h, step, 1, d] = _read(x_MH2P[m, first + h, 1, d])
                else:
                    for d in range(half):
                        a = _read(x_MH2P[m, first + h, 0, d])
                        b = _read(x_MH2P[m, first + h, 1, d])
                        c, s = cosine_MP[m, d], sine_MP[m, d]
                        y_NHL2P[n, h, step, 0, d] = a * c - b * s
                        y_NHL2P[n, h, step, 1, d] = b * c + a * s


@kernel
def collect(
    x_NHL2P: Floats,
    first: int,
    tokens_NL: Ints,
    slot_M: Ints,
    first_slot: int,
    turned: bool,
    cosine_MP: Floats,
    sine_MP: Floats,
    y_MH2P: Any,
) -> None:
    """The way back from ``lay_out``, turned back."""
    documents, heads, longest, _, half = x_NHL2P.shape
    for n in range(documents):
        for step in range(longest):
            m = tokens_NL[n, step]
            if slot_M[m] != first_slot + n * longest + step:
                continue
            for h in range(heads):
                if not turned:
                    for d in range(half):
                        y_MH2P[m, first + h, 0, d] = _kept(x_NHL2P[n, h, step, 0, d], y_MH2P)
                        y_MH2P[m, first + h, 1, d] = _kept(x_NHL2P[n, h, step, 1, d], y_MH2P)
                else:
                    for d in range(half):
                        a, b = x_NHL2P[n, h, step, 0, d], x_NHL2P[n, h, step, 1, d]
                        c, s = cosine_MP[m, d], sine_MP[m, d]
                        y_MH2P[m, first + h, 0, d] = _kept(a * c + b * s, y_MH2P)
                        y_MH2P[m, first + h, 1, d] = _kept(b * c - a * s, y_MH2P)


@kernel
def softmax(scores_RL: Floats, scale: float, causal: bool, log_R: Floats) -> None:
    """Softmax of ``scale`` times each row, in place; of row r's first r mod L + 1 where causal.

    The logarithms of the normalisers are written to ``log_R``, if it has rows.
    """
    rows, longest = scores_RL.shape
    factor = np.float32(scale)
    for r in range(rows):
        end = r % longest + 1 if causal else longest
        highest = _highest(scores_RL, r, end)
        for i in range(end):
            scores_RL[r, i] = _exp((scores_RL[r, i] - highest) * factor)
        total = _sum(scores_RL, r, end)
        if log_R.shape[0]:
            log_R[r] = highest * factor + math.log(total)
        share = _ONE / total
        for i in range(end):
            scores_RL[r, i] *= share
        for i in range(end, longest):
            scores_RL[r, i] = 0


@kernel
def causal_softmax_back(g_RL: Floats, weights_RL: Floats, scale: float) -> None:
    """The gradient of causal softmax's unscaled scores, in place of that of the weights."""
    rows, longest = g_RL.shape
    factor = np.float32(scale)
    for r in range(rows):
        end = r % longest + 1
        mean = _dot(g_RL, weights_RL, r, end)
        for i in range(end):
            g_RL[r, i] = (g_RL[r, i] - mean) * weights_RL[r, i] * factor
        for i in range(end, longest):
            g_RL[r, i] = 0


@kernel
def cross_entropy(logits_MV: Floats, target_M: Ints, z_weight: float) -> float:
    """The summed loss in nats; its gradient takes the place of the logits."""
    rows, size = logits_MV.shape
    loss = 0.0
    for m in range(rows):
        highest = _highest(logits_MV, m, size)
        wanted = logits_MV[m, target_M[m]]
        for i in range(size):
            logits_MV[m, i] = _exp(logits_MV[m, i] - highest)
        total = _sum(logits_MV, m, size)
        log_total = math.log(total) + highest
        loss += log_total - wanted + z_weight * log_total * log_total
        share = np.float32((1 + 2 * z_weight * log_total) / total)
        for i in range(size):
            logits_MV[m, i] *= share
        logits_MV[m, target_M[m]] -= _ONE
    return loss


@_fast
def turn(x_MHD: Any, cosine_PD: Any, sine_PD: Any, out_MHD: Any) -> None:
    """Turn each pair (d, d + D/2); row m by angle m mod P.

    ``sine`` has its sign for each half, as in ``fused.rotate``.
    """
    for m in range(x_MHD.shape[0]):
        p = m % cosine_PD.shape[0]
        _turn_row(x_MHD[m], cosine_PD[p], sine_PD[p], out_MHD[m])


@_fast
def _turn_row(x_HD: Any, cosine_D: Any, sine_D: Any, out_HD: Any) -> None:
    half = x_HD.shape[1] // 2
    for h in range(x_HD.shape[0]):
        for d in range(half):
            first, second = x_HD[h, d], x_HD[h, d + half]
            out_HD[h, d] = first * cosine_D[d] + second * sine_D[d]
            out_HD[h, d + half] = second * cosine_D[d + half] + first * sine_D[d + half]


@_fast
def attend_one(
    qkv_RXD: Any,
    heads: int,
    rotation: Any,
    prompt: Any,
    own: Any,
    place: Any,
    step: int,
    ring: int,
    out_RHD: Any,
) -> None:
    """One token of each row: turn, keep its key and value, attend to prompt and own tokens.

    Args:
        qkv_RXD: H queries, K keys and K values, before they are turned; overwritten.
        heads: H.
        rotation: cosines and signed sines of each row's position, (R, D).
        prompt: (G, K, L, D) keys and values.
        own: (R, K, S, D) keys and values; a row's first token is in the slot of its first step.
        place: each row's group, (R,); each group's length, (G,); each row's first step, (R,).
        step: the step under way.
        ring: how many steps it takes to come to the same slot again.
        out_RHD: takes the mixture.
    """
    own_keys_RKSD, own_values_RKSD = own
    prompt_keys_GKLD, prompt_values_GKLD = prompt
    group_R, length_G, started_R = place
    rows, _, width = qkv_RXD.shape
    pairs, scale = own_keys_RKSD.shape[1], np.float32(1 / np.sqrt(width))
    each = heads // pairs
    score_T = np.empty(np.max(length_G) + min(ring, step + 1), np.float32)
    query_D, mixed_D = np.empty(width, np.float32), np.empty(width, np.float32)
    for r in range(rows):
        turned_XD = qkv_RXD[r, : heads + pairs]
        _turn_row(turned_XD, rotation[0][r], rotation[1][r], turned_XD)
        g, slot, first = group_R[r], step % ring, started_R[r] % ring
        # A row that has ended may wait for its removal beyond its last slot.
        length, count = length_G[g], min(ring, step + 1 - started_R[r])
        before = min(count, ring - first)  # up to the ring's end; the others from its begin
        for k in range(pairs):
            for d in range(width):
                own_keys_RKSD[r, k, slot, d] = qkv_RXD[r, heads + k, d]
                own_values_RKSD[r, k, slot, d] = qkv_RXD[r, heads + pairs + k, d]
            own_T, late_T = score_T[length : length + before], score_T[length + before :]
            for h in range(k * each, k * each + each):
                for d in range(width):
                    query_D[d] = qkv_RXD[r, h, d] * scale
                    mixed_D[d] = np.float32(0)
                _scores(query_D, prompt_keys_GKLD[g, k], 0, length, score_T)
                _scores(query_D, own_keys_RKSD[r, k], first, before, own_T)
                _scores(query_D, own_keys_RKSD[r, k], 0, count - before, late_T)
                normaliser = _weights(score_T[: length + count])
                _mix(score_T, prompt_values_GKLD[g, k], 0, length, mixed_D)
                _mix(own_T, own_values_RKSD[r, k], first, before, mixed_D)
                _mix(late_T, own_values_RKSD[r, k], 0, count - before, mixed_D)
                for d in range(width):
                    out_RHD[r, h, d] = mixed_D[d] / normaliser


@_fast
def _scores(query_D: Any, keys_SD: Any, first: int, count: int, score_T: Any) -> None:
    width = query_D.shape[0]
    for t in range(count):
        total = np.float32(0)
        for d in range(width):
            total += query_D[d] * keys_SD[first + t, d]
        score_T[t] = total


@_fast
def _weights(score_T: Any) -> Any:
    """Scores to weights, not yet divided by the normaliser that is returned."""
    top = score_T[0]
    for t in range(score_T.shape[0]):
        top = max(top, score_T[t])
    total = np.float32(0)
    for t in range(score_T.shape[0]):
        score_T[t] = _exp(score_T[t] - top)
        total += score_T[t]
    return total


@_fast
def _mix(weight_T: Any, values_SD: Any, first: int, count: int, mixed_D: Any) -> None:
    width = mixed_D.shape[0]
    for t in range(count):
        weight = weight_T[t]
        for d in range(width):
            mixed_D[d] += weight * values_SD[first + t, d]
