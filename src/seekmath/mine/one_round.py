"""One round of mining: train, score, collect, find domains, mark prefixes (section 2.1)."""

# N kept pages

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from seekmath.core.files import read_json, whole_file, write_json
from seekmath.core.seeds import derive, rng
from seekmath.mine.annotate import by_threshold, from_file, match
from seekmath.mine.domains import candidates, host_shares, prefix_shares
from seekmath.mine.engine import Beat, Task, run_shards
from seekmath.mine.kept import Kept
from seekmath.mine.recall import Classifier, TrainingPlan, shared_words, train
from seekmath.mine.settings import MineSettings
from seekmath.mine.truth import Truth

_MOST_REPORTED = 100


@dataclass(frozen=True)
class Round:
    """What a finished round left; arrays have one entry for each kept page.

    Attributes:
        report: the round's entry in ``rounds.json``.
        scores: the classifier's probabilities.
        collected: which pages were collected.
        joined: pages that join the seeds of later rounds.
    """

    report: dict[str, Any]
    scores: NDArray[np.float64]
    collected: NDArray[np.bool_]
    joined: NDArray[np.bool_]

    @property
    def marked(self) -> list[str]:
        """The prefixes marked in this round."""
        return [row["prefix"] for row in self.report["prefixes"]]


@dataclass(frozen=True)
class Crawl:
    """What every round works on: the shards' files, the kept pages, and labels for measuring."""

    shards: Sequence[Path]
    kept: Kept
    truth: Truth | None


def run_round(
    settings: MineSettings, seed: int, folder: Path, crawl: Crawl, before: Sequence[Round]
) -> None:
    """Do the round that follows ``before`` and leave it in ``folder``, ``round.json`` last."""
    kept = crawl.kept
    positives, negatives = training_pages(settings, seed, kept, before)
    plan = training_plan(settings, seed, len(before) + 1, len(positives) + len(negatives))
    model = folder / "classifier.npz"
    if not model.exists():
        train_on(settings, crawl, positives, negatives, plan).save(model)
    scores = _score(settings, folder, crawl, model)
    collected, cut = collect(scores, kept.tokens, settings.least_score, settings.keep_tokens)
    domains, marked = find_domains(settings, kept, collected)
    earlier = {prefix for one in before for prefix in one.marked}
    joined = under(sorted(earlier | set(marked)), kept) & ~collected
    _save(folder / "pages.npz", scores=scores, collected=collected, joined=joined)
    last = before[-1].collected if before else np.zeros(len(kept), bool)
    taken = int(collected.sum())
    report = {
        "round": len(before) + 1,
        "seeds": len(positives),
        "negatives": len(negatives),
        "scored": len(kept),
        "collected": taken,
        "new": int((collected & ~last).sum()),
        "share_already_collected": round(int((collected & last).sum()) / max(taken, 1), 6),
        "tokens": int(kept.tokens[collected].sum()),
        "cut_score": cut,
        "joined": int(joined.sum()),
        "training": {
            "epochs": plan.epochs,
            "learning_rate": Classifier.load(model).learning_rate,
            "dim": plan.dim,
        },
        **domains,
    }
    if crawl.truth:
        measured = crawl.truth.measure(scores, collected)
        report["truth"] = {key: round(value, 6) for key, value in measured.items()}
    write_json(folder / "round.json", report)


def load_round(folder: Path) -> Round:
    """Read a finished round."""
    with np.load(folder / "pages.npz", allow_pickle=False) as arrays:
        return Round(
            read_json(folder / "round.json"),
            arrays["scores"],
            arrays["collected"],
            arrays["joined"],
        )


