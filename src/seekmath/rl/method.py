"""The paper's unified view: what a method must say, and what the shared loop hands it (5.2.1).

Every method's gradient is ``1/N sum_i 1/|o_i| sum_t GC grad log pi``. A method fills three places:
where its outputs come from, what they earn, and the gradient coefficient GC; ``trainer.py`` does
the rest. A method may log the value of its objective, whose gradient this is.
"""

# N outputs, T tokens of the longest; Q questions, G samples of each

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from seekmath.model.decoder import Decoder
from seekmath.rl.rollout import Judged, Sample


@dataclass(frozen=True)
class Credit:
    """A judged output and the advantage of each of its tokens."""

    judged: Judged
    token_advantages: list[float]


@dataclass(frozen=True)
class TokenBatch:
    """Some outputs at token level, in nats, without gradient; padding is where the mask is false.

    ``old_NT`` is the policy that the step began with, ``reference_NT`` the frozen one.
    """

    logprob_NT: Tensor
    old_NT: Tensor
    reference_NT: Tensor
    advantage_NT: Tensor
    mask_NT: Tensor


@dataclass(frozen=True)
class Credits:
    """What a step's outputs are worth; ``zero_variance_groups`` taught nothing."""

    credits: list[Credit]
    zero_variance_groups: int


@dataclass(frozen=True)
class Method:
    """One row of the paper's Table 10.

    Attributes:
        source: data source: outputs for the step's number (from 0), as [question][k].
        reward: judges outputs.
        credit: spreads rewards over tokens; the part of GC that knows no probabilities.
        coefficient: the whole GC of each token, (N, T).
        objective: what each token adds to the objective, (N, T), to be logged.
    """

    source: Callable[[Decoder, int], list[list[Sample]]]
    reward: Callable[[list[Sample]], list[Judged]]
    credit: Callable[[list[list[Judged]]], Credits]
    coefficient: Callable[[TokenBatch], Tensor]
    objective: Callable[[TokenBatch], Tensor]
