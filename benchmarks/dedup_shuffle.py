"""The shuffle of near-duplicate search: 28 million band rows to groups of pages.

    python benchmarks/dedup_shuffle.py

Two million pages of 14 bands, a tenth of them near-duplicates of another, in 40 shards. Ours is
the file shuffle and the union of groups of ``mine.dedup``; DuckDB, with a memory limit, groups the
same rows by key and gives for each page with a shared band the least page in it, the same star of
edges but not yet joined to groups. Each runs in a process of its own, several times in turn: CPU
time and peak memory are the kernel's for the whole process, imports included.

A third line does the whole of de-duplication on the same pages, signatures and URLs included.
"""

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from timing import save

_BANDS, _ROWS = 14, 8
_PERMUTATIONS = _BANDS * _ROWS


def signatures_of(shard: int, pages: int) -> np.ndarray:
    """Random signatures; one page in ten is one of the shard's first pages, a little changed."""
    draw = np.random.default_rng(shard)
    made = draw.integers(0, 2**32 - 1, (pages, _PERMUTATIONS), dtype=np.uint32)
    copies = draw.choice(np.arange(pages // 2, pages), pages // 10, replace=False)
    shared = np.random.default_rng(10_000 + shard % 7)
    originals = shared.integers(0, 2**32 - 1, (pages // 10, _PERMUTATIONS), dtype=np.uint32)
    made[copies] = originals
    changed = draw.random((len(copies), _PERMUTATIONS)) < 0.05
    made[copies] = np.where(changed, made[copies] ^ np.uint32(1), made[copies])
    return made


def write_shards(folder: Path, shards: int, pages: int) -> None:
    """Signatures and their band rows (key, page), as the extraction of pages leaves them."""
    from seekmath.mine.dedup_kernels import band_rows

    for shard in range(shards):
        made = signatures_of(shard, pages)
        numbers = np.arange(shard * pages, (shard + 1) * pages, dtype=np.uint64)
        np.save(folder / f"signatures-{shard:03d}.npy", made)
        np.save(folder / f"bands-{shard:03d}.npy", band_rows(made, numbers, _BANDS))


def run_ours(folder: Path, memory: int) -> dict[str, int]:
    """Band rows to groups."""
    from seekmath.mine.dedup_kernels import flatten, unite
    from seekmath.mine.shuffle import Shuffle, partitions_for

    files = sorted(folder.glob("bands-*.npy"))
    rows = sum(len(np.load(file, mmap_mode="r")) for file in files)
    shuffle = Shuffle(folder / "scratch", partitions_for(64 * rows, memory), 2)
    with shuffle:
        for file in files:
            shuffle.add(np.load(file))
    parent = np.arange(rows // _BANDS, dtype=np.uint32)
    for number in range(shuffle.partitions):
        unite(shuffle.partition(number), parent)
    shared = flatten(parent)
    return {"rows": rows, "pages_with_a_shared_band": int(shared.sum())}


def run_duckdb(folder: Path, memory: int) -> dict[str, int]:
    """Band rows to (page, least page that shares a band)."""
    import duckdb

    database = duckdb.connect(
        config={"threads": 1, "memory_limit": f"{memory >> 20}MiB", "temp_directory": str(folder)}
    )
    database.execute(
        f"""create table edges as with rows as (select * from read_parquet('{folder}/*.parquet')),
        firsts as (select key, min(page) as first from rows group by key having count(*) > 1)
        select page, first from rows join firsts using (key) where page <> first"""
    )
    [[shared]] = database.execute(
        "select count(*) from (select page from edges union select first from edges)"
    ).fetchall()
    return {"pages_with_a_shared_band": shared}


class Shard:
    """A shard as ``mine.dedup`` wants it."""

    def __init__(self, file: Path, number: int) -> None:
        self.file, self.number = file, number

    def __len__(self) -> int:
        return len(np.load(self.file, mmap_mode="r"))

    def keys(self) -> object:
        from seekmath.mine.dedup import Keys

        numbers = np.arange(len(self), dtype=np.uint64) + np.uint64(self.number * len(self) + 1)
        return Keys(numbers, numbers, numbers)

    def signatures(self) -> np.ndarray:
        return np.load(self.file)


def run_whole(folder: Path, memory: int) -> dict[str, int]:
    from seekmath.mine.dedup import Plan, one_of_each

    files = sorted(folder.glob("signatures-*.npy"))
    shards = [Shard(file, number) for number, file in enumerate(files)]
    return one_of_each(shards, Plan(memory_bytes=memory), folder / "scratch").dropped


WORKS = {"seekmath": run_ours, "duckdb": run_duckdb, "seekmath, whole": run_whole}


def measured(work: str, folder: Path, memory: int) -> dict[str, float]:
    """One run in a process of its own."""
    command = [sys.executable, __file__, "--work", work, "--folder", str(folder)]
    command += ["--memory-mib", str(memory >> 20)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    shutil.rmtree(folder / "scratch", ignore_errors=True)
    return json.loads(done.stdout)


def one_work(name: str, folder: Path, memory: int) -> None:
    found = WORKS[name](folder, memory)
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime
    print(json.dumps({"cpu_s": cpu, "peak_gb": used.ru_maxrss * 1024 / 1e9, **found}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=2_000_000)
    parser.add_argument("--shards", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory-mib", type=int, default=256)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    memory = given.memory_mib << 20
    if given.work:
        one_work(given.work, given.folder, memory)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_shards(folder, given.shards, given.pages // given.shards)
        write_parquet(folder)
        runs: dict[str, list[dict[str, float]]] = {work: [] for work in WORKS}
        for _ in range(given.rounds):
            for work in WORKS:
                runs[work].append(measured(work, folder, memory))
    ours, theirs = runs["seekmath"][0], runs["duckdb"][0]
    assert ours["pages_with_a_shared_band"] == theirs["pages_with_a_shared_band"]
    found = {
        "work": "band rows in 40 files to groups of pages",
        "pages": given.pages,
        "band_rows": ours["rows"],
        "memory_budget_mib": given.memory_mib,
        "cpu_s": {w: round(statistics.median(r["cpu_s"] for r in runs[w]), 2) for w in WORKS},
        "peak_gb": {w: round(max(r["peak_gb"] for r in runs[w]), 3) for w in WORKS},
        "dropped": runs["seekmath, whole"][0],
        "targets": {"cpu_s": 15, "peak_gb": 0.6},
        "rounds": given.rounds,
    }
    save("dedup-shuffle", found, ("numba", "duckdb"))


def write_parquet(folder: Path) -> None:
    """The band rows as DuckDB reads them best."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for file in sorted(folder.glob("bands-*.npy")):
        rows = np.load(file)
        table = pa.table({"key": rows[:, 0], "page": rows[:, 1]})
        pq.write_table(table, file.with_suffix(".parquet"), use_dictionary=False)


if __name__ == "__main__":
    main()
