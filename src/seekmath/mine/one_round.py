"""One round of mining: train, score, collect, find domains, mark prefixes (section 2.1).

Every step is a stage of the engine, over all shards or over the partitions of a shuffle; what the
steps leave for each other lies in ``rounds/NN``. This file only orders them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seekmath.core.places import put_json
from seekmath.core.seeds import derive
from seekmath.mine.annotators import annotate_round
from seekmath.mine.calibration import add_histograms
from seekmath.mine.engine import Shard, Stage, digest_of
from seekmath.mine.executors import Engine
from seekmath.mine.host_counts import largest, partitions_for
from seekmath.mine.recall import training_settings
from seekmath.mine.settings import MineSettings

_STEPS = "seekmath.mine.round_steps"
_HOSTS = "seekmath.mine.host_counts"


@dataclass(frozen=True)
class Crawl:
    """What every round works on.

    Attributes:
        shards: how many there are.
        kept: kept pages in all.
        seeds: how many of them are seeds given.
        made_from: of what the rounds follow.
        labels: ``made_from`` of the labels' index; "" without labels.
    """

    shards: int
    kept: int
    seeds: int
    made_from: str
    labels: str


@dataclass(frozen=True)
class Round:
    """A finished round: its entry in ``rounds.json``, and what decides the next."""

    report: dict[str, Any]
    made_from: str
    positives: int
    negatives: int


class _Steps:
    """Runs the steps of one round, each following from the one before."""

    def __init__(
        self, engine: Engine, number: int, common: Mapping[str, Any], follows: str
    ) -> None:
        self._engine = engine
        self.run = engine.run
        self.number = number
        self._common = {"round": number, **common}
        self.follows = follows

    def __call__(
        self,
        function: str,
        parts: int = 0,
        parameters: Mapping[str, Any] | None = None,
        inputs: tuple[str, ...] = (),
    ) -> list[dict[str, Any]]:
        """Run ``function`` over ``parts`` shards or partitions, or whole where that is 0."""
        name = f"rounds/{self.number:02d}/{function.rpartition(':')[2]}"
        stage = Stage(name, function, self.run, {**self._common, **(parameters or {})})
        names = [f"{at:05d}" for at in range(parts)] if parts else ["all"]
        shards = [Shard(name, inputs, (self.follows,)) for name in names]
        manifests = self._engine.map(stage, shards)
        self.follows = digest_of([one["made_from"] for one in manifests])
        return manifests


def run_round(
    engine: Engine, settings: MineSettings, seed: int, crawl: Crawl, before: Sequence[Round]
) -> Round:
    """Do the round that follows ``before``; what is done already is only read."""
    number, shards = len(before) + 1, crawl.shards
    partitions = partitions_for(crawl.kept)
    common = {"shards": shards, "partitions": partitions, "scorer": settings.scorer}
    steps = _Steps(engine, number, common, before[-1].made_from if before else crawl.made_from)
    trained = _train(steps, settings, seed, crawl, before)
    own = (settings.scorer,) if settings.scorer else ()
    scored = steps(f"{_STEPS}:score_shard", shards, inputs=own)
    budget = {"least_score": settings.least_score, "keep_tokens": settings.keep_tokens}
    steps(f"{_STEPS}:cut_all", parameters=budget)
    collected = steps(f"{_STEPS}:collect_shard", shards)
    domains = _domains(steps, settings, shards, partitions)
    joined = steps(
        f"{_STEPS}:join_shard",
        shards,
        {
            "labelled": crawl.labels,
            "negatives_off_score": settings.negatives_off_score,
            "host_share": settings.host_share,
        },
    )
    positives = _sum(joined, "positives")
    report = {
        "round": number,
        "partitions": partitions,
        "seeds": trained["seeds"],
        "negatives": trained["negatives"],
        "scored": crawl.kept,
        **_collection(collected),
        "joined": _sum(joined, "joined"),
        "new_seeds": positives - (before[-1].positives if before else crawl.seeds),
        **{key: part for key, part in trained.items() if key in ("training", "calibration")},
        "histogram": add_histograms([one["histogram"] for one in scored]),
        **domains,
    }
    if crawl.labels:
        [truth] = steps("seekmath.mine.truth:measure_all")
        report["truth"] = {k: v for k, v in truth.items() if k not in ("made_from", "quarantined")}
    put_json(f"{engine.run}/rounds/{number:02d}/round.json", report)
    return Round(report, steps.follows, positives, _sum(joined, "negatives"))


def _train(
    steps: _Steps, settings: MineSettings, seed: int, crawl: Crawl, before: Sequence[Round]
) -> dict[str, Any]:
    """Draw the training pages and train; what the report says of it."""
    number = len(before) + 1
    positives = before[-1].positives if before else crawl.seeds
    others = before[-1].negatives if before else crawl.kept - crawl.seeds
    # A round that collected everything tells nothing about what to keep out.
    keep_out = others > 0
    others = others or crawl.kept - positives
    wanted = min(positives, settings.seed_limit)
    if settings.scorer:
        return {"seeds": positives, "negatives": 0}
    negatives = min(others, math.ceil(wanted * settings.negatives_per_seed))
    draw = {
        "keep_seedlike_out": keep_out,
        "positives": {
            "wanted": wanted,
            "there": positives,
            "salt": derive(seed, "mine", "positives", number),
        },
        "negatives": {
            "wanted": negatives,
            "there": others,
            "salt": derive(seed, "mine", "negatives", number),
        },
    }
    steps(f"{_STEPS}:draw_shard", crawl.shards, draw)
    training = {
        **draw,
        "training": training_settings(settings),
        "seed": derive(seed, "mine", "fasttext", number),
    }
    [trained] = steps(f"{_STEPS}:train_all", parameters=training)
    return trained


def _collection(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    taken, again = _sum(parts, "collected"), _sum(parts, "again")
    return {
        "collected": taken,
        "new": taken - again,
        "share_already_collected": round(again / max(taken, 1), 6),
        "tokens": _sum(parts, "tokens"),
        "cut_score": min(part["lowest"] for part in parts),
    }


def _domains(steps: _Steps, settings: MineSettings, shards: int, partitions: int) -> dict[str, Any]:
    """Candidate hosts and marked prefixes; the report's entries hold the largest of each."""
    rule = {"host_share": settings.host_share, "least_host_pages": settings.least_host_pages}
    hosts = steps(f"{_HOSTS}:sum_hosts", partitions, rule)
    steps(f"{_HOSTS}:count_prefixes", shards)
    policy = annotate_round(settings, steps.run, steps.number, shards, steps)
    own = (settings.annotations,) if settings.annotations else ()
    marked = steps(f"{_HOSTS}:mark_prefixes", partitions, policy, own)
    rows = largest(hosts, "host")
    good = [
        row
        for row in rows
        if row["share"] > settings.host_share and row["pages"] >= settings.least_host_pages
    ]
    return {
        "hosts": rows,
        "host_count": _sum(hosts, "hosts"),
        "hosts_collected": _sum(hosts, "hosts_collected"),
        "candidates": good,
        "candidate_count": _sum(hosts, "candidates"),
        "prefixes": largest(marked, "prefix"),
        "prefix_count": _sum(marked, "marked"),
    }


def _sum(manifests: Sequence[Mapping[str, Any]], key: str) -> int:
    return sum(manifest[key] for manifest in manifests)
