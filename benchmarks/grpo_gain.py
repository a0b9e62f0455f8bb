"""Does GRPO improve the SFT model? The laptop recipe over several seeds, mini-gsm8k, greedy.

Each seed runs the stages named by --vary anew (by default from pre-training on, on the corpus that
one run mined) and is evaluated:

    python benchmarks/grpo_gain.py runs/laptop --seeds 0 1 2
    python benchmarks/grpo_gain.py runs/laptop --seeds 0 1 2 --vary grpo

Runs resume; the figures go to RUN/grpo_gain.json, which the report shows, and to
benchmarks/results/ with the date, the machine and the command.
"""

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from seekmath.core.artifact import machine, versions
from seekmath.core.files import read_json, write_json
from seekmath.core.log import Display
from seekmath.core.recipe import load_recipe
from seekmath.core.run import run_recipe
from seekmath.report.gain import t_interval
from seekmath.stages import STAGES

_BENCHMARK = "mini-gsm8k"


def run_seed(
    recipe: str, base: Path, seed: int, vary: list[str], overrides: list[str]
) -> dict[str, float]:
    """Train and evaluate one seed in a folder of its own; what does not vary is the base run's."""
    out = base if seed == 0 else base.parent / f"{base.name}-seed{seed}"
    seeds = [f"{stage}.seed={seed}" for stage in vary]
    if seed:
        out.mkdir(parents=True, exist_ok=True)
        for stage in ("world", "mine", "tokenize", "pretrain", "sft", "reward"):
            if stage not in vary and not (out / stage).exists():
                (out / stage).symlink_to((base / stage).resolve())
    loaded = load_recipe(Path(recipe), [*overrides, *(seeds if seed else [])], STAGES)
    with Display() as display:
        run_recipe(loaded, out, display)
    results = read_json(out / "evaluate" / "results.json")
    before, after = (results[f"{model}/{_BENCHMARK}/greedy"]["value"] for model in ("sft", "grpo"))
    return {"seed": seed, "before": before, "after": after}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="run directory of the recipe (seed 0)")
    parser.add_argument("--recipe", default="recipes/laptop.yaml")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--vary", nargs="+", default=["pretrain", "sft", "reward", "grpo"])
    parser.add_argument("--overrides", nargs="*", default=[])
    given = parser.parse_args()
    seeds = [
        run_seed(given.recipe, given.run, seed, given.vary, given.overrides) for seed in given.seeds
    ]
    mean, low, high = t_interval([row["after"] - row["before"] for row in seeds])
    found = {
        "benchmark": f"{_BENCHMARK} (generated)",
        "metric": "greedy accuracy, sft before, grpo after",
        "seeds": seeds,
        "varied": given.vary,
        "mean_gain": mean,
        "low": low,
        "high": high,
        "problems": read_json(given.run / "evaluate/results.json")[f"sft/{_BENCHMARK}/greedy"]["n"],
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "versions": versions(),
        "command": "python " + " ".join(sys.argv),
    }
    write_json(given.run / "grpo_gain.json", found)
    results = Path(__file__).parent / "results"
    write_json(results / f"grpo-gain-{found['date']}.json", found)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
