"""The script for a GPU runs end to end on any machine."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.slow
def test_every_part_runs_on_a_small_model():
    pytest.importorskip("trl", reason="the peer is not installed: pip install -e .[bench]")
    command = [sys.executable, "gpu.py", "--tiny"]
    done = subprocess.run(command, cwd=BENCHMARKS, capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"')]
    found = {name: part for line in lines for name, part in line.items()}
    assert found["pretraining"]["tokens_per_s"] > 0
    assert found["decoding"]["tokens_per_s"] != 0
    assert found["grpo"]["seekmath_tokens"] == found["grpo"]["trl_tokens"] == 2 * 4 * 8
