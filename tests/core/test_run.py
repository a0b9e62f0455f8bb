"""Laws of a run: finished stages are reused, changed ones redone, cut ones resumed."""

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pydantic import Field

from seekmath.core.artifact import Manifest, path_fingerprint, read_manifest
from seekmath.core.files import BadInput
from seekmath.core.job import Job
from seekmath.core.log import Display
from seekmath.core.recipe import PlannedStage, Settings, Source, StageType, load_recipe
from seekmath.core.run import run_recipe, run_single

CALLS: list[str] = []


class CountSettings(Settings):
    count: int = Field(3, description="How many lines.")
    fail_at: int = -1
    wrong_at: int = -1
    delay_s: float = 0.0
    before: Source = ""


def count(settings: CountSettings, job: Job) -> dict[str, int]:
    CALLS.append(job.out.name)
    path = job.out / "numbers.txt"
    start = len(path.read_text().split()) if path.exists() else 0
    for number in range(start, settings.count):
        if number == settings.fail_at:
            raise RuntimeError("on purpose")
        if number == settings.wrong_at:
            raise BadInput("before: not a number")
        time.sleep(settings.delay_s)
        job.log(number, value=number)
        with open(path, "a") as file:
            file.write(f"{number}\n")
        job.progress(number + 1, settings.count, "lines")
    return {"lines": settings.count}


TYPES = {"count": StageType(CountSettings, f"{__name__}:count")}
RECIPE = """
stages:
  one: {type: count, count: 2}
  two: {type: count, before: one/numbers.txt}
  three: {type: count}
"""


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    CALLS.clear()
    path = tmp_path / "r.yaml"
    path.write_text(RECIPE)
    return path


def run(path: Path, *overrides: str) -> list[str]:
    CALLS.clear()
    run_recipe(load_recipe(path, list(overrides), TYPES), path.parent / "run", Display(quiet=True))
    return list(CALLS)


def manifest(path: Path, stage: str) -> Manifest:
    found = read_manifest(path.parent / "run" / stage)
    assert found is not None
    return found


def test_a_second_run_does_nothing_and_a_change_redoes_what_follows(recipe_file):
    assert run(recipe_file) == ["one", "two", "three"]
    assert run(recipe_file) == []
    assert run(recipe_file, "three.count=4") == ["three"]
    assert run(recipe_file, "three.count=4", "one.count=5") == ["one", "two"]
    assert run(recipe_file, "three.count=4", "one.count=5", "two.seed=8") == ["two"]
    same_outputs = ["three.count=4", "one.count=5", "one.delay_s=0.001", "two.seed=8"]
    assert run(recipe_file, *same_outputs) == ["one"]
    done = manifest(recipe_file, "two")
    assert done.state == "finished"
    assert done.metrics == {"lines": 3}
    assert done.peak_memory_mib > 10
    assert done.versions["seekmath"]


