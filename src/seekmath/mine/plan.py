"""What mining a crawl of any size will take, from what a finished run has taken.

Extraction goes by bytes of HTML, every other step by pages. Steps that one process does alone are
told apart, since more nodes do not shorten them.
"""

import math
from pathlib import Path
from typing import Any

from seekmath.core.files import read_json
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


def plan(run: Path, pages: float, page_kib: float, nodes: int, cores: int) -> dict[str, Any]:
    """Core hours, storage, shuffle volume and wall hours.

    Args:
        run: a finished ``mine`` run on pages like those to come.
        pages: how many there will be.
        page_kib: mean size of their HTML in KiB; 0: as in the run.
        nodes: machines.
        cores: of each.

    Raises:
        BadInput: ``run`` is no finished run.
    """
    measured, html_bytes = _measured(run)
    seen = measured["pages"]
    factor = pages / seen
    by_bytes = (page_kib * 1024 * seen / html_bytes) if page_kib else 1.0
    hours = {
        step: seconds * factor * (by_bytes if step == "extract" else 1.0) / 3600
        for step, seconds in measured["steps"].items()
    }
    alone = sum(hours[step] for step in hours if step in ALONE and step != "train_all")
    # Training has a bound of its own (seed_limit) and does not grow with the crawl.
    training = measured["steps"].get("train_all", 0.0) / 3600
    hours["train_all"] = training
    shared = sum(h for step, h in hours.items() if step not in ALONE)
    storage = {
        name: size * factor * (by_bytes if name in ("shards", "corpus") else 1.0) / 1e9
        for name, size in measured["bytes"].items()
    }
    bands = measured["bands"]
    return {
        "measured": {"run": str(run), "pages": seen, "html_kib_per_page": html_bytes / seen / 1024},
        "pages": int(pages),
        "runs": math.ceil(pages / MOST_PAGES_A_RUN),
        "core_hours": {**_rounded(hours), "total": round(sum(hours.values()), 2)},
        "storage_gb": {**_rounded(storage), "total": round(sum(storage.values()), 2)},
        "shuffle_gb": round(pages * (_KEYS_BYTES + _BAND_BYTES * bands) / 1e9, 2),
        "held_gb_per_run": round(min(pages, MOST_PAGES_A_RUN) * _HELD_BYTES / 1e9, 2),
        "nodes": nodes,
        "cores_per_node": cores,
        "wall_hours": {
            "shared_by_all_cores": round(shared / (nodes * cores), 2),
            "one_process_alone": round(alone + training, 2),
        },
    }


def _measured(run: Path) -> tuple[dict[str, Any], int]:
    mined = MinedRun.open(run)
    run = mined.folder
    manifests = [read_json(p) for p in sorted((run / "manifests/extract").glob("[0-9]*.json"))]
    steps: dict[str, float] = {}
    for name, shards in costs_of(str(run)).items():
        step = name.rpartition("/")[2]
        steps[step] = steps.get(step, 0.0) + sum(one["cpu_s"] for one in shards)
    sizes = {
        name: sum(file.stat().st_size for file in (run / name).rglob("*") if file.is_file())
        for name in _FOLDERS
    }
    measured = {
        "pages": sum(one["pages"] for one in manifests),
        "steps": steps,
        "bytes": sizes,
        "bands": mined.settings.bands,
    }
    return measured, sum(one["html_bytes"] for one in manifests)


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in values.items()}


def table(found: dict[str, Any]) -> str:
    """The plan as text."""
    lines = [
        f"measured on {found['measured']['pages']:,} pages of"
        f" {found['measured']['html_kib_per_page']:.1f} KiB in {found['measured']['run']}",
        f"planned: {found['pages']:,} pages, in {found['runs']} run(s) of at most"
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


def sample_settings(world: Path) -> dict[str, Any]:
    """Settings of a short run on a small embedded world, to measure this machine by."""
    return {
        "crawl": [str(world / "warc")],
        "seeds": str(world / "seeds.txt"),
        "benchmarks": str(world / "benchmarks"),
        "workers": 1,
        "rounds": 2,
        "dim": 16,
        "buckets": 200_000,
    }
