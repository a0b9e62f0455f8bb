"""The engine's core: one pure function for each shard, ``run_shard(stage, shard) -> manifest``.

A stage says what is done, a shard to what; both are small and are all that travels, data lies in
files. A shard's outputs are named by the shard and appear whole, and its manifest is written last.
Readers trust manifests only, and a manifest counts only if it was made from the same code,
parameters and inputs. So a retry, a killed or a late worker, and any number of workers and
machines change nothing, and an edited stage redoes only itself and what follows from it.

While a worker is in a shard it says which record it is at, and the kernel limits what that record
may take: a timer of processor time, and a bound on allocated memory.
"""

import contextlib
import json
import mmap
import os
import pkgutil
import signal
import struct
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from seekmath.core.memory import give_back
from seekmath.core.places import exists, get_json, identity, join, put_json
from seekmath.mine.limits import COMPILING, limit_memory, limit_time

#: How a worker ends that ran out of its memory budget; supervisors read it.
MEMORY_EXIT = 88
_BETWEEN = -1
# The file where a worker is: the record's number, and a byte once it has compiled a kernel.
_PLACE = struct.Struct("<q")


@dataclass(frozen=True)
class Stage:
    """What is done to each shard.

    Attributes:
        name: where its manifests lie below the run, such as ``pages`` or ``rounds/01/score``.
        function: a ``Step`` as ``module:name``.
        run: folder of the run: a path, or a URL that every worker can reach.
        parameters: JSON values that decide the outputs.
        version: goes up when the function's outputs change.
        record_cpu_s: processor seconds that one record may take.
        record_mib: memory that a worker may allocate in a shard beyond what it had; 0: any.
    """

    name: str
    function: str
    run: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    version: int = 1
    record_cpu_s: float = 60.0
    record_mib: int = 0

    def place(self, *names: str) -> str:
        """A file or folder of the run."""
        return join(self.run, *names)


@dataclass(frozen=True)
class Shard:
    """One part of a stage's work.

    Attributes:
        name: the name of its outputs, such as ``00003``.
        inputs: files from outside the run; a change of one redoes the shard.
        after: ``made_from`` of the manifests it follows from, or any other text that decides it.
        parameters: JSON values for this shard alone.
    """

    name: str
    inputs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)


Step = Callable[[Stage, Shard, "Beat"], dict[str, Any]]


class Beat:
    """Says which record a worker is at, and starts that record's budget of processor time.

    The limit is the kernel's: a timer whose signal kills the process even inside a C library
    that never returns to Python. Without a ``path`` nothing is written and nothing limited.
    """

    def __init__(self, path: Path | None, cpu_s: float, left_out: frozenset[int]) -> None:
        self.left_out = left_out
        self._cpu_s = cpu_s
        self._map: mmap.mmap | None = None
        if path:
            with open(path, "w+b") as file:
                file.write(_PLACE.pack(_BETWEEN) + b"\0")
                file.flush()
                self._map = mmap.mmap(file.fileno(), _PLACE.size + 1)

    def __call__(self, record: int) -> bool:
        """Begin record number ``record``; False where it is quarantined and to be left out."""
        if self._map is not None:
            _PLACE.pack_into(self._map, 0, record)
            limit_time(self._cpu_s)
        return record not in self.left_out

    def between(self) -> None:
        """No record is being worked at."""
        if self._map is not None:
            limit_time(0)
            _PLACE.pack_into(self._map, 0, _BETWEEN)

    def compiling(self) -> None:
        """Tell the supervisor that a kernel is being compiled."""
        if self._map is not None:
            self._map[_PLACE.size] = 1


