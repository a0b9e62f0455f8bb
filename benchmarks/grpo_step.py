"""A GRPO step by seekmath and by TRL's GRPOTrainer: CPU seconds, peak memory, grading's share.

The same prompts, weights, tokens per step, KL term and reward; one thread; TRL without vLLM and
without gradient checkpointing, at the best of the micro-batches tried. Each hand is a process of its
own; they alternate step by step, the first step not counted.

    python benchmarks/grpo_step.py --steps 7
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

from seekmath.model.host import use_cpu

_PRECISIONS = ("fp32", "bf16")
# Of ours: as quick as larger ones, in less memory.
MICRO_TOKENS = 2048
_PACKAGES = ("trl", "transformers", "accelerate")


def compare_steps(name: str, precision: str, steps: int, micros: list[int]) -> dict[str, Any]:
    """Steps of ours, and of TRL with each micro-batch and with products at "medium", in turn."""
    trl = {f"trl {micro}": ("trl", micro, "highest") for micro in micros}
    given = {"seekmath": ("ours", 0, "highest"), **trl, "trl medium": ("trl", micros[0], "medium")}
    hands = {key: _Hand(name, precision, steps, *rest) for key, rest in given.items()}
    for _ in range(steps + 1):
        for hand in hands.values():
            hand.step()
    rows = {key: hand.end() for key, hand in hands.items()}
    ours = rows["seekmath"]
    for key in (key for key in rows if key != "seekmath"):
        rows[key]["times_faster"] = round(rows[key]["step_s"] / ours["step_s"], 2)
    best = min(trl, key=lambda key: rows[key]["step_s"])
    return {"times_faster": rows[best]["times_faster"], "trl_best_micro_batch": best, **rows}


class _Hand:
    """A process that steps when it is told to."""

    def __init__(
        self, name: str, precision: str, steps: int, hand: str, micro: int, matmul: str
    ) -> None:
        options = ["--steps", str(steps), "--micro", str(micro), "--matmul", matmul]
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--hand", hand, name, precision, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def step(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("step\n")
        self._process.stdin.flush()
        self._line("stepped")

    def end(self) -> dict[str, Any]:
        found = self._line("step_s")
        self._process.wait()
        return found

    def _line(self, key: str) -> dict[str, Any]:
        """The next line that holds ``key``; trainers print lines of their own."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(f'{{"{key}"'):
                return json.loads(line)
        raise RuntimeError(f"{self._process.args} ended without a line of {key}")


def run_hand(hand: str, name: str, precision: str, steps: int, micro: int) -> None:
    """One hand's steps, each when a line comes in; then its figures."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        make_folder(WORKLOADS[name], folder)
        more: dict[str, Any] = {}
        if hand == "ours":
            use_cpu(1)
            ours = Ours(folder, precision=precision, micro_batch_tokens=MICRO_TOKENS)
            before, seconds = _peak_gib(), []
            for _ in range(steps + 1):
                sys.stdin.readline()
                began = time.process_time()
                ours.step()
                seconds.append(time.process_time() - began)
                print('{"stepped": 1}', flush=True)
            seconds, lines = seconds[1:], ours.lines[1:]
            tokens = [line["completion_tokens"] for line in lines]
            more["largest_logprob_gap"] = max(line["logprob_gap"] for line in lines)
        else:
            before = _peak_gib()
            sys.stdin.readline()
            left = iter(range(steps))

            def told() -> None:
                print('{"stepped": 1}', flush=True)
                if next(left, None) is not None:
                    sys.stdin.readline()

            done = step_trl(folder, steps, micro, told, bf16=precision == "bf16")
            seconds, tokens = done.seconds, done.tokens
    print(
        json.dumps(
            {
                "step_s": round(statistics.median(seconds), 3),
                "spread_s": [round(min(seconds), 3), round(max(seconds), 3)],
                "tokens": round(statistics.mean(tokens)),
                "peak_gib": _peak_gib(),
                "before_gib": before,
                **more,
            }
        ),
        flush=True,
    )


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


def _peak_gib() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 3)


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
    parser.add_argument("--micros", nargs="+", type=int, default=[32, 16, 64, 128])
    parser.add_argument("--no-save", action="store_true", help="print only")
    parser.add_argument("--hand", nargs=3, metavar=("HAND", "WORKLOAD", "PRECISION"))
    parser.add_argument("--micro", type=int, help="of the hand")
    parser.add_argument("--matmul", help="of the hand: torch's float32 matmul precision")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.hand:
        torch.set_float32_matmul_precision(given.matmul)
        run_hand(*given.hand, given.steps, given.micro)
        return
    found: dict[str, Any] = {"work": __doc__.split("\n\n")[1].replace("\n", " ")}
    for name in given.workloads:
        for precision in given.precisions:
            row = compare_steps(name, precision, given.steps, given.micros)
            print(json.dumps({f"{name} {precision}": row}), flush=True)
            with tempfile.TemporaryDirectory() as scratch:
                make_folder(WORKLOADS[name], Path(scratch))
                row["generation"] = compare_generation(Path(scratch), precision, given.steps)
            found[f"{name} {precision}"] = row
            print(json.dumps({f"{name} {precision} generation": row["generation"]}), flush=True)
    if "A fp32" in found:
        found["grading"] = grading_share(found["A fp32"]["seekmath"]["step_s"])
    if not given.no_save:
        timing.save("grpo-step", found, _PACKAGES)


if __name__ == "__main__":
    main()
