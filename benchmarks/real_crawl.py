"""How well do rounds of mining find the mathematics of a real crawl? Recall, precision, by round.

Labels are read for measuring only; unsure pages and seed pages are not scored:

    python benchmarks/real_crawl.py ../shared/crawl --seeds 0 1 2 3 4

The table goes to benchmarks/results/real-crawl-DATE.json, and as Figure 2's counterpart to
reproduce-figure-2-crawl.json.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seekmath.core.artifact import machine, versions
from seekmath.core.files import read_json, read_parquet, write_json
from seekmath.core.log import Display
from seekmath.core.recipe import PlannedStage, read_yaml
from seekmath.core.run import run_single
from seekmath.mine.settings import MineSettings
from seekmath.reproduce.experiment import Curves
from seekmath.reproduce.mining import CRAWL, by_round
from seekmath.reproduce.runner import result
from seekmath.reproduce.sizes import SIZES
from seekmath.stages import STAGES


def mined(crawl: Path, recipe: Path, seed: int, out: Path) -> dict[str, Any]:
    """One run of the recipe: its rounds, and the hosts of its corpus."""
    settings = MineSettings(
        **{
            **read_yaml(recipe)["stages"]["mine"],
            "crawl": sorted(map(str, crawl.glob("part-*.warc.gz"))),
            "seeds": str(crawl / "seeds.txt"),
            "labels": str(crawl / "labels.jsonl.gz"),
        }
    )
    with Display(quiet=True) as display:
        manifest = run_single(
            PlannedStage("mine", "mine", STAGES["mine"], settings, seed), out, display
        )
    rounds = [
        {
            **{key: one[key] for key in ("seeds", "collected", "new", "share_already_collected")},
            **one["truth"],
        }
        for one in read_json(out / "rounds.json")
    ]
    hosts: Counter[str] = Counter()
    for file in sorted((out / "corpus").glob("*.parquet")):
        hosts.update(read_parquet(file, ["host"]).column("host").to_pylist())
    return {
        "seed": seed,
        "rounds": rounds,
        "hosts": dict(hosts.most_common()),
        "wall_s": round(manifest.wall_s, 1),
        "peak_memory_mib": round(manifest.peak_memory_mib),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("crawl", type=Path, help="folder with part-*.warc.gz, seeds, labels")
    parser.add_argument("--recipe", type=Path, default=Path("recipes/mine.yaml"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    given = parser.parse_args()
    runs, found = [], []
    for seed in given.seeds:
        with tempfile.TemporaryDirectory() as folder:
            runs.append(mined(given.crawl, given.recipe, seed, Path(folder) / "mined"))
            found.append(by_round(Path(folder) / "mined"))
        for number, one in enumerate(runs[-1]["rounds"], 1):
            print(
                f"seed {seed} round {number}: {one['seeds']} seeds, {one['collected']} collected,"
                f" precision {one['precision']:.3f}, recall {one['recall']:.3f},"
                f" average precision {one['average_precision']:.3f}",
                flush=True,
            )
    command = "python " + " ".join(sys.argv)
    table = {
        "crawl": "3,532 documentation pages of 13 hosts, 132 seed pages on two of them",
        "recipe": str(given.recipe),
        "last_round": {
            key: [run["rounds"][-1][key] for run in runs]
            for key in ("recall", "precision", "average_precision")
        },
        "runs": runs,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "versions": versions(),
        "command": command,
    }
    minutes = sum(run["wall_s"] for run in runs) / 60
    curves: list[Curves] = [{} for _ in runs]
    figure = result(
        "figure-2-crawl", CRAWL, SIZES["laptop"], given.seeds, found, curves, minutes, command
    )
    results = Path(__file__).parent / "results"
    write_json(results / f"real-crawl-{table['date']}.json", table)
    write_json(results / "reproduce-figure-2-crawl.json", figure)
    print(json.dumps(table["last_round"], indent=2))


if __name__ == "__main__":
    main()
