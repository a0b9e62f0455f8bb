"""Mining a corpus round by round: Figure 2 of the paper, whole (section 2.1).

pages (WARC, extracted) → one of each → train on seeds → score all → collect the best → find the
hosts and paths they stand on → mark prefixes → uncollected pages under them join the seeds →
again, until a round collects almost only what the one before had → decontaminate → corpus.

Every step leaves its files whole, so that a killed run goes on with the shard or round it was in.
"""

from collections import Counter
from pathlib import Path
from typing import Any

from seekmath.core.files import BadInput, write_json
from seekmath.core.job import Job
from seekmath.mine.corpus_files import urls_in, write_corpus, write_scores
from seekmath.mine.inputs import crawl_inputs
from seekmath.mine.kept import dedup_counts, keep_pages, read_seeds
from seekmath.mine.one_round import Crawl, Round, load_round, run_round
from seekmath.mine.pages import extract_shards
from seekmath.mine.settings import MineSettings
from seekmath.mine.truth import read_truth

_LOGGED = ("seeds", "collected", "new", "share_already_collected", "tokens", "cut_score")


def mine(settings: MineSettings, job: Job) -> dict[str, Any]:
    """WARC files and seeds to ``corpus/``, ``scores/``, ``rounds.json`` and ``funnel.json``.

    Returns:
        counts for the manifest: documents, tokens, rounds, drops by reason, how each round was
        trained, and how good the last was when labels are given.

    Raises:
        BadInput: an input is missing or holds nothing usable; no seed page is in the crawl.
    """
    manifests, crawl = _prepare(settings, job)
    done = _run_rounds(settings, job, crawl)
    write_json(job.out / "rounds.json", [one.report for one in done])
    write_scores(job.out / "scores", crawl, done[-1].scores)
    corpus = write_corpus(settings, job.out, crawl, done)
    funnel = _funnel(manifests, dedup_counts(job.out), done[-1].report, corpus)
    write_json(job.out / "funnel.json", funnel)
    return {
        "documents": corpus["documents"],
        "tokens": corpus["tokens"],
        "rounds": len(done),
        "dropped": {step["step"]: step["dropped"] for step in funnel},
        "quarantined": {m["file"]: m["quarantined"] for m in manifests if m["quarantined"]},
        "training": [one.report["training"] for one in done],
        "truth": done[-1].report.get("truth", {}),
    }


def _prepare(settings: MineSettings, job: Job) -> tuple[list[dict[str, Any]], Crawl]:
    """Extraction, de-duplication and the labels: what the rounds work on."""
    inputs = crawl_inputs(settings, job.out / "index")
    folder = job.out / "shards"
    manifests = extract_shards(
        settings,
        inputs,
        folder,
        lambda done: job.progress(done, len(inputs), "files", "extracting"),
    )
    shards = [folder / f"{number:05d}.parquet" for number in range(len(inputs))]
    pages = sum(manifest["kept"] for manifest in manifests)
    kept = keep_pages(
        settings, shards, job.out, lambda done: job.progress(done, pages, "pages", "duplicates")
    )
    if not kept.seeds.any():
        raise BadInput(f"seeds: {settings.seeds}: none of its URLs is a page of the crawl")
    if kept.seeds.all():
        raise BadInput(f"seeds: {settings.seeds}: every page of the crawl is a seed")
    truth = None
    if settings.labels:
        crawled = [url for shard in shards for url in urls_in(shard)]
        seeds = read_seeds(Path(settings.seeds))
        truth = read_truth(Path(settings.labels), crawled, seeds, kept.urls, kept.stands_for)
    return manifests, Crawl(shards, kept, truth)


def _run_rounds(settings: MineSettings, job: Job, crawl: Crawl) -> list[Round]:
    done: list[Round] = []
    for number in range(1, settings.rounds + 1):
        folder = job.out / "rounds" / f"{number:02d}"
        if not (folder / "round.json").exists():
            job.progress(number - 1, settings.rounds, "rounds", f"round {number}")
            run_round(settings, job.seed, folder, crawl, done)
        done.append(load_round(folder))
        report = done[-1].report
        job.log(number, **{key: report[key] for key in _LOGGED}, **report.get("truth", {}))
        job.say(_line(report))
        if number > 1 and report["share_already_collected"] >= settings.stop_share:
            break
    return done


def _line(report: dict[str, Any]) -> str:
    line = (
        f"  round {report['round']}: {report['seeds']:,} seeds, {report['collected']:,} pages"
        f" collected ({report['tokens']:,} tokens), {report['new']:,} new,"
        f" {report['share_already_collected']:.1%} already collected,"
        f" {len(report['candidates'])} candidate hosts, {len(report['prefixes'])} prefixes marked"
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
    corpus: dict[str, int],
) -> list[dict[str, Any]]:
    """What each step kept and dropped, by reason."""
    dropped: Counter[str] = Counter()
    for manifest in manifests:
        dropped.update(manifest["dropped"])
        dropped.update(manifest["skipped"])
    pages = sum(manifest["kept"] for manifest in manifests)
    left = last["scored"] - last["collected"]
    return [
        {"step": "extract", "kept": pages, "dropped": dict(sorted(dropped.items()))},
        {"step": "deduplicate", "kept": last["scored"], "dropped": duplicates},
        {"step": "collect", "kept": last["collected"], "dropped": {"not_collected": left}},
        {
            "step": "decontaminate",
            "kept": corpus["documents"],
            "dropped": {"benchmark_text": corpus["contaminated"]},
        },
    ]
