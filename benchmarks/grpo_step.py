"""A GRPO step by seekmath and by TRL's GRPOTrainer: CPU seconds, peak memory, grading's share.

The same prompts, weights, tokens per step, KL term and reward; one thread; TRL without vLLM and
without gradient checkpointing, at the best of the micro-batches tried. The hands alternate step by
step in one process; peak memory comes from a process for each.

    python benchmarks/grpo_step.py --steps 7
    python benchmarks/grpo_step.py --peak ours B fp32     (one process's peak, as JSON)
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import timing
import torch
from grpo_peers import (
    GROUP,
    NEW_TOKENS,
    QUESTIONS,
    WORKLOADS,
    Ours,
    make_folder,
    read_prompts,
    step_trl,
)

_PRECISIONS = ("fp32", "bf16")
# Of ours: as quick as larger ones, in less memory.
MICRO_TOKENS = 2048
_PACKAGES = ("trl", "transformers", "accelerate")


def compare_steps(
    folder: Path, precision: str, steps: int, micro: int, matmul: str
) -> dict[str, Any]:
    """Both hands' steps in turn; ``matmul`` is torch's float32 matmul precision for TRL."""
    ours = Ours(folder, precision=precision, micro_batch_tokens=MICRO_TOKENS)
    seconds: list[float] = []

    def our_turn() -> None:
        torch.set_float32_matmul_precision("highest")
        began = time.process_time()
        ours.step()
        seconds.append(time.process_time() - began)
        torch.set_float32_matmul_precision(matmul)

    torch.set_float32_matmul_precision(matmul)
    theirs = step_trl(folder, steps, micro, our_turn, bf16=precision == "bf16")
    torch.set_float32_matmul_precision("highest")
    lines = ours.lines[1:]
    our_s, their_s = statistics.median(seconds[1:]), statistics.median(theirs.seconds)
    return {
        "seekmath_s": round(our_s, 3),
        "trl_s": round(their_s, 3),
        "times_faster": round(their_s / our_s, 2),
        "seekmath_tokens": round(statistics.mean(line["completion_tokens"] for line in lines)),
        "trl_tokens": round(statistics.mean(theirs.tokens)),
        "seekmath_spread_s": _spread(seconds[1:]),
        "trl_spread_s": _spread(theirs.seconds),
        "trl_micro_batch": micro,
        "trl_matmul": matmul,
        "largest_logprob_gap": max(line["logprob_gap"] for line in lines),
        "seekmath_parts_s": {
            part: round(statistics.median(line[part] for line in lines), 3)
            for part in ("rollout_s", "reward_s", "update_s")
        },
    }


def _spread(seconds: list[float]) -> list[float]:
    return [round(min(seconds), 3), round(max(seconds), 3)]


def best_micro(folder: Path, precision: str) -> int:
    """The micro-batch with which TRL's steps are quickest."""

    def quickest(micro: int) -> float:
        done = step_trl(folder, 2, micro, lambda: None, bf16=precision == "bf16")
        return min(done.seconds)

    return min((16, 32, 64, 128), key=quickest)


def compare_generation(folder: Path, precision: str, rounds: int) -> dict[str, float]:
    """Sampling alone against transformers' generate on the same prompts."""
    import transformers

    from seekmath.model.sampler import sample

    ours = Ours(folder, precision=precision, micro_batch_tokens=MICRO_TOKENS)
    eos = ours.setup.tokenizer.eos_id
    prompts = [row["ids"] for row in read_prompts(folder)[:QUESTIONS]]
    theirs = transformers.AutoModelForCausalLM.from_pretrained(
        folder / "model", dtype="float32"
    ).eval()
    width = max(map(len, prompts))
    rows = [[0] * (width - len(ids)) + ids for ids in prompts for _ in range(GROUP)]
    seen = [[0] * (width - len(ids)) + [1] * len(ids) for ids in prompts for _ in range(GROUP)]
    config = transformers.GenerationConfig(
        max_new_tokens=NEW_TOKENS,
        do_sample=True,
        top_k=0,
        eos_token_id=eos,
        pad_token_id=0,
        disable_compile=True,
    )

    def generate() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"), torch.no_grad():
            theirs.generate(
                torch.tensor(rows),
                attention_mask=torch.tensor(seen),
                generation_config=config,
            )

    number = iter(range(1000))
    found = timing.medians(
        timing.cpu_seconds(
            {
                "seekmath": lambda: sample(
                    ours.setup.policy,
                    prompts,
                    n=GROUP,
                    max_new_tokens=NEW_TOKENS,
                    temperature=1.0,
                    stop_ids={eos},
                    seed=next(number),
                ),
                "transformers": generate,
            },
            rounds,
        )
    )
    return {
        "seekmath_s": round(found["seekmath"], 3),
        "transformers_s": round(found["transformers"], 3),
        "times_faster": round(found["transformers"] / found["seekmath"], 2),
    }


