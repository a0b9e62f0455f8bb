"""One of each page: the index that the rounds work on; texts stay in the shards."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from seekmath.core.files import read_json, read_parquet, write_json, write_parquet
from seekmath.mine.dedup import keep_dissimilar, keep_one
from seekmath.mine.settings import MineSettings
from seekmath.mine.urls import normalize_url

#: A kept page: where its row is (shard and row numbers) and the URLs it stands for.
KEPT = pa.schema(
    [
        ("url", pa.string()),
        ("host", pa.string()),
        ("path", pa.string()),
        ("tokens", pa.int32()),
        ("shard", pa.int32()),
        ("row", pa.int32()),
        ("seed", pa.bool_()),
        ("stands_for", pa.list_(pa.string())),
    ]
)
_READ = ["url", "host", "path", "digest", "source", "tokens", "signature"]


@dataclass(frozen=True)
class Kept:
    """The kept pages in shard order; every list and array has one entry for each."""

    urls: list[str]
    hosts: list[str]
    paths: list[str]
    tokens: NDArray[np.int64]
    shards: NDArray[np.int32]
    rows: NDArray[np.int32]
    seeds: NDArray[np.bool_]
    stands_for: list[list[str]]

    def __len__(self) -> int:
        return len(self.urls)


def read_seeds(path: Path) -> set[str]:
    """Normalised URLs of a text file with one URL per line; ``#`` starts a comment line."""
    lines = path.read_text("utf-8").splitlines()
    return {
        normalize_url(line.strip()) for line in lines if line.strip() and not line.startswith("#")
    }


def keep_pages(
    settings: MineSettings, shards: Sequence[Path], out: Path, progress: Callable[[int], None]
) -> Kept:
    """De-duplicate the pages of all shards into ``out/kept.parquet``, or read it when it is there.

    ``out/dedup.json`` counts what was dropped by reason.
    """
    path = out / "kept.parquet"
    if not path.exists():
        pages = _read_shards(shards, read_seeds(Path(settings.seeds)))
        stands, dropped = _stands(pages, settings, progress)
        write_json(out / "dedup.json", dropped)
        write_parquet(path, _kept_rows(pages, stands), KEPT)
    return _load(path)


def dedup_counts(out: Path) -> dict[str, int]:
    """Pages dropped by reason, as ``keep_pages`` counted them."""
    return read_json(out / "dedup.json")


def _read_shards(shards: Sequence[Path], seeds: set[str]) -> list[dict[str, Any]]:
    """All pages, most wanted first: seeds, then by normalised URL, then by content."""
    pages = []
    for shard, path in enumerate(shards):
        for row, page in enumerate(read_parquet(path, _READ).to_pylist()):
            normal = normalize_url(page["url"])
            page.update(normal=normal, seed=normal in seeds, shard=shard, row=row)
            pages.append(page)
    pages.sort(key=lambda p: (not p["seed"], p["normal"], p["url"], p["digest"], p["source"]))
    return pages


def _stands(
    pages: list[dict[str, Any]], settings: MineSettings, progress: Callable[[int], None]
) -> tuple[NDArray[np.int64], dict[str, int]]:
    """For each page the kept page that stands for it (itself when kept), and drops by reason."""
    stands = np.arange(len(pages))
    dropped = {}
    for reason in ("same_url", "same_text", "near_duplicate"):
        left = np.flatnonzero(stands == np.arange(len(pages)))
        if reason == "near_duplicate":
            raw = b"".join(pages[at]["signature"] for at in left)
            width = settings.bands * settings.rows
            signatures = np.frombuffer(raw, "<u4").reshape(len(left), width).astype(np.uint32)
            chosen = keep_dissimilar(signatures, settings.bands, settings.jaccard, progress)
        else:
            key = "normal" if reason == "same_url" else "digest"
            chosen = keep_one(pages[at][key] for at in left)
        step = np.arange(len(pages))
        step[left] = left[np.array(chosen, np.int64)] if len(left) else left
        dropped[reason] = int((step != np.arange(len(pages))).sum())
        stands = step[stands]
    return stands, dropped


def _kept_rows(pages: list[dict[str, Any]], stands: NDArray[np.int64]) -> list[dict[str, Any]]:
    urls: dict[int, list[str]] = defaultdict(list)
    for at, root in enumerate(stands.tolist()):
        if at != root and pages[at]["url"] != pages[root]["url"]:
            urls[root].append(pages[at]["url"])
    roots = np.flatnonzero(stands == np.arange(len(pages))).tolist()
    rows = [{**pages[at], "stands_for": sorted(set(urls[at]))} for at in roots]
    rows.sort(key=lambda row: (row["shard"], row["row"]))
    return [{name: row[name] for name in KEPT.names} for row in rows]


def _load(path: Path) -> Kept:
    table = read_parquet(path)
    column = {name: table.column(name) for name in KEPT.names}
    return Kept(
        column["url"].to_pylist(),
        column["host"].to_pylist(),
        column["path"].to_pylist(),
        column["tokens"].to_numpy().astype(np.int64),
        column["shard"].to_numpy(),
        column["row"].to_numpy(),
        column["seed"].to_numpy(),
        column["stands_for"].to_pylist(),
    )
