"""Settings of the stages ``pretrain``, ``sft`` and ``reward``."""

from typing import Literal

from pydantic import Field, model_validator

from seekmath.core.recipe import Settings, Source

Schedule = Literal["multistep", "cosine", "wsd", "constant"]


class OptimizerSettings(Settings):
    """What every training stage has: AdamW with the paper's betas and decay, and a schedule."""

    peak_lr: float = Field(description="Highest learning rate.", gt=0)
    warmup_steps: int = Field(0, ge=0, description="Steps of linear warm-up.")
    schedule: Schedule = Field(
        "constant",
        description="After warm-up: multistep (×0.316 at 80%, ×0.1 at 90% of the steps), cosine"
        " (to a tenth), wsd (flat, then down to 0) or constant.",
    )
    decay_share: float = Field(0.1, gt=0, le=1, description="wsd: share of the steps that decay.")
    beta2: float = Field(0.95, gt=0, lt=1, description="AdamW's second beta (the first is 0.9).")
    weight_decay: float = Field(0.1, ge=0, description="AdamW's decay, not on norms and biases.")
    clip_norm: float = Field(1.0, gt=0, description="Gradient norm above which it is scaled down.")
    checkpoint_every: int = Field(200, ge=1, description="Steps between checkpoints, at least.")
    threads: int = Field(0, ge=0, description="CPU threads; 0 leaves torch's choice.")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, mps …")


class LoopSettings(OptimizerSettings):
    """What ``train/loop.py`` reads besides: which checkpoints are kept, which steps are skipped."""

    keep_checkpoints: int = Field(2, ge=1, description="How many of the last are kept.")
    keep_every: int = Field(
        0, ge=0, description="Checkpoints of steps divisible by this are kept too; 0 keeps none."
    )
    spike_sigma: float = Field(
        6.0,
        ge=0,
        description="A step is skipped whose loss or gradient norm is more than this many standard"
        " deviations above the mean of the last 128; 0 skips only what is no number.",
    )
    most_skips: int = Field(
        10, ge=1, description="Steps skipped in a row after which training stops."
    )


class LanguageSettings(LoopSettings):
    """What pre-training and fine-tuning share: batches, precision, ranks."""

    context: int = Field(256, ge=8, description="Tokens in a row.")
    rows_per_step: int = Field(8, ge=1, description="Rows in a batch, over all ranks.")
    micro_batch_rows: int = Field(
        0, ge=0, description="Rows of a rank that are computed at once; 0: all of its share."
    )
    precision: Literal["fp32", "bf16"] = Field(
        "fp32", description="Of activations and products; weights and optimizer stay fp32."
    )
    checkpoint_activations: bool = Field(
        False, description="Compute each layer again in the backward pass instead of storing it."
    )
    compile_layers: bool = Field(False, description="Compile each layer with torch.compile.")
    z_loss: float = Field(0.0, ge=0, description="Weight of the z-loss, such as 1e-4.")
    parallel: Literal["data", "fsdp"] = Field(
        "data",
        description="Under torchrun: data (every rank holds the model) or fsdp (in parts).",
    )
    tensor_parallel: int = Field(
        1, ge=1, description="Ranks that split each layer between them; needs fsdp."
    )
    log_every: int = Field(10, ge=1, description="Steps between logged lines.")
    tensorboard: bool = Field(False, description="Log to TensorBoard too.")
    wandb: str = Field("", description="Project of Weights & Biases to log to as well.")

    @model_validator(mode="after")
    def _tensors_need_fsdp(self) -> "LanguageSettings":
        if self.tensor_parallel > 1 and self.parallel != "fsdp":
            raise ValueError("tensor_parallel above 1 needs parallel: fsdp")
        return self


class Phase(Settings):
    """One part of pre-training: how long, on which mixture."""

    name: str = Field(description="Shown while it runs.", min_length=1)
    steps: int = Field(description="Optimizer steps.", ge=1)
    weights: dict[str, float] = Field(
        {}, description="Share of each corpus, summing to 1; empty takes those of the stage."
    )


