"""The engine: one pure function per shard, over processes that may die.

A task's outputs are named by its shard, appear whole, and its manifest is written last, so a
retry, a killed run or another number of workers changes nothing. A worker tells which record it
is at; when it dies, or a record exceeds its processor time, that record is quarantined, reported
in the manifest, and the shard is done again without it.
"""

import signal
import struct
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pebble import ProcessPool

from seekmath.core.files import read_json, write_json

_PLACE = struct.Struct("<q")
_BETWEEN = -1


@dataclass(frozen=True)
class Task:
    """One shard of one step: what to read, the folder for its outputs, and its name there.

    Attributes:
        out: folder of the outputs; ``<name>.json`` in it is the manifest.
        name: the shard's name, such as ``00003``.
        arguments: what the step's function needs besides; must pickle small.
        record_cpu_s: processor seconds that one record may take before its worker is killed.
        quarantined: numbers of records to leave out, because a worker died at them.
    """

    out: Path
    name: str
    arguments: tuple[Any, ...]
    record_cpu_s: float = 60.0
    quarantined: tuple[int, ...] = ()


class Beat:
    """Tells the supervisor which record a worker is at, and limits what that record may take.

    The limit is the kernel's: a timer of processor time whose signal kills the process even
    inside a C library that never returns to Python.
    """

    def __init__(self, task: Task) -> None:
        self._limit_s = task.record_cpu_s
        self._file = open(_place_path(task), "wb", buffering=0)
        self._write(_BETWEEN)

    def __call__(self, record: int) -> None:
        """Begin record number ``record``."""
        self._write(record)
        signal.setitimer(signal.ITIMER_PROF, self._limit_s)

    def stop(self) -> None:
        """No record is being worked at."""
        signal.setitimer(signal.ITIMER_PROF, 0)
        self._write(_BETWEEN)
        self._file.close()

    def _write(self, record: int) -> None:
        self._file.seek(0)
        self._file.write(_PLACE.pack(record))


Step = Callable[[Task, Beat], dict[str, Any]]


def run_shards(
    step: Step,
    tasks: Sequence[Task],
    workers: int,
    progress: Callable[[int], None] = lambda done: None,
    most_deaths: int = 20,
) -> list[dict[str, Any]]:
    """Run ``step`` on every task whose manifest is absent; the manifests, in the order of tasks.

    Args:
        step: a module-level function; it writes the shard's outputs whole and returns counts.
        tasks: the shards.
        workers: processes; 0 runs in this process (no record can then be quarantined).
        progress: told how many shards are done.
        most_deaths: a shard whose workers die more often than this fails the run.

    Raises:
        RuntimeError: a worker died outside any record, or too often; names shard and record.
        Exception: what ``step`` raised.
    """
    left = [task for task in tasks if not manifest_path(task).exists()]
    done = len(tasks) - len(left)
    progress(done)
    if workers == 0:
        for task in left:
            _attempt(step, task)
            progress(done := done + 1)
    elif left:
        _run_in_pool(step, left, workers, lambda count: progress(done + count), most_deaths)
    return [read_json(manifest_path(task)) for task in tasks]


def manifest_path(task: Task) -> Path:
    """Where the manifest of a task lies once its outputs are whole."""
    return task.out / f"{task.name}.json"


def _place_path(task: Task) -> Path:
    return task.out / f".at-{task.name}"


def _attempt(step: Step, task: Task) -> None:
    """In a worker: do the shard, then write its manifest."""
    # The default action of the timer's signal ends the process; Python's own would need Python.
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    task.out.mkdir(parents=True, exist_ok=True)
    beat = Beat(task)
    try:
        counts = step(task, beat)
    finally:
        beat.stop()
    write_json(manifest_path(task), {**counts, "quarantined": list(task.quarantined)})
    _place_path(task).unlink(missing_ok=True)


def _run_in_pool(
    step: Step,
    tasks: Sequence[Task],
    workers: int,
    progress: Callable[[int], None],
    most_deaths: int,
) -> None:
    with ProcessPool(max_workers=min(workers, len(tasks))) as pool:
        try:
            running = {pool.schedule(_attempt, args=(step, task)): task for task in tasks}
            finished = 0
            while running:
                ready, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in ready:
                    task = running.pop(future)  # type: ignore[call-overload]
                    again = _after(future, task, most_deaths)
                    if again:
                        running[pool.schedule(_attempt, args=(step, again))] = again
                    else:
                        progress(finished := finished + 1)
        except BaseException:
            pool.stop()
            raise


def _after(future: "Future[None]", task: Task, most_deaths: int) -> Task | None:
    """The task to run again when its worker died, or None when it is done."""
    from pebble import ProcessExpired

    try:
        future.result()
        return None
    except ProcessExpired as death:
        at = _BETWEEN
        place = _place_path(task)
        if place.exists() and len(raw := place.read_bytes()) == _PLACE.size:
            (at,) = _PLACE.unpack(raw)
        if at == _BETWEEN or len(task.quarantined) >= most_deaths:
            raise RuntimeError(
                f"shard {task.name}: a worker died (exit {death.exitcode}) at record {at} after"
                f" {len(task.quarantined)} quarantined records; see its input for what is wrong"
            ) from death
        return replace(task, quarantined=(*task.quarantined, at))
