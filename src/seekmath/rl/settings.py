"""Settings of the stage ``grpo``; the paper's values are in the descriptions (section 4.2)."""

from typing import Literal

from pydantic import Field, model_validator

from seekmath.core.complaints import unknown
from seekmath.core.recipe import Source
from seekmath.train.settings import OptimizerSettings

#: Rewards by name; what each measures stands in ``rl/rewards.py``.
REWARDS = ("answer", "format", "model", "function")


class GrpoSettings(OptimizerSettings):
    """A model and problems in, a better model out."""

    model: Source = Field(description="Model folder of the policy to improve.")
    problems: Source = Field(
        description="JSON lines with question and answer; your reward function gets all columns."
    )
    subjects: list[str] = Field([], description="Subjects of the problems taken; empty takes all.")
    kinds: list[str] = Field(
        ["cot"],
        description="Kinds of problem taken (cot, pot, tool), where a problem tells; empty: all.",
    )
    levels: list[int] = Field(
        [],
        description="Levels of the problems taken; empty takes all. Questions that the policy never"
        " answers cost the most tokens and teach nothing.",
    )
    reward_model: Source = Field(
        "", description="Folder of an outcome reward model; rewards with its probability."
    )
    reward: Source = Field(
        "",
        description="Python file with your reward function,"
        " (prompts, completions, **columns) -> list of numbers.",
    )
    reward_name: str = Field("reward", description="Name of the function in that file.")
    rewards: dict[str, float] = Field(
        {},
        description="Weights of the rewards answer, format, model, function; empty: 1 for your"
        " function and the reward model where given, else 1 for the answer.",
    )
    group_size: int = Field(64, ge=2, description="Samples of each question, G (paper: 64).")
    questions_per_step: int = Field(
        16, ge=1, description="Questions of a step (paper: batch 1,024 = 16 groups of 64)."
    )
    steps: int = Field(100, ge=1, description="Exploration steps.")
    kl_weight: float = Field(0.04, ge=0, description="Beta of the KL term (paper: 0.04).")
    clip_epsilon: float = Field(
        0.2, gt=0, lt=1, description="Clip of the probability ratio; the paper names none."
    )
    updates_per_batch: int = Field(
        1, ge=1, description="Updates on the samples of one step, mu (paper: 1)."
    )
    std: Literal["population", "sample"] = Field(
        "population",
        description="Deviation that scales a group's rewards: squares divided by G or by G - 1."
        " The paper leaves it open; the group is all that is standardised, so population.",
    )
    zero_variance: float = Field(
        1e-6, ge=0, description="A group with a deviation up to this has advantages of zero."
    )
    temperature: float = Field(1.0, gt=0, description="Temperature of sampling and of the policy.")
    top_p: float = Field(1.0, gt=0, le=1, description="Nucleus of sampling; 1 samples from all.")
    max_new_tokens: int = Field(1024, ge=1, description="Longest completion (paper: 1,024).")
    micro_batch_tokens: int = Field(
        8192,
        ge=1,
        description="Tokens computed at once, padding included; the loss stays the same.",
    )
    sampler_rows: int = Field(256, ge=1, description="Completions under way at once.")
    peak_lr: float = Field(1e-6, description="Learning rate (1e-6 in the paper).", gt=0)
    weight_decay: float = Field(
        0.0, ge=0, description="AdamW's decay; zero, as the KL term already holds the policy."
    )
    checkpoint_every: int = Field(20, ge=1, description="Steps between checkpoints.")
    rollout_every: int = Field(10, ge=1, description="Steps between kept rollout files.")

    @model_validator(mode="after")
    def _rewards_can_be_had(self) -> "GrpoSettings":
        for name in self.rewards:
            if name not in REWARDS:
                raise ValueError(unknown("rewards", name, list(REWARDS)))
        for name, field in (("model", "reward_model"), ("function", "reward")):
            if name in self.rewards and not getattr(self, field):
                raise ValueError(f"rewards: '{name}' has a weight but {field} is not set")
        return self

    @property
    def reward_weights(self) -> dict[str, float]:
        """The weights in force, in a fixed order."""
        given = {"model": self.reward_model, "function": self.reward}
        derived = {name: 1.0 for name in given if given[name]} or {"answer": 1.0}
        chosen = self.rewards or derived
        return {name: chosen[name] for name in REWARDS if name in chosen}
