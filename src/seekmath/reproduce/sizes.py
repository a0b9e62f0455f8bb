"""Sizes of the re-enactment: what the same experiment costs on a laptop and beyond.

``nano`` shows in minutes that an experiment runs; its figures mean nothing. ``laptop`` is for two
cores: about thirty minutes an experiment with its three seeds, beside what it shares with others.
Nothing here was tuned for a claim to hold: learning rates are those of recipes/laptop.yaml, steps
what the minutes allow.
"""

from dataclasses import dataclass, field
from typing import Any

from seekmath.world.formal import MINI_MINIF2F


@dataclass(frozen=True)
class Size:
    """Settings of the stages that all experiments share.

    Attributes:
        seeds: trainings of each arm.
        samples: K of Maj@K and Pass@K.
        process: what the process reward model is trained on, where not as the outcome model.
        trial_steps, trial_epochs: pre-training steps and fine-tuning of an arm that compares
            corpora or schedules.
        iterations: outer iterations of iterative GRPO; they divide its steps.
        device, threads: where the models run.
        formal: the stage that makes theorems; none: they lie in files.
        texts: corpora beside the web, name → folder; none: those of the embedded world.
        machines: what ``seekmath plan`` is asked about; none: any machine runs it.
    """

    name: str
    seeds: int
    samples: int
    world: dict[str, Any]
    pretrain: dict[str, Any]
    sft: dict[str, Any]
    reward: dict[str, Any]
    grpo: dict[str, Any]
    process: dict[str, Any] = field(default_factory=dict)
    mine: dict[str, Any] = field(default_factory=dict)
    formal: dict[str, Any] = field(default_factory=dict)
    vocab_size: int = 1536
    max_new_tokens: int = 80
    trial_steps: int = 500
    trial_epochs: float = 0.5
    iterations: int = 3
    threads: int = 2
    device: str = "auto"
    texts: dict[str, str] = field(default_factory=dict)
    machines: dict[str, Any] = field(default_factory=dict)

    @property
    def embedded(self) -> bool:
        """Whether web, corpora and problems are the embedded world's."""
        return bool(self.world)

    @property
    def corpora(self) -> dict[str, str]:
        """Corpora beside the web: name → folder."""
        made = {name: f"world/corpora/{name}" for name in self.world.get("corpora", ())}
        return self.texts or made

    @property
    def problems(self) -> str:
        """The training problems."""
        return "world/problems/train.jsonl" if self.embedded else "data/train.jsonl"

    @property
    def benchmarks(self) -> str:
        """The folder of the benchmarks."""
        return "world/benchmarks" if self.embedded else "data/benchmarks"

    @property
    def theorems(self) -> str:
        """The training theorems with their proofs."""
        return "world-formal/problems/formal.jsonl" if self.embedded else "data/formal.jsonl"

    @property
    def formal_sets(self) -> dict[str, str]:
        """Benchmarks of statements to prove: name → file."""
        if self.embedded:
            return {MINI_MINIF2F: f"world-formal/benchmarks/{MINI_MINIF2F}.jsonl"}
        names = ("minif2f-valid", "minif2f-test")
        return {name: f"{self.benchmarks}/{name}.jsonl" for name in names}

    @property
    def sets(self) -> tuple[str, str, str]:
        """Benchmarks of English sums, English mathematics and Chinese sums."""
        return (
            ("mini-gsm8k", "mini-math", "mini-cmath")
            if self.embedded
            else ("gsm8k", "math", "cmath")
        )

    @property
    def ks(self) -> list[int]:
        """1, 2, 4 … up to the number of samples."""
        return [2**power for power in range(self.samples.bit_length())]


_MINE = {
    "dim": 64, "buckets": 200_000, "least_updates": 30_000, "negatives_per_seed": 8,
    "least_score": 0.2, "rounds": 4,
}  # fmt: skip
_GRPO = {
    "subjects": ["gsm8k"], "levels": [2, 3], "peak_lr": 1.0e-4, "warmup_steps": 5, "beta2": 0.99,
    "kl_weight": 0.02, "max_new_tokens": 80, "micro_batch_tokens": 2048,
}  # fmt: skip
_TEXTS = {"code": 3000, "papers": 1500, "general": 3000, "solutions": 2000}
#: A stage of theorems; of the web that it makes beside them nothing is read.
_FORMAL = {"pages": 100, "training_problems": {}, "benchmark_size": 1, "gsm8k_size": 1}
_SFT = {"kinds": ["cot"], "context": 192, "rows_per_step": 6, "peak_lr": 5.0e-4}

