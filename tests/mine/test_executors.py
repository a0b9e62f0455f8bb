"""The engine: budgets and quarantine, resuming, sharing a run, the same on a Ray cluster."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from seekmath.core.files import read_json
from seekmath.mine.engine import Shard, Stage, finished
from seekmath.mine.executors import Engine

STEPS = "tests.mine.steps"


def stage_in(folder: Path, step: str = "add", **given) -> Stage:
    return Stage("sum", f"{STEPS}:{step}", str(folder), **given)


def shards_of(*records: list) -> list[Shard]:
    return [Shard(f"{n:05d}", parameters={"records": rows}) for n, rows in enumerate(records)]


def test_each_budget_costs_its_record_alone(tmp_path):
    stage = stage_in(tmp_path, record_cpu_s=0.3, record_mib=512)
    shards = shards_of([1, "loop", 2], [3, "allocate", 4], [5, "crash", 6], [7])
    with Engine(str(tmp_path), workers=2) as engine:
        done = engine.map(stage, shards)
    assert [one["total"] for one in done] == [3, 7, 11, 7]
    assert [one["quarantined"] for one in done] == [[1], [1], [1], []]


def test_a_bound_on_memory_ends_with_its_stage(tmp_path):
    bounded, free = stage_in(tmp_path / "a", record_mib=256), stage_in(tmp_path / "b")
    with Engine(str(tmp_path), workers=1) as engine:
        engine.map(bounded, shards_of([1]))
        [manifest] = engine.map(free, shards_of(["allocate a little"]))
    assert manifest["quarantined"] == []
    assert manifest["total"] == 512 << 20


def test_a_worker_that_somebody_kills_costs_no_record(tmp_path):
    stage = stage_in(tmp_path)
    [shard] = shards_of([1, "2.0", 3])
    killer = (
        "import os, psutil, time, signal\n"
        f"me = psutil.Process({os.getpid()})\n"
        "time.sleep(1.0)\n"
        "workers = [p for p in me.children(True) if 'forkserver' in ' '.join(p.cmdline())]\n"
        "leaves = [p for p in workers if not p.children() and p.parent() in workers]\n"
        "[p.kill() for p in leaves]\n"
    )
    with Engine(str(tmp_path), workers=1) as engine:
        engine.map(stage_in(tmp_path / "warm"), shards_of([0]))
        process = subprocess.Popen([sys.executable, "-c", killer])
        [manifest] = engine.map(stage, [shard])
        assert process.wait() == 0
    assert manifest["total"] == 4
    assert manifest["quarantined"] == []


def test_what_holds_is_not_done_again(tmp_path):
    shards = shards_of([1], [2])
    with Engine(str(tmp_path), workers=0) as engine:
        engine.map(stage_in(tmp_path), shards)
        first = (tmp_path / "sums/00000.json").stat().st_mtime_ns
        engine.map(stage_in(tmp_path), [shards[0], *shards_of([1], [5])[1:]])
        assert (tmp_path / "sums/00000.json").stat().st_mtime_ns == first
        assert read_json(tmp_path / "sums/00001.json") == 5
        [changed] = engine.map(stage_in(tmp_path, parameters={"p": 1}), shards[:1])
    assert (tmp_path / "sums/00000.json").stat().st_mtime_ns > first
    assert finished(stage_in(tmp_path), shards[0]) is None
    assert finished(stage_in(tmp_path, parameters={"p": 1}), shards[0]) == changed


def test_the_user_is_told_once_that_kernels_are_compiled(tmp_path):
    told = []
    with Engine(str(tmp_path), workers=2, say=told.append) as engine:
        engine.map(stage_in(tmp_path / "none"), shards_of([1, "0.6"]))
        assert not told
        done = engine.map(stage_in(tmp_path), shards_of(["compile"], ["compile"]))
    assert [one["total"] for one in done] == [3, 3]
    assert len(told) == 1
    assert "compiling" in told[0]


def test_an_error_of_the_step_reaches_the_caller(tmp_path):
    with pytest.raises(TypeError), Engine(str(tmp_path), workers=1) as engine:
        engine.map(stage_in(tmp_path), shards_of([1, None]))


DRIVER = """
import json, sys
from seekmath.mine.engine import Shard, Stage
from seekmath.mine.executors import Engine
if __name__ == "__main__":
    folder, seconds = sys.argv[1:]
    stage = Stage("lines", "tests.mine.steps:leave_a_line", folder, {"seconds": seconds})
    shards = [Shard(f"{n:05d}") for n in range(40)]
    with Engine(folder, workers=1) as engine:
        print(len(engine.map(stage, shards)))
"""


def start(folder: Path, script: Path) -> subprocess.Popen:
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(root), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    return subprocess.Popen(
        [sys.executable, str(script), str(folder), "0.05"],
        stdout=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": path},
    )


def lines_of(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


def test_two_processes_share_a_run_and_one_is_killed(tmp_path):
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    folder = tmp_path / "run"
    folder.mkdir()
    first, second = start(folder, script), start(folder, script)
    log = folder / "done.txt"
    while len({line.split()[1] for line in lines_of(log)}) < 2:
        assert first.poll() is None
        time.sleep(0.05)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    assert second.communicate(timeout=120)[0] == b"40\n"
    lines = [line.split() for line in lines_of(log)]
    assert {name for name, _ in lines} == {f"{n:05d}" for n in range(40)}
    # Only the shard in which the first was killed may have been begun twice.
    assert sum(Counter(name for name, _ in lines).values()) <= 41
    assert len(list((folder / "manifests/lines").glob("[0-9]*.json"))) == 40
    assert not list((folder / ".claims").iterdir())


@pytest.mark.slow
def test_ray_tasks_give_the_same(tmp_path):
    ray = pytest.importorskip("ray")
    shards = shards_of([1, 2], [3, "crash", 4], [5])
    here, there = stage_in(tmp_path / "local"), stage_in(tmp_path / "ray")
    try:
        with Engine(here.run, workers=1) as engine:
            local = engine.map(here, shards)
        with Engine(there.run, workers=2, executor="ray") as engine:
            assert json.dumps(engine.map(there, shards)) == json.dumps(local)
    finally:
        ray.shutdown()
