"""The decoder's work between matrix products on a CPU, compiled: one pass over memory for each.

Sums may be taken in any order (so that they go through vector registers), but a row's order never
depends on what other rows there are.
"""

# M rows (tokens), C width, H query heads, K key-value heads, D width of a head, R rows of a cache

from functools import partial
from typing import Any

import numpy as np

from seekmath.core.compiled import kernel

# Division by zero gives infinity, as in numpy: a check would keep a loop out of vector registers.
_fast = partial(kernel, fastmath={"contract", "reassoc", "nsz", "arcp"}, error_model="numpy")
_exact = partial(kernel, fastmath={"contract"}, error_model="numpy")

_ZERO, _ONE, _HALF = np.float32(0), np.float32(1), np.float32(0.5)
# exp: 2^n e^r with r in [-ln 2 / 2, ln 2 / 2], ln 2 in two parts, e^r by Cephes' polynomial.
_LOWEST, _HIGHEST = np.float32(-87), np.float32(88)
_LOG2_E = np.float32(1.4426950408889634)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_P0, _P1, _P2 = (
    np.float32(1.9875691500e-4),
    np.float32(1.3981999507e-3),
    np.float32(8.3334519073e-3),
)
_P3, _P4, _P5 = (
    np.float32(4.1665795894e-2),
    np.float32(1.6666665459e-1),
    np.float32(5.0000001201e-1),
)


@_exact
def exponential(x: Any) -> Any:
    """e^x in fp32 for x in [-87, 88], what is outside counting as the border."""
    x = min(max(x, _LOWEST), _HIGHEST)
    n = np.floor(x * _LOG2_E + _HALF)
    r = x - n * _LN2_HIGH
    r = r - n * _LN2_LOW
    p = ((((_P0 * r + _P1) * r + _P2) * r + _P3) * r + _P4) * r + _P5
    power = np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)
    return (p * r * r + r + _ONE) * power


@_fast
def swiglu(gate_X: Any, up_X: Any, out_X: Any) -> None:
    """``silu(gate) * up``."""
    for i in range(gate_X.shape[0]):
        gate = gate_X[i]
        out_X[i] = gate / (_ONE + exponential(-gate)) * up_X[i]


@_fast
def swiglu_back(gate_X: Any, up_X: Any, to_out_X: Any, to_gate_X: Any, to_up_X: Any) -> None:
    """The gradients of ``swiglu``."""
    for i in range(gate_X.shape[0]):
        gate, to_out = gate_X[i], to_out_X[i]
        share = _ONE / (_ONE + exponential(-gate))
        silu = gate * share
        to_up_X[i] = to_out * silu
        to_gate_X[i] = to_out * up_X[i] * (share + silu * (_ONE - share))


@_fast
def norm(x_MC: Any, weight_C: Any, eps: float, out_MC: Any, scale_M: Any) -> None:
    """Root-mean-square normalisation; ``scale_M`` takes what each row was multiplied by."""
    rows, width = x_MC.shape
    for m in range(rows):
        total = _ZERO
        for c in range(width):
            total += x_MC[m, c] * x_MC[m, c]
        scale = np.float32(1 / np.sqrt(total / width + eps))
        scale_M[m] = scale
        for c in range(width):
            out_MC[m, c] = x_MC[m, c] * scale * weight_C[c]


@_fast
def norm_back(
    x_MC: Any, weight_C: Any, scale_M: Any, to_out_MC: Any, to_x_MC: Any, to_weight_C: Any
) -> None:
    """The gradients of ``norm``; that of the weight is added to ``to_weight_C``."""
    rows, width = x_MC.shape
    for m in range(rows):
        scale, along = scale_M[m], _ZERO
        for c in range(width):
            pull = to_out_MC[m, c] * x_MC[m, c]
            along += pull * weight_C[c]
            to_weight_C[c] += pull * scale
        along *= scale * scale / np.float32(width)
        for c in range(width):
            to_x_MC[m, c] = scale * (to_out_MC[m, c] * weight_C[c] - x_MC[m, c] * along)


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
                    mixed_D[d] = _ZERO
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
        total = _ZERO
        for d in range(width):
            total += query_D[d] * keys_SD[first + t, d]
        score_T[t] = total


@_fast
def _weights(score_T: Any) -> Any:
    """Scores to weights, not yet divided by the normaliser that is returned."""
    top = score_T[0]
    for t in range(score_T.shape[0]):
        top = max(top, score_T[t])
    total = _ZERO
    for t in range(score_T.shape[0]):
        score_T[t] = exponential(score_T[t] - top)
        total += score_T[t]
    return total


@_fast
def _mix(weight_T: Any, values_SD: Any, first: int, count: int, mixed_D: Any) -> None:
    width = mixed_D.shape[0]
    for t in range(count):
        weight = weight_T[t]
        for d in range(width):
            mixed_D[d] += weight * values_SD[first + t, d]


@_fast
def soften(score_GTS: Any, causal: bool, log_GT: Any) -> None:
    """Scores to softmax weights, in place, and the logarithms of their normalisers.

    Where ``causal``, rows are queries in turns of S: that at place t of its turn sees t + 1 keys.
    """
    groups, rows, keys = score_GTS.shape
    for g in range(groups):
        for t in range(rows):
            seen = t % keys + 1 if causal else keys
            score_S = score_GTS[g, t]
            top = score_S[0]
            for s in range(seen):
                top = max(top, score_S[s])
            total = _ZERO
            for s in range(seen):
                score_S[s] = exponential(score_S[s] - top)
                total += score_S[s]
            factor = _ONE / total
            for s in range(seen):
                score_S[s] *= factor
            for s in range(seen, keys):
                score_S[s] = _ZERO
            log_GT[g, t] = top + np.log(total)


@_fast
def soften_back(
    weight_GTS: Any, share_GT: Any, mean_GT: Any, to_weight_GTS: Any, scaled_GTS: Any
) -> None:
    """Weights times their row's share, and in ``to_weight`` what goes back to the scores."""
    groups, rows, keys = weight_GTS.shape
    for g in range(groups):
        for t in range(rows):
            share, mean = share_GT[g, t], mean_GT[g, t]
            for s in range(keys):
                scaled = weight_GTS[g, t, s] * share
                scaled_GTS[g, t, s] = scaled
                to_weight_GTS[g, t, s] = (to_weight_GTS[g, t, s] - mean) * scaled


@_fast
def lay_out(x_MHX: Any, token_NT: Any, out_NHTX: Any) -> None:
    """Tokens side by side: place (n, t) takes token ``token_NT``."""
    _, heads, width = x_MHX.shape
    for n in range(token_NT.shape[0]):
        for h in range(heads):
            for t in range(token_NT.shape[1]):
                token = token_NT[n, t]
                for x in range(width):
                    out_NHTX[n, h, t, x] = x_MHX[token, h, x]


@_fast
def put_back(laid_out_NHTX: Any, token_NT: Any, length_N: Any, scale: float, x_MHX: Any) -> None:
    """The way back of the first ``length_N`` places of each row, times ``scale``."""
    _, heads, _, width = laid_out_NHTX.shape
    factor = np.float32(scale)
    for n in range(token_NT.shape[0]):
        for t in range(length_N[n]):
            token = token_NT[n, t]
            for h in range(heads):
                for x in range(width):
                    x_MHX[token, h, x] = laid_out_NHTX[n, h, t, x] * factor
