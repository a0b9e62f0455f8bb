"""CPU time of the same work by several hands, alternating in one run, and the file it leaves."""

import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from seekmath.core.artifact import machine, versions
from seekmath.core.files import write_json


def cpu_seconds(
    works: Mapping[str, Callable[[], object]], rounds: int, least_s: float = 0.3
) -> dict[str, list[float]]:
    """CPU seconds of one call of each work, ``rounds`` times over, the works in turn.

    A work runs once before it is timed (compilation, tables), and as often within a round as
    fills ``least_s``.
    """
    repeats = {}
    for name, work in works.items():
        work()
        repeats[name] = max(1, round(least_s / max(process_seconds(work), 1e-6)))
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            seconds[name].append(process_seconds(work, repeats[name]))
    return seconds


def medians(seconds: Mapping[str, list[float]]) -> dict[str, float]:
    """The median of each."""
    return {name: statistics.median(times) for name, times in seconds.items()}


def process_seconds(work: Callable[[], object], times: int = 1) -> float:
    """CPU seconds of this process for one call of ``work``."""
    start = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - start) / times


def save(name: str, found: dict[str, Any], packages: tuple[str, ...] = ()) -> None:
    """Write ``found`` to results/NAME-DATE.json with machine, versions and command; print it."""
    date = datetime.now(UTC).date().isoformat()
    result = {
        **found,
        "date": date,
        "machine": machine(),
        "versions": {**versions(), **{package: _version(package) for package in packages}},
        "command": "python " + " ".join(sys.argv),
    }
    write_json(Path(__file__).parent / "results" / f"{name}-{date}.json", result)
    print(json.dumps(result, indent=2, ensure_ascii=False))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
