"""Mining a corpus round by round: Figure 2 of the paper, whole (section 2.1).

pages (WARC, extracted) → one of each → train on seeds → score all → collect the best → find the
hosts and paths they stand on → mark prefixes → uncollected pages under them join the seeds →
again, until a round collects almost only what the one before had and few seeds join →
decontaminate → corpus.

Every step leaves its files whole, so that a killed run goes on with the shard or round it was in.
"""

from collections import Counter
from typing import Any

from seekmath.core.files import BadInput, write_json
from seekmath.core.job import Job
from seekmath.mine.corpus_files import write_corpus, write_scores
from seekmath.mine.datasheet import datasheet, write_datasheet
from seekmath.mine.engine import Shard, Stage, digest_of
from seekmath.mine.executors import Engine
from seekmath.mine.inputs import crawl_inputs
from seekmath.mine.kept import keep_pages
from seekmath.mine.one_round import Crawl, Round, run_round
from seekmath.mine.pages import extract_shards
from seekmath.mine.settings import MineSettings

_LOGGED = ("seeds", "collected", "new", "share_already_collected", "tokens", "cut_score")


def mine(settings: MineSettings, job: Job) -> dict[str, Any]:
    """WARC files and seeds to ``corpus/``, ``scores/``, ``rounds.json`` and ``funnel.json``.

    Returns:
        counts for the manifest: documents, tokens, rounds, drops by reason, and how good the last
        round was when labels are given. How each round was trained stands in ``rounds.json``.

    Raises:
        BadInput: an input is missing or holds nothing usable; no seed page is in the crawl.
    """
    with Engine(str(job.out), settings.workers, settings.executor, say=job.say) as engine:
        return _mine(engine, settings, job)


def _mine(engine: Engine, settings: MineSettings, job: Job) -> dict[str, Any]:
    extracted = _extract(engine, settings, job)
    job.progress(0, settings.rounds, "rounds", "duplicates")
    kept = keep_pages(engine, settings, extracted)
    crawl = _crawl(engine, settings, kept)
    done = _run_rounds(engine, settings, job, crawl)
    write_json(job.out / "rounds.json", [one.report for one in done])
    write_scores(engine, settings, crawl, done[-1], len(done))
    corpus = write_corpus(engine, settings, crawl, done)
    funnel = _funnel(extracted, kept["dropped"], done[-1].report, corpus)
    write_json(job.out / "funnel.json", funnel)
    sheet = datasheet(settings, corpus, funnel, done[-1].report)
    write_datasheet(engine.run, sheet)
    return {
        "documents": sum(part["documents"] for part in corpus),
        "tokens": sum(part["tokens"] for part in corpus),
        "rounds": len(done),
        "dropped": {step["step"]: step["dropped"] for step in funnel},
        "quarantined": {m["file"]: m["quarantined_at"] for m in extracted if m["quarantined"]},
        "truth": done[-1].report.get("truth", {}),
    }


def _extract(engine: Engine, settings: MineSettings, job: Job) -> list[dict[str, Any]]:
    inputs = crawl_inputs(settings, job.out / "index")
    manifests = extract_shards(
        engine,
        settings,
        inputs,
        lambda done: job.progress(done, len(inputs), "files", "extracting"),
    )
    if not any(manifest["kept"] for manifest in manifests):
        dropped = _dropped(manifests)
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in dropped.items())
        raise BadInput(
            f"WARC: {', '.join(inputs[:3])}{' …' if len(inputs) > 3 else ''}: not one page with"
            f" text; dropped: {reasons or 'none, the files hold no page'}; give WARC, WET or"
            " Parquet files of a crawl"
        )
    return manifests


def _crawl(engine: Engine, settings: MineSettings, kept: dict[str, Any]) -> Crawl:
    """What the rounds work on, with an index of the labels where there are any."""
    pages, seeds = sum(kept["kept"]), sum(kept["seeds"])
    if not seeds:
        raise BadInput(f"seeds: {settings.seeds}: none of its URLs is a page of the crawl")
    if seeds == pages:
        raise BadInput(f"seeds: {settings.seeds}: every page of the crawl is a seed")
    labels = ""
    if settings.labels:
        stage = Stage("labels", "seekmath.mine.truth:index_labels", engine.run)
        shard = Shard("all", (settings.labels, settings.seeds))
        labels = engine.one(stage, shard)["made_from"]
    return Crawl(len(kept["kept"]), pages, seeds, digest_of([kept["made_from"], labels]), labels)


def _run_rounds(engine: Engine, settings: MineSettings, job: Job, crawl: Crawl) -> list[Round]:
    done: list[Round] = []
    for number in range(1, settings.rounds + 1):
        job.progress(number - 1, settings.rounds, "rounds", f"round {number}")
        done.append(run_round(engine, settings, job.seed, crawl, done))
        report = done[-1].report
        job.log(number, **{key: report[key] for key in _LOGGED}, **report.get("truth", {}))
        job.say(_line(report))
        if number > 1 and _settled(done[-1], settings.stop_share):
            break
    return done


def _settled(last: Round, stop_share: float) -> bool:
    """Whether neither the corpus nor the seeds of the next round hold much that is new.

    The paper looks at the corpus alone; but seeds that have just joined are yet to be learned from.
    """
    old_seeds = 1 - last.report["new_seeds"] / last.positives
    return min(last.report["share_already_collected"], old_seeds) >= stop_share


def _line(report: dict[str, Any]) -> str:
    line = (
        f"  round {report['round']}: {report['seeds']:,} seeds"
        f" ({report['new_seeds']:,} new), {report['collected']:,} pages"
        f" collected ({report['tokens']:,} tokens), {report['new']:,} new,"
        f" {report['share_already_collected']:.1%} already collected,"
        f" {report['candidate_count']:,} candidate hosts,"
        f" {report['prefix_count']:,} prefixes marked"
    )
    if "truth" in report:
        truth = report["truth"]
        line += (
            f"; precision {truth['precision']:.3f}, recall {truth['recall']:.3f},"
            f" average precision {truth['average_precision']:.3f}"
        )
    return line


def _funnel(
    manifests: list[dict[str, Any]],
    duplicates: dict[str, int],
    last: dict[str, Any],
    corpus: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    """What each step kept and dropped, by reason."""
    pages = sum(manifest["kept"] for manifest in manifests)
    left = last["scored"] - last["collected"]
    documents = sum(part["documents"] for part in corpus)
    quoting = sum(part["contamination"]["pages_dropped"] for part in corpus)
    again = last["collected"] - documents - quoting
    return [
        {"step": "extract", "kept": pages, "dropped": _dropped(manifests)},
        {"step": "deduplicate", "kept": last["scored"], "dropped": duplicates},
        {"step": "collect", "kept": last["collected"], "dropped": {"not_collected": left}},
        {
            "step": "decontaminate",
            "kept": documents,
            "dropped": {"benchmark_text": quoting} | ({"earlier_run": again} if again else {}),
        },
    ]


def _dropped(manifests: list[dict[str, Any]]) -> dict[str, int]:
    """Pages and records that extraction dropped or skipped, by reason."""
    dropped: Counter[str] = Counter()
    for manifest in manifests:
        dropped.update(manifest["dropped"])
        dropped.update(manifest["skipped"])
    return dict(sorted(dropped.items()))
