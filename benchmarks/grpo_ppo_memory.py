"""Peak memory of a GRPO step and of a PPO step: equal batch, a critic as large as the policy.

A process for each method, on a model whose weights outweigh its activations, with the reference in
memory and in a file. What the peak consists of is counted from the tensors that are alive;
activations are the rest.

    python benchmarks/grpo_ppo_memory.py
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import timing
import torch
from grpo_peers import WORKLOADS, Ours, make_folder

from seekmath.model.decoder import Decoder
from seekmath.model.host import use_cpu
from seekmath.model.sizes import ModelConfig, sized

_METHODS = ("grpo", "ppo")
_SHAPE = {"hidden_size": 640, "intermediate_size": 1728, "num_hidden_layers": 10, "head_dim": 80}
_BATCH = {"questions_per_step": 4, "group_size": 4, "max_new_tokens": 16}


def measure(method: str, place: str) -> dict[str, float]:
    """Peak resident MiB of this process above what it holds without a model, and its parts."""
    with tempfile.TemporaryDirectory() as scratch:
        make_folder(WORKLOADS["A"], Path(scratch), 16, **_SHAPE)
        bare = _resident("VmRSS")
        use_cpu(1)
        ours = Ours(Path(scratch), method=method, reference_in=place, peak_lr=1e-6, **_BATCH)
        ours.step()
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
        ours.step()
    peak = _resident("VmHWM") - bare
    trained = [ours.setup.policy, *(c.network for c in ours.method.companions.values())]
    optimizers = [ours.optimizer, *(c.optimizer for c in ours.method.companions.values())]
    sizes = [_mib(model.parameters()) for model in trained]
    parts = {
        "weights": sum(sizes),
        # In a file it is let go before there are gradients.
        "reference": _mib(ours.setup.frozen.parameters()) if place == "memory" else 0.0,
        # Policy and critic are moved one after the other: one's gradients are gone by then.
        "gradients": max(sizes),
        "optimizer": sum(_mib(s.values()) for o in optimizers for s in o.state.values()),
    }
    rest = peak - sum(parts.values())
    return {"peak": round(peak), **{k: round(v) for k, v in parts.items()}, "rest": round(rest)}


def counted_gib(config: ModelConfig) -> dict[str, float]:
    """What a size would take in fp32 without activations: five and eight times its weights."""
    with torch.device("meta"):
        weights = sum(p.numel() for p in Decoder(config).parameters()) * 4 / 2**30
    # Policy, gradient, two of AdamW, reference; the critic adds itself and its own two.
    return {"grpo": round(5 * weights), "ppo": round(8 * weights)}


def _mib(tensors: Any) -> float:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors) / 2**20


def _resident(name: str) -> float:
    status = Path("/proc/self/status").read_text()
    return int(re.findall(rf"{name}:\s+(\d+) kB", status)[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", nargs=2, metavar=("METHOD", "PLACE"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.measure:
        print(json.dumps(measure(*given.measure)))
        return
    found: dict[str, Any] = {"model": _SHAPE, "batch": _BATCH, "unit": "MiB"}
    for place in ("memory", "file"):
        row: dict[str, Any] = {}
        for method in _METHODS:
            command = [sys.executable, __file__, "--measure", method, place]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            row[method] = json.loads(done.stdout.splitlines()[-1])
        row["grpo_of_ppo"] = round(row["grpo"]["peak"] / row["ppo"]["peak"], 3)
        found[f"reference in {place}"] = row
    found["counted for 7B, GiB, no activations"] = counted_gib(sized("7b", 102_400, 4096))
    timing.save("grpo-ppo-memory", found)


if __name__ == "__main__":
    main()
