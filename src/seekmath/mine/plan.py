"""What mining a crawl of any size will take, from what finished runs have taken.

Extraction goes by bytes of HTML, every other step by pages; training by the pages trained on, which
have a bound of their own. Two runs of different sizes give the line through them, and so apart what
does not depend on pages: each process loads its kernels. Steps that one process does alone are told
apart, since more nodes do not shorten them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seekmath.core.files import BadInput, read_json
from seekmath.mine.cuts import MinedRun
from seekmath.mine.engine import costs_of

#: Steps of one shard: they run beside nothing else.
ALONE = ("deduplicate", "cut_all", "train_all", "labels", "measure_all")
#: Pages are numbered with 32 bits while one of each is found.
MOST_PAGES_A_RUN = 4_000_000_000
# What passes through files while one of each is found: two keys of 16 bytes and 16 bytes a band;
# and what is held in memory (``dedup``).
_KEYS_BYTES, _BAND_BYTES, _HELD_BYTES = 32, 16, 17
_FOLDERS = ("shards", "kept", "rounds", "scores", "corpus")


@dataclass(frozen=True)
class _Measured:
    """A finished run.

    Attributes:
        run: its folder.
        pages: how many it has read.
        html_bytes: their HTML.
        trained: pages trained on, of all rounds.
        most_trained: the same with training pages at their bound.
        bands: of a signature.
        steps: processor seconds by step.
        stored: bytes by folder.
    """

    run: Path
    pages: int
    html_bytes: int
    trained: int
    most_trained: float
    bands: int
    steps: dict[str, float]
    stored: dict[str, int]


def plan(
    runs: Sequence[Path], pages: float, page_kib: float, nodes: int, cores: int
) -> dict[str, Any]:
    """Core hours, storage, shuffle volume and wall hours.

    Args:
        runs: one finished ``mine`` run on pages like those to come, or two of different sizes.
        pages: how many there will be.
        page_kib: mean size of their HTML in KiB; 0: as in the largest run.
        nodes: machines.
        cores: of each.

    Raises:
        BadInput: no finished run, or two of one size.
    """
    *smaller, run = sorted(map(_measured, runs), key=lambda one: one.pages)
    if smaller and smaller[0].pages == run.pages:
        raise BadInput(f"{runs[1]}: has as many pages as {runs[0]}; two runs must differ in size")
    factor = pages / run.pages
    by_bytes = (page_kib * 1024 * run.pages / run.html_bytes) if page_kib else 1.0
    grown = {"extract": by_bytes, "train_all": _training_factor(run, factor) / factor}
    hours = {
        step: seconds * pages * grown.get(step, 1.0) / 3600
        for step, seconds in _seconds_a_page(run, smaller).items()
    }
    shared = sum(h for step, h in hours.items() if step not in ALONE)
    storage = {
        name: size * factor * (by_bytes if name in ("shards", "corpus") else 1.0) / 1e9
        for name, size in run.stored.items()
    }
    return {
        "measured": {
            "run": str(run.run),
            "pages": run.pages,
            "html_kib_per_page": run.html_bytes / run.pages / 1024,
        },
        "pages": int(pages),
        "runs": math.ceil(pages / MOST_PAGES_A_RUN),
        "core_hours": {**_rounded(hours), "total": round(sum(hours.values()), 2)},
        "storage_gb": {**_rounded(storage), "total": round(sum(storage.values()), 2)},
        "shuffle_gb": round(pages * (_KEYS_BYTES + _BAND_BYTES * run.bands) / 1e9, 2),
        "held_gb_per_run": round(min(pages, MOST_PAGES_A_RUN) * _HELD_BYTES / 1e9, 2),
        "nodes": nodes,
        "cores_per_node": cores,
        "wall_hours": {
            "shared_by_all_cores": round(shared / (nodes * cores), 2),
            "one_process_alone": round(sum(hours.values()) - shared, 2),
        },
    }


def _seconds_a_page(run: _Measured, smaller: Sequence[_Measured]) -> dict[str, float]:
    """Of each step; with a smaller run the slope of the line through both."""
    if not smaller:
        return {step: seconds / run.pages for step, seconds in run.steps.items()}
    less, more = smaller[0], run.pages - smaller[0].pages
    return {
        step: max(0.0, seconds - less.steps.get(step, 0.0)) / more
        for step, seconds in run.steps.items()
    }


def _training_factor(run: _Measured, factor: float) -> float:
    """How many times the run's training pages there will be; ``seed_limit`` bounds them."""
    return min(factor, run.most_trained / run.trained) if run.trained else 1.0


def _measured(folder: Path) -> _Measured:
    mined = MinedRun.open(folder)
    run, settings, rounds = mined.folder, mined.settings, mined.rounds
    manifests = [read_json(p) for p in sorted((run / "manifests/extract").glob("[0-9]*.json"))]
    steps: dict[str, float] = {}
    for name, shards in costs_of(str(run)).items():
        step = name.rpartition("/")[2]
        steps[step] = steps.get(step, 0.0) + sum(one["cpu_s"] for one in shards)
    sizes = {
        name: sum(file.stat().st_size for file in (run / name).rglob("*") if file.is_file())
        for name in _FOLDERS
    }
    return _Measured(
        run,
        sum(one["pages"] for one in manifests),
        sum(one["html_bytes"] for one in manifests),
        sum(one["seeds"] + one["negatives"] for one in rounds),
        len(rounds) * settings.seed_limit * (1 + settings.negatives_per_seed),
        settings.bands,
        steps,
        sizes,
    )


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in values.items()}


def table(found: dict[str, Any]) -> str:
    """The plan as text."""
    runs = "run" if found["runs"] == 1 else "runs"
    lines = [
        f"measured on {found['measured']['pages']:,} pages of"
        f" {found['measured']['html_kib_per_page']:.1f} KiB in {found['measured']['run']}",
        f"planned: {found['pages']:,} pages, in {found['runs']} {runs} of at most"
        f" {MOST_PAGES_A_RUN:,} pages",
        "",
        "core hours",
        *(f"  {name:24}{hours:14,.2f}" for name, hours in found["core_hours"].items()),
        "storage, GB",
        *(f"  {name:24}{size:14,.2f}" for name, size in found["storage_gb"].items()),
        f"shuffled, GB              {found['shuffle_gb']:14,.2f}",
        f"held in memory, GB a run  {found['held_gb_per_run']:14,.2f}",
        f"wall hours on {found['nodes']} nodes of {found['cores_per_node']} cores",
        *(f"  {name:24}{hours:14,.2f}" for name, hours in found["wall_hours"].items()),
    ]
    return "\n".join(lines)


def sample_settings(world: Path, files: int) -> dict[str, Any]:
    """Settings of a short run on some files of an embedded world, to measure this machine by."""
    return {
        "crawl": list(map(str, sorted((world / "warc").glob("*.warc.gz"))[:files])),
        "seeds": str(world / "seeds.txt"),
        "benchmarks": str(world / "benchmarks"),
        "workers": 1,
        "rounds": 2,
        "dim": 16,
        "buckets": 200_000,
    }
