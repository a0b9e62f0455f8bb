from pathlib import Path

import yaml

from seekmath.report.page import render
from seekmath.report.runs import open_run
from seekmath.report.trials import read_trials

from .run_files import HOSTILE, manifest


def make_trials(folder: Path, count: int) -> Path:
    """``count`` pre-trainings on two corpora; the second is the better one on both."""
    stages = {f"trial-{at}": {"type": "pretrain"} for at in range(count)}
    folder.mkdir()
    (folder / "recipe.yaml").write_text(yaml.safe_dump({"name": "cuts", "stages": stages}))
    for at in range(count):
        metrics = {
            "tokens": 4096,
            "weights": {"cut-1": float(at == 0), "cut-2" + HOSTILE: float(at > 0)},
            "bits_per_byte/cut-1": 2.5 - at / 10,
            "bits_per_byte/cut-2": 2.7 if at else float("nan"),
        }
        manifest(folder / f"trial-{at}", "pretrain", 9.0, metrics, stage=f"trial-{at}")
    return folder


def test_trials_are_compared_by_held_out_text_and_the_best_is_found(tmp_path) -> None:
    trials = read_trials(open_run(make_trials(tmp_path / "run", 3)))
    assert trials is not None
    assert trials.corpora == ["cut-1", "cut-2"]
    assert [row.trained_on.removesuffix(HOSTILE) for row in trials.rows] == [
        "cut-1",
        "cut-2",
        "cut-2",
    ]
    assert trials.rows[0].bits == [2.5, None]
    assert trials.best == [2.3, 2.7]


def test_one_pre_training_is_no_comparison(tmp_path) -> None:
    assert read_trials(open_run(make_trials(tmp_path / "run", 1))) is None


def test_names_in_the_page_are_text(tmp_path) -> None:
    page = render(open_run(make_trials(tmp_path / "run", 2)))
    assert "<strong>2.40</strong>" in page
    assert "Pre-trainings compared" in page
    assert "<script>" not in page