def peak(hand: str, folder: Path, precision: str, micro: int, steps: int = 2) -> dict[str, float]:
    """Peak resident memory of this process, and what it held before its first step, in GiB."""
    if hand == "ours":
        ours = Ours(folder, precision=precision, micro_batch_tokens=MICRO_TOKENS)
        before = _peak_gib()
        for _ in range(steps):
            ours.step()
    else:
        before = _peak_gib()
        step_trl(folder, steps - 1, micro, lambda: None, bf16=precision == "bf16")
    return {"peak_gib": _peak_gib(), "before_gib": before}


def _peak_gib() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 3)


def peaks(name: str, precision: str, micro: int) -> dict[str, Any]:
    """Each hand in a process of its own."""
    found = {}
    for hand in ("ours", "trl"):
        command = [sys.executable, __file__, "--peak", hand, name, precision, "--micro", str(micro)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found[hand] = json.loads(done.stdout.splitlines()[-1])
    return found


def grading_share(step_s: float) -> dict[str, float]:
    """CPU time of grading a step's worth of worked solutions, as a share of a step."""
    from seekmath.verify.grade import grade
    from seekmath.world.problems import benchmark

    problems = benchmark("gsm8k", QUESTIONS * GROUP, 0)

    def judge() -> None:
        for problem in problems:
            grade(problem["answer"], problem["solution"], strict=True)

    seconds = timing.medians(timing.cpu_seconds({"grade": judge}, 5))["grade"]
    return {"grading_s": round(seconds, 4), "share": round(seconds / step_s, 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=7)
    parser.add_argument("--workloads", nargs="+", default=list(WORKLOADS))
    parser.add_argument("--precisions", nargs="+", default=list(_PRECISIONS))
    parser.add_argument("--parts", nargs="*", default=["medium", "generation", "peak"])
    parser.add_argument("--micro", type=int, default=0, help="TRL's micro-batch; 0 finds the best")
    parser.add_argument("--peak", nargs=3, metavar=("HAND", "WORKLOAD", "PRECISION"))
    parser.add_argument("--no-save", action="store_true", help="print only")
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        if given.peak:
            hand, name, precision = given.peak
            make_folder(WORKLOADS[name], Path(scratch))
            print(json.dumps(peak(hand, Path(scratch), precision, given.micro)))
            return
        found: dict[str, Any] = {"work": __doc__.split("\n\n")[1].replace("\n", " ")}
        for name in given.workloads:
            folder = Path(scratch) / name
            make_folder(WORKLOADS[name], folder)
            for precision in given.precisions:
                micro = given.micro or best_micro(folder, precision)
                row = compare_steps(folder, precision, given.steps, micro, "highest")
                if "medium" in given.parts:
                    row["medium"] = compare_steps(folder, precision, given.steps, micro, "medium")
                if "generation" in given.parts:
                    row["generation"] = compare_generation(folder, precision, given.steps)
                if "peak" in given.parts:
                    row["peak"] = peaks(name, precision, micro)
                found[f"{name} {precision}"] = row
                print(json.dumps({f"{name} {precision}": row}), flush=True)
        if "A fp32" in found:
            found["grading"] = grading_share(found["A fp32"]["seekmath_s"])
    if not given.no_save:
        timing.save("grpo-step", found, _PACKAGES)


if __name__ == "__main__":
    main()
