"""Fixtures of the report's tests."""

from pathlib import Path

import pytest

from tests.report.run_files import make_run


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A finished laptop run."""
    return make_run(tmp_path / "laptop")
