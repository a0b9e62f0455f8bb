"""The whole of mining on a small world: killed, shared and resumed, it ends with the same bytes."""

import os
import random
import signal
import subprocess
import sys
import time
from hashlib import blake2b
from pathlib import Path

import fsspec
import pyarrow.parquet as pq
import pytest
import yaml

from seekmath.core.files import read_json
from seekmath.core.job import Job
from seekmath.core.records import DOCUMENT
from seekmath.mine.datasheet import COLUMNS
from seekmath.mine.executors import Engine
from seekmath.mine.pages import extract_shards
from seekmath.mine.plan import plan
from seekmath.mine.settings import MineSettings
from seekmath.world.settings import WorldSettings
from seekmath.world.web import make_world

WORLD = {"pages": 400, "pages_per_file": 50, "benchmark_size": 5, "gsm8k_size": 5, "hosts": 60}
# What a run notes about itself, with times in it.
OWN = ("stage.json", "metrics.jsonl")


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("world")
    few = dict.fromkeys(WorldSettings.model_fields["training_problems"].default, 1)
    make_world(WorldSettings(**WORLD, training_problems=few), Job.open(out, seed=3))
    return out


def mine(world: Path, out: Path, *more: str) -> subprocess.Popen:
    given = ["--seeds", world / "seeds.txt", "--labels", world / "truth.parquet",
             "--benchmarks", world / "benchmarks", "--out", out]  # fmt: skip
    small = "--dim 8 --buckets 50000 --learning-rate 0.05 --least-updates 300"
    small += " --rounds 2 --least-prefix-pages 3"
    command = [sys.executable, "-m", "seekmath.cli", "mine", world / "warc", *given]
    command += [*small.split(), "--keep-tokens", "30000", "--quiet", *more]
    return start(command)


def start(command: list) -> subprocess.Popen:
    return subprocess.Popen(
        list(map(str, command)),
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def kill(process: subprocess.Popen) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def digests(out: Path) -> dict[str, str]:
    return {
        str(path.relative_to(out)): blake2b(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name not in OWN and "/." not in str(path.relative_to(out.parent))
    }


@pytest.fixture(scope="module")
def whole(world, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    process = mine(world, out, "--workers", "2")
    text = process.communicate()[0].decode()
    assert process.returncode == 0, text
    return out


def test_killed_at_random_moments_it_ends_with_the_same_bytes(world, whole, tmp_path):
    lasts = random.Random(5)
    out, manifests = tmp_path / "run", len(done_in(whole))
    for kills in range(1, 4):
        process = mine(world, out, "--workers", "1")
        while len(done_in(out)) < manifests * kills // 4:
            assert process.poll() is None, process.communicate()[0].decode()
            time.sleep(0.01)
        time.sleep(lasts.random() * 0.2)
        kill(process)
    process = mine(world, out, "--workers", "1")
    text = process.communicate()[0].decode()
    assert process.returncode == 0, text
    assert digests(out) == digests(whole)
    assert not list(out.rglob(".scratch-*"))


def done_in(out: Path) -> list[Path]:
    return [path for path in out.glob("manifests/**/*.json") if not path.name.startswith(".")]


def test_two_processes_share_a_run_and_the_first_is_killed(world, whole, tmp_path):
    out = tmp_path / "run"
    first = mine(world, out, "--workers", "1")
    while not (out / "manifests/extract/00000.json").exists():
        assert first.poll() is None, first.communicate()[0].decode()
        time.sleep(0.02)
    second = start([sys.executable, "-m", "seekmath.cli", "mine", "--join", "--out", out])
    while len(list((out / "manifests/extract").glob("*.json"))) < 5:
        assert second.poll() is None, second.communicate()[0].decode()
        time.sleep(0.02)
    kill(first)
    text = second.communicate()[0].decode()
    assert second.returncode == 0, text
    assert digests(out) == digests(whole)
    assert read_json(out / "stage.json")["state"] == "finished"
    assert not [path for path in (out / ".claims").iterdir() if not path.name.startswith(".")]


def test_the_corpus_is_read_by_datasets_duckdb_and_polars(whole):
    datasets = pytest.importorskip("datasets")
    duckdb, polars = pytest.importorskip("duckdb"), pytest.importorskip("polars")
    parts = str(whole / "corpus/*.parquet")
    documents = read_json(whole / "stage.json")["metrics"]["documents"]
    cache = str(whole.parent / "cache")
    read = datasets.load_dataset("parquet", data_files=parts, split="train", cache_dir=cache)
    assert read.column_names == list(COLUMNS) == DOCUMENT.names
    assert len(read) == documents > 0
    assert polars.scan_parquet(parts).select(polars.len()).collect().item() == documents
    sql = f"select count(*), min(round), count(distinct source) from '{parts}'"
    assert duckdb.sql(sql).fetchall() == [(documents, 1, documents)]
    card = (whole / "corpus/README.md").read_text()
    head = yaml.safe_load(card.split("---")[1])
    assert head["configs"][0]["data_files"] == "*.parquet"
    assert f"{documents:,} documents" in card
    sheet = read_json(whole / "datasheet.json")
    assert sum(sheet["languages"].values()) == sheet["sizes"]["documents"] == documents


def test_a_plan_is_proportional_to_pages(whole):
    small, large = (plan(whole, pages, 0, 10, 8) for pages in (1e6, 1e9))
    for part in ("storage_gb", "core_hours"):
        key = "shards" if part == "storage_gb" else "extract"
        assert large[part][key] == pytest.approx(1000 * small[part][key], rel=0.05, abs=30)
    assert large["shuffle_gb"] == 1e9 * (32 + 16 * 14) / 1e9
    assert plan(whole, 40e9, 0, 10, 8)["runs"] == 10


def test_a_change_redoes_only_what_follows_from_it(world, whole, tmp_path):
    before = {name: path.stat().st_mtime_ns for name, path in files(whole)}
    process = mine(world, whole, "--overwrite", "--keep-tokens", "20000")
    text = process.communicate()[0].decode()
    assert process.returncode == 0, text
    after = {name: path.stat().st_mtime_ns for name, path in files(whole)}
    same = {name for name in before if before[name] == after.get(name)}
    for kept in ("shards/00000.parquet", "kept/00003.parquet", "rounds/01/scores/00000.npy"):
        assert kept in same
    for redone in ("rounds/01/cut.json", "rounds/02/classifier.npz", "corpus/part-00000.parquet"):
        assert redone not in same


def files(out: Path) -> list[tuple[str, Path]]:
    return [(str(p.relative_to(out)), p) for p in out.rglob("*") if p.is_file()]


def test_shards_in_an_object_store_are_those_on_disk(world, tmp_path):
    crawl = [str(world / "warc/part-00000.warc.gz")]
    settings = MineSettings(crawl=crawl, seeds=str(world / "seeds.txt"))
    with Engine("memory://run", workers=0) as there, Engine(str(tmp_path), workers=0) as here:
        manifests = [extract_shards(e, settings, crawl, print) for e in (there, here)]
    assert manifests[0] == manifests[1]
    table = pq.ParquetFile(tmp_path / "shards/00000.parquet").read()
    with fsspec.open("memory://run/shards/00000.parquet") as file:
        assert pq.ParquetFile(file).read() == table
