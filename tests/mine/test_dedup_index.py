"""The index across runs: what was kept stays out of later runs, and adding twice is adding once."""

import numpy as np
import pytest

from seekmath.core.files import BadInput, read_json
from seekmath.mine.dedup import Keys, Plan, one_of_each
from seekmath.mine.dedup_index import Comparison, DedupIndex, identity

COMPARISON = Comparison(shingle=5, bands=4, rows=2)
PLAN = Plan(bands=4, rows=2, jaccard=0.75)


class Shard:
    def __init__(self, numbers, minima):
        self.numbers, self.minima = np.array(numbers, np.uint64), minima

    def __len__(self):
        return len(self.numbers)

    def keys(self):
        return Keys(self.numbers, self.numbers, self.numbers)

    def signatures(self):
        return self.minima


def crawl(numbers, seed):
    """Pages unlike each other, with these URLs and texts."""
    return Shard(
        numbers, np.random.default_rng(seed).integers(0, 2**32, (len(numbers), 8), np.uint32)
    )


def run(folder, shards, scratch):
    """A run as mining does it: which pages it keeps, by number."""
    index = DedupIndex(folder, COMPARISON)
    name = identity(shard.keys().text for shard in shards)
    found = one_of_each(shards, PLAN, scratch, index.pages(index.start(name)))
    masks = [found.kept(number) for number in range(len(shards))]
    kept = [
        (Keys(*(column[mask] for column in vars(shard.keys()).values())), shard.minima[mask])
        for shard, mask in zip(shards, masks, strict=True)
    ]
    index.add(name, kept, sum(int(mask.sum()) for mask in masks))
    return sorted(n for s, m in zip(shards, masks, strict=True) for n in s.numbers[m].tolist())


def files_of(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_later_run_drops_what_an_earlier_one_kept(tmp_path):
    first, second = crawl(range(10, 30), 1), crawl(range(25, 50), 2)
    near = Shard([90], first.minima[:1] ^ np.array([1, 0, 0, 0, 0, 0, 0, 0], np.uint32))
    assert run(tmp_path / "index", [first], tmp_path) == list(range(10, 30))
    assert run(tmp_path / "index", [second, near], tmp_path) == list(range(30, 50))
    # And again in a third: nothing of either is new.
    third = [crawl([10, 49, 60], 3)]
    assert run(tmp_path / "index", third, tmp_path) == [60]


def test_repeated_runs_and_adds_change_nothing(tmp_path):
    index = tmp_path / "index"
    first, second = [crawl(range(9), 1), crawl(range(20, 25), 4)], [crawl(range(5, 12), 2)]
    kept = run(index, first, tmp_path)
    later = run(index, second, tmp_path)
    before = files_of(index)
    # The first run knows its own part and those before it, in whatever order its shards come.
    assert run(index, first[::-1], tmp_path) == kept
    assert run(index, second, tmp_path) == later
    assert files_of(index) == before


def test_a_run_killed_before_its_part_is_whole_resumes(tmp_path):
    index = DedupIndex(tmp_path / "index", COMPARISON)
    shards = [crawl(range(9), 1)]
    name = identity([shards[0].keys().text])
    assert index.start(name) == []

    def dies():
        yield shards[0].keys(), shards[0].minima
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index.add(name, dies(), 9)
    assert not (tmp_path / "index" / name).exists()
    # Another run adds its part meanwhile; the resumed one is compared with what it began with.
    run(tmp_path / "index", [crawl(range(5, 20), 2)], tmp_path)
    assert run(tmp_path / "index", shards, tmp_path) == list(range(9))
    assert read_json(tmp_path / "index" / name / "part.json")["after"] == []


def test_another_comparison_is_refused_with_both_named(tmp_path):
    run(tmp_path / "index", [crawl(range(3), 1)], tmp_path)
    with pytest.raises(
        BadInput, match=r"shingle 5, bands 4, rows 2; this run has shingle 5, bands 14"
    ):
        DedupIndex(tmp_path / "index", Comparison())
    DedupIndex(tmp_path / "absent", Comparison())


def test_a_run_that_keeps_nothing_has_an_empty_part(tmp_path):
    run(tmp_path / "index", [crawl(range(3), 1)], tmp_path)
    assert run(tmp_path / "index", [crawl([1, 2], 5)], tmp_path) == []
    assert run(tmp_path / "index", [crawl([2, 3], 6)], tmp_path) == [3]


def test_the_identity_is_that_of_the_set():
    a, b = np.arange(5, dtype=np.uint64), np.arange(5, 9, dtype=np.uint64)
    assert identity([a, b]) == identity([b[::-1], a]) == identity([np.concatenate([a, b])])
    assert len({identity([a]), identity([b]), identity([]), identity([a[1:]])}) == 4
