"""Every method from one SFT model, side by side: the counterpart of the paper's Figures 5 and 6.

RFT, Online RFT, DPO, PPO, GRPO with outcome and with process supervision, and iterative GRPO start
from the SFT model of a finished laptop run and get the same questions, rollouts and updates:

    python benchmarks/rl_methods.py runs/laptop --out runs/rl_methods --steps 50 --seeds 0 1 2

(`seekmath reproduce figure-5` is the experiment with the paper's four methods alone, its models
trained anew for each seed; here the SFT model and the reward models are the same for all.) Every
method is a run of its own in --out and every one resumes, so the command may be stopped and given
again. Greedy accuracy on mini-gsm8k; the intervals are a bootstrap over its problems of the mean
over seeds, paired with the model compared to.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seekmath.core.artifact import machine, versions
from seekmath.core.files import read_parquet, write_json
from seekmath.core.log import Display
from seekmath.core.recipe import PlannedStage, validate
from seekmath.core.run import run_single
from seekmath.evaluate.metrics import bootstrap
from seekmath.stages import STAGES

_BENCHMARK = "mini-gsm8k"
#: What all share, as in recipes/laptop.yaml.
_SHARED = {
    "subjects": ["gsm8k"],
    "levels": [2, 3],
    "group_size": 8,
    "questions_per_step": 16,
    "peak_lr": 1.0e-4,
    "warmup_steps": 5,
    "beta2": 0.99,
    "kl_weight": 0.02,
    "max_new_tokens": 80,
    "micro_batch_tokens": 2048,
    "threads": 1,
}
_OUTCOME, _PROCESS = {"reward_model": "outcome"}, {"process_model": "process"}
#: What sets each apart; paths are those of the reward models, filled in below.
_ARMS: dict[str, dict[str, Any]] = {
    "rft": {"method": "rft"},
    "online_rft": {"method": "online_rft"},
    "grpo rule": {},
    "grpo outcome": {**_OUTCOME},
    "grpo process": {**_PROCESS, "supervision": "process"},
    "grpo iterative": {**_OUTCOME, "iterations": 2, "reward_lr": 1.0e-4},
    "ppo": {**_OUTCOME, "method": "ppo", "critic_lr_factor": 2.0},
    "dpo": {"method": "dpo"},
}
#: The paper's order (Figure 5), and the questions asked of its other figures.
_PAIRS = [
    ("rft", "online_rft"),
    ("online_rft", "grpo rule"),
    ("online_rft", "grpo outcome"),
    ("grpo rule", "grpo outcome"),
    ("grpo outcome", "grpo process"),
    ("grpo outcome", "grpo iterative"),
    ("ppo", "grpo outcome"),
    ("dpo", "grpo outcome"),
]


def stage(kind: str, body: dict[str, Any], out: Path, seed: int) -> dict[str, Any]:
    """Run one stage in ``out`` unless it is finished; what it measured."""
    settings = validate(str(out), STAGES[kind].settings, body)
    planned = PlannedStage(out.name, kind, STAGES[kind], settings, seed)
    with Display() as display:
        return run_single(planned, out, display).metrics


def reward_models(base: Path, out: Path) -> dict[str, str]:
    """An outcome and a process reward model, trained on the same number of questions."""
    body = {
        "model": str(base / "sft/model"),
        "problems": str(base / "world/problems/train.jsonl"),
        "subjects": ["gsm8k"],
        "max_new_tokens": 80,
        "peak_lr": 3.0e-4,
        "threads": 1,
    }
    outcome = {"questions": 300, "samples_per_question": 8, "epochs": 2}
    process = {"kind": "process", "questions": 300, "samples_per_question": 4, "epochs": 4}
    measured = {
        "outcome": stage("reward", {**body, **outcome}, out / "outcome", 0),
        "process": stage("reward", {**body, **process}, out / "process", 0),
    }
    write_json(out / "reward_models.json", measured)
    return {name: str(out / name / "model") for name in measured}


def verdicts(model: Path, base: Path, out: Path) -> dict[str, float]:
    """Greedy verdict on each problem of the benchmark."""
    body = {
        "models": {"model": str(model)},
        "benchmarks": {_BENCHMARK: str(base / f"world/benchmarks/{_BENCHMARK}.jsonl")},
        "max_new_tokens": 80,
        "threads": 1,
    }
    stage("evaluate", body, out, 0)
    (path,) = (out / "samples").glob("*.parquet")
    rows = read_parquet(path, ["problem_id", "verdict"]).to_pylist()
    return {row["problem_id"]: float(row["verdict"] is True) for row in rows}


def run_arm(
    name: str, seed: int, base: Path, out: Path, models: dict[str, str], steps: int
) -> dict[str, Any]:
    """Train and evaluate one method with one seed."""
    paths = {
        key: models[value]
        for key, value in _ARMS[name].items()
        if key in ("reward_model", "process_model")
    }
    body = {
        **_SHARED,
        **_ARMS[name],
        **paths,
        "model": str(base / "sft/model"),
        "problems": str(base / "world/problems/train.jsonl"),
        "steps": steps,
        "checkpoint_every": 20,
    }
    folder = out / f"{name.replace(' ', '-')}-{seed}"
    stage("grpo", body, folder / "grpo", seed)
    found = verdicts(folder / "grpo/model", base, folder / "evaluate")
    log = [json.loads(line) for line in (folder / "grpo/metrics.jsonl").read_text().splitlines()]
    tenth = max(1, len(log) // 10)
    return {
        "verdicts": found,
        "accuracy": sum(found.values()) / len(found),
        "right_of_samples": [
            round(sum(line["right"] for line in log[at : at + tenth]) / tenth, 4)
            for at in range(0, len(log) - tenth + 1, tenth)
        ],
        "completion_tokens": sum(line["completion_tokens"] for line in log),
    }


def mean_over_seeds(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Share of seeds that answer each problem right."""
    return {p: sum(row["verdicts"][p] for row in rows) / len(rows) for p in rows[0]["verdicts"]}


