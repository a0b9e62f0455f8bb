"""Tokenising, MB per CPU second: the stage ``tokenize`` beside the bare `tokenizers` library.

Both use the same tokenizer on the same texts; the stage also reads Parquet, splits, and writes
memory-mapped shards with document boundaries.

    python benchmarks/tokenizing.py CORPUS.parquet --rounds 3
"""

import argparse
import os
import tempfile
from pathlib import Path

os.environ["RAYON_NUM_THREADS"] = "1"  # before the library makes its threads

import tokenizers
from timing import cpu_seconds, medians, save

from seekmath.core.files import read_parquet
from seekmath.core.job import Job
from seekmath.corpus.settings import TokenizeSettings
from seekmath.corpus.shards import tokenize
from seekmath.corpus.tokenizer import Tokenizer


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("corpus")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--most-mb", type=float, default=8)
    asked = parser.parse_args()
    texts, size = [], 0
    for text in read_parquet(Path(asked.corpus), ["text"])["text"].to_pylist():
        if size < asked.most_mb * 1e6:
            texts.append(text)
            size += len(text.encode())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table({"text": texts}), folder / "texts.parquet")
        Tokenizer.train(texts[: len(texts) // 4], 8192).save(folder / "tokenizer")
        stored = str(folder / "tokenizer" / "tokenizer.json")

        def bare() -> None:
            # Read anew, as the stage does: a tokenizer remembers the words that it has seen.
            inner = tokenizers.Tokenizer.from_file(stored)
            inner.encode_batch(texts, add_special_tokens=False)

        settings = TokenizeSettings(
            corpus={"c": str(folder / "texts.parquet")}, tokenizer=str(folder / "tokenizer")
        )
        works = {
            "seekmath": lambda: tokenize(settings, Job.open(folder / "out")),
            "tokenizers": bare,
        }
        seconds = cpu_seconds(works, asked.rounds)
    speed = {work: round(size / 1e6 / s, 3) for work, s in medians(seconds).items()}
    ratio = round(speed["seekmath"] / speed["tokenizers"], 3)
    found = {"mb_per_cpu_s": speed, "ours_by_theirs": ratio, "text_mb": round(size / 1e6, 2)}
    save("tokenizing", {**found, "seconds": seconds}, ("tokenizers",))


if __name__ == "__main__":
    main()
