"""A small world and a whole mining run of it, made once."""

from pathlib import Path

import pytest

from seekmath.core.job import Job
from seekmath.world.settings import WorldSettings
from seekmath.world.web import make_world

from .small_run import WORLD, mine


@pytest.fixture(scope="session")
def small_world(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("world")
    few = dict.fromkeys(WorldSettings.model_fields["training_problems"].default, 1)
    make_world(WorldSettings(**WORLD, training_problems=few), Job.open(out, seed=3))
    return out


@pytest.fixture(scope="session")
def mined(small_world, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    process = mine(small_world, out, "--workers", "2")
    text = process.communicate()[0].decode()
    assert process.returncode == 0, text
    return out
