"""Mining another subject than mathematics: programming, with nothing changed but seeds and benchmarks.

    python benchmarks/other_domain.py ../shared/crawl

Two crawls, each with the recipe that mines its mathematics. Real pages (recipes/mine.yaml): seeds
are the pages of one folder of docs.python.org and of one of Django's documentation; wanted are the
other pages of the two sites. The embedded world (recipes/laptop.yaml): seeds are the pages of two of
its hosts of code; wanted are those of the others. Once as it is, and once with the score from which
pages are collected at its default. Truth goes by host and is read for measuring only. Benchmark
items are lines of wanted pages, which must not stand in the corpus.
The result goes to benchmarks/results/other-domain-DATE.json.
"""

import argparse
import json
import re
import sys
import tempfile
import zlib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from seekmath.core.artifact import machine, versions
from seekmath.core.files import read_json, read_parquet, write_json, write_jsonl
from seekmath.core.log import Display
from seekmath.core.recipe import PlannedStage, read_yaml
from seekmath.core.run import run_single
from seekmath.mine.extract import extract_inputs
from seekmath.mine.settings import MineSettings
from seekmath.stages import STAGES
from seekmath.world.settings import WorldSettings

SEEDS = ("docs.python.org/3.11/library/", "docs.djangoproject.com/en/3.2/topics/")
WANTED = ("docs.python.org", "docs.djangoproject.com")
#: Documentation of Python packages of mathematics, and of C++: programming or not, as one likes.
UNSURE = (
    "docs.scipy.org",
    "docs.sympy.org",
    "mpmath.org",
    "doc.sagemath.org",
    "eigen.tuxfamily.org",
    "git-scm.com",
)
_CODE_HOST = re.compile(r"-code\d+\.")
_ITEMS = 20
_LINE_WORDS = 12


def real_label(url: str) -> str:
    host = urlsplit(url).netloc
    return "math" if host in WANTED else "unsure" if host in UNSURE else "other"


def world_label(url: str) -> str:
    return "math" if _CODE_HOST.search(urlsplit(url).netloc) else "other"


def items(pages: Iterable[dict[str, Any]], wanted: set[str], out: Path) -> list[str]:
    """Write a long line of each of twenty wanted pages as benchmark questions."""
    lines = []
    for page in sorted(pages, key=lambda page: zlib.crc32(page["url"].encode())):
        long = [line for line in page["text"].split("\n") if len(line.split()) >= _LINE_WORDS]
        if page["url"] in wanted and long and len(lines) < _ITEMS:
            lines.append(long[len(long) // 2])
    write_jsonl(out, [{"id": str(n), "question": line} for n, line in enumerate(lines)])
    return lines


def mined(
    name: str,
    recipe: Path,
    files: list[Path],
    seeds: list[str],
    label: Any,
    work: Path,
    changed: dict[str, Any],
) -> dict[str, Any]:
    """One run: the recipe's settings with other seeds, benchmarks and labels, and those changed."""
    pages = list(extract_inputs(list(map(str, files))))
    labels = {page["url"]: label(page["url"]) for page in pages}
    write_jsonl(work / "labels.jsonl", [{"url": u, "label": kind} for u, kind in labels.items()])
    (work / "seeds.txt").write_text("".join(f"{url}\n" for url in seeds))
    wanted = {url for url, kind in labels.items() if kind == "math"} - set(seeds)
    lines = items(pages, wanted, work / "items.jsonl")
    settings = MineSettings(
        **{
            **read_yaml(recipe)["stages"]["mine"],
            "crawl": [str(file) for file in files],
            "seeds": str(work / "seeds.txt"),
            "labels": str(work / "labels.jsonl"),
            "benchmarks": str(work / "items.jsonl"),
            **changed,
        }
    )
    out = work / "mined"
    with Display(quiet=True) as display:
        run_single(PlannedStage("mine", "mine", STAGES["mine"], settings, 0), out, display)
    corpus = [
        row
        for file in sorted((out / "corpus").glob("*.parquet"))
        for row in read_parquet(file, ["host", "text"]).to_pylist()
    ]
    hosts: dict[str, int] = {}
    for row in corpus:
        hosts[row["host"]] = hosts.get(row["host"], 0) + 1
    found = {
        "crawl": name,
        "recipe": str(recipe),
        "changed": changed,
        "pages": len(pages),
        "seeds": len(seeds),
        "wanted": len(wanted),
        "rounds": [
            {**{key: one[key] for key in ("seeds", "collected", "new")}, **one["truth"]}
            for one in read_json(out / "rounds.json")
        ],
        "largest_hosts": dict(sorted(hosts.items(), key=lambda pair: -pair[1])[:12]),
        "benchmark_items": len(lines),
        "pages_hit": read_json(out / "contamination.json")["pages_hit"],
        "items_left_in_corpus": sum(any(line in row["text"] for row in corpus) for line in lines),
    }
    last = found["rounds"][-1]
    print(f"{name}: precision {last['precision']:.3f}, recall {last['recall']:.3f}", flush=True)
    return found


def real(crawl: Path, work: Path) -> dict[str, Any]:
    files = sorted(crawl.glob("part-*.warc.gz"))
    urls = [page["url"] for page in extract_inputs(list(map(str, files)))]
    seeds = [url for url in urls if url.partition("://")[2].startswith(SEEDS)]
    name = "3,532 documentation pages of 13 hosts"
    return mined(name, Path("recipes/mine.yaml"), files, seeds, real_label, work, {})


def world(pages: int, work: Path, changed: dict[str, Any]) -> dict[str, Any]:
    settings = WorldSettings(pages=pages)
    with Display(quiet=True) as display:
        run_single(
            PlannedStage("world", "world", STAGES["world"], settings, 0), work / "web", display
        )
    files = sorted((work / "web/warc").glob("*.warc.gz"))
    urls = [page["url"] for page in extract_inputs(list(map(str, files)))]
    code = sorted({urlsplit(url).netloc for url in urls if world_label(url) == "math"})
    seeds = [url for url in urls if urlsplit(url).netloc in code[:2]]
    name = f"{pages:,} pages of the embedded world"
    return mined(name, Path("recipes/laptop.yaml"), files, seeds, world_label, work, changed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("crawl", type=Path, help="folder with part-*.warc.gz")
    parser.add_argument("--pages", type=int, default=3000, help="of the embedded world")
    given = parser.parse_args()
    runs = []
    for run in (
        lambda work: real(given.crawl, work),
        lambda work: world(given.pages, work, {}),
        lambda work: world(given.pages, work, {"least_score": 0.5}),
    ):
        with tempfile.TemporaryDirectory() as folder:
            runs.append(run(Path(folder)))
    date = datetime.now(UTC).date().isoformat()
    found = {
        "what": "mining programming documentation: seeds and benchmarks changed, nothing else",
        "runs": runs,
        "date": date,
        "machine": machine(),
        "versions": versions(),
        "command": "python " + " ".join(sys.argv),
    }
    write_json(Path(__file__).parent / "results" / f"other-domain-{date}.json", found)
    print(json.dumps([run["rounds"][-1] for run in runs], indent=2))


if __name__ == "__main__":
    main()
