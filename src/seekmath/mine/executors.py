"""Running a stage over its shards: on this machine's cores, or as Ray tasks on a cluster.

Both go through ``run_shard`` with the same supervision: where a worker dies at a record, that
record is quarantined, and the shard is done again without it. A death that need not be the
record's fault (somebody killed the worker) must happen at the same record twice.
"""

import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

from pebble import ProcessExpired, ProcessPool

from seekmath.core.places import is_url
from seekmath.mine.claims import LEASE_S, Claims
from seekmath.mine.engine import (
    MEMORY_EXIT,
    Shard,
    Stage,
    compiles_in,
    finished,
    place_file,
    place_in,
    run_shard,
)
from seekmath.mine.limits import COMPILES

Executor = Literal["local", "ray"]
Progress = Callable[[int], None]
Say = Callable[[str], None]

# Workers of one shard that may die, and of these between records, before the run fails.
_MOST_DEATHS = 50
_MOST_BETWEEN = 3
_POLL_S = 0.25
_LONGEST_POLL_S = 2.0
# Imported once by the process that workers are forked from.
_PRELOAD = ["seekmath.mine.pages", "seekmath.mine.round_steps", "seekmath.mine.corpus_files"]


@dataclass(frozen=True)
class _Attempt:
    shard: Shard
    left_out: tuple[int, ...] = ()
    suspect: int = -1
    deaths: int = 0
    watched: str = ""


def _nothing(done: int | str) -> None:
    """Nothing is shown."""


class Engine:
    """Runs stages; leave it as a context manager, which ends its workers.

    Args:
        run: folder of the run, a path or a URL.
        workers: processes on this machine; 0 works in this one, where no budget holds.
        executor: "local", or "ray" for tasks on the Ray cluster that ``RAY_ADDRESS`` names (one
            is started on this machine where it names none).
        lease_s: after this long without a sign of life another process takes a shard over.
        shared: whether to claim shards, so that other processes may work on the same run.
        say: told once, as a line for the user, that workers compile kernels, which takes its time.
    """

    def __init__(
        self,
        run: str,
        workers: int,
        executor: Executor = "local",
        lease_s: float = LEASE_S,
        shared: bool = True,
        say: Say = _nothing,
    ) -> None:
        self.run = run
        self.workers = workers
        self._executor = executor
        self._say: Say | None = say
        self._stack = ExitStack()
        self._pool: ProcessPool | None = None
        # Object stores have no exclusive creation; one process drives a run there.
        claimed = shared and not is_url(run)
        self._claims = Claims(Path(run) / ".claims", lease_s) if claimed else None

    def __enter__(self) -> "Engine":
        if self._claims:
            self._stack.enter_context(self._claims)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._pool:
            # After an error what still runs is ended, not awaited.
            (self._pool.stop if kind else self._pool.close)()
            self._pool.join()
        self._stack.close()

    def map(
        self, stage: Stage, shards: Sequence[Shard], progress: Progress = _nothing
    ) -> list[dict[str, Any]]:
        """Do every shard that is not done yet; the manifests in the order of ``shards``.

        Shards that another process on the same run holds are waited for.

        Raises:
            RuntimeError: a worker died outside any record, or too often; names shard and record.
            Exception: what the stage's function raised.
        """
        manifests = {s.name: found for s in shards if (found := finished(stage, s))}
        left = deque(shard for shard in shards if shard.name not in manifests)
        running: dict[Future[Any], _Attempt] = {}
        poll_s = _POLL_S
        while left or running:
            self._start(stage, left, running, manifests)
            progress(len(manifests))
            self._tell_compiling(running)
            ended = wait(running, poll_s, FIRST_COMPLETED).done if running else set()
            if not ended and not running and left:
                time.sleep(poll_s)
                poll_s = min(poll_s * 1.5, _LONGEST_POLL_S)
            for future in ended:
                attempt = running.pop(future)
                again = _after(future, stage, attempt)
                if again:
                    self._submit(stage, again, running)
                    continue
                manifests[attempt.shard.name] = future.result()
                self._release(stage, attempt.shard)
                poll_s = _POLL_S
        progress(len(manifests))
        return [manifests[shard.name] for shard in shards]

    def one(self, stage: Stage, shard: Shard) -> dict[str, Any]:
        """A stage that is not split."""
        return self.map(stage, [shard])[0]

    def _start(
        self,
        stage: Stage,
        left: deque[Shard],
        running: dict["Future[Any]", _Attempt],
        manifests: dict[str, dict[str, Any]],
    ) -> None:
        """Start what can be claimed, as long as there are free workers."""
        slots = max(self.workers, 1) if self._executor == "local" else 10_000
        for _ in range(len(left)):
            if len(running) >= slots:
                return
            shard = left.popleft()
            # Asked again after the claim: its last holder may have finished it just before.
            if self._claim(stage, shard):
                done = finished(stage, shard)
                if done is None:
                    self._submit(stage, _Attempt(shard), running)
                    continue
                self._release(stage, shard)
                manifests[shard.name] = done
            elif done := finished(stage, shard):
                manifests[shard.name] = done
            else:
                left.append(shard)

    def _submit(
        self, stage: Stage, attempt: _Attempt, running: dict["Future[Any]", _Attempt]
    ) -> None:
        if self._executor == "ray":
            future = _ray_task(stage, attempt.shard)
        elif self.workers == 0:
            future = Future()
            future.set_result(run_shard(stage, attempt.shard))
        else:
            self._pool = self._pool or _pool(self.workers)
            attempt = replace(attempt, watched=place_file())
            arguments = (stage, attempt.shard, attempt.left_out, attempt.watched)
            future = self._pool.schedule(run_shard, args=arguments)
        running[future] = attempt

    def _tell_compiling(self, running: dict["Future[Any]", _Attempt]) -> None:
        watched = (attempt.watched for attempt in running.values() if attempt.watched)
        if self._say and any(map(compiles_in, watched)):
            self._say(f"  {COMPILES}")
            self._say = None

    def _claim(self, stage: Stage, shard: Shard) -> bool:
        return self._claims is None or self._claims.take(_claim_name(stage, shard))

    def _release(self, stage: Stage, shard: Shard) -> None:
        if self._claims:
            self._claims.release(_claim_name(stage, shard))


