"""Fixtures that every folder's tests use."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data; tests on it are skipped where it is absent."""
    folder = Path(os.environ.get("SEEKMATH_SHARED", ROOT.parent / "shared"))
    if not (folder / "crawl").is_dir():
        pytest.skip("the real data folder is absent (set SEEKMATH_SHARED)")
    return folder
