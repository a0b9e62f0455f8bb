"""Last step of mining: the collected pages without benchmark text, and every page's last score."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from seekmath.core.places import join, names_in, put_json, remove
from seekmath.core.records import PAGE
from seekmath.mine.annotate import match
from seekmath.mine.corpus_part import CorpusPart
from seekmath.mine.decontaminate import (
    BenchmarkIndex,
    BenchmarkText,
    Report,
    clean_rows,
    read_benchmarks,
)
from seekmath.mine.engine import Beat, Shard, Stage
from seekmath.mine.executors import Engine
from seekmath.mine.host_counts import marked_before
from seekmath.mine.one_round import Crawl, Round
from seekmath.mine.round_files import at_round, collected_in, kept_columns, pages_place
from seekmath.mine.round_steps import load_score, score_rows
from seekmath.mine.settings import MineSettings
from seekmath.mine.tables import load_array, read_columns, read_rows, write_table

SCORE = pa.schema([("url", pa.string()), ("score", pa.float32())])
CORPUS, SCORES = "corpus", "scores"
_HITS = ("pages", "pages_hit", "pages_dropped", "segments_dropped")


def write_scores(
    engine: Engine, settings: MineSettings, crawl: Crawl, last: Round, number: int
) -> None:
    """``scores/``: the last score of every page of the crawl, one file for each shard.

    A duplicate has its own text's score, a page dropped before scoring 0.
    """
    stage = Stage(
        "scores",
        "seekmath.mine.corpus_files:scores_of_shard",
        engine.run,
        {"round": number, "scorer": settings.scorer},
        record_cpu_s=settings.page_cpu_s,
    )
    shards = [Shard(f"{at:05d}", after=(last.made_from,)) for at in range(crawl.shards)]
    engine.map(stage, shards)
    _remove_others(engine.run, SCORES, {f"{shard.name}.parquet" for shard in shards})


def scores_of_shard(stage: Stage, shard: Shard, beat: Beat) -> dict[str, Any]:
    """The step behind ``write_scores``."""
    number = stage.parameters["round"]
    urls = read_columns(pages_place(stage, shard), ["url"]).column(0)
    scores_P = np.zeros(len(urls), np.float32)
    rows = kept_columns(stage, shard, "row").column(0).to_numpy()
    others = np.setdiff1d(np.arange(len(urls), dtype=np.int32), rows)
    scores_P[rows] = load_array(at_round(stage, number, "scores", f"{shard.name}.npy"))
    if len(others):
        score, column = load_score(stage, number)
        scores_P[others] = score_rows(pages_place(stage, shard), column, others, score, beat)
    dropped = read_columns(stage.place("shards", f"{shard.name}.dropped.parquet"), ["url"])
    scored = pa.table({"url": urls, "score": pa.array(scores_P)}, schema=SCORE)
    dropped = dropped.filter(pc.not_equal(dropped.column(0), ""))
    zero = pa.array(np.zeros(len(dropped), np.float32))
    unscored = pa.table({"url": dropped.column(0), "score": zero}, schema=SCORE)
    write_table(stage.place(SCORES, f"{shard.name}.parquet"), pa.concat_tables([scored, unscored]))
    return {"pages": len(scored) + len(unscored)}


def write_corpus(
    engine: Engine, settings: MineSettings, crawl: Crawl, done: Sequence[Round]
) -> list[dict[str, Any]]:
    """``corpus/``: the documents of the last round, decontaminated; the shards' manifests.

    A document's ``round`` is the first that collected it. ``contamination.json`` reports hits.
    """
    inputs = benchmark_files(settings.benchmarks)
    stage = Stage(
        "corpus",
        "seekmath.mine.corpus_files:corpus_of_shard",
        engine.run,
        {
            "rounds": len(done),
            "partitions": done[-1].report["partitions"],
            "benchmarks": settings.benchmarks,
            "granularity": settings.granularity,
        },
        record_cpu_s=settings.page_cpu_s,
    )
    after = (done[-1].made_from,)
    shards = [Shard(f"{at:05d}", inputs, after) for at in range(crawl.shards)]
    manifests = engine.map(stage, shards)
    _remove_others(engine.run, CORPUS, {f"part-{shard.name}.parquet" for shard in shards})
    texts = read_benchmarks(Path(settings.benchmarks)) if settings.benchmarks else []
    report = report_of(texts, (one["contamination"] for one in manifests))
    put_json(join(engine.run, "contamination.json"), report.as_json())
    return manifests


def corpus_of_shard(stage: Stage, shard: Shard, beat: Beat) -> dict[str, Any]:
    """The step behind ``write_corpus``."""
    report = Report(benchmark_index(stage.parameters["benchmarks"], shard.inputs))
    rows = documents(stage, shard, stage.parameters["rounds"], beat)
    with CorpusPart(stage.place(CORPUS, f"part-{shard.name}.parquet")) as part:
        for row in clean_rows(rows, stage.parameters["granularity"], report):
            part.add(row)
    return {**part.counts(), "contamination": contamination_of(report)}


def documents(
    stage: Stage, shard: Shard, rounds: int, beat: Beat, chosen_N: NDArray[np.bool_] | None = None
) -> Iterator[dict[str, Any]]:
    """The shard's kept pages that round ``rounds`` collected, or those chosen, as documents.

    Each has besides a ``page``: its place among the kept pages.
    """
    kept = kept_columns(stage, shard, "row", "host", "path", "again", "stands_for")
    of_rounds = np.stack(
        [collected_in(stage, shard, number, len(kept)) for number in range(1, rounds + 1)]
    )
    chosen_N = of_rounds[-1] if chosen_N is None else chosen_N
    pages = np.flatnonzero(chosen_N & ~kept["again"].to_numpy())
    first = np.where(of_rounds.any(axis=0), of_rounds.argmax(axis=0) + 1, 0)
    scores = load_array(at_round(stage, rounds, "scores", f"{shard.name}.npy"))
    marked = marked_before(stage, rounds + 1)
    some = kept.take(pa.array(pages))
    stands_for, at = some["stands_for"], 0
    for batch in read_rows(pages_place(stage, shard), PAGE.names, some["row"].to_numpy()):
        for row in batch.to_pylist():
            if beat(at):
                row["round"] = int(first[pages[at]])
                row["score"] = float(scores[pages[at]])
                row["prefix"] = match(marked, row["host"], row["path"])
                row["stands_for"] = stands_for[at].as_py()
                row["page"] = int(pages[at])
                yield row
            at += 1


@lru_cache(maxsize=1)
def benchmark_index(benchmarks: str, files: tuple[str, ...]) -> BenchmarkIndex:
    """The index of a file or folder of benchmark items; ``files`` tell when it has changed."""
    return BenchmarkIndex(read_benchmarks(Path(benchmarks)) if benchmarks else [])


def benchmark_files(benchmarks: str) -> tuple[str, ...]:
    """The files of a file or folder of benchmark items."""
    if not benchmarks:
        return ()
    path = Path(benchmarks)
    return tuple(sorted(map(str, path.rglob("*.jsonl*")))) if path.is_dir() else (benchmarks,)


def contamination_of(report: Report) -> dict[str, Any]:
    """What one shard's report holds, for its manifest."""
    hits = {name: getattr(report, name) for name in _HITS}
    by_text = [[number, n, report.urls[number]] for number, n in sorted(report.by_text.items())]
    return {**hits, "by_text": by_text}


def report_of(texts: list[BenchmarkText], parts: Iterable[dict[str, Any]]) -> Report:
    """The report of all shards, of their ``contamination_of``."""
    report = Report(BenchmarkIndex(texts))
    for part in parts:
        for name in _HITS:
            setattr(report, name, getattr(report, name) + part[name])
        for number, pages, urls in part["by_text"]:
            report.by_text[number] += pages
            report.urls[number] = (report.urls.get(number, []) + urls)[:5]
    return report


def _remove_others(run: str, folder: str, names: set[str]) -> None:
    """Parts of an earlier run with more files are no part of this one."""
    place = join(run, folder)
    for name in names_in(place):
        if name.endswith(".parquet") and name not in names:
            remove(join(place, name))
