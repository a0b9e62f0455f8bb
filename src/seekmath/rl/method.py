"""The paper's unified view: what a method must say, and what the shared loop hands it (5.2.1).

Every method's gradient is ``1/N sum_i 1/|o_i| sum_t GC grad log pi``. A method fills three places:
where its outputs come from, what they earn, and the gradient coefficient GC; ``trainer.py`` does
the rest. A method may log the value of its objective, whose gradient this is.
"""

# N outputs, T tokens of the longest; Q questions, G samples of each

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from seekmath.core.seeds import derive
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.model.decoder import Decoder
from seekmath.model.sampler import sample
from seekmath.rl.objective import Terms, TokenBatch
from seekmath.rl.questions import Question, questions_of_step
from seekmath.rl.rewards import Rewards, Run
from seekmath.rl.rollout import Draw, Judged, Sample, roll_out
from seekmath.rl.settings import GrpoSettings
from seekmath.rl.shares import share
from seekmath.rl.tool_rollout import roll_out_with_tool

#: A data source: outputs for the step's number (from 0), as [question][k], of this rank's share of
#: the step's questions. Attempts after the first ask other questions.
DataSource = Callable[[Decoder, int, int], list[list[Sample]]]


@dataclass(frozen=True)
class Setup:
    """What a method is built from.

    ``frozen`` is the policy as it was handed over, or as the present iteration began with it;
    ``let_go`` frees what it holds of memory until it is asked again; ``run`` executes programs,
    where any are to be run; ``draw`` samples.
    """

    settings: GrpoSettings
    policy: Decoder
    frozen: Decoder
    questions: list[Question]
    tokenizer: Tokenizer
    rewards: Rewards
    seed: int
    run: Run | None = None
    let_go: Callable[[], None] = lambda: None
    draw: Draw = sample


@dataclass(frozen=True)
class Credit:
    """A judged output and what each of its tokens is worth.

    Attributes:
        judged: the output.
        token_advantages: a value for each token.
        token_returns: what a critic should have foretold at each token; empty without one.
        pair: outputs with the same number belong together; -1 for none.
    """

    judged: Judged
    token_advantages: list[float]
    token_returns: list[float] = field(default_factory=list)
    pair: int = -1


@dataclass(frozen=True)
class Credits:
    """What a step's outputs are worth; ``zero_variance_groups`` taught nothing.

    ``unused`` outputs are logged and kept with the rest but are no part of the gradient.
    """

    credits: list[Credit]
    zero_variance_groups: int
    unused: list[Credit] = field(default_factory=list)


@dataclass(frozen=True)
class Companion:
    """Another network that learns beside the policy, such as PPO's critic."""

    network: nn.Module
    optimizer: torch.optim.AdamW
    learn: Callable[[Credits, int], dict[str, float]]


@dataclass(frozen=True)
class Method:
    """One row of the paper's Table 10.

    Attributes:
        source: data source.
        reward: judges outputs.
        credit: spreads rewards over tokens; the part of GC that knows no probabilities.
        coefficient: the whole GC of each token, (N, T).
        objective: what each token adds to the objective, (N, T), to be logged.
        reads_reference: whether the coefficient needs the frozen policy's log-probabilities.
        companions: networks that learn beside the policy, by name.
    """

    source: DataSource
    reward: Callable[[list[Sample]], list[Judged]]
    credit: Callable[[list[list[Judged]]], Credits]
    coefficient: Callable[[TokenBatch], Tensor]
    objective: Callable[[TokenBatch], Tensor]
    reads_reference: bool = False
    companions: dict[str, Companion] = field(default_factory=dict)


def terms_of(settings: GrpoSettings) -> Terms:
    """The parts of the objective that the settings name."""
    return Terms(
        clip_low=settings.clip_epsilon,
        clip_high=settings.clip_high or settings.clip_epsilon,
        kl_weight=settings.kl_weight,
        ratio=settings.ratio,
        importance_cap=settings.importance_cap,
    )


def online(setup: Setup) -> DataSource:
    """Outputs of the policy as it is now: ``q ~ P_sft, o ~ pi_theta``."""

    def source(policy: Decoder, step: int, attempt: int = 0) -> list[list[Sample]]:
        return _outputs(setup, policy, step, attempt)

    return source


def offline(setup: Setup) -> DataSource:
    """Outputs of the policy as it was handed over: ``q ~ P_sft, o ~ pi_sft``.

    They are drawn when a step needs them, by the step's number: the same as drawing all before
    training, without a store that a killed run could leave half written.
    """

    def source(policy: Decoder, step: int, attempt: int = 0) -> list[list[Sample]]:
        return _outputs(setup, setup.frozen, step, attempt)

    return source


def _outputs(setup: Setup, policy: Decoder, step: int, attempt: int) -> list[list[Sample]]:
    settings = setup.settings
    seed = setup.seed if attempt == 0 else derive(setup.seed, "attempt", attempt)
    count = settings.questions_per_step
    asked = questions_of_step(setup.questions, count, seed, step, settings.weights)
    drawing = derive(seed, "step", step)
    places = share(range(count))
    mine = [asked[place] for place in places]
    if settings.mode == "tool":
        assert setup.run
        return roll_out_with_tool(
            policy, setup.tokenizer, mine, settings, drawing, setup.run, places
        )
    return roll_out(policy, setup.tokenizer, mine, settings, drawing, places, setup.draw)
