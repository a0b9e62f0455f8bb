"""Fixtures that every folder's tests use."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says how busy the machine is, and nothing of the product.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
ROOT = Path(__file__).parents[1]
# Read when torch is imported, and by the processes that tests start. Models here are tiny: a second
# thread gains nothing, and on a busy machine two that wait for each other take ten times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data; tests on it are skipped where it is absent."""
    folder = Path(os.environ.get("SEEKMATH_SHARED", ROOT.parent / "shared"))
    if not (folder / "crawl").is_dir():
        pytest.skip("the real data folder is absent (set SEEKMATH_SHARED)")
    return folder
