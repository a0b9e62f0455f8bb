"""Settings of the stage ``grpo``; the paper's values are in the descriptions (section 4.2)."""

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from seekmath.core.complaints import unknown
from seekmath.core.recipe import Source
from seekmath.train.settings import OptimizerSettings

#: Rewards by name; what each measures stands in ``rl/rewards.py``.
REWARDS = ("answer", "format", "length", "code", "model", "process", "function")
#: Alarms by name; what each says stands in ``rl/alarms.py``.
ALARMS = ("entropy", "kl", "length", "truncated", "exploited", "logprob_gap")


class GrpoSettings(OptimizerSettings):
    """A model and problems in, a better model out."""

    method: Literal["grpo", "ppo", "online_rft", "rft", "dpo"] = Field(
        "grpo", description="Method of the paper's Table 10."
    )
    model: Source = Field(description="Model folder of the policy to improve.")
    problems: dict[str, Source] = Field(
        description="JSON lines with question and answer, one file or several by name; your reward"
        " function gets all columns."
    )
    weights: dict[str, float] = Field(
        {}, description="Share of each file of problems, summing to 1; empty goes by size."
    )
    subjects: list[str] = Field([], description="Subjects of the problems taken; empty takes all.")
    kinds: list[str] = Field(
        [],
        description="Kinds of problem taken (cot, pot, tool), where a problem tells; empty: cot,"
        " or tool in mode tool.",
    )
    mode: Literal["text", "tool"] = Field(
        "text",
        description="tool: programs that the policy writes are run and their output enters the"
        " context, outside the loss (tool-integrated reasoning; takes problems of kind tool).",
    )
    rounds: int = Field(2, ge=1, description="tool: rounds of generating and executing.")
    unsafe: bool = Field(
        False, description="Run model-written programs even where nothing can isolate them."
    )
    levels: list[int] = Field(
        [],
        description="Levels of the problems taken; empty takes all. Questions that the policy never"
        " answers cost the most tokens and teach nothing.",
    )
    reward_model: Source = Field(
        "", description="Folder of an outcome reward model; rewards with its probability."
    )
    supervision: Literal["outcome", "process"] = Field(
        "outcome",
        description="grpo: what is standardised: an output's reward, or those of its steps, which"
        " a process reward model gives.",
    )
    process_model: Source = Field("", description="Folder of a process reward model.")
    step_counted: Literal["own", "later"] = Field(
        "own",
        description="process: whether a step's last token is moved by its own step (the paper's"
        " index(j) >= t) or only by later ones.",
    )
    reward: Source = Field(
        "",
        description="Python file with your reward function,"
        " (prompts, completions, **columns) -> list of numbers.",
    )
    reward_name: str = Field("reward", description="Name of the function in that file.")
    reward_timeout_s: float = Field(
        120.0,
        gt=0,
        description="Seconds that your function may take for the samples of a step; samples that"
        " it is late with get no gradient and are counted.",
    )
    rewards: dict[str, float] = Field(
        {},
        description="Weights of the rewards answer, format, length, code, model, process (lowest"
        " of its steps), function; empty: 1 for your function and the reward model where given,"
        " else 1 for the answer.",
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
    clip_high: float = Field(
        0.0, ge=0, description="Another clip above one, as in DAPO (0.28); 0: clip_epsilon."
    )
    ratio: Literal["token", "output"] = Field(
        "token", description="Probability ratio of a token, or of the whole output as in GSPO."
    )
    importance_cap: float = Field(
        0.0,
        ge=0,
        description="Weigh tokens by the ratio of trainer to sampler, at most this; 0: do not.",
    )
    loss_mean: Literal["outputs", "tokens", "constant"] = Field(
        "outputs",
        description="Mean over an output's tokens and then over outputs (the paper), over all"
        " tokens (DAPO), or sum by max_new_tokens (Dr. GRPO).",
    )
    updates_per_batch: int = Field(
        1, ge=1, description="Updates on the samples of one step, mu (paper: 1)."
    )
    std: Literal["population", "sample", "none"] = Field(
        "population",
        description="Deviation that scales a group's rewards: squares divided by G or by G - 1."
        " The paper leaves it open; the group is all that is standardised, so population."
        " none: rewards are centred only (Dr. GRPO).",
    )
    zero_variance: float = Field(
        1e-6, ge=0, description="A group with a deviation up to this has advantages of zero."
    )
    resample: int = Field(
        0,
        ge=0,
        description="Groups with equal rewards are replaced by those of other questions, asked at"
        " most this many times (DAPO's dynamic sampling).",
    )
    truncated: Literal["keep", "mask", "punish"] = Field(
        "keep",
        description="An output cut at max_new_tokens: judged like others, left out of the"
        " gradient, or given one less.",
    )
    iterations: int = Field(
        1,
        ge=1,
        description="Outer iterations of Algorithm 1, of equal steps: before each the reference"
        " becomes the policy, and the reward model is trained on.",
    )
    replay_share: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="Share of earlier samples when the reward model is trained on (paper: 0.1).",
    )
    replay: Source = Field(
        "", description="samples.parquet of the stage reward, to be replayed as well."
    )
    labelled_samples: int = Field(
        512,
        ge=1,
        description="Samples of an iteration whose steps are labelled anew to train a process"
        " reward model on.",
    )
    completions_per_step: int = Field(
        8, ge=1, description="Continuations sampled from each step to label it."
    )
    reward_lr: float = Field(
        2e-5, gt=0, description="Learning rate when the reward model is trained on (paper: 2e-5)."
    )
    discount: float = Field(1.0, gt=0, le=1, description="ppo: discount of later rewards.")
    gae_lambda: float = Field(0.95, ge=0, le=1, description="ppo: smoothing of the advantages.")
    critic_lr_factor: float = Field(
        10.0, gt=0, description="ppo: the critic's learning rate, as a multiple of the policy's."
    )
    dpo_beta: float = Field(0.1, gt=0, description="dpo: beta of the log-ratios.")
    dpo_ratio: Literal["mean", "sum"] = Field(
        "mean",
        description="dpo: an output's log-ratio is the mean over its tokens, as the paper prints"
        " it, or the sum, as DPO was published.",
    )
    lora_rank: int = Field(
        0,
        ge=0,
        description="Learn by low-rank additions to the projections (LoRA) of this rank; the"
        " reference is the base itself and takes no memory. 0: all weights learn.",
    )
    lora_alpha: float = Field(
        16.0, gt=0, description="Weight of the additions: they count by alpha / rank."
    )
    reference_in: Literal["memory", "file"] = Field(
        "memory",
        description="file: the reference's weights lie in a file of the output folder and take"
        " memory only while they are read, before there are gradients (CPU).",
    )
    temperature: float = Field(1.0, gt=0, description="Temperature of sampling and of the policy.")
    top_p: float = Field(1.0, gt=0, le=1, description="Nucleus of sampling; 1 samples from all.")
    max_new_tokens: int = Field(1024, ge=1, description="Longest completion (paper: 1,024).")
    precision: Literal["fp32", "bf16"] = Field(
        "fp32",
        description="What the linear layers multiply in; weights, sums and the rest stay in fp32.",
    )
    micro_batch_tokens: int = Field(
        8192,
        ge=1,
        description="Tokens computed at once, padding included; the loss stays the same.",
    )
    sampler: Literal["native", "vllm"] = Field(
        "native",
        description="vllm: rollouts by a vLLM engine beside the trainer, for GPUs (one process,"
        " mode text).",
    )
    vllm_memory: float = Field(
        0.3, gt=0, le=1, description="Share of the device's memory that the vLLM engine takes."
    )
    sampler_rows: int = Field(256, ge=1, description="Completions under way at once.")
    peak_lr: float = Field(1e-6, description="Learning rate (1e-6 in the paper).", gt=0)
    weight_decay: float = Field(
        0.0, ge=0, description="AdamW's decay; zero, as the KL term already holds the policy."
    )
    least_entropy: float = Field(
        0.1,
        ge=0,
        description="Alarm entropy: the policy's, over ten steps, has fallen to this share of that"
        " of the first ten.",
    )
    most_kl: float = Field(
        1.0, gt=0, description="Alarm kl: nats per token to the reference, over five steps."
    )
    most_drift: float = Field(
        3.0,
        gt=1,
        description="Alarm length: the mean length has grown or shrunk by this factor.",
    )
    most_truncated: float = Field(
        0.5, gt=0, le=1, description="Alarm truncated: share of outputs without an end token."
    )
    most_gap: float = Field(
        0.5,
        gt=0,
        description="Alarm logprob_gap: sampler and trainer differ by so many nats on a token.",
    )
    stop_on: list[str] = Field(
        [], description="Alarms that end the run; the others are only told and logged."
    )
    most_skipped: int = Field(
        5,
        ge=1,
        description="Steps in a row without an update (loss or gradient not finite, or no reward)"
        " after which the run ends.",
    )
    checkpoint_every: int = Field(20, ge=1, description="Steps between checkpoints.")
    rollout_every: int = Field(10, ge=1, description="Steps between kept rollout files.")

    @field_validator("problems", mode="before")
    @classmethod
    def _one_file(cls, value: Any) -> Any:
        """A single file stands under its own name."""
        if isinstance(value, str):
            return {value.rstrip("/").split("/")[-1].split(".")[0]: value} if value else {}
        return value

    @field_validator("weights")
    @classmethod
    def _sum_to_one(cls, value: dict[str, float]) -> dict[str, float]:
        if value and abs(sum(value.values()) - 1) > 1e-6:
            raise ValueError(f"weights sum to {sum(value.values()):.4f}; they must sum to 1")
        return value

    @model_validator(mode="after")
    def _names_are_known(self) -> "GrpoSettings":
        for name in self.weights:
            if name not in self.problems:
                raise ValueError(unknown("weights", name, list(self.problems)))
        for name in self.stop_on:
            if name not in ALARMS:
                raise ValueError(unknown("stop_on", name, list(ALARMS)))
        return self

    @model_validator(mode="after")
    def _rewards_can_be_had(self) -> "GrpoSettings":
        for name in self.rewards:
            if name not in REWARDS:
                raise ValueError(unknown("rewards", name, list(REWARDS)))
        needed = {"model": "reward_model", "process": "process_model", "function": "reward"}
        for name, field in needed.items():
            if name in self.rewards and not getattr(self, field):
                raise ValueError(f"rewards: '{name}' has a weight but {field} is not set")
        if self.supervision == "process" and not self.process_model:
            raise ValueError("supervision: process needs process_model: FOLDER")
        if self.process_model and self.supervision != "process" and "process" not in self.rewards:
            raise ValueError("process_model: needs supervision: process, or a weight for process")
        if self.supervision == "process" and self.method != "grpo":
            raise ValueError(f"supervision: process is for method grpo, not {self.method}")
        if self.lora_rank and self.iterations > 1:
            raise ValueError("lora_rank: the reference is the base, so iterations must be 1")
        if self.lora_rank and self.reference_in == "file":
            raise ValueError("reference_in: with lora_rank the reference takes no memory anyway")
        if self.sampler == "vllm" and self.mode == "tool":
            raise ValueError("sampler: vllm draws whole outputs; mode tool needs sampler native")
        if self.steps % self.iterations:
            raise ValueError(f"steps: {self.steps} must be a multiple of iterations")
        return self

    @property
    def kinds_taken(self) -> list[str]:
        """Kinds of problem taken."""
        return self.kinds or (["tool"] if self.mode == "tool" else ["cot"])

    @property
    def runs_programs(self) -> bool:
        """Whether a sandbox is needed."""
        return self.mode == "tool" or "code" in self.rewards

    @property
    def trained_reward(self) -> bool:
        """Whether a reward model takes part."""
        return bool(self.reward_model or self.process_model)

    @property
    def keeps_frozen(self) -> bool:
        """Whether the policy as it was handed over is needed: for the KL term or as data source."""
        return self.kl_weight > 0 or not self.draws_online

    @property
    def draws_online(self) -> bool:
        """Whether outputs come from the policy as it is, not from the one handed over."""
        return self.method not in ("rft", "dpo")

    @property
    def reward_weights(self) -> dict[str, float]:
        """The weights in force, in a fixed order."""
        given = {"model": self.reward_model, "function": self.reward}
        derived = {name: 1.0 for name in given if given[name]} or {"answer": 1.0}
        chosen = self.rewards or derived
        return {name: chosen[name] for name in REWARDS if name in chosen}
