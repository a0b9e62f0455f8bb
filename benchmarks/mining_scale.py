"""Mining 10^4, 10^5 and 10^6 pages: processor time per page, and peak memory of a worker.

    python benchmarks/mining_scale.py --work /tmp/scale --sizes 10000 100000 1000000

One world of the largest size (or --world-pages) is made, in files of 5,000 pages; each size mines
the first files of it with 5% of their mathematics pages as seeds. Everything resumes: call it again
after a cut. Kernels are compiled and kept beforehand, since that is done once in an installation.
"""

import argparse
import os
import platform
import resource
import subprocess
import sys
import zlib
from pathlib import Path

import pyarrow.parquet as pq

from seekmath.core.artifact import machine, versions
from seekmath.core.files import read_json, write_json
from seekmath.mine.engine import costs_of

PAGES_PER_FILE = 5000
SETTINGS = """--workers 1 --rounds 2 --dim 16 --buckets 200000 --epochs 3
    --least-prefix-pages 3 --page-memory-mib 0""".split()
RESULT = Path(__file__).parent / "results/mining-scale-2026-11-24.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--work", type=Path, required=True, help="folder for the world and the runs"
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--world-pages", type=int, default=0, help="0: the largest size")
    parser.add_argument("--result", type=Path, default=RESULT)
    given = parser.parse_args()
    world = make_world(given.work / "world", given.world_pages or max(given.sizes))
    compile_kernels(given.work / "compiled", world)
    found = [one_size(world, given.work / f"mined-{size}", size) for size in given.sizes]
    small = found[0]
    write_json(
        given.result,
        {
            "what": "mining 10^4 to 10^6 pages of the embedded world with one worker",
            "machine": machine(),
            "python": platform.python_version(),
            "command": " ".join(["python", *sys.argv]),
            "versions": versions(),
            "target": "time per page and peak memory of a worker flat within 20%",
            "sizes": found,
            "per_page_over_smallest": [
                round(one["cpu_ms_per_page"] / small["cpu_ms_per_page"], 3) for one in found
            ],
            "peak_over_smallest": [
                round(one["peak_worker_mib"] / small["peak_worker_mib"], 3) for one in found
            ],
            "peak_mib_by_kind_of_step": {str(one["pages"]): peaks(one) for one in found},
            "of_it_fixed_cpu_s": fixed_cpu_s(found),
        },
    )
    print(given.result.read_text())


def make_world(out: Path, pages: int) -> Path:
    """The largest world; a finished one is reused."""
    sizes = ["--pages", pages, "--pages-per-file", PAGES_PER_FILE, "--hosts", 2400]
    run(["world", *sizes, "--out", out, "--quiet"])
    return out


def compile_kernels(out: Path, world: Path) -> None:
    """Mine one file, so that no size pays for the compiler."""
    run(
        [
            *["mine", world / "warc/part-00000.warc.gz", "--seeds", world / "seeds.txt"],
            *["--benchmarks", world / "benchmarks", *SETTINGS, "--out", out, "--quiet"],
        ]
    )


def one_size(world: Path, out: Path, pages: int) -> dict:
    """Mine the first files; what each step took."""
    files = [world / f"warc/part-{n:05d}.warc.gz" for n in range(-(-pages // PAGES_PER_FILE))]
    seeds = out.with_suffix(".seeds.txt")
    seeds.write_text("".join(f"{url}\n" for url in seed_urls(world, len(files))))
    driver_s = run(
        [
            *["mine", *files, "--seeds", seeds, "--benchmarks", world / "benchmarks"],
            *["--keep-tokens", pages * 40, *SETTINGS, "--out", out, "--quiet"],
        ]
    )
    costs = costs_of(str(out))
    steps: dict[str, float] = {}
    for name, shards in costs.items():
        step = name.rpartition("/")[2]
        steps[step] = steps.get(step, 0) + sum(one["cpu_s"] for one in shards)
    worker_s = sum(steps.values())
    extracted = [read_json(path) for path in sorted(out.glob("manifests/extract/[0-9]*.json"))]
    return {
        "pages": sum(one["pages"] for one in extracted),
        "html_bytes": sum(one["html_bytes"] for one in extracted),
        "seeds": len(seeds.read_text().splitlines()),
        "documents": read_json(out / "stage.json")["metrics"]["documents"],
        "worker_cpu_s": round(worker_s, 1),
        "driver_cpu_s_last_call": round(driver_s, 1),
        "cpu_ms_per_page": round(1000 * worker_s / pages, 4),
        "pages_per_cpu_s": round(pages / worker_s, 1),
        "peak_worker_mib": max(one["peak_mib"] for shards in costs.values() for one in shards),
        "steps_ms_per_page": {
            step: round(1000 * s / pages, 4)
            for step, s in sorted(steps.items(), key=lambda p: -p[1])
        },
        "steps_peak_mib": {
            name: max(one["peak_mib"] for one in shards)
            for name, shards in costs.items()
            if not name.startswith("rounds/01")
        },
        "bytes_on_disk": {
            folder: sum(f.stat().st_size for f in (out / folder).rglob("*") if f.is_file())
            for folder in ("shards", "kept", "rounds", "scores", "corpus", "manifests")
        },
    }


def peaks(found: dict) -> dict[str, float]:
    """Peak memory of the two steps that one process does for all pages, and of the others."""
    steps = dict(found["steps_peak_mib"])
    training, kept = steps.pop("rounds/02/train_all"), steps.pop("deduplicate")
    return {"training": training, "one of each": kept, "every other step": max(steps.values())}


def fixed_cpu_s(found: list[dict]) -> float:
    """What does not depend on pages, from the line through the two smallest sizes; 0 for one."""
    if len(found) < 2:
        return 0.0
    (a, b), (s, t) = zip(*((one["pages"], one["worker_cpu_s"]) for one in found[:2]), strict=True)
    return round(s - a * (t - s) / (b - a), 2)


def seed_urls(world: Path, files: int) -> list[str]:
    """5% of the mathematics pages of the first files, chosen by their URL."""
    found = []
    for number in range(files):
        table = pq.read_table(world / f"truth/{number:05d}.parquet", columns=["url", "math"])
        urls = table.filter(table["math"])["url"].to_pylist()
        found += [url for url in urls if zlib.crc32(url.encode()) % 20 == 0]
    return sorted(set(found))


def run(arguments: list) -> float:
    """Run seekmath; the processor seconds of its own process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "seekmath.cli", *map(str, arguments)]
    subprocess.run(command, check=True, env={**os.environ, "NUMBA_NUM_THREADS": "1"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
