"""The whole of mining on a small world: killed, shared and resumed, it ends with the same bytes."""

import gzip
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import fsspec
import pyarrow.parquet as pq
import pytest
import yaml

from seekmath.core.files import BadInput, read_json, write_json
from seekmath.core.job import Job
from seekmath.core.records import DOCUMENT
from seekmath.mine import rounds
from seekmath.mine.datasheet import COLUMNS
from seekmath.mine.executors import Engine
from seekmath.mine.pages import extract_shards
from seekmath.mine.plan import plan
from seekmath.mine.settings import MineSettings

from .small_run import WORLD, digests, kill, mine, start, wait_until

FILES = WORLD["pages"] // WORLD["pages_per_file"]

# On a busy machine a run takes minutes; the bound is there to end what hangs.
pytestmark = pytest.mark.timeout(1800)


def test_killed_at_random_moments_it_ends_with_the_same_bytes(small_world, mined, tmp_path):
    lasts = random.Random(5)
    out, manifests = tmp_path / "run", len(done_in(mined))
    for kills in range(1, 4):
        process = mine(small_world, out, "--workers", "1")
        wait_until(lambda least=manifests * kills // 4: len(done_in(out)) >= least, process)
        time.sleep(lasts.random() * 0.2)
        kill(process)
    process = mine(small_world, out, "--workers", "1")
    text = process.communicate()[0].decode()
    assert process.returncode == 0, text
    assert digests(out) == digests(mined)
    assert not list(out.rglob(".scratch-*"))


def done_in(out: Path) -> list[Path]:
    return [path for path in out.glob("manifests/**/*.json") if not path.name.startswith(".")]


def extracted(out: Path) -> list[Path]:
    return list((out / "manifests/extract").glob("[0-9]*.json"))


def stopped_early(world: Path, out: Path) -> subprocess.Popen:
    """A run that stands still with files extracted and files left, however fast it is."""
    while True:
        process = mine(world, out, "--workers", "1")
        wait_until(lambda: len(extracted(out)) >= 1, process)
        os.killpg(process.pid, signal.SIGSTOP)
        if len(extracted(out)) <= FILES - 3:
            return process
        kill(process)
        shutil.rmtree(out)


def test_two_processes_share_a_run_and_the_first_is_killed(small_world, mined, tmp_path):
    out = tmp_path / "run"
    first = stopped_early(small_world, out)
    there = len(extracted(out))
    second = start([sys.executable, "-m", "seekmath.cli", "mine", "--join", "--out", out])
    # The first holds one file, so the second can do all others.
    wait_until(lambda: len(extracted(out)) >= there + 2, second)
    assert first.poll() is None
    kill(first)
    text = second.communicate()[0].decode()
    assert second.returncode == 0, text
    assert digests(out) == digests(mined)
    assert read_json(out / "stage.json")["state"] == "finished"
    assert not [path for path in (out / ".claims").iterdir() if not path.name.startswith(".")]


def test_the_corpus_is_read_by_datasets_duckdb_and_polars(mined):
    datasets = pytest.importorskip("datasets")
    duckdb, polars = pytest.importorskip("duckdb"), pytest.importorskip("polars")
    parts = str(mined / "corpus/*.parquet")
    documents = read_json(mined / "stage.json")["metrics"]["documents"]
    cache = str(mined.parent / "cache")
    read = datasets.load_dataset("parquet", data_files=parts, split="train", cache_dir=cache)
    assert read.column_names == list(COLUMNS) == DOCUMENT.names
    assert len(read) == documents > 0
    hub = datasets.load_dataset(str(mined), split="train", cache_dir=cache)
    assert hub["url"] == read["url"]
    assert pq.read_table(mined / "corpus", columns=["url"]).num_rows == documents
    assert polars.scan_parquet(parts).select(polars.len()).collect().item() == documents
    sql = f"select count(*), min(round), count(distinct source) from '{parts}'"
    assert duckdb.sql(sql).fetchall() == [(documents, 1, documents)]
    card = (mined / "README.md").read_text()
    head = yaml.safe_load(card.split("---")[1])
    assert head["configs"][0]["data_files"] == "corpus/*.parquet"
    assert f"{documents:,} documents" in card
    sheet = read_json(mined / "datasheet.json")
    assert sum(sheet["languages"].values()) == sheet["sizes"]["documents"] == documents


def test_a_plan_is_proportional_to_pages(mined):
    small, large = (plan([mined], pages, 0, 10, 8) for pages in (1e6, 1e9))
    for part in ("storage_gb", "core_hours"):
        key = "shards" if part == "storage_gb" else "extract"
        assert large[part][key] == pytest.approx(1000 * small[part][key], rel=0.05, abs=30)
    assert large["shuffle_gb"] == 1e9 * (32 + 16 * 14) / 1e9
    assert plan([mined], 40e9, 0, 10, 8)["runs"] == 10


def test_a_plan_from_two_sizes_leaves_out_what_does_not_depend_on_pages(mined, tmp_path):
    def run_of(name, pages_a_shard):
        run = shutil.copytree(mined, tmp_path / name)
        for path in run.glob("manifests/extract/[0-9]*.json"):
            write_json(path, {**read_json(path), "pages": pages_a_shard})
        for path in run.glob("manifests/**/.cost-*.json"):
            write_json(path, {**read_json(path), "cpu_s": 3.0 + 0.001 * pages_a_shard})
        return run

    small, large = run_of("small", 1000), run_of("large", 5000)
    found = plan([large, small], 1e7, 0, 10, 8)
    assert found == plan([small, large], 1e7, 0, 10, 8)
    assert found["core_hours"]["extract"] == pytest.approx(0.001 * 1e7 / 3600, abs=0.01)
    with pytest.raises(BadInput, match="must differ in size"):
        plan([small, small], 1e7, 0, 10, 8)


def test_training_is_planned_up_to_its_bound(mined):
    hours = [plan([mined], pages, 0, 1, 1)["core_hours"]["train_all"] for pages in (1e8, 1e10)]
    rounds, settings = read_json(mined / "rounds.json"), read_json(mined / "stage.json")["settings"]
    trained = sum(one["seeds"] + one["negatives"] for one in rounds)
    bound = len(rounds) * settings["seed_limit"] * (1 + settings["negatives_per_seed"])
    took_s = sum(
        read_json(path)["cpu_s"] for path in mined.glob("manifests/rounds/*/train_all/.cost-*.json")
    )
    assert hours == pytest.approx([took_s * bound / trained / 3600] * 2, rel=0.01, abs=0.01)


def test_a_change_redoes_only_what_follows_from_it(small_world, mined, tmp_path):
    out = shutil.copytree(mined, tmp_path / "run")
    before = {name: path.stat().st_mtime_ns for name, path in files(out)}
    process = mine(small_world, out, "--overwrite", "--keep-tokens", "20000")
    text = process.communicate()[0].decode()
    assert process.returncode == 0, text
    after = {name: path.stat().st_mtime_ns for name, path in files(out)}
    same = {name for name in before if before[name] == after.get(name)}
    for kept in ("shards/00000.parquet", "kept/00003.parquet", "rounds/01/scores/00000.npy"):
        assert kept in same
    for redone in ("rounds/01/cut.json", "rounds/02/classifier.npz", "corpus/part-00000.parquet"):
        assert redone not in same


def files(out: Path) -> list[tuple[str, Path]]:
    return [(str(p.relative_to(out)), p) for p in out.rglob("*") if p.is_file()]


def test_shards_in_an_object_store_are_those_on_disk(small_world, tmp_path):
    crawl = [str(small_world / "warc/part-00000.warc.gz")]
    settings = MineSettings(crawl=crawl, seeds=str(small_world / "seeds.txt"))
    with Engine("memory://run", workers=0) as there, Engine(str(tmp_path), workers=0) as here:
        manifests = [extract_shards(e, settings, crawl, print) for e in (there, here)]
    assert manifests[0] == manifests[1]
    table = pq.ParquetFile(tmp_path / "shards/00000.parquet").read()
    with fsspec.open("memory://run/shards/00000.parquet") as file:
        assert pq.ParquetFile(file).read() == table


def test_files_without_pages_are_no_obstacle_unless_there_is_nothing_else(small_world, tmp_path):
    empty = tmp_path / "empty.warc.gz"
    empty.write_bytes(gzip.compress(b"not a record\r\n"))
    given = {"seeds": str(small_world / "seeds.txt"), "workers": 0, "rounds": 1, "dim": 8}
    crawl = [str(empty), str(small_world / "warc/part-00000.warc.gz")]
    index = str(tmp_path / "index")
    settings = MineSettings(crawl=crawl, buckets=1000, dedup_index=index, **given)
    with Job.open(tmp_path / "run") as job:
        assert rounds.mine(settings, job)["documents"] > 0
    settings, nothing = MineSettings(crawl=[str(empty)], **given), "not one page with text; dropped"
    with Job.open(tmp_path / "alone") as job, pytest.raises(BadInput, match=nothing):
        rounds.mine(settings, job)
