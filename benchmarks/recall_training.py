"""Training the classifier: accuracy, CPU time and memory beside the real fastText.

The paper's settings (dim 256, lr 0.1, 3-grams, min count 3, 2,000,000 buckets; epochs as given,
since few pages need more) on pages of the embedded world, half of them to train on and half to
measure on. Ours trains 32 numbers of a row, and all 256; each trainer runs in a process of its own:

    python benchmarks/recall_training.py --pages 6000 --epochs 10 --seeds 0 1 2

The figures go to benchmarks/results/recall-training-DATE.json.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seekmath.core.artifact import machine, versions
from seekmath.core.files import read_parquet, write_json
from seekmath.core.log import Display
from seekmath.core.recipe import PlannedStage
from seekmath.core.run import run_single
from seekmath.core.seeds import rng
from seekmath.mine.executors import Engine
from seekmath.mine.fasttext_score import Classifier
from seekmath.mine.fasttext_train import (
    TrainingPlan,
    choose_words,
    number_words,
    train,
    training_order,
)
from seekmath.mine.pages import extract_shards
from seekmath.mine.settings import MineSettings
from seekmath.stages import STAGES
from seekmath.world.settings import WorldSettings

_LABELS = ("__label__other", "__label__math")
_BUCKETS = 2_000_000


def labelled_pages(pages: int) -> tuple[list[str], NDArray[np.bool_], list[str]]:
    """Words, labels and hosts of the embedded world's pages, in random order."""
    with tempfile.TemporaryDirectory() as place, Display(quiet=True) as display:
        folder = Path(place) / "world"
        stage = STAGES["world"]
        run_single(
            PlannedStage("world", "world", stage, WorldSettings(pages=pages), 0), folder, display
        )
        settings = MineSettings(crawl=[str(folder / "warc")], seeds="-")
        inputs = sorted(map(str, (folder / "warc").glob("*.warc.gz")))
        with Engine(place, workers=0) as engine:
            extract_shards(engine, settings, inputs, lambda done: None)
        rows = []
        for shard in sorted((Path(place) / "shards").glob("[0-9]" * 5 + ".parquet")):
            rows += read_parquet(shard, ["url", "host", "words"]).to_pylist()
        truth = read_parquet(folder / "truth.parquet", ["url", "math"]).to_pylist()
    label = {row["url"]: row["math"] for row in truth}
    rows = [rows[at] for at in rng(0, "benchmark").permutation(len(rows))]
    math = np.array([bool(label[row["url"]]) for row in rows])
    return [row["words"] for row in rows], math, [row["host"] for row in rows]


def train_theirs(
    path: Path, texts: Sequence[str], math: NDArray[np.bool_], epochs: int = 3, seed: int = 0
) -> Any:
    """The real fastText with the paper's settings, on one thread."""
    import fasttext

    order = training_order(math, np.arange(len(texts)), seed)
    path.write_text("".join(f"{_LABELS[int(math[at])]} {texts[at]}\n" for at in order), "utf-8")
    return fasttext.train_supervised(
        str(path), dim=256, lr=0.1, wordNgrams=3, minCount=3, epoch=epochs, bucket=_BUCKETS,
        thread=1, seed=seed, verbose=0,
    )  # fmt: skip


def train_ours(
    texts: Sequence[str],
    math: NDArray[np.bool_],
    width: int,
    epochs: int,
    seed: int,
    buckets: int = _BUCKETS,
) -> Classifier:
    plan = TrainingPlan(256, width, 0.1, 3, 3, epochs, buckets, seed)
    tokens = number_words(texts)
    row_of = choose_words(tokens, [""] * len(texts), plan.min_count, 1)
    order = training_order(math, np.arange(len(texts)), seed)
    return train(tokens, row_of, math, order, plan)


def measure(trainer: str, pages: Path, epochs: int, seed: int) -> dict[str, Any]:
    """One training in this process, measured."""
    with np.load(pages) as parts:
        texts, math = parts["texts"].tobytes().decode().split("\n"), parts["math"]
    half = len(texts) // 2
    if trainer != "fasttext":
        # Compiles, without the memory that is measured below.
        small = np.arange(20) % 2 == 0
        model = train_ours(texts[:20], small, int(trainer), 1, 0, buckets=100)
        model.score(texts[:20])
    before_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.process_time()
    if trainer == "fasttext":
        with tempfile.TemporaryDirectory() as folder:
            model = train_theirs(Path(folder) / "t.txt", texts[:half], math[:half], epochs, seed)
        found = [model.predict(text)[0][0] == _LABELS[1] for text in texts[half:]]
    else:
        mine = train_ours(texts[:half], math[:half], int(trainer), epochs, seed)
        found = (mine.score(texts[half:]) > 0.5).tolist()
    return {
        "trainer": trainer,
        "seed": seed,
        "accuracy": round(float((np.array(found) == math[half:]).mean()), 5),
        "cpu_s": round(time.process_time() - start, 2),
        "peak_mib_more": round(
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before_mib
        ),
    }


def save_results(name: str, figures: dict[str, Any]) -> None:
    """Print and write the figures with where they come from."""
    found = {
        **figures,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "versions": versions(),
        "command": "python " + " ".join(sys.argv),
    }
    write_json(Path(__file__).parent / "results" / f"{name}-{found['date']}.json", found)
    print(json.dumps(found, indent=2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=6000, help="pages of the world")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--one", nargs=2, metavar=("TRAINER", "PAGES"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        trainer, pages = given.one
        print(json.dumps(measure(trainer, Path(pages), given.epochs, given.seeds[0])))
        return
    texts, math, _ = labelled_pages(given.pages)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pages.npz"
        np.savez(path, texts=np.frombuffer("\n".join(texts).encode(), np.uint8), math=math)
        for seed in given.seeds:
            for trainer in ("fasttext", "32", "256"):
                command = [sys.executable, __file__, "--one", trainer, str(path)]
                options = ["--epochs", str(given.epochs), "--seeds", str(seed)]
                output = subprocess.run([*command, *options], check=True, capture_output=True)
                rows.append(json.loads(output.stdout))
    names = {"fasttext": "fastText", "32": "ours, 32 of 256", "256": "ours, all 256"}
    summary = {}
    for trainer, name in names.items():
        mine = [row for row in rows if row["trainer"] == trainer]
        keys = ("accuracy", "cpu_s", "peak_mib_more")
        summary[name] = {key: float(np.median([row[key] for row in mine])) for key in keys}
    save_results(
        "recall-training",
        {"train_pages": len(texts) // 2, "epochs": given.epochs, "median": summary, "runs": rows},
    )


if __name__ == "__main__":
    main()
