"""Online RFT (paper, section 5.2.1): fine-tuning on the current policy's own right outputs.

Data source: outputs of the current policy. Reward: the rule. Gradient coefficient: 1 where the
answer is right, 0 elsewhere; wrong outputs are not punished, right ones all count the same.
"""

from torch import Tensor

from seekmath.rl.method import Credit, Credits, Method, Setup, online
from seekmath.rl.objective import TokenBatch
from seekmath.rl.rollout import Judged


def online_rft_method(setup: Setup) -> Method:
    """The three places of the unified view, filled for Online RFT."""
    return Method(
        source=online(setup),
        reward=setup.rewards,
        credit=right_ones,
        coefficient=selected,
        objective=selected_likelihood,
    )


def right_ones(groups: list[list[Judged]]) -> Credits:
    """One for every token of a right output, zero for the rest, which stay in the mean."""
    credits = [
        Credit(judged, [float(judged.verdict is True)] * len(judged.sample.completion.token_ids))
        for group in groups
        for judged in group
    ]
    useless = sum(not any(judged.verdict for judged in group) for group in groups)
    return Credits(credits, useless)


def selected(batch: TokenBatch) -> Tensor:
    """The coefficient: 1 on right outputs, 0 on others (eq. 10)."""
    return batch.advantage_NT


def selected_likelihood(batch: TokenBatch) -> Tensor:
    """The objective: log-likelihood of the right outputs (eq. 9)."""
    return batch.advantage_NT * batch.logprob_NT