def _claim_name(stage: Stage, shard: Shard) -> str:
    return f"{stage.name.replace('/', '-')}-{shard.name}"


def _pool(workers: int) -> ProcessPool:
    # Forked from a clean process that has the imports: no thread of ours is copied half-way.
    context = get_context("forkserver")
    context.set_forkserver_preload(_PRELOAD)
    return ProcessPool(max_workers=workers, context=context, initializer=_begin)


def _begin() -> None:
    """What a worker does first."""
    import pyarrow as pa

    # Arrow's own allocators keep what was freed: 45 MiB after reading 200 files of a megabyte.
    pa.set_memory_pool(pa.system_memory_pool())
    _end_with_parent()


def _end_with_parent() -> None:
    """Let the kernel end this worker when the process it was forked from ends."""
    import ctypes

    pdeathsig = 1
    ctypes.CDLL(None).prctl(pdeathsig, signal.SIGKILL)


def _after(future: "Future[Any]", stage: Stage, attempt: _Attempt) -> _Attempt | None:
    """The next attempt when the worker died, or None when the shard is done."""
    try:
        future.result()
        return None
    except ProcessExpired as death:
        at = place_in(attempt.watched)
        if attempt.deaths >= _MOST_DEATHS or (at < 0 and attempt.deaths >= _MOST_BETWEEN):
            raise RuntimeError(
                f"{stage.name}, shard {attempt.shard.name}: a worker died (exit {death.exitcode})"
                f" at record {at}, after {attempt.deaths} deaths and {len(attempt.left_out)}"
                " quarantined records; see its input for what is wrong"
            ) from death
        sure = death.exitcode in (-signal.SIGPROF, MEMORY_EXIT) or at == attempt.suspect
        if at >= 0 and sure:
            at, attempt = -1, replace(attempt, left_out=(*attempt.left_out, at))
        return replace(attempt, suspect=at, deaths=attempt.deaths + 1)
    finally:
        if attempt.watched:
            Path(attempt.watched).unlink(missing_ok=True)


def run_supervised(stage: Stage, shard: Shard) -> dict[str, Any]:
    """One shard in one supervised worker of its own: what a Ray task does on its node."""
    with Engine(stage.run, workers=1, shared=False) as engine:
        return engine.one(stage, shard)


def _ray_task(stage: Stage, shard: Shard) -> "Future[Any]":
    import ray

    if not ray.is_initialized():
        ray.init(log_to_driver=False, include_dashboard=False)
    task = ray.remote(num_cpus=1, max_retries=3)(run_supervised)
    future: Future[Any] = task.remote(stage, shard).future()
    return future
