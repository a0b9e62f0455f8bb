"""Mining a small world with the command line, to be killed, shared and compared."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

WORLD = {"pages": 400, "pages_per_file": 50, "benchmark_size": 5, "gsm8k_size": 5, "hosts": 60}
# What a run notes about itself, with times in it.
OWN = ("stage.json", "metrics.jsonl")


def mine(world: Path, out: Path, *more: str) -> subprocess.Popen:
    given = ["--seeds", world / "seeds.txt", "--labels", world / "truth.parquet",
             "--benchmarks", world / "benchmarks", "--out", out]  # fmt: skip
    small = "--dim 8 --buckets 50000 --learning-rate 0.05 --least-updates 300"
    small += " --rounds 2 --least-prefix-pages 3"
    command = [sys.executable, "-m", "seekmath.cli", "mine", world / "warc", *given]
    command += [*small.split(), "--keep-tokens", "30000", "--quiet", *more]
    return start(command)


def start(command: list) -> subprocess.Popen:
    return subprocess.Popen(
        list(map(str, command)),
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def kill(process: subprocess.Popen) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has ended
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def wait_until(condition: Callable[[], bool], process: subprocess.Popen) -> None:
    """However slow the machine is; a process that ends before is an error."""
    while not condition():
        if process.poll() is not None:
            assert condition(), process.communicate()[0].decode()
        time.sleep(0.01)


def digests(out: Path) -> dict[str, str]:
    return {
        str(path.relative_to(out)): blake2b(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name not in OWN and "/." not in str(path.relative_to(out.parent))
    }
