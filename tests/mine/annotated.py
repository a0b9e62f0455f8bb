"""A small finished round for the annotation page, with hostile pages, and its server."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from seekmath.core.files import write_json
from seekmath.mine.domains import prefixes_of
from seekmath.mine.tables import write_partitions

HOSTILE = "\n\n".join(
    [
        "# <script>window.parent.hit = 1; document.title = 'hit'</script>",
        "<img src=x onerror=\"document.title='hit'\"> <svg onload=alert(1)>",
        "[click](javascript:alert(1)) $\\href{javascript:alert(1)}{x}$",
        "$\\text{<script>document.title='hit'</script>}$ ]]> </body></html><!-- -->",
        "$" + "{" * 700 + "x" + "}" * 700 + "$",
        "$" + "\\frac{1}{" * 150 + "x" + "}" * 150 + "$",
        "\u202eright to left\u202c \x00 \ud800".encode("utf-8", "replace").decode(),
        "$$\\sum_{k=1}^n k = \\frac{n(n+1)}{2}$$ and $a^2$",
    ]
)


def page(host: str, path: str, collected: bool, text: str = "") -> dict:
    text = text or f"# Page {path}\n\nThe root of $x^2 = 2$ is $\\sqrt{{2}}$."
    return {
        "url": f"https://{host}{path}",
        "host": host,
        "path": path,
        "collected": collected,
        "text": text,
    }


def pages() -> list[dict]:
    """Three hosts: one all mathematics, one mixed, one that attacks."""
    found = [page("good.org", f"/notes/{at}.html", at > 1) for at in range(12)]
    found += [page("mixed.net", f"/maths/{at}.html", at > 0) for at in range(6)]
    found += [page("mixed.net", f"/news/{at}.html", False) for at in range(9)]
    bad = "<script>document.title='hit'</script>"
    found += [page("evil.example", f"/{bad}/{at}.html", at < 3, HOSTILE) for at in range(5)]
    found[-1] |= {"url": "javascript:document.title='hit'", "collected": True}
    return found


def counted_run(folder: Path, annotator: str = "wait", number: int = 1) -> Path:
    """What a run leaves of round ``number`` when its prefixes are counted."""
    rows, top = pages(), folder / f"rounds/{number:02d}"
    for name in ("shards", "kept"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name in ("prefixes/counted", "scores", "collected"):
        (top / name).mkdir(parents=True, exist_ok=True)
    columns = {name: [row[name] for row in rows] for name in ("url", "host", "path", "text")}
    pq.write_table(pa.table(columns), folder / "shards/00000.parquet", row_group_size=7)
    kept = {name: columns[name] for name in ("url", "host", "path")}
    kept["row"] = pa.array(range(len(rows)), pa.int32())
    pq.write_table(pa.table(kept), folder / "kept/00000.parquet")
    collected = np.array([row["collected"] for row in rows])
    np.save(top / "collected/00000.npy", collected)
    np.save(top / "scores/00000.npy", np.linspace(0.9, 0.1, len(rows), dtype=np.float32))
    count: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        for prefix in prefixes_of(row["host"], row["path"]):
            one = count.setdefault((row["host"], prefix), [0, 0])
            one[0] += 1
            one[1] += row["collected"]
    table = {
        "host": [host for host, _ in count],
        "prefix": [prefix for _, prefix in count],
        "pages": [one[0] for one in count.values()],
        "collected": [one[1] for one in count.values()],
    }
    write_partitions(str(top / "prefixes/counted/00000.parquet"), pa.table(table), "host", 1)
    plan = {"host_share": 0.1, "prefix_share": 0.5, "least_prefix_pages": 5}
    write_json(top / "counted.json", {"shards": 1, "annotator": annotator, **plan})
    return folder


class Server:
    """``seekmath annotate`` as a process of its own."""

    def __init__(self, run: Path, *more: str, port: int = 0) -> None:
        command = [sys.executable, "-m", "seekmath.cli", "annotate", str(run), "--port", str(port)]
        self.process = subprocess.Popen(
            [*command, "--who", "ann", *more], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        lines = []
        while self.process.stdout and (line := self.process.stdout.readline().decode()):
            lines.append(line)
            if found := re.search(r"(http://[^/]+)/\?token=(\S+)", line):
                self.base, self.token = found.groups()
                self.url, self.port = found.group(0), int(self.base.rpartition(":")[2])
                return
        raise AssertionError("".join(lines))

    def kill(self) -> None:
        """As a crash does: no chance to tidy up."""
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.communicate()


def logged(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "annotations.jsonl").read_text().splitlines()]
