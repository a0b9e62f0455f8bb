"""What evaluating adds to generating: the laptop model on its benchmarks, CPU time.

Generating is the time inside the sampler, evaluating all the rest of the stage but loading the
model: prompts and worked examples rendered and tokenised, texts decoded, answers graded, every
answer noted and written, metrics.

    python benchmarks/evaluation_overhead.py runs/laptop --rounds 3
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from seekmath.core.artifact import machine, versions
from seekmath.core.files import write_json
from seekmath.core.job import Job
from seekmath.evaluate import native
from seekmath.evaluate.runner import evaluate
from seekmath.evaluate.settings import EvaluateSettings


class Clock:
    """CPU seconds inside the functions that it wraps."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def timed(self, function):
        def run(*args, **kwargs):
            started = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds += time.process_time() - started

        return run


def measure(settings: EvaluateSettings) -> dict[str, float]:
    """One whole stage into a fresh folder."""
    generating, loading = Clock(), Clock()
    sample, load = native.sample, native.load_model
    native.sample, native.load_model = generating.timed(sample), loading.timed(load)
    folder = Path(tempfile.mkdtemp())
    try:
        started = time.process_time()
        evaluate(settings, Job.open(folder))
        total = time.process_time() - started
    finally:
        native.sample, native.load_model = sample, load
        shutil.rmtree(folder)
    adding = total - generating.seconds - loading.seconds
    return {
        "generating_cpu_s": round(generating.seconds, 3),
        "evaluating_cpu_s": round(adding, 3),
        "added": round(adding / generating.seconds, 5),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="run directory of recipes/laptop.yaml")
    parser.add_argument("--stage", default="sft", help="whose model is asked")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    common = {
        "models": {"laptop": str(given.run / given.stage / "model")},
        "benchmarks": str(given.run / "world/benchmarks"),
        "max_new_tokens": 80,
        "threads": 1,
    }
    plans = {
        "greedy, 8 benchmarks": EvaluateSettings(**common),
        "greedy, and 8 samples of mini-gsm8k": EvaluateSettings(
            **common, sampled=["mini-gsm8k"], samples=8
        ),
        "greedy, one worked example before each question": EvaluateSettings(
            **common,
            few_shot_models=["laptop"],
            shots=1,
            shots_from=str(given.run / "world/problems/train.jsonl"),
        ),
    }
    measure(plans["greedy, 8 benchmarks"].model_copy(update={"limit": 3}))  # compiles, imports
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in plans}
    for _ in range(given.rounds):
        for name, plan in plans.items():
            rounds[name].append(measure(plan))
            print(name, rounds[name][-1], flush=True)
    found = {
        "what": "CPU time that evaluating adds to generating",
        "target": 0.05,
        "added_median": {
            name: statistics.median(row["added"] for row in rows) for name, rows in rounds.items()
        },
        "rounds": rounds,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "versions": versions(),
        "command": "python " + " ".join(sys.argv),
    }
    write_json(
        Path(__file__).parent / "results" / f"evaluation-overhead-{found['date']}.json", found
    )
    print(json.dumps(found["added_median"], indent=2))


if __name__ == "__main__":
    main()
