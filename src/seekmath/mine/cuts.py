"""Candidate cuts of a mining run, from which trials of pre-training choose (section 2.1).

The paper ranks the whole crawl and pre-trains on the top 40B, 80B, 120B and 160B tokens. A cut
here is a corpus of its own: the best-ranked pages of all that were kept, whether or not the run
collected them, up to a number of tokens, without benchmark text. Each holds the smaller ones.
"""

# N kept pages of one shard, C cuts

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from seekmath.core.artifact import read_manifest
from seekmath.core.files import BadInput, read_json
from seekmath.core.job import Job
from seekmath.core.places import get_json, put_json, remove
from seekmath.mine.corpus_files import (
    CORPUS,
    benchmark_files,
    benchmark_index,
    contamination_of,
    documents,
    report_of,
)
from seekmath.mine.corpus_part import CorpusPart
from seekmath.mine.datasheet import datasheet, write_datasheet
from seekmath.mine.decontaminate import Report, clean_rows, read_benchmarks
from seekmath.mine.engine import Beat, Shard, Stage
from seekmath.mine.executors import Engine
from seekmath.mine.ranking import Cut, find_cut
from seekmath.mine.round_files import all_shards, at_round, kept_columns
from seekmath.mine.settings import CutsSettings, MineSettings
from seekmath.mine.tables import load_array, read_columns, summed

_QUARTERS = 4
_RANKS, _PARTS = "ranks.json", "parts"
_LARGEST_HOSTS = 20


