"""Peak memory of a step: GRPO beside PPO at equal batch, and GRPO with LoRA.

    python benchmarks/grpo_memory.py

A random Llama (by default 52M parameters, fp32, on the CPU), the same questions, outputs of equal
length; each case runs in a process of its own, two steps, and tells its largest resident memory
above that of the same process before the models are loaded. The weights' own size stands beside.
"""

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seekmath.core.artifact import machine, versions
from seekmath.core.files import write_json

_CASES: dict[str, dict[str, Any]] = {
    "grpo": {},
    "ppo": {"method": "ppo"},
    "grpo lora": {"lora_rank": 8},
    "grpo without kl": {"kl_weight": 0.0},
}
_WORDS = "What is 1 plus 2? User: Assistant: #### 3 4 5 6 7 8 9 0"


def make_model(folder: Path, width: int, layers: int) -> int:
    """A random model with a small tokenizer; its parameters."""
    from seekmath.corpus.tokenizer import Tokenizer
    from seekmath.model.decoder import Decoder
    from seekmath.model.folder import save_model
    from seekmath.model.sizes import sized

    tokenizer = Tokenizer.train([_WORDS] * 3, 300)
    tokenizer.save(folder / "tokenizer")
    config = sized("125m", tokenizer.vocab_size, 256, eos_token_id=tokenizer.eos_id)
    config = replace(
        config,
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        num_key_value_heads=width // 64,
        head_dim=64,
    )
    model = Decoder(config, seed=0)
    save_model(model, folder / "model", folder / "tokenizer")
    (folder / "train.jsonl").write_text(
        "".join(f'{{"question": "What is {n} plus 2?", "answer": {n + 2}}}\n' for n in range(4))
    )
    (folder / "reward.py").write_text(
        "def reward(completions):\n    return [sum(map(ord, c)) % 5 for c in completions]\n"
    )
    return sum(parameter.numel() for parameter in model.parameters())


def run_case(folder: Path, name: str) -> None:
    """Two steps of a case; its peak goes into a file."""
    from seekmath.core.job import Job
    from seekmath.rl.settings import GrpoSettings
    from seekmath.rl.trainer import grpo

    settings = GrpoSettings.model_validate(
        {
            "model": str(folder / "model"),
            "problems": str(folder / "train.jsonl"),
            "reward": str(folder / "reward.py"),
            "group_size": 4,
            "questions_per_step": 2,
            "steps": 2,
            "max_new_tokens": 16,
            "micro_batch_tokens": 256,
            # One at the end only: its copy is no part of a step.
            "checkpoint_every": 99,
            "threads": 1,
            "device": "cpu",
            **_CASES[name],
        }
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peaks: list[int] = []

    class Watched(Job):
        def log(self, step: int, **metrics: Any) -> None:
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
            super().log(step, **metrics)

    with Watched.open(folder / name.replace(" ", "-"), 0) as job:
        grpo(settings, job)
    (folder / f"{name}.json").write_text(json.dumps([before, *peaks]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--layers", type=int, default=12)
    given = parser.parse_args()
    rows = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        count = make_model(folder, given.width, given.layers)
        for name in _CASES:
            process = multiprocessing.get_context("spawn").Process(
                target=run_case, args=(folder, name)
            )
            process.start()
            process.join()
            before, *peaks = json.loads((folder / f"{name}.json").read_text())
            rows[name] = round((peaks[-1] - before) / 1024)
    found = {
        "parameters": count,
        "weights_mib": round(count * 4 / 2**20),
        "peak_mib": rows,
        "grpo_of_ppo": round(rows["grpo"] / rows["ppo"], 3),
        "lora_of_grpo": round(rows["grpo lora"] / rows["grpo"], 3),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "versions": versions(),
        "command": "python " + " ".join(sys.argv),
    }
    write_json(Path(__file__).parent / "results" / f"grpo-memory-{found['date']}.json", found)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
