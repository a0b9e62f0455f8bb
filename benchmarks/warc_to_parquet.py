"""WARC to Parquet, whole: pages per CPU second of our pipeline and of datatrove's.

    python benchmarks/warc_to_parquet.py WARC.gz --pages 300 --peer-python /path/to/venv/bin/python

The same pages, in turns. Ours reads, extracts with formulas, tells the language, counts words,
writes the classifier's words and the MinHash signature too; datatrove (in an environment of its
own: ``pip install "datatrove[io,processing]" trafilatura lxml_html_clean``) runs WarcReader, its
Trafilatura extractor and ParquetWriter, one task. Imports and compilation are not counted.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from timing import save

from seekmath.mine.crawl import read_pages
from seekmath.mine.engine import Shard, Stage, run_shard

PLAN = {"least_words": 20, "scored_words": 1000, "shingle": 5, "permutations": 112}
PEER = """
import json, resource, sys, time
from importlib.metadata import version
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.extractors import Trafilatura
from datatrove.pipeline.readers import WarcReader
from datatrove.pipeline.writers import ParquetWriter
import trafilatura
folder, name, out = sys.argv[1:]
before = time.process_time()
# A second of real time is its default limit for a page, which a busy machine would exceed.
steps = [WarcReader(folder, glob_pattern=name), Trafilatura(timeout=120), ParquetWriter(out)]
LocalPipelineExecutor(pipeline=steps, tasks=1, workers=1, logging_dir=out + "/logs").run()
children = resource.getrusage(resource.RUSAGE_CHILDREN)
cpu_s = time.process_time() - before + children.ru_utime + children.ru_stime
versions = {name: version(name) for name in ("datatrove", "trafilatura", "pyarrow", "warcio")}
print(json.dumps({"cpu_s": cpu_s, "versions": versions}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("warc", type=Path)
    parser.add_argument("--pages", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer-python", required=True)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        warc = first_pages(given.warc, given.pages, Path(folder) / "pages.warc.gz")
        ours(warc, f"{folder}/warm-up")
        seconds: dict[str, list[float]] = {"seekmath": [], "datatrove": []}
        for number in range(given.rounds):
            seconds["seekmath"].append(ours(warc, f"{folder}/ours-{number}"))
            found = peer(given.peer_python, warc, f"{folder}/peer-{number}")
            seconds["datatrove"].append(found["cpu_s"])
    median = {name: statistics.median(times) for name, times in seconds.items()}
    save(
        "warc-to-parquet",
        {
            "what": "WARC to Parquet, whole: pages per CPU second of one core",
            "pages": given.pages,
            "cpu_s": {name: [round(s, 3) for s in times] for name, times in seconds.items()},
            "pages_per_cpu_s": {name: round(given.pages / s, 1) for name, s in median.items()},
            "ratio": round(median["datatrove"] / median["seekmath"], 2),
            "target": 12,
            "peer_versions": found["versions"],
        },
        ("numba", "deflate"),
    )


def first_pages(warc: Path, pages: int, out: Path) -> Path:
    """The records up to the page of this number, as they stand."""
    ends = []
    for page in read_pages(warc):
        _, offset, length = page.source.rsplit(":", 2)
        ends.append(int(offset) + int(length))
        if len(ends) == pages:
            break
    with open(warc, "rb") as file:
        out.write_bytes(file.read(ends[-1]))
    return out


def ours(warc: Path, out: str) -> float:
    """CPU seconds of one shard."""
    stage = Stage("extract", "seekmath.mine.pages:extract_shard", out, PLAN)
    before = time.process_time()
    run_shard(stage, Shard("00000", (str(warc),)))
    return time.process_time() - before


def peer(python: str, warc: Path, out: str) -> dict:
    """What datatrove took."""
    command = [python, "-c", PEER, str(warc.parent), warc.name, out]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    sys.exit(main())
