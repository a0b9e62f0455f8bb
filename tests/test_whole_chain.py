"""The chain of recipes/laptop.yaml, small: killed in every stage, it ends as if never killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SMALL = """
    world.pages=1500 world.benchmark_size=10 world.gsm8k_size=20
    mine.least_updates=8000 mine.rounds=2 tokenize.vocab_size=700
    pretrain.threads=1 sft.threads=1 reward.threads=1 grpo.threads=1 evaluate.threads=1
    pretrain.steps=60 pretrain.warmup_steps=10 pretrain.checkpoint_every=10
    sft.limit=300 sft.checkpoint_every=10
    reward.questions=12 reward.samples_per_question=4
    grpo.steps=6 grpo.questions_per_step=2 grpo.group_size=4 grpo.checkpoint_every=2
    evaluate.samples=2
""".split()
# What an end looks like: everything else in the run directory led to these.
OUTCOME = ("evaluate/results.json", "grpo/model/model.safetensors", "reward/results.json")


def command(out: Path) -> list[str]:
    recipe = str(ROOT / "recipes/laptop.yaml")
    return [sys.executable, "-m", "seekmath.cli", "run", recipe, *SMALL, "--out", str(out)]


def state(stage: Path) -> str:
    try:
        return json.loads((stage / "stage.json").read_text())["state"]
    except FileNotFoundError:
        return "absent"


def kill_in(stage: str, out: Path) -> None:
    """Run until ``stage`` works, then kill the run and all its workers."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    running = subprocess.Popen(command(out), start_new_session=True, **quiet)
    while state(out / stage) != "running":
        assert running.poll() is None, f"the run ended before it could be killed in {stage}"
        time.sleep(0.01)
    # Tokenising is over in a second; the others are well under way by then.
    time.sleep(0.1 if stage == "tokenize" else 0.7)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_in_every_stage_it_ends_alike(tmp_path):
    subprocess.run(command(tmp_path / "whole"), check=True, stdout=subprocess.DEVNULL)
    stages = [path.parent.name for path in (tmp_path / "whole").glob("*/stage.json")]
    order = sorted(
        stages, key=lambda name: (tmp_path / "whole" / name / "stage.json").stat().st_mtime
    )
    assert len(order) == 8
    for stage in order:
        kill_in(stage, tmp_path / "cut")
        assert state(tmp_path / "cut" / stage) == "running"
    subprocess.run(command(tmp_path / "cut"), check=True, stdout=subprocess.DEVNULL)
    for path in OUTCOME:
        assert (tmp_path / "cut" / path).read_bytes() == (tmp_path / "whole" / path).read_bytes()