class PretrainSettings(LanguageSettings):
    """Token shards in, a model folder out."""

    tokens: Source = Field(description="Output of `seekmath tokenize`.")
    model: Source = Field("", description="Model folder to continue from; empty starts afresh.")
    size: Literal["tiny", "small", "125m", "1.3b", "7b"] = Field(
        "tiny", description="Size of a fresh model."
    )
    steps: int = Field(1000, ge=1, description="Optimizer steps.")
    weights: dict[str, float] = Field(
        {}, description="Share of each corpus, summing to 1; empty goes by size."
    )
    phases: list[Phase] = Field(
        [], description="Parts in order, each with its steps and weights; their steps sum to steps."
    )
    schedule_per_phase: bool = Field(
        False, description="Warm up and decay in each phase anew, not once over all steps."
    )
    max_epochs: float = Field(
        4.0, gt=0, description="Passes over a corpus beyond which a warning is given."
    )
    peak_lr: float = Field(5.3e-4, description="Highest learning rate.", gt=0)
    warmup_steps: int = Field(2000, ge=0, description="Steps of linear warm-up.")
    schedule: Schedule = Field(
        "multistep",
        description="After warm-up: multistep (×0.316 at 80%, ×0.1 at 90% of the steps), cosine"
        " (to a tenth), wsd (flat, then down to 0) or constant.",
    )
    heldout_every: int = Field(
        200, ge=1, description="Steps between measurements of held-out loss."
    )
    heldout_rows: int = Field(64, ge=1, description="Rows of a held-out measurement.")

    @model_validator(mode="after")
    def _phases_fill_the_steps(self) -> "PretrainSettings":
        total = sum(phase.steps for phase in self.phases)
        if self.phases and total != self.steps:
            raise ValueError(f"steps: found {self.steps}; the steps of the phases sum to {total}")
        return self


class SftSettings(LanguageSettings):
    """A model and worked problems in, a fine-tuned model out."""

    model: Source = Field(description="Model folder to fine-tune.")
    problems: Source = Field(
        description="JSON lines: question and solution, messages, or prompt and completion."
    )
    kinds: list[str] = Field(
        [], description="Kinds of solution taken (cot, pot, tool, proof); empty: all."
    )
    limit: int = Field(0, ge=0, description="Problems taken at most; 0 takes all.")
    template: Literal["paper", "model"] = Field(
        "paper", description="'User: …' and 'Assistant:', or the model's own chat template."
    )
    epochs: float = Field(1.0, gt=0, description="Passes over the problems.")
    lora_rank: int = Field(
        0, ge=0, description="Train adapters of this rank only (LoRA, by peft); 0 trains all."
    )
    lora_alpha: int = Field(16, ge=1, description="The adapters count by alpha / rank.")
    peak_lr: float = Field(5e-5, description="Learning rate (constant in the paper).", gt=0)

    @model_validator(mode="after")
    def _adapters_are_whole(self) -> "SftSettings":
        if self.lora_rank and self.parallel == "fsdp":
            raise ValueError("lora_rank needs parallel: data (every rank holds the whole model)")
        return self


class RewardSettings(LoopSettings):
    """An SFT model and problems in, a reward model out."""

    kind: Literal["outcome", "preference", "process"] = Field(
        "outcome",
        description="outcome: is the answer right; preference: right above wrong, in pairs;"
        " process: does each step lead to the answer (Math-Shepherd).",
    )
    completions_per_step: int = Field(
        8, ge=1, description="process: continuations sampled from each step (Math-Shepherd: 8)."
    )
    estimate: Literal["hard", "soft"] = Field(
        "hard",
        description="process: a step's label: whether any continuation is right, or their share.",
    )

    model: Source = Field(
        description="Model folder that samples and that the reward model starts from."
    )
    problems: Source = Field(description="JSON lines with question and answer.")
    subjects: list[str] = Field([], description="Subjects of the problems taken; empty takes all.")
    questions: int = Field(500, ge=2, description="Questions sampled from.")
    samples_per_question: int = Field(8, ge=1, description="Solutions sampled of each question.")
    heldout_share: float = Field(
        0.2, gt=0, lt=1, description="Share of questions kept for measuring."
    )
    cut_share: float = Field(
        0.25,
        ge=0,
        le=1,
        description="Solutions ended early after one of their steps and learned beside the rest, as"
        " a share of them: a policy soon finds outputs that a reward model has never seen.",
    )
    temperature: float = Field(1.0, gt=0, description="Sampling temperature.")
    max_new_tokens: int = Field(128, ge=1, description="Tokens of a solution at most.")
    rows_per_step: int = Field(32, ge=1, description="Solutions in a batch.")
    epochs: float = Field(1.0, gt=0, description="Passes over the graded solutions.")
    peak_lr: float = Field(2e-5, description="Learning rate (2e-5 in the paper).", gt=0)
    log_every: int = Field(5, ge=1, description="Steps between logged lines.")