def difference(a: Mapping[str, float], b: Mapping[str, float]) -> dict[str, Any]:
    """Mean of b less a, with a 95% bootstrap interval over problems."""
    return dict(bootstrap([b[problem] - a[problem] for problem in a]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="finished run of recipes/laptop.yaml")
    parser.add_argument("--out", type=Path, default=Path("runs/rl_methods"))
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    given = parser.parse_args()
    models = reward_models(given.run, given.out)
    before = verdicts(given.run / "sft/model", given.run, given.out / "sft-evaluate")
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in _ARMS}
    for seed in given.seeds:  # all methods of a seed before the next: a cut table is still fair
        for name in _ARMS:
            runs[name].append(run_arm(name, seed, given.run, given.out, models, given.steps))
    means = {name: mean_over_seeds(rows) for name, rows in runs.items()}
    found = {
        "benchmark": f"{_BENCHMARK} (generated), greedy",
        "problems": len(before),
        "steps": given.steps,
        "rollouts_per_step": _SHARED["group_size"] * _SHARED["questions_per_step"],
        "sft": sum(before.values()) / len(before),
        "reward_models": json.loads((given.out / "reward_models.json").read_text()),
        "methods": {
            name: {
                "accuracy": sum(means[name].values()) / len(before),
                "by_seed": [row["accuracy"] for row in rows],
                "gain_over_sft": difference(before, means[name]),
                "right_of_samples_by_tenth": [row["right_of_samples"] for row in rows],
                "completion_tokens": [row["completion_tokens"] for row in rows],
                "settings": _ARMS[name],
            }
            for name, rows in runs.items()
        },
        "differences": {f"{b} - {a}": difference(means[a], means[b]) for a, b in _PAIRS},
        "shared_settings": _SHARED,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "versions": versions(),
        "command": "python " + " ".join(sys.argv),
    }
    results = Path(__file__).parent / "results"
    write_json(results / f"rl-methods-{found['date']}.json", found)
    for name, row in found["methods"].items():
        gain = row["gain_over_sft"]
        print(
            f"{name:15} {row['accuracy']:.3f}  {gain['value']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}]"
        )


if __name__ == "__main__":
    main()