@dataclass(frozen=True)
class MinedRun:
    """A finished mining run: what of it the cuts are made from.

    Attributes:
        made_from: the fingerprint of its settings and inputs.
        shards: how many it has.
    """

    folder: Path
    settings: MineSettings
    benchmarks: str
    made_from: str
    rounds: list[dict[str, Any]]
    shards: int

    @classmethod
    def open(cls, folder: Path) -> "MinedRun":
        """The run in ``folder``, or in its stage ``mine``.

        Raises:
            BadInput: neither holds a mining run, or it is not finished.
        """
        for place in (folder, folder / "mine"):
            manifest = read_manifest(place)
            if manifest is None or manifest.type != "mine":
                continue
            if manifest.state != "finished":
                raise BadInput(f"{place}: this mining run is {manifest.state}; finish it first")
            return cls(
                place,
                MineSettings.model_validate(manifest.settings),
                manifest.inputs.get("benchmarks", {}).get("path", ""),
                manifest.fingerprint,
                read_json(place / "rounds.json"),
                len(list((place / CORPUS).glob("part-*.parquet"))),
            )
        raise BadInput(
            f"{folder}: holds no mining run; name the folder given to 'seekmath mine --out', or a"
            " run directory with a stage mine"
        )

    def budgets(self, settings: CutsSettings) -> list[int]:
        """Tokens of each cut."""
        if settings.tokens:
            return settings.tokens
        largest = settings.largest or self.rounds[-1]["tokens"]
        return [largest * part // _QUARTERS for part in range(1, _QUARTERS + 1)]


def cuts(settings: CutsSettings, job: Job) -> dict[str, Any]:
    """``cut-1/`` and so on, each ``corpus/`` with datasheet and card; ``cuts.json`` compares them.

    Raises:
        BadInput: there is no finished run, its benchmark items are gone, or a cut is larger than
            all that it kept.
    """
    run = MinedRun.open(Path(settings.mined))
    benchmarks = settings.benchmarks or run.benchmarks
    if benchmarks and not Path(benchmarks).exists():
        raise BadInput(
            f"{run.folder}: kept out {benchmarks}, which is gone; name it with --benchmarks"
        )
    budgets = run.budgets(settings)
    with Engine(str(job.out), settings.workers, settings.executor, shared=False) as engine:
        manifests = _write_parts(engine, run, benchmarks, budgets, job)
    texts = read_benchmarks(Path(benchmarks)) if benchmarks else []
    report = report_of(texts, (one["contamination"] for one in manifests))
    put_json(str(job.out / "contamination.json"), report.as_json())
    ranks = get_json(str(job.out / _RANKS))
    table = []
    for number, rank in enumerate(ranks["cuts"]):
        counts = [one["cuts"][number] for one in manifests]
        table.append(_finish(job.out, run, number, budgets, rank["score"], counts))
    remove(str(job.out / _PARTS))
    put_json(str(job.out / "cuts.json"), table)
    return {"cuts": table, "ranked_tokens": ranks["tokens"]}


def _write_parts(
    engine: Engine, run: MinedRun, benchmarks: str, budgets: Sequence[int], job: Job
) -> list[dict[str, Any]]:
    ranking = {
        "mined": str(run.folder),
        "rounds": len(run.rounds),
        "shards": run.shards,
        "partitions": run.rounds[-1]["partitions"],
        "budgets": list(budgets),
    }
    after = (run.made_from,)
    stage = Stage("rank", "seekmath.mine.cuts:rank_all", engine.run, ranking)
    ranked = engine.one(stage, Shard("all", after=after))
    writing = {**ranking, "benchmarks": benchmarks, "granularity": run.settings.granularity}
    stage = Stage(
        "write",
        "seekmath.mine.cuts:write_shard",
        engine.run,
        writing,
        record_cpu_s=run.settings.page_cpu_s,
    )
    inputs, follows = benchmark_files(benchmarks), (*after, ranked["made_from"])
    shards = [Shard(f"{at:05d}", inputs, follows) for at in range(run.shards)]
    return engine.map(
        stage, shards, lambda done: job.progress(done, run.shards, "shards", "writing")
    )


def rank_all(stage: Stage, shard: Shard, beat: Beat) -> dict[str, Any]:
    """Where each cut ends in the ranking of all kept pages, in ``ranks.json``."""
    run, number = _of_run(stage), stage.parameters["rounds"]

    def parts() -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
        for at, place in enumerate(all_shards(run, number, "scores", ".npy")):
            kept = read_columns(run.place("kept", f"{at:05d}.parquet"), ["tokens", "again"])
            # What an earlier run has kept stands in no cut and takes no room in one.
            tokens_N = np.where(kept["again"].to_numpy(), 0, kept["tokens"].to_numpy())
            yield load_array(place), tokens_N.astype(np.int64)

    there = sum(int(tokens_N.sum()) for _, tokens_N in parts())
    budgets = stage.parameters["budgets"]
    if budgets[-1] > there:
        raise BadInput(
            f"the largest cut: found {budgets[-1]:,} tokens; allowed: up to {there:,}, all that"
            " the run kept one of each of (words; a Chinese character counts as one)"
        )
    found = [find_cut(parts, 0.0, budget) for budget in budgets]
    ranks = [{"score": cut.score, "ties": cut.ties} for cut in found]
    put_json(stage.place(_RANKS), {"tokens": there, "cuts": ranks})
    return {"tokens": there}


def write_shard(stage: Stage, shard: Shard, beat: Beat) -> dict[str, Any]:
    """The shard's part of every cut; a page is read and cleaned once."""
    run = _of_run(stage)
    number, granularity = stage.parameters["rounds"], stage.parameters["granularity"]
    scores_N = load_array(at_round(run, number, "scores", f"{shard.name}.npy"))
    again_N = kept_columns(run, shard, "again").column(0).to_numpy()
    ranks = [Cut(one["score"], tuple(one["ties"])) for one in get_json(stage.place(_RANKS))["cuts"]]
    in_CN = np.stack([cut.collected(int(shard.name), scores_N) & ~again_N for cut in ranks])
    report = Report(benchmark_index(stage.parameters["benchmarks"], shard.inputs))
    with ExitStack() as stack:
        places = [_part(stage, at, shard.name) for at in range(len(ranks))]
        parts = [stack.enter_context(CorpusPart(place)) for place in places]
        rows = documents(run, shard, number, beat, in_CN[-1])
        for row in clean_rows(rows, granularity, report):
            for part, held_N in zip(parts, in_CN, strict=True):
                if held_N[row["page"]]:
                    part.add(row)
    pages = in_CN.sum(axis=1).tolist()
    counts = [{"pages": n, **part.counts()} for n, part in zip(pages, parts, strict=True)]
    return {"cuts": counts, "contamination": contamination_of(report)}


def _of_run(stage: Stage) -> Stage:
    """The same stage, to read the mining run's files with."""
    return replace(stage, run=stage.parameters["mined"])


def _part(stage: Stage, cut: int, shard: str) -> str:
    return stage.place(_PARTS, _name(cut), CORPUS, f"part-{shard}.parquet")


def _name(cut: int) -> str:
    return f"cut-{cut + 1}"


def _finish(
    out: Path,
    run: MinedRun,
    cut: int,
    budgets: Sequence[int],
    score: float,
    counts: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    """Datasheet and card beside the parts of one cut, which then appears; its line of the table."""
    made, final = out / _PARTS / _name(cut), out / _name(cut)
    if made.exists():
        sheet = _sheet(made, run, cut, budgets, score, counts)
        write_datasheet(str(made), sheet)
        made.rename(final)
    sizes = read_json(final / "datasheet.json")["sizes"]
    return {
        "cut": _name(cut),
        "budget": budgets[cut],
        "documents": sizes["documents"],
        "tokens": sizes["tokens"],
        "lowest_score": round(score, 6),
    }


def _sheet(
    folder: Path,
    run: MinedRun,
    cut: int,
    budgets: Sequence[int],
    score: float,
    counts: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    hosts = summed(_hosts(folder / CORPUS), "host", ["collected"]).sort_by(
        [("collected", "descending")]
    )
    pages, documents = (sum(one[key] for one in counts) for key in ("pages", "documents"))
    kept = run.rounds[-1]["scored"]
    funnel = [
        *read_json(run.folder / "funnel.json")[:2],
        {"step": "cut", "kept": pages, "dropped": {"ranked_lower": kept - pages}},
        {
            "step": "decontaminate",
            "kept": documents,
            "dropped": {"benchmark_text": pages - documents},
        },
    ]
    last = {
        "round": len(run.rounds),
        "cut_score": score,
        "hosts_collected": len(hosts),
        "hosts": hosts.slice(0, _LARGEST_HOSTS).to_pylist(),
    }
    settings = run.settings.model_copy(update={"keep_tokens": budgets[cut], "least_score": 0.0})
    about = {"number": cut + 1, "of": len(budgets), "budget": budgets[cut]}
    return {**datasheet(settings, counts, funnel, last), "cut": about}


def _hosts(folder: Path) -> Iterator[pa.Table]:
    for path in sorted(folder.glob("*.parquet")):
        hosts = pq.read_table(path, columns=["host"])
        yield hosts.append_column("collected", pa.array(np.ones(len(hosts), np.int64)))
