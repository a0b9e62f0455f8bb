"""One of each page of a small world, through files: whatever the shards, and across runs."""

import shutil
from pathlib import Path

import pytest

from seekmath.core.files import BadInput, read_json, read_parquet
from seekmath.core.job import Job
from seekmath.mine.executors import Engine
from seekmath.mine.inputs import crawl_inputs
from seekmath.mine.kept import keep_pages
from seekmath.mine.pages import extract_shards
from seekmath.mine.settings import MineSettings
from seekmath.world.settings import WorldSettings
from seekmath.world.web import make_world


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("world")
    few = dict.fromkeys(WorldSettings.model_fields["training_problems"].default, 1)
    sizes = {"pages": 360, "pages_per_file": 60, "benchmark_size": 2, "gsm8k_size": 2}
    make_world(WorldSettings(**sizes, training_problems=few), Job.open(out, seed=2))
    return out


def keep(world, out, files, **more):
    """What mining keeps of these files: url → the URLs it stands for, and the manifest."""
    warcs = sorted((world / "warc").iterdir())
    settings = MineSettings(
        crawl=[str(warcs[at]) for at in files], seeds=str(world / "seeds.txt"), **more
    )
    with Engine(str(out), 0) as engine:
        inputs = crawl_inputs(settings, out / "index")
        extracted = extract_shards(engine, settings, inputs, lambda done: None)
        manifest = keep_pages(engine, settings, extracted)
    rows = [row for row in read_parquet(out / "kept").to_pylist() if not row["again"]]
    return {row["url"]: row["stands_for"] for row in rows}, manifest


def test_the_world_s_copies_are_found_whatever_the_order_of_files(world, tmp_path):
    kept, manifest = keep(world, tmp_path / "a", range(6))
    again, _ = keep(world, tmp_path / "b", [3, 1, 5, 0, 4, 2], dedup_memory_mib=16)
    assert kept == again
    truth = read_parquet(world / "truth.parquet").to_pylist()
    groups = {row["url"]: row["group"] for row in truth}
    of_kept = [groups[url] for url in kept]
    # A mirror and its page are never kept both, and no page stands for one of another group.
    assert len(of_kept) == len(set(of_kept))
    assert all(groups[by] == groups[url] for url, others in kept.items() for by in others)
    assert set(of_kept) | lost(world, tmp_path / "a") == set(groups.values())
    assert sum(manifest["dropped"].values()) > 5


def lost(world, out):
    """Groups of pages that extraction dropped."""
    truth = read_parquet(world / "truth.parquet").to_pylist()
    shards = [p for p in (out / "shards").iterdir() if "dropped" not in p.name]
    left = {url for shard in shards for url in read_parquet(shard, ["url"])["url"].to_pylist()}
    return {row["group"] for row in truth if row["url"] not in left}


def test_a_later_run_leaves_out_what_an_earlier_one_has_kept(world, tmp_path):
    index = str(tmp_path / "index")
    alone, _ = keep(world, tmp_path / "alone", range(6))
    first, _ = keep(world, tmp_path / "a", [0, 1, 2], dedup_index=index)
    second, manifest = keep(world, tmp_path / "b", [2, 3, 4, 5], dedup_index=index)
    groups = {row["url"]: row["group"] for row in read_parquet(world / "truth.parquet").to_pylist()}
    assert not {groups[url] for url in first} & {groups[url] for url in second}
    assert {groups[url] for url in [*first, *second]} == {groups[url] for url in alone}
    assert manifest["dropped"]["earlier_run"] > 40

    shutil.rmtree(tmp_path / "b" / "manifests" / "deduplicate")
    before = {p: p.read_bytes() for p in Path(index).rglob("*") if p.is_file()}
    assert keep(world, tmp_path / "b", [2, 3, 4, 5], dedup_index=index)[0] == second
    assert keep(world, tmp_path / "c", [1, 0, 2], dedup_index=index)[0] == first
    assert before == {p: p.read_bytes() for p in Path(index).rglob("*") if p.is_file()}
    assert sorted(read_json(p)["pages"] for p in Path(index).glob("*/part.json")) == sorted(
        [len(first), len(second)]
    )


def test_seeds_stay_for_training_when_an_earlier_run_has_kept_them(world, tmp_path):
    index = str(tmp_path / "index")
    keep(world, tmp_path / "a", range(6), dedup_index=index)
    second, manifest = keep(world, tmp_path / "b", range(5), dedup_index=index)
    rows = read_parquet(tmp_path / "b" / "kept").to_pylist()
    assert second == {}
    assert sum(manifest["seeds"]) == len(rows) > 0
    assert all(row["again"] and row["seed"] for row in rows)
    assert len(list(Path(index).glob("*/part.json"))) == 2


def test_an_index_of_other_bands_is_refused(world, tmp_path):
    index = str(tmp_path / "index")
    keep(world, tmp_path / "a", [0], dedup_index=index)
    with pytest.raises(
        BadInput, match="bands 14, rows 8; this run has shingle 5, bands 20, rows 5"
    ):
        keep(world, tmp_path / "b", [0], dedup_index=index, bands=20, rows=5)
    with pytest.raises(BadInput, match="must be a folder of this machine"):
        keep(world, tmp_path / "c", [0], dedup_index="s3://bucket/index")
