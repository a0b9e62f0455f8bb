"""What a decoder does beside matrix products, for a CPU: each in one pass over its numbers.

torch's operators read and write every activation some forty times a layer; at the width of a
laptop's model that is as much time as the products. Arrays are contiguous and in fp32; what goes
into products or comes from them may be in bf16, given as its 16 bits.
"""

# M tokens, C width, R rows, L longest document, D width of a head, H heads, N documents
# I feed-forward width, P half a head's width

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


@_dividing
def gate(both_M2I: Any, y_MI: Any) -> None:
    """SwiGLU: silu(gate) times up."""
    for m in range(len(y_MI)):
        gate_I, up_I, y_I = both_M2I[m, 0], both_M2I[m, 1], y_MI[m]
        for i in range(len(y_I)):
            g = _read(gate_I[i])
            y_I[i] = _kept(g / (_ONE + _exp(-g)) * _read(up_I[i]), y_I)


@_dividing
def gate_back(g_MI: Any, both_M2I: Any, to_both_M2I: Any) -> None:
    """Gradients of SwiGLU."""
    for m in range(len(g_MI)):
        g_I, gate_I, up_I = g_MI[m], both_M2I[m, 0], both_M2I[m, 1]
        to_gate_I, to_up_I = to_both_M2I[m, 0], to_both_M2I[m, 1]
        # One loop that wrote both would not be vectorised; the second exponential is cheaper.
        for i in range(len(g_I)):
            x = _read(gate_I[i])
            to_up_I[i] = _kept(_read(g_I[i]) * x / (_ONE + _exp(-x)), to_up_I)
        for i in range(len(g_I)):
            x = _read(gate_I[i])
            share = _ONE / (_ONE + _exp(-x))
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
def causal_softmax(scores_RL: Floats, scale: float) -> None:
    """Softmax of ``scale`` times row r over its first r mod L + 1 scores, in place."""
    rows, longest = scores_RL.shape
    factor = np.float32(scale)
    for r in range(rows):
        end = r % longest + 1
        highest = _highest(scores_RL, r, end)
        for i in range(end):
            scores_RL[r, i] = _exp((scores_RL[r, i] - highest) * factor)
        share = _ONE / _sum(scores_RL, r, end)
        for i in range(end):
            scores_RL[r, i] *= share
        for i in range(end, longest):
            scores_RL[r, i] = 0


@kernel
def causal_softmax_back(g_RL: Floats, weights_RL: Floats, scale: float) -> None:
    """The gradient of the unscaled scores, in place of that of the weights."""
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