SIZES = {
    "nano": Size(
        "nano",
        seeds=2,
        samples=8,
        world={
            "pages": 600,
            "gsm8k_size": 60,
            "benchmark_size": 20,
            "training_problems": {"gsm8k": 300, "math": 40, "cmath": 40},
            "corpora": {"code": 100, "papers": 60, "general": 100, "solutions": 100},
        },
        mine={**_MINE, "dim": 16, "least_updates": 3000, "rounds": 2},
        formal={**_FORMAL, "formal_problems": 300, "formal_size": 24},
        pretrain={"size": "tiny", "context": 192, "rows_per_step": 4, "steps": 60,
                  "peak_lr": 3.0e-3, "warmup_steps": 10},
        sft={**_SFT, "epochs": 1},
        reward={"questions": 20, "samples_per_question": 4, "peak_lr": 3.0e-4, "epochs": 1},
        grpo={**_GRPO, "group_size": 4, "questions_per_step": 4, "steps": 6},
        vocab_size=768,
        trial_steps=20,
        iterations=2,
    ),
    "laptop": Size(
        "laptop",
        seeds=3,
        samples=64,
        world={"pages": 12_000, "gsm8k_size": 400, "corpora": _TEXTS},
        mine=_MINE,
        formal={**_FORMAL, "formal_problems": 3000, "formal_size": 320},
        pretrain={"size": "tiny", "context": 192, "rows_per_step": 6, "steps": 2400,
                  "peak_lr": 3.0e-3, "warmup_steps": 100},
        sft={**_SFT, "epochs": 3},
        reward={"kind": "preference", "questions": 1000, "samples_per_question": 8,
                "peak_lr": 3.0e-4, "epochs": 4},
        process={"questions": 200, "epochs": 4},
        grpo={**_GRPO, "group_size": 8, "questions_per_step": 16, "steps": 99},
        trial_steps=600,
        trial_epochs=0.75,
    ),
}  # fmt: skip
#: Workstation and GPU: larger models, more steps and seeds; on a GPU threads do not matter.
SIZES["workstation"] = Size(
    "workstation",
    seeds=5,
    samples=64,
    world={"pages": 60_000, "gsm8k_size": 1000, "benchmark_size": 300,
           "corpora": {name: 5 * count for name, count in _TEXTS.items()}},
    mine=_MINE,
    formal={**_FORMAL, "formal_problems": 12_000, "formal_size": 480},
    pretrain={"size": "small", "context": 256, "rows_per_step": 16, "steps": 6000,
              "peak_lr": 2.0e-3, "warmup_steps": 200},
    sft={**_SFT, "context": 256, "rows_per_step": 16, "epochs": 3},
    reward={"questions": 1000, "samples_per_question": 8, "peak_lr": 2.0e-4, "epochs": 2},
    grpo={**_GRPO, "group_size": 16, "questions_per_step": 16, "steps": 198},
    vocab_size=4096,
    trial_steps=2000,
    threads=0,
)  # fmt: skip
SIZES["gpu"] = Size(
    "gpu",
    seeds=3,
    samples=64,
    world={"pages": 60_000, "gsm8k_size": 1000, "benchmark_size": 300,
           "corpora": {name: 5 * count for name, count in _TEXTS.items()}},
    mine=_MINE,
    formal={**_FORMAL, "formal_problems": 12_000, "formal_size": 480},
    pretrain={"size": "125m", "context": 512, "rows_per_step": 32, "steps": 1000,
              "peak_lr": 6.0e-4, "warmup_steps": 100, "precision": "bf16"},
    sft={**_SFT, "context": 512, "rows_per_step": 32, "peak_lr": 1.0e-4, "epochs": 3,
         "precision": "bf16"},
    reward={"questions": 500, "samples_per_question": 8, "peak_lr": 5.0e-5, "epochs": 2},
    grpo={**_GRPO, "peak_lr": 2.0e-5, "group_size": 16, "questions_per_step": 32, "steps": 60,
          "micro_batch_tokens": 16_384},
    vocab_size=4096,
    trial_steps=2000,
    threads=0,
    machines={"gpus": 1, "memory_gib": 141, "peak_tflops": 989, "mfu": 0.3},
)  # fmt: skip
#: The paper's own scale, on a crawl, corpora and benchmarks in folders; docs/reproducing.md says
#: what each holds. Its 1.3B model throughout: GRPO's five copies of 7B in fp32 fill no GPU.
_FSDP = {
    "precision": "bf16",
    "parallel": "fsdp",
    "micro_batch_rows": 4,
    "checkpoint_activations": True,
}
SIZES["paper"] = Size(
    "paper",
    seeds=3,
    samples=64,
    world={},
    mine={"crawl": [], "snapshot": "CC-MAIN-2024-33", "rounds": 4},
    pretrain={"size": "1.3b", "context": 4096, "rows_per_step": 1024, "steps": 35_763,
              "peak_lr": 5.3e-4, "warmup_steps": 2000, "compile_layers": True, **_FSDP},
    sft={"kinds": ["cot"], "context": 4096, "rows_per_step": 256, "epochs": 1, "peak_lr": 5.0e-5,
         **_FSDP},
    reward={"questions": 144_000, "samples_per_question": 15, "peak_lr": 2.0e-5, "epochs": 1},
    grpo={"subjects": ["gsm8k", "math"], "group_size": 64, "questions_per_step": 16, "steps": 9000,
          "peak_lr": 1.0e-6, "kl_weight": 0.04, "max_new_tokens": 1024,
          "micro_batch_tokens": 4096, "sampler_rows": 32},
    vocab_size=102_400,
    max_new_tokens=1024,
    trial_steps=35_763,
    trial_epochs=1.0,
    threads=0,
    texts={name: f"data/corpora/{name}" for name in _TEXTS},
    machines={"gpus": 64, "memory_gib": 80, "peak_tflops": 989, "mfu": 0.4},
)  # fmt: skip
