"""Memory of GRPO beside PPO at equal batch (section 4.1): measured here, and planned for 7B.

PPO trains a critic as large as the policy; GRPO has the group's mean instead. Each method takes its
steps in a process of its own, since a peak counts for as long as its process lives. The model is
fresh: its weights outweigh the activations, and what it writes does not matter here.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from seekmath.core.artifact import read_manifest
from seekmath.core.files import BadInput, whole_file
from seekmath.core.recipe import load_recipe
from seekmath.reproduce.claims import Claim, Measured
from seekmath.reproduce.experiment import Experiment, Stages
from seekmath.reproduce.sizes import Size
from seekmath.stages import STAGES

_METHODS = ("grpo", "ppo")
_PEAK, _PLANNED = "peak of the process, MiB", "7B as planned, GiB"
_BATCH = {
    "subjects": ["gsm8k"], "questions_per_step": 4, "group_size": 4, "max_new_tokens": 16,
    "steps": 2, "peak_lr": 1.0e-6, "threads": 1, "device": "cpu",
}  # fmt: skip


def _stages(size: Size) -> Stages:
    made: Stages = {"world": dict(size.world)} if size.embedded else {}
    return {
        **made,
        "tokenize-memory": {
            "type": "tokenize",
            "corpus": {"solutions": size.corpora["solutions"]},
            "vocab_size": size.vocab_size,
        },
    }


def _measure(run: Path, size: Size) -> Measured:
    folder = run / "memory"
    model = folder / "model"
    if not model.exists():
        _make_model(model, run / "tokenize-memory" / "tokenizer")
    planned = _planned(folder / "7b.yaml")
    return {
        method: {
            _PEAK: {"": _peak_mib(method, model, run / size.problems, folder / method)},
            _PLANNED: {"": planned[method]},
        }
        for method in _METHODS
    }


def _make_model(folder: Path, tokenizer: Path) -> None:
    """A fresh model of 25 million parameters, 100 MiB in fp32."""
    from seekmath.corpus.tokenizer import Tokenizer
    from seekmath.model.decoder import Decoder
    from seekmath.model.folder import save_model
    from seekmath.model.sizes import ModelConfig

    config = ModelConfig(
        vocab_size=Tokenizer.load(tokenizer).vocab_size,
        hidden_size=512,
        intermediate_size=1408,
        num_hidden_layers=8,
        num_attention_heads=8,
        num_key_value_heads=8,
        head_dim=64,
        max_position_embeddings=256,
    )
    save_model(Decoder(config), folder, tokenizer)


def _peak_mib(method: str, model: Path, problems: Path, out: Path) -> float:
    """Peak resident memory of ``seekmath grpo``, run once in a process of its own."""
    manifest = read_manifest(out)
    if not manifest or manifest.state != "finished":
        options = {"model": model, "problems": problems, "method": method, "out": out, **_BATCH}
        command = [sys.executable, "-m", "seekmath.cli", "grpo", "--quiet", *_words(options)]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
        manifest = read_manifest(out)
        if done.returncode or not manifest:
            raise BadInput(f"{out}: {method} ended with {done.returncode}: {done.stderr[-300:]}")
    return manifest.peak_memory_mib


def _words(options: dict[str, Any]) -> list[str]:
    pairs = [
        (name, one)
        for name, value in options.items()
        for one in (value if isinstance(value, list) else [value])
    ]
    return [part for name, one in pairs for part in (f"--{name.replace('_', '-')}", str(one))]


def _planned(path: Path) -> dict[str, float]:
    """GiB of the paper's 7B model as ``seekmath plan`` counts them, fp32 on one GPU."""
    from seekmath.plan import Machines, plan

    stages = {
        "pretrain": {"tokens": "tokens", "size": "7b", "context": 4096},
        "grpo": {"model": "pretrain/model", "problems": "problems.jsonl"},
    }
    with whole_file(path) as file:
        yaml.safe_dump({"name": "7b", "stages": stages}, file, sort_keys=False)
    recipe = load_recipe(path, [], STAGES, inputs=False)
    entry = plan(recipe, Machines(1, 141, 989, 0.4), vocab_size=102_400)[-1]
    return {"grpo": entry["memory_gib"]["all"], "ppo": entry["memory_gib_ppo"]["all"]}


def _claims(size: Size) -> list[Claim]:
    return [Claim("PPO needs more memory than GRPO at equal batch.", "ppo", _PEAK, "grpo")]


MEMORY = Experiment(
    title="Memory of GRPO beside PPO",
    place="Section 4.1",
    stages=_stages,
    measure=_measure,
    claims=_claims,
    paper={},
    differs="The paper gives no figures. Measured with a fresh model of 25 million parameters and"
    " 16 short outputs a step, the program and its libraries included; planned for 7B from counts"
    " of weights, gradients, optimizer, reference, activations and cache.",
)
