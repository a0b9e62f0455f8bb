"""Peak memory of the loss over a vocabulary of 100K for 4,096 tokens: ours beside whole logits.

Each in a process of its own: how far the peak rises above what stood before the loss (states,
head), forward and backward.

    python benchmarks/loss_memory.py
"""

import argparse
import json
import resource
import subprocess
import sys

from timing import save

VOCABULARY, WIDTH, TOKENS = 102_400, 256, 4096


def one(name: str) -> None:
    import torch

    from seekmath.train.language import summed_cross_entropy

    torch.set_num_threads(1)
    torch.manual_seed(0)
    hidden = torch.randn(TOKENS, WIDTH, requires_grad=True)
    weight = (torch.randn(VOCABULARY, WIDTH) / 16).requires_grad_()
    target = torch.randint(0, VOCABULARY, (TOKENS,))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if name == "seekmath":
        loss = summed_cross_entropy(hidden, weight, target)
    else:
        loss = torch.nn.functional.cross_entropy(hidden @ weight.T, target, reduction="sum")
    loss.backward()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    gradient = float(weight.grad.norm())
    print(json.dumps({"mib": (peak - before) / 1024, "loss": loss.item(), "norm": gradient}))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--one", choices=["seekmath", "whole"])
    asked = parser.parse_args()
    if asked.one:
        one(asked.one)
        return
    found = {}
    for name in ("seekmath", "whole"):
        command = [sys.executable, __file__, "--one", name]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
        found[name] = json.loads(ran.stdout.splitlines()[-1])
    ratio = found["whole"]["mib"] / found["seekmath"]["mib"]
    work = {"vocabulary": VOCABULARY, "width": WIDTH, "tokens": TOKENS}
    save("loss-memory", {"work": work, "found": found, "whole_by_ours": round(ratio, 2)})


if __name__ == "__main__":
    main()
