"""What writing a checkpoint costs a training step: in the background, and blocking.

Seconds are of the training thread (its own processor time and, for the blocking save, its waiting),
so that other programs on the machine count little. The model is one of width 256, 4 layers, a
vocabulary of 32,000; a checkpoint holds weights and both moments.

    python benchmarks/checkpoint_overhead.py --every 20
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch
from timing import save

from seekmath.model.decoder import Decoder
from seekmath.model.parallel import ALONE
from seekmath.model.sizes import sized
from seekmath.train.checkpoint import folder_of, save_checkpoint
from seekmath.train.optimizer import make_adamw, update
from seekmath.train.saver import Saver
from seekmath.train.settings import OptimizerSettings


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--every", type=int, default=20, help="Steps between checkpoints.")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    model = Decoder(sized("small", 32_000, 256))
    optimizer = make_adamw(model, OptimizerSettings(peak_lr=1e-3))
    tokens = torch.randint(0, 32_000, (8, 256))
    seconds: dict[str, list[float]] = {"step": [], "background": [], "blocking": []}

    def step() -> None:
        hidden = model.hidden(tokens)
        hidden.square().mean().backward()
        update(model, optimizer, 1e-3, 1.0)

    step()
    with tempfile.TemporaryDirectory() as name:
        saver = Saver(Path(name) / "background", ALONE, 2, 0, print)
        for number in range(1, asked.rounds + 1):
            began = time.thread_time()
            step()
            seconds["step"].append(time.thread_time() - began)
            began = time.thread_time()
            saver.save(number, model, optimizer, {})
            seconds["background"].append(time.thread_time() - began)
            step()
            saver.finish()
            began = time.monotonic()
            save_checkpoint(Path(name) / "blocking", number, model, optimizer)
            seconds["blocking"].append(time.monotonic() - began)
        last = folder_of(Path(name) / "blocking", asked.rounds)
        size = sum(file.stat().st_size for file in last.rglob("*") if file.is_file())
    median = {key: statistics.median(values) for key, values in seconds.items()}
    share = {
        key: round(median[key] / (asked.every * median["step"]), 4)
        for key in ("background", "blocking")
    }
    found = {"seconds": median, "added_to_step_time": share, "checkpoint_every": asked.every}
    save("checkpoint-overhead", {**found, "checkpoint_mib": round(size / 2**20, 1)})


if __name__ == "__main__":
    main()
