"""Last step of mining: the collected pages without benchmark text, and every page's last score."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from seekmath.core.places import join, names_in, put_json, remove, writing
from seekmath.core.records import DOCUMENT, PAGE
from seekmath.mine.annotate import match
from seekmath.mine.decontaminate import BenchmarkIndex, Report, clean_rows, read_benchmarks
from seekmath.mine.engine import Beat, Shard, Stage
from seekmath.mine.executors import Engine
from seekmath.mine.host_counts import marked_before
from seekmath.mine.one_round import Crawl, Round
from seekmath.mine.round_files import at_round, collected_in, kept_columns, pages_place
from seekmath.mine.round_steps import load_score, score_rows
from seekmath.mine.settings import MineSettings
from seekmath.mine.tables import load_array, read_columns, read_rows, write_table
from seekmath.mine.word_kernels import count_words

SCORE = pa.schema([("url", pa.string()), ("score", pa.float32())])
CORPUS, SCORES = "corpus", "scores"
#: A row group of the corpus is written when its texts reach this size.
_GROUP_CHARACTERS = 16 << 20


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
    inputs = _benchmark_files(settings.benchmarks)
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
    report = Report(BenchmarkIndex(texts))
    for manifest in manifests:
        _add(report, manifest["contamination"])
    put_json(join(engine.run, "contamination.json"), report.as_json())
    return manifests


def corpus_of_shard(stage: Stage, shard: Shard, beat: Beat) -> dict[str, Any]:
    """The step behind ``write_corpus``."""
    report = Report(_index(stage.parameters["benchmarks"], shard.inputs))
    counts: Counter[str] = Counter(documents=0, tokens=0, characters=0, formulas=0)
    languages: Counter[str] = Counter()
    place = stage.place(CORPUS, f"part-{shard.name}.parquet")
    rows = _documents(stage, shard, beat)
    with writing(place) as file, pq.ParquetWriter(file, DOCUMENT, compression="zstd") as writer:
        for group in _groups(clean_rows(rows, stage.parameters["granularity"], report)):
            writer.write_table(pa.Table.from_pylist(group, schema=DOCUMENT))
            for row in group:
                counts["documents"] += 1
                counts["tokens"] += count_words(row["text"])
                counts["characters"] += len(row["text"])
                counts["formulas"] += row["formulas"] or 0
                counts["duplicates"] += len(row["stands_for"])
                languages[row["language"]] += 1
    hits = {
        name: getattr(report, name)
        for name in ("pages", "pages_hit", "pages_dropped", "segments_dropped")
    }
    by_text = [[number, n, report.urls[number]] for number, n in sorted(report.by_text.items())]
    return {
        **counts,
        "languages": dict(sorted(languages.items())),
        "contamination": {**hits, "by_text": by_text},
    }


def _documents(stage: Stage, shard: Shard, beat: Beat) -> Iterator[dict[str, Any]]:
    rounds = stage.parameters["rounds"]
    kept = kept_columns(stage, shard, "row", "host", "path", "again", "stands_for")
    of_rounds = np.stack(
        [collected_in(stage, shard, number, len(kept)) for number in range(1, rounds + 1)]
    )
    pages = np.flatnonzero(of_rounds[-1] & ~kept["again"].to_numpy())
    first = of_rounds.argmax(axis=0) + 1
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
                yield row
            at += 1


def _groups(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    group: list[dict[str, Any]] = []
    characters = 0
    for row in rows:
        group.append(row)
        characters += len(row["text"])
        if characters >= _GROUP_CHARACTERS:
            yield group
            group, characters = [], 0
    if group:
        yield group


@lru_cache(maxsize=1)
def _index(benchmarks: str, files: tuple[str, ...]) -> BenchmarkIndex:
    return BenchmarkIndex(read_benchmarks(Path(benchmarks)) if benchmarks else [])


def _benchmark_files(benchmarks: str) -> tuple[str, ...]:
    if not benchmarks:
        return ()
    path = Path(benchmarks)
    return tuple(sorted(map(str, path.rglob("*.jsonl*")))) if path.is_dir() else (benchmarks,)


def _add(report: Report, part: dict[str, Any]) -> None:
    """Add one shard's hits to the report of all."""
    for name in ("pages", "pages_hit", "pages_dropped", "segments_dropped"):
        setattr(report, name, getattr(report, name) + part[name])
    for number, pages, urls in part["by_text"]:
        report.by_text[number] += pages
        report.urls[number] = (report.urls.get(number, []) + urls)[:5]


def _remove_others(run: str, folder: str, names: set[str]) -> None:
    """Parts of an earlier run with more files are no part of this one."""
    place = join(run, folder)
    for name in names_in(place):
        if name.endswith(".parquet") and name not in names:
            remove(join(place, name))
