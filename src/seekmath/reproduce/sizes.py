"""Sizes of the re-enactment: what the same experiment costs on a laptop and beyond.

``nano`` shows in minutes that an experiment runs; its figures mean nothing. ``laptop`` is for two
cores: about thirty minutes an experiment with its three seeds, beside what it shares with others.
Nothing here was tuned for a claim to hold: learning rates are those of recipes/laptop.yaml, steps
what the minutes allow.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Size:
    """Settings of the stages that all experiments share.

    Attributes:
        seeds: trainings of each arm.
        samples: K of Maj@K and Pass@K.
        trial_steps, trial_epochs: pre-training steps and fine-tuning of an arm that compares
            corpora or schedules.
        iterations: outer iterations of iterative GRPO; they divide its steps.
        device, threads: where the models run.
    """

    name: str
    seeds: int
    samples: int
    world: dict[str, Any]
    pretrain: dict[str, Any]
    sft: dict[str, Any]
    reward: dict[str, Any]
    grpo: dict[str, Any]
    mine: dict[str, Any] = field(default_factory=dict)
    vocab_size: int = 1536
    max_new_tokens: int = 80
    trial_steps: int = 500
    trial_epochs: float = 0.5
    iterations: int = 3
    threads: int = 2
    device: str = "auto"

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
        pretrain={"size": "tiny", "context": 192, "rows_per_step": 4, "steps": 60,
                  "peak_lr": 3.0e-3, "warmup_steps": 10},
        sft={**_SFT, "epochs": 3},
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
        pretrain={"size": "tiny", "context": 192, "rows_per_step": 6, "steps": 1600,
                  "peak_lr": 3.0e-3, "warmup_steps": 100},
        sft={**_SFT, "epochs": 2},
        reward={"questions": 200, "samples_per_question": 8, "peak_lr": 3.0e-4, "epochs": 2},
        grpo={**_GRPO, "group_size": 8, "questions_per_step": 16, "steps": 60},
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
    pretrain={"size": "125m", "context": 512, "rows_per_step": 64, "steps": 2000,
              "peak_lr": 6.0e-4, "warmup_steps": 100},
    sft={**_SFT, "context": 512, "rows_per_step": 32, "peak_lr": 1.0e-4, "epochs": 3},
    reward={"questions": 1000, "samples_per_question": 8, "peak_lr": 5.0e-5, "epochs": 2},
    grpo={**_GRPO, "peak_lr": 2.0e-5, "group_size": 16, "questions_per_step": 32, "steps": 99,
          "micro_batch_tokens": 16_384},
    vocab_size=4096,
    trial_steps=2000,
    threads=0,
)  # fmt: skip
