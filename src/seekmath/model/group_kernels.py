"""What attention to prompts and own tokens does beside products on a CPU, compiled."""

# M packed tokens, N completions of a lot, T its longest, H heads, X what each head has
# G products of a lot or a prompt, T queries of each, S keys

from functools import partial
from typing import Any

import numpy as np

from seekmath.core.compiled import kernel

_fast = partial(kernel, fastmath={"contract", "reassoc", "nsz", "arcp"})


@_fast
def softmax_back(
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
