"""What joins the seeds after a round, and which pages may be random ones in the next."""

import numpy as np
import pyarrow as pa
import pytest

from seekmath.mine.domains import least_share
from seekmath.mine.engine import Beat, Shard, Stage
from seekmath.mine.round_files import at_round
from seekmath.mine.round_steps import join_shard
from seekmath.mine.tables import load_array, save_array, write_table

HOST_SHARE = 0.1
# host, path, seed, score, collected; of "sure" 40 of 100 pages were collected, of "maybe" 1 of 8
# (a share of 0.125 that could be chance), and "other" is no candidate.
PAGES = [
    ("sure", "/a/1", False, 0.9, True),
    ("sure", "/a/2", False, 0.3, False),  # under the marked prefix: joins
    ("sure", "/b/1", False, 0.3, False),  # looks like a seed on a host of the domain
    ("sure", "/b/2", False, 0.001, False),  # does not look like one
    ("sure", "/b/3", True, 0.4, False),
    ("maybe", "/1", False, 0.3, False),
    ("other", "/1", False, 0.3, False),
]
HOSTS, PATHS, SEEDS, SCORES, COLLECTED = zip(*PAGES, strict=True)


@pytest.fixture
def stage_of(tmp_path):
    def make(negatives_off_score: float) -> Stage:
        parameters = {
            "round": 1,
            "partitions": 1,
            "negatives_off_score": negatives_off_score,
            "host_share": HOST_SHARE,
            "labelled": False,
        }
        return Stage("rounds/01/join_shard", "", str(tmp_path), parameters)

    stage = make(1.0)
    columns = {"host": HOSTS, "path": PATHS, "seed": SEEDS}
    write_table(stage.place("kept", "00000.parquet"), pa.table(columns))
    save_array(at_round(stage, 1, "scores", "00000.npy"), np.array(SCORES, np.float32))
    save_array(at_round(stage, 1, "collected", "00000.npy"), np.array(COLLECTED))
    candidates = {"host": ["sure", "maybe"], "pages": [100, 8], "collected": [40, 1]}
    place = at_round(stage, 1, "hosts/candidates", "00000.parquet")
    write_table(place, pa.table(candidates))
    place = at_round(stage, 1, "prefixes/marked", "00000.parquet")
    write_table(place, pa.table({"prefix": ["sure/a/"]}))
    return make


def random_pages(stage: Stage) -> list[bool]:
    join_shard(stage, Shard("00000"), Beat(None, 0, frozenset()))
    return load_array(at_round(stage, 1, "random", "00000.npy")).tolist()


def test_the_candidate_of_few_pages_is_not_sure():
    sure, maybe = least_share(np.array([40, 1]), np.array([100, 8]))
    assert maybe < HOST_SHARE < 1 / 8 < sure


def test_seeds_what_joined_and_what_was_collected_are_never_random(stage_of):
    stage = stage_of(1.0)
    assert random_pages(stage) == [False, False, True, True, False, True, True]
    positive = load_array(at_round(stage, 1, "positive", "00000.npy"))
    assert positive.tolist() == [False, True, False, False, True, False, False]


def test_pages_that_score_enough_on_a_sure_host_are_not_random(stage_of):
    assert random_pages(stage_of(0.02)) == [False, False, False, True, False, True, True]


@pytest.mark.parametrize(("score", "page_2_is_random"), [(0.3, False), (0.31, True), (0.0, False)])
def test_the_score_itself_is_enough(stage_of, score, page_2_is_random):
    found = random_pages(stage_of(float(np.float32(score))))
    assert found[2] is page_2_is_random
    assert found[3] is (score > 0)


def test_the_counts_are_those_of_the_arrays(stage_of):
    stage = stage_of(0.02)
    counts = join_shard(stage, Shard("00000"), Beat(None, 0, frozenset()))
    assert counts == {"joined": 1, "positives": 2, "negatives": 3}
