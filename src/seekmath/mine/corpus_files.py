"""Last step of mining: the collected pages without benchmark text, and every page's last score."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from seekmath.core.files import read_parquet, whole_folder, write_json, write_parquet
from seekmath.core.records import DOCUMENT, PAGE
from seekmath.mine.annotate import match
from seekmath.mine.decontaminate import BenchmarkIndex, Report, clean_rows, read_benchmarks
from seekmath.mine.kept import Kept
from seekmath.mine.one_round import Crawl, Round
from seekmath.mine.settings import MineSettings
from seekmath.mine.words import count_words

SCORE = pa.schema([("url", pa.string()), ("score", pa.float32())])


def write_scores(folder: Path, crawl: Crawl, scores: NDArray[np.float64]) -> None:
    """``scores/``: the last score of every page of the crawl, one file for each shard.

    A duplicate has the score of the page that stands for it, a page dropped before scoring 0.
    """
    by_url: dict[str, float] = {}
    for url, others, score in zip(
        crawl.kept.urls, crawl.kept.stands_for, scores.tolist(), strict=True
    ):
        by_url.update(dict.fromkeys([url, *others], score))
    seen: set[str] = set()
    with whole_folder(folder) as out:
        for shard in crawl.shards:
            rows = []
            for url in urls_in(shard):
                if url not in seen:
                    seen.add(url)
                    rows.append({"url": url, "score": by_url.get(url, 0.0)})
            write_parquet(out / shard.name, rows, SCORE)


def urls_in(shard: Path) -> list[str]:
    """Every URL of a shard, dropped pages too."""
    kept = read_parquet(shard, ["url"]).column("url").to_pylist()
    dropped = read_parquet(shard.with_suffix(".dropped.parquet"), ["url"])
    return kept + dropped.column("url").to_pylist()


def write_corpus(
    settings: MineSettings, out: Path, crawl: Crawl, done: Sequence[Round]
) -> dict[str, int]:
    """``corpus/``: the documents of the last round, decontaminated; counts of them.

    A document's ``round`` is the first that collected it. ``contamination.json`` reports hits.
    """
    texts = read_benchmarks(Path(settings.benchmarks)) if settings.benchmarks else []
    report = Report(BenchmarkIndex(texts))
    documents = tokens = 0
    with whole_folder(out / "corpus") as folder:
        for number, shard in enumerate(crawl.shards):
            rows = _documents(crawl.kept, number, shard, done)
            kept = list(clean_rows(rows, settings.granularity, report))
            write_parquet(folder / f"part-{number:05d}.parquet", kept, DOCUMENT)
            documents += len(kept)
            tokens += sum(count_words(row["text"]) for row in kept)
    write_json(out / "contamination.json", report.as_json())
    return {"documents": documents, "tokens": tokens, "contaminated": report.pages_dropped}


def _documents(kept: Kept, number: int, shard: Path, done: Sequence[Round]) -> list[dict[str, Any]]:
    marked = {prefix for one in done for prefix in one.marked}
    pages = np.flatnonzero((kept.shards == number) & done[-1].collected)
    table = read_parquet(shard, list(PAGE.names)).take(pa.array(kept.rows[pages]))
    rows = table.to_pylist()
    for row, page in zip(rows, pages.tolist(), strict=True):
        row["round"] = next(at for at, one in enumerate(done, 1) if one.collected[page])
        row["score"] = float(done[-1].scores[page])
        row["prefix"] = match(marked, kept.hosts[page], kept.paths[page])
        row["stands_for"] = kept.stands_for[page]
    return rows
