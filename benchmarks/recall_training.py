"""Training the classifier: accuracy, CPU time and memory beside the real fastText.

The paper's settings (dim 256, lr 0.1, 3-grams, min count 3, 2,000,000 buckets; epochs as given,
since few pages need more), half of the pages to train on and half to measure on. Ours trains all
256 numbers of a row, which is the default, and 32; each trainer runs in a process of its own. On
pages of the embedded world; where given, on those of a crawl with labels (labels.jsonl.gz: url and
label math, other or unsure, which is left out), and on the problems of MATH, those of one subject
against the others:

    python benchmarks/recall_training.py --pages 1500 --epochs 4 --seeds 0 1 2 \\
        --crawl ../shared/crawl --problems ../shared/data/math/train.jsonl.gz

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
from seekmath.core.files import read_jsonl, read_parquet, write_json
from seekmath.core.log import Display
from seekmath.core.recipe import PlannedStage
from seekmath.core.run import run_single
from seekmath.core.seeds import rng
from seekmath.mine.executors import Engine
from seekmath.mine.fasttext_score import Classifier
from seekmath.mine.fasttext_train import (
    TrainingPlan,
    choose_words,
    train,
    training_order,
)
from seekmath.mine.numbered_texts import number_words
from seekmath.mine.pages import extract_shards
from seekmath.mine.settings import MineSettings
from seekmath.mine.word_kernels import count_and_score
from seekmath.stages import STAGES
from seekmath.world.settings import WorldSettings

Labelled = tuple[list[str], NDArray[np.bool_]]
_SUBJECT = "Geometry"
_LABELS = ("__label__other", "__label__math")
_BUCKETS = 2_000_000
_TRAINERS = {"fasttext": "fastText", "256": "ours, all 256", "32": "ours, 32 of 256"}
_SCORED_WORDS = 1_000


def labelled_pages(pages: int) -> tuple[list[str], NDArray[np.bool_], list[str]]:
    """Words, labels and hosts of the embedded world's pages, in random order."""
    with tempfile.TemporaryDirectory() as place, Display(quiet=True) as display:
        folder = Path(place) / "world"
        stage = STAGES["world"]
        run_single(
            PlannedStage("world", "world", stage, WorldSettings(pages=pages), 0), folder, display
        )
        rows = extracted(sorted((folder / "warc").glob("*.warc.gz")))
        truth = read_parquet(folder / "truth.parquet", ["url", "math"]).to_pylist()
    label = {row["url"]: row["math"] for row in truth}
    rows = shuffled(rows)
    math = np.array([bool(label[row["url"]]) for row in rows])
    return [row["words"] for row in rows], math, [row["host"] for row in rows]


def labelled_crawl(folder: Path) -> Labelled:
    """Words and labels of the pages of a crawl that have a label, in random order."""
    label = {row["url"]: row["label"] for row in read_jsonl(folder / "labels.jsonl.gz")}
    rows = extracted(sorted(folder.glob("part-*.warc.gz")))
    rows = shuffled([row for row in rows if label.get(row["url"]) in ("math", "other")])
    math = np.array([label[row["url"]] == "math" for row in rows])
    return [row["words"] for row in rows], math


def labelled_problems(path: Path) -> Labelled:
    """Words of the problems and solutions of MATH; whether they are of one subject."""
    rows = shuffled(list(read_jsonl(path)))
    texts = [f"{row['problem']} {row['solution']}" for row in rows]
    words = [count_and_score(text, _SCORED_WORDS)[1] for text in texts]
    return words, np.array([row["type"] == _SUBJECT for row in rows])


def extracted(files: Sequence[Path]) -> list[dict[str, Any]]:
    """URL, host and the words that the classifier reads of every page of WARC files."""
    inputs = list(map(str, files))
    with tempfile.TemporaryDirectory() as place:
        with Engine(place, workers=0) as engine:
            settings = MineSettings(crawl=inputs, seeds="-")
            extract_shards(engine, settings, inputs, lambda done: None)
        return [
            row
            for shard in sorted((Path(place) / "shards").glob("[0-9]" * 5 + ".parquet"))
            for row in read_parquet(shard, ["url", "host", "words"]).to_pylist()
        ]


def shuffled(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [rows[at] for at in rng(0, "benchmark").permutation(len(rows))]


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
    row_of = choose_words(tokens, np.zeros(len(texts), int), plan.min_count, 1)
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


def compared(texts: list[str], math: NDArray[np.bool_], given: argparse.Namespace) -> dict:
    """Every trainer with every seed on the same pages, each in a process of its own."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pages.npz"
        np.savez(path, texts=np.frombuffer("\n".join(texts).encode(), np.uint8), math=math)
        for seed in given.seeds:
            for trainer in _TRAINERS:
                command = [sys.executable, __file__, "--one", trainer, str(path)]
                options = ["--epochs", str(given.epochs), "--seeds", str(seed)]
                output = subprocess.run([*command, *options], check=True, capture_output=True)
                rows.append(json.loads(output.stdout))
    summary = {}
    for trainer, name in _TRAINERS.items():
        mine = [row for row in rows if row["trainer"] == trainer]
        keys = ("accuracy", "cpu_s", "peak_mib_more")
        summary[name] = {key: float(np.median([row[key] for row in mine])) for key in keys}
    half = len(texts) // 2
    return {
        "train_pages": half,
        "positive": int(math[:half].sum()),
        "measured_pages": len(texts) - half,
        "median": summary,
        "runs": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=6000, help="pages of the world")
    parser.add_argument("--crawl", type=Path, help="folder with part-*.warc.gz and labels")
    parser.add_argument("--problems", type=Path, help="MATH's problems, JSON lines")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--one", nargs=2, metavar=("TRAINER", "PAGES"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        trainer, pages = given.one
        print(json.dumps(measure(trainer, Path(pages), given.epochs, given.seeds[0])))
        return
    sets: dict[str, Labelled] = {"pages of the embedded world": labelled_pages(given.pages)[:2]}
    if given.crawl:
        sets["documentation pages, mathematics or not"] = labelled_crawl(given.crawl)
    if given.problems:
        sets["problems of MATH, geometry or not"] = labelled_problems(given.problems)
    found = {name: compared(*labelled, given) for name, labelled in sets.items()}
    save_results("recall-training", {"epochs": given.epochs, "sets": found})


if __name__ == "__main__":
    main()