def run_shard(
    stage: Stage, shard: Shard, left_out: Sequence[int] = (), watched: str = ""
) -> dict[str, Any]:
    """Do one shard and write its manifest, which is returned.

    Args:
        stage: what to do.
        shard: what to do it to.
        left_out: numbers of quarantined records.
        watched: the supervisor's file for this worker's place (``place_file``); "" where nobody
            watches, then no limit holds.
    """
    beat = Beat(Path(watched) if watched else None, stage.record_cpu_s, frozenset(left_out))
    COMPILING.begun = beat.compiling
    if watched:
        # The default action of the timer's signal ends the process; Python's own needs Python.
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        limit_memory(stage.record_mib)
    function: Step = pkgutil.resolve_name(stage.function)
    try:
        with _cost_noted(stage.place("manifests", stage.name, f".cost-{shard.name}.json")):
            counts = function(stage, shard, beat)
    except MemoryError:
        if watched:
            os._exit(MEMORY_EXIT)
        raise
    finally:
        beat.between()
        if watched:
            give_back()  # so that one large shard does not weigh on all later
    manifest = {"made_from": made_from(stage, shard), **counts, "quarantined": sorted(left_out)}
    put_json(manifest_place(stage, shard), manifest)
    return manifest


@contextlib.contextmanager
def _cost_noted(place: str) -> Iterator[None]:
    """Note beside a manifest what a shard took: processor seconds, and the worker's peak memory.

    Compiling kernels, once in an installation, stands apart. The costs are no part of the manifest,
    which is the same however often a shard is done.
    """
    # Where the kernel lets us, the peak is counted from here and not from the worker's start.
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    cpu_s, wall_s, compile_s = time.process_time(), time.monotonic(), COMPILING.spent_s
    yield
    compile_s = COMPILING.spent_s - compile_s
    cost = {
        "cpu_s": round(time.process_time() - cpu_s - compile_s, 4),
        "compile_s": round(compile_s, 4),
        "wall_s": round(time.monotonic() - wall_s, 4),
        "peak_mib": round(_peak_kib() / 1024, 1),
    }
    put_json(place, cost)


def costs_of(run: str) -> dict[str, list[dict[str, float]]]:
    """What the shards of each stage of a run on local disk took, by the stage's name."""
    top = Path(run) / "manifests"
    found: dict[str, list[dict[str, float]]] = {}
    for path in sorted(top.rglob(".cost-*.json")):
        found.setdefault(str(path.parent.relative_to(top)), []).append(get_json(str(path)))
    return found


def _peak_kib() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def made_from(stage: Stage, shard: Shard) -> str:
    """A digest of all that decides a shard's outputs."""
    whole = [
        stage.function,
        stage.version,
        dict(stage.parameters),
        shard.name,
        [identity(place) for place in shard.inputs],
        shard.after,
        dict(shard.parameters),
    ]
    return digest_of(whole)


def digest_of(value: Any) -> str:
    """A digest of a JSON value."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return blake2b(text.encode(), digest_size=12).hexdigest()


def manifest_place(stage: Stage, shard: Shard) -> str:
    """Where the manifest of a shard lies once its outputs are whole."""
    return stage.place("manifests", stage.name, f"{shard.name}.json")


def finished(stage: Stage, shard: Shard) -> dict[str, Any] | None:
    """The manifest of a shard that is done and still holds, or None."""
    place = manifest_place(stage, shard)
    if not exists(place):
        return None
    manifest: dict[str, Any] = get_json(place)
    return manifest if manifest["made_from"] == made_from(stage, shard) else None


def place_file() -> str:
    """A new file, on this machine, for a worker to say in which record it is at."""
    descriptor, path = tempfile.mkstemp(prefix="seekmath-at-")
    os.close(descriptor)
    return path


def place_in(path: str) -> int:
    """The record number a worker wrote into its file; -1 where it was between records."""
    raw = Path(path).read_bytes()
    return int(_PLACE.unpack_from(raw)[0]) if len(raw) > _PLACE.size else _BETWEEN


def compiles_in(path: str) -> bool:
    """Whether the worker that writes into this file has had to compile a kernel."""
    return Path(path).read_bytes()[_PLACE.size :] == b"\1"