def test_a_failed_stage_says_so_and_resumes(recipe_file):
    with pytest.raises(RuntimeError):
        run(recipe_file, "one.fail_at=1")
    failed = manifest(recipe_file, "one")
    assert (failed.state, failed.error) == ("failed", "RuntimeError: on purpose")
    with pytest.raises(RuntimeError):
        run(recipe_file, "one.fail_at=1")
    assert manifest(recipe_file, "one").attempts == 2
    lines = (recipe_file.parent / "run/one/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [0]


PROGRAM = """
import sys
from pathlib import Path
from seekmath.core.log import Display
from seekmath.core.recipe import load_recipe
from seekmath.core.run import run_recipe
sys.path.insert(0, {here!r})
from test_run import TYPES
path = Path({path!r})
run_recipe(load_recipe(path, sys.argv[1:], TYPES), path.parent / "run", Display(quiet=True))
"""


def test_a_killed_run_resumes_where_it_was_and_a_second_process_is_refused(recipe_file):
    program = PROGRAM.format(here=str(Path(__file__).parent), path=str(recipe_file))
    slow = ["one.delay_s=0.2", "one.count=20"]
    child = subprocess.Popen([sys.executable, "-c", program, *slow])
    numbers = recipe_file.parent / "run/one/numbers.txt"
    while not numbers.exists():
        time.sleep(0.05)
    with pytest.raises(BadInput, match="another seekmath process"):
        run(recipe_file)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert manifest(recipe_file, "one").state == "running"
    left = recipe_file.parent / f"run/one/.scratch-{socket.gethostname()}+{child.pid}+x"
    left.write_text("half")
    # The delay is part of the settings, so the same overrides are needed to resume.
    subprocess.run([sys.executable, "-c", program, *slow], check=True)
    assert numbers.read_text().split() == [str(n) for n in range(20)]
    assert manifest(recipe_file, "one").attempts == 2
    assert not left.exists()


def test_an_output_that_is_not_there_is_named(recipe_file):
    recipe_file.write_text(RECIPE.replace("one/numbers.txt", "one/nmbers.txt"))
    with pytest.raises(BadInput, match=r"left no 'nmbers.txt'; it left: .*numbers.txt"):
        run(recipe_file)


def test_a_single_stage_refuses_a_strange_folder_and_other_settings(tmp_path):
    def single(out: str, overwrite: bool = False, **settings: int) -> Manifest:
        stage = PlannedStage("count", "count", TYPES["count"], CountSettings(**settings), 0)
        return run_single(stage, tmp_path / out, Display(quiet=True), overwrite)

    assert single("a").state == "finished"
    assert single("a").attempts == 1
    with pytest.raises(BadInput, match=r"other settings \(--count\).*--overwrite"):
        single("a", count=5)
    assert single("a", overwrite=True, count=5).metrics == {"lines": 5}
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine.txt").write_text("precious")
    with pytest.raises(BadInput, match="not empty"):
        single("b")
    with pytest.raises(BadInput, match="--before: absent"):
        single("c", before="absent")


def test_a_first_try_that_made_nothing_stands_in_nobodys_way(tmp_path):
    def single(**settings: int) -> Manifest:
        stage = PlannedStage("count", "count", TYPES["count"], CountSettings(**settings), 0)
        return run_single(stage, tmp_path / "out", Display(quiet=True))

    single(count=2)
    failed = read_manifest(tmp_path / "out")
    assert failed is not None
    failed.state = "failed"
    failed.write(tmp_path / "out")
    with pytest.raises(BadInput, match="holds a failed 'count'"):
        single(count=3)  # it has outputs
    for path in (tmp_path / "out").iterdir():
        if path.name != "stage.json":
            path.unlink()
    assert single(count=3).metrics == {"lines": 3}


def test_bad_input_leaves_no_folder_unless_something_was_made(tmp_path):
    def single(start: int) -> None:
        stage = PlannedStage("count", "count", TYPES["count"], CountSettings(wrong_at=start), 0)
        run_single(stage, tmp_path / "out", Display(quiet=True))

    with pytest.raises(BadInput, match="not a number"):
        single(0)
    assert not (tmp_path / "out").exists()
    with pytest.raises(BadInput, match="not a number"):
        single(1)
    failed = read_manifest(tmp_path / "out")
    assert failed is not None
    assert failed.state == "failed"


def test_a_fingerprint_follows_content_not_place(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text("same")
    assert path_fingerprint(tmp_path / "a") == path_fingerprint(tmp_path / "b")
    (tmp_path / "b" / "x").write_text("other")
    assert path_fingerprint(tmp_path / "a") != path_fingerprint(tmp_path / "b")


def test_logged_steps_are_replaced_when_repeated(tmp_path):
    for steps in ([0, 1, 2], [2, 3]):
        with Job.open(tmp_path) as job:
            for step in steps:
                job.log(step, attempt=len(steps))
        with open(tmp_path / "metrics.jsonl", "a") as file:
            file.write('{"step": 9, "ha')
    job.rewind(3)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [(line["step"], line["attempt"]) for line in lines] == [(0, 3), (1, 3), (2, 2), (3, 2)]
