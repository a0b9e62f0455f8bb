"""The stage ``world``: WARC files, seeds, truth, training problems and benchmarks.

Each WARC file is a pure function of (seed, number), written whole, so the same seed gives the
same bytes and a killed run goes on at the next file.
"""

import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from seekmath.core.files import read_parquet, whole_file, write_jsonl, write_parquet
from seekmath.core.job import Job
from seekmath.core.seeds import derive, python_random
from seekmath.world.corpora import documents
from seekmath.world.formal import MINI_MINIF2F, formal_benchmark, formal_problems
from seekmath.world.hosts import make_hosts
from seekmath.world.pages import Page, Web
from seekmath.world.problems import FAMILIES, benchmark, draw, record
from seekmath.world.settings import WorldSettings

#: The truth about each page, in the order of the pages.
TRUTH = pa.schema(
    [
        ("url", pa.string()),
        ("kind", pa.string()),
        ("math", pa.bool_()),
        ("language", pa.string()),
        ("text", pa.string()),
        ("formulas", pa.list_(pa.string())),
        ("encoding", pa.string()),
        ("group", pa.string()),
        ("contaminates", pa.string()),
        ("seed", pa.bool_()),
    ]
)
_TEXT = pa.schema([("text", pa.string())])
_DATE = "2024-02-05T00:00:00Z"


def make_world(settings: WorldSettings, job: Job) -> dict[str, Any]:
    """Write the world; the counts of what it holds are returned."""
    benchmarks = _write_benchmarks(settings, job)
    problems = write_jsonl(job.out / "problems" / "train.jsonl", _training(settings, job.seed))
    theorems = _write_theorems(settings, job)
    quotable = [problem for rows in benchmarks.values() for problem in rows]
    for name, count in settings.corpora.items():
        path = job.out / "corpora" / name / "part-00000.parquet"
        write_parquet(path, documents(name, count, job.seed), _TEXT)
    web = Web(settings, job.seed, make_hosts(settings.hosts, job.seed), quotable)
    files = -(-settings.pages // settings.pages_per_file)
    for number in range(files):
        start = number * settings.pages_per_file
        numbers = range(start, min(settings.pages, start + settings.pages_per_file))
        _write_file(web, numbers, job.out, number)
        job.progress(numbers.stop, settings.pages, "pages")
    counts = _join_truth(job.out)
    return {
        "pages": settings.pages,
        **counts,
        "training_problems": problems,
        "benchmarks": {name: len(rows) for name, rows in benchmarks.items()},
        "corpora": dict(settings.corpora),
        **theorems,
    }


def _join_truth(out: Path) -> dict[str, int]:
    """``truth.parquet`` and ``seeds.txt`` of the parts beside the WARC files, one at a time."""
    counts: Counter[str] = Counter(math_pages=0, seeds=0, contaminated_pages=0)
    with ExitStack() as stack:
        file = stack.enter_context(whole_file(out / "truth.parquet", "wb"))
        seeds = stack.enter_context(whole_file(out / "seeds.txt"))
        writer = stack.enter_context(pq.ParquetWriter(file, TRUTH, compression="zstd"))
        for part in sorted((out / "truth").glob("*.parquet")):
            table = read_parquet(part)
            writer.write_table(table)
            urls = table.filter(table["seed"])["url"].to_pylist()
            seeds.writelines(f"{url}\n" for url in urls)
            counts["seeds"] += len(urls)
            counts["math_pages"] += sum(table["math"].to_pylist())
            counts["contaminated_pages"] += sum(map(bool, table["contaminates"].to_pylist()))
    return dict(counts)


def _write_benchmarks(settings: WorldSettings, job: Job) -> dict[str, list[dict[str, Any]]]:
    made = {}
    for family in FAMILIES:
        size = settings.gsm8k_size if family == "gsm8k" else settings.benchmark_size
        made[f"mini-{family}"] = benchmark(family, size, job.seed)
    for name, rows in made.items():
        write_jsonl(job.out / "benchmarks" / f"{name}.jsonl", rows)
    return made


def _write_theorems(settings: WorldSettings, job: Job) -> dict[str, int]:
    """Theorems where they are asked for, which no page quotes; how many were written."""
    found: dict[str, int] = {}
    if settings.formal_problems:
        path = job.out / "problems" / "formal.jsonl"
        rows = formal_problems(settings.formal_problems, job.seed)
        found["training_theorems"] = write_jsonl(path, rows)
    if settings.formal_size:
        path = job.out / "benchmarks" / f"{MINI_MINIF2F}.jsonl"
        found["test_theorems"] = write_jsonl(path, formal_benchmark(settings.formal_size, job.seed))
    return found


def _training(settings: WorldSettings, seed: int) -> Iterator[dict[str, Any]]:
    """Chains of thought of every family; for a share of them a program and a tool solution too."""
    for family, count in settings.training_problems.items():
        for index in range(count):
            slip = python_random(seed, "slip", family, index).random() < settings.slip_rate
            draft = draw(family, "train", seed, "problems", index, slip=slip)
            yield record(draft, family, f"{family}/{index}", "careful")
            if derive(seed, "kinds", family, index) / 2**63 < settings.program_share:
                right = draw(family, "train", seed, "problems", index)
                yield record(right, family, f"{family}/{index}/pot", "pot")
                yield record(right, family, f"{family}/{index}/tool", "tool")


def _write_file(web: Web, numbers: range, out: Path, number: int) -> None:
    path, truth = (
        out / "warc" / f"part-{number:05d}.warc.gz",
        out / "truth" / f"{number:05d}.parquet",
    )
    if path.exists() and truth.exists():
        return
    pages = [web.page(page) for page in numbers]
    with whole_file(path, "wb") as file:
        file.write(_member(b"warcinfo", "", b"software: seekmath\r\n", "application/warc-fields"))
        for page in pages:
            file.write(_response(page))
    write_parquet(truth, [{"url": page.url, **page.truth} for page in pages], TRUTH)


def _response(page: Page) -> bytes:
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: {page.content_type}\r\nContent-Length: {len(page.body)}"
    )
    block = head.encode() + b"\r\n\r\n" + page.body
    return _member(b"response", page.url, block, "application/http; msgtype=response")


def _member(kind: bytes, url: str, block: bytes, content_type: str) -> bytes:
    """One WARC record as a gzip member; zlib writes no time into its header."""
    identity = f"{derive(0, url, len(block)):032x}"
    target = f"WARC-Target-URI: {url}\r\n" if url else ""
    head = (
        f"WARC/1.0\r\nWARC-Type: {kind.decode()}\r\n{target}WARC-Date: {_DATE}\r\n"
        f"WARC-Record-ID: <urn:uuid:{identity[:8]}-{identity[8:12]}-{identity[12:16]}-"
        f"{identity[16:20]}-{identity[20:]}>\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(block)}\r\n\r\n"
    )
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    return packer.compress(head.encode() + block + b"\r\n\r\n") + packer.flush()
