"""A round's training: reliable, the same every time; and a run with a scorer of one's own."""

import numpy as np

from seekmath.core.files import read_json, read_parquet
from seekmath.core.job import Job
from seekmath.mine.recall import train_on, training_plan, training_settings
from seekmath.mine.rounds import mine
from seekmath.mine.settings import MineSettings
from seekmath.world.settings import WorldSettings
from seekmath.world.web import make_world

SETTINGS = MineSettings(
    crawl=["x"], seeds="x", dim=8, width=8, buckets=1000, min_count=1, least_updates=4000
)
SCORER = """
def score(texts):
    return [min(text.count("$") / 10, 1.0) for text in texts]
"""


def test_a_classifier_is_reliable_on_pages_held_out():
    rng = np.random.default_rng(0)
    positive = np.arange(300) % 3 == 0
    kinds = (["tea", "the", "of"], ["sum", "field", "the", "of"])
    texts = [" ".join(rng.choice(kinds[int(good)], 20)) for good in positive]
    plan = training_plan(training_settings(SETTINGS), 1, len(texts))
    assert plan.epochs == 14
    model, calibration = train_on(iter(texts), np.zeros(300, int), positive, plan, 1)
    assert ((model.score(texts) > 0.5) == positive).mean() > 0.99
    assert calibration["pages"] == 300
    assert sum(row["pages"] for row in calibration["raw"]["bins"]) == 300
    assert calibration["calibrated"]["brier"] <= calibration["raw"]["brier"] + 0.01
    again, same = train_on(iter(texts), np.zeros(300, int), positive, plan, 1)
    assert np.array_equal(again.weights, model.weights)
    assert same == calibration


def test_a_scorer_of_ones_own_decides_what_is_collected(tmp_path):
    few = dict.fromkeys(WorldSettings.model_fields["training_problems"].default, 1)
    small = {"pages": 120, "pages_per_file": 120, "benchmark_size": 2, "gsm8k_size": 2, "hosts": 40}
    make_world(WorldSettings(**small, training_problems=few), Job.open(tmp_path / "world", seed=3))
    (tmp_path / "formulas.py").write_text(SCORER, "utf-8")
    settings = MineSettings(
        crawl=[str(tmp_path / "world/warc")],
        seeds=str(tmp_path / "world/seeds.txt"),
        scorer=str(tmp_path / "formulas.py"),
        workers=0,
        rounds=1,
    )
    with Job.open(tmp_path / "out", seed=0) as job:
        mine(settings, job)
    [report] = read_json(tmp_path / "out/rounds.json")
    assert "training" not in report
    rows = read_parquet(tmp_path / "out/corpus", ["text", "score"]).to_pylist()
    assert rows
    assert all(row["score"] >= 0.5 and row["text"].count("$") >= 5 for row in rows)
    assert sum(row["pages"] for row in report["histogram"]) == report["scored"]
