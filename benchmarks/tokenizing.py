"""Tokenising, MB per CPU second: the stage ``tokenize`` beside the bare `tokenizers` library.

Both use the same tokenizer on the same texts; the stage also reads Parquet, splits, and writes
memory-mapped shards with document boundaries. Each piece of work is a process of its own, since
what one leaves of its heap slows the next one down: its imports are not counted, its reading of
the tokenizer is.

    python benchmarks/tokenizing.py CORPUS.parquet --rounds 5
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ["RAYON_NUM_THREADS"] = "1"  # before the library makes its threads

import pyarrow as pa
import pyarrow.parquet as pq
import tokenizers
from timing import medians, process_seconds, save

from seekmath.core.files import read_parquet
from seekmath.core.job import Job
from seekmath.corpus.settings import TokenizeSettings
from seekmath.corpus.shards import tokenize
from seekmath.corpus.tokenizer import Tokenizer

_HANDS = ("seekmath", "tokenizers")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("corpus")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--most-mb", type=float, default=8)
    parser.add_argument("--vocab-size", type=int, default=8192)
    parser.add_argument("--hand", choices=_HANDS, help="of one process")
    asked = parser.parse_args()
    if asked.hand:
        print(_work(asked.hand, Path(asked.corpus)))
        return
    texts, size = [], 0
    for text in read_parquet(Path(asked.corpus), ["text"])["text"].to_pylist():
        if size < asked.most_mb * 1e6:
            texts.append(text)
            size += len(text.encode())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pq.write_table(pa.table({"text": texts}), folder / "texts.parquet")
        Tokenizer.train(texts[: len(texts) // 4], asked.vocab_size).save(folder / "tokenizer")
        seconds: dict[str, list[float]] = {hand: [] for hand in _HANDS}
        for _ in range(asked.rounds):
            for hand in _HANDS:
                command = [sys.executable, __file__, str(folder), "--hand", hand]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                seconds[hand].append(float(done.stdout))
    speed = {work: round(size / 1e6 / s, 3) for work, s in medians(seconds).items()}
    ratio = round(speed["seekmath"] / speed["tokenizers"], 3)
    found = {"mb_per_cpu_s": speed, "ours_by_theirs": ratio, "text_mb": round(size / 1e6, 2)}
    save("tokenizing", {**found, "seconds": seconds}, ("tokenizers",))


def _work(hand: str, folder: Path) -> float:
    """CPU seconds of one hand's work in this process."""
    if hand == "tokenizers":
        texts = read_parquet(folder / "texts.parquet", ["text"])["text"].to_pylist()

        def bare() -> None:
            inner = tokenizers.Tokenizer.from_file(str(folder / "tokenizer" / "tokenizer.json"))
            inner.encode_batch(texts, add_special_tokens=False)

        return process_seconds(bare)
    settings = TokenizeSettings(
        corpus={"c": str(folder / "texts.parquet")}, tokenizer=str(folder / "tokenizer")
    )
    with tempfile.TemporaryDirectory(dir=folder) as out:
        return process_seconds(lambda: tokenize(settings, Job.open(Path(out))))


if __name__ == "__main__":
    main()