def training_pages(
    settings: MineSettings, seed: int, kept: Kept, before: Sequence[Round]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Numbers of the pages to train on: seeds, and random pages of the crawl.

    Seeds are the given ones and, from round 2 on, the uncollected pages under marked prefixes.
    From round 2 on the random pages leave out what looks like a seed: collected in the round
    before, or joined to the seeds.
    """
    positive, seedlike = kept.seeds.copy(), kept.seeds.copy()
    for one in before:
        positive |= one.joined
    if before:
        seedlike |= positive | before[-1].collected
    if seedlike.all():
        # A round that collected everything tells nothing about what to keep out.
        seedlike = positive
    number = len(before) + 1
    positives = _draw(np.flatnonzero(positive), settings.seed_limit, seed, "positives", number)
    most = math.ceil(len(positives) * settings.negatives_per_seed)
    return positives, _draw(np.flatnonzero(~seedlike), most, seed, "negatives", number)


def _draw(
    pages: NDArray[np.int64], most: int, seed: int, purpose: str, number: int
) -> NDArray[np.int64]:
    return rng(seed, "mine", purpose, number).permutation(pages)[:most]


def training_plan(settings: MineSettings, seed: int, number: int, pages: int) -> TrainingPlan:
    """The hyperparameters, with more epochs where the training pages are few."""
    needed = math.ceil(settings.least_updates / max(pages, 1))
    return TrainingPlan(
        settings.dim,
        settings.learning_rate,
        settings.word_ngrams,
        settings.min_count,
        max(settings.epochs, needed),
        settings.buckets,
        derive(seed, "mine", "fasttext", number),
    )


def train_on(
    settings: MineSettings,
    crawl: Crawl,
    positives: NDArray[np.int64],
    negatives: NDArray[np.int64],
    plan: TrainingPlan,
) -> Classifier:
    """Train on the pages of these numbers."""
    pages = np.concatenate([positives, negatives])
    lines = read_words(crawl, pages)
    hosts = [crawl.kept.hosts[page] for page in pages.tolist()]
    shared = shared_words(lines, hosts, settings.min_count, settings.least_hosts)
    lines = [[word for word in line if word in shared] for line in lines]
    return train(lines[: len(positives)], lines[len(positives) :], plan)


def collect(
    scores: NDArray[np.float64], tokens: NDArray[np.int64], least_score: float, keep_tokens: int
) -> tuple[NDArray[np.bool_], float]:
    """Rank by score and keep the top within the token budget, none below ``least_score``.

    The budget is met by whole pages: the first page that would exceed it ends the collection.
    Equal scores rank in page order. Returns the mask and the lowest score collected (1 if none).
    """
    order = np.argsort(-scores, kind="stable")
    good = scores[order] >= least_score
    if keep_tokens:
        good &= np.cumsum(tokens[order]) <= keep_tokens
    collected = np.zeros(len(scores), bool)
    collected[order[good]] = True
    return collected, float(scores[collected].min(initial=1.0))


def find_domains(
    settings: MineSettings, kept: Kept, collected: NDArray[np.bool_]
) -> tuple[dict[str, list[dict[str, Any]]], list[str]]:
    """Shares of hosts, and the marked prefixes below candidate hosts: (report, prefixes)."""
    hosts = host_shares(kept.hosts, collected.tolist())
    good = candidates(hosts, settings.host_share, settings.least_host_pages)
    names = [host.name for host in good]
    shares = prefix_shares(kept.hosts, kept.paths, collected.tolist(), names)
    if settings.annotator == "file":
        marked = set(from_file(Path(settings.annotations)))
    else:
        marked = set(
            by_threshold(
                shares, settings.prefix_share, settings.least_prefix_pages, settings.host_share
            )
        )
    report = {
        "hosts": [host.as_row("host") for host in hosts[:_MOST_REPORTED]],
        "candidates": [host.as_row("host") for host in good],
        "prefixes": [share.as_row("prefix") for share in shares if share.name in marked],
    }
    return report, sorted(marked)


def under(prefixes: Sequence[str], kept: Kept) -> NDArray[np.bool_]:
    """Which pages stand under one of the prefixes."""
    known = frozenset(prefixes)
    found = (bool(match(known, *at)) for at in zip(kept.hosts, kept.paths, strict=True))
    return np.fromiter(found, bool, len(kept))


def read_words(crawl: Crawl, pages: NDArray[np.int64]) -> list[list[str]]:
    """The classifier's words of some pages, in the order given."""
    lines: dict[int, list[str]] = {}
    shard_of = crawl.kept.shards[pages]
    for shard in np.unique(shard_of).tolist():
        column = pq.read_table(crawl.shards[shard], columns=["words"]).column("words")
        for page in pages[shard_of == shard].tolist():
            lines[page] = column[int(crawl.kept.rows[page])].as_py().split()
    return [lines[page] for page in pages.tolist()]


def score_shard(task: Task, beat: Beat) -> dict[str, Any]:
    """Score rows of one shard into ``NNNNN.npy``; a ``engine.Step``."""
    shard, model_path, rows = task.arguments
    model = Classifier.load(Path(model_path))
    column = pq.read_table(shard, columns=["words"]).column("words")
    scores = np.zeros(len(rows))
    for at, row in enumerate(rows):
        beat(at)
        if at not in task.quarantined:
            scores[at] = model.score(model.known(column[row].as_py().split()))
    with whole_file(task.out / f"{task.name}.npy", "wb") as file:
        np.save(file, scores, allow_pickle=False)
    return {"scored": len(rows)}


def _score(settings: MineSettings, folder: Path, crawl: Crawl, model: Path) -> NDArray[np.float64]:
    """Scores of all kept pages, which stand in shard order."""
    tasks = [
        Task(
            folder / "scores",
            f"{number:05d}",
            (str(path), str(model), crawl.kept.rows[crawl.kept.shards == number].tolist()),
            settings.page_cpu_s,
        )
        for number, path in enumerate(crawl.shards)
    ]
    run_shards(score_shard, tasks, settings.workers)
    parts = [np.load(t.out / f"{t.name}.npy", allow_pickle=False) for t in tasks]
    return np.concatenate(parts)


def _save(path: Path, **arrays: NDArray[Any]) -> None:
    with whole_file(path, "wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
