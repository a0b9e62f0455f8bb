"""A decoding step as a CUDA graph: recorded once, replayed without a launch for each kernel."""

# R rows, V vocabulary

from collections.abc import Callable

import torch
from torch import Tensor


class Replay:
    """``step(token_R, position_R) -> logits_RV`` with all other tensors where they are.

    What the step reads and writes besides its arguments must keep its address and its shape. A call
    gives a tensor that the next call overwrites.
    """

    def __init__(
        self, step: Callable[[Tensor, Tensor], Tensor], token_R: Tensor, position_R: Tensor
    ) -> None:
        """Run the step once, so that libraries take their workspace, and once to record it."""
        self._token_R, self._position_R = token_R.clone(), position_R.clone()
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            step(self._token_R, self._position_R)
        torch.cuda.current_stream().wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._logits_RV = step(self._token_R, self._position_R)

    def __call__(self, token_R: Tensor, position_R: Tensor) -> Tensor:
        """The logits for these tokens at these positions."""
        self._token_R.copy_(token_R)
        self._position_R.copy_(position_R)
        self._graph.replay()
        return self._logits_RV
