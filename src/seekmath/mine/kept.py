"""One of each page: which rows of each shard the rounds work on; texts stay in the shards."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from seekmath.core.files import scratch_beside
from seekmath.core.places import is_url, reading
from seekmath.mine.dedup import Keys, Pages, Plan, Stands, one_of_each
from seekmath.mine.dedup_index import Comparison, DedupIndex, identity
from seekmath.mine.engine import Beat, Shard, Stage, digest_of
from seekmath.mine.executors import Engine
from seekmath.mine.settings import MineSettings
from seekmath.mine.tables import read_columns, write_table
from seekmath.mine.urls import read_seed_keys

#: A kept page of a shard, in the order of ``row``, its row there; ``key`` is its ``page_key``, by
#: which random pages are drawn; ``again`` is a seed that an earlier run has kept: it is trained on,
#: but no part of this corpus; ``stands_for`` are the URLs of its duplicates.
KEPT = pa.schema(
    [
        ("row", pa.int32()),
        ("url", pa.string()),
        ("host", pa.string()),
        ("path", pa.string()),
        ("tokens", pa.int32()),
        ("key", pa.uint64()),
        ("seed", pa.bool_()),
        ("again", pa.bool_()),
        ("stands_for", pa.list_(pa.string())),
    ]
)
FOLDER = "kept"
_STANDING = pa.schema([("root", pa.uint32()), ("url", pa.string())])
#: URLs of duplicates that are sorted at a time, about 300 bytes each while they are: so many where
#: that makes 64 partitions at most, else ten times as many.
_URLS_A_PARTITION, _MOST_SMALL = 100_000, 64
_LONGEST = 1023


def keep_pages(
    engine: Engine, settings: MineSettings, extracted: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """De-duplicate the pages of all shards into ``kept/NNNNN.parquet``, a file for each shard.

    Returns:
        the manifest: ``dropped`` counts by reason, ``kept`` and ``seeds`` the pages of each shard.
    """
    plan = {
        "bands": settings.bands,
        "rows": settings.rows,
        "jaccard": settings.jaccard,
        "shingle": settings.shingle,
        "memory_mib": settings.dedup_memory_mib,
        "index": str(Path(settings.dedup_index).absolute()) if settings.dedup_index else "",
        "shards": len(extracted),
    }
    stage = Stage("deduplicate", "seekmath.mine.kept:keep_one_of_each", engine.run, plan)
    follows = digest_of([one["made_from"] for one in extracted])
    return engine.one(stage, Shard("all", (settings.seeds,), (follows,)))


def keep_one_of_each(stage: Stage, shard: Shard, beat: Beat) -> dict[str, Any]:
    """The step behind ``keep_pages``."""
    plan = stage.parameters
    names = [f"{number:05d}.parquet" for number in range(plan["shards"])]
    seeds = read_seed_keys(Path(shard.inputs[0]))
    width = plan["bands"] * plan["rows"]
    shards = [_Extracted(stage.place("shards", name), seeds, width) for name in names]
    earlier = _Earlier(plan, shards)
    how = Plan(plan["bands"], plan["rows"], plan["jaccard"], plan["memory_mib"] << 20)
    with _scratch_folder(stage) as scratch:
        stands = one_of_each(shards, how, scratch / "shuffle", earlier.pages())
        again = _take_back_seeds(shards, stands)
        counts = _write_kept(stage, names, shards, stands, again, scratch)
    earlier.add(stands, again)
    kept, of_seeds = zip(*counts, strict=True)
    return {"dropped": stands.dropped, "kept": kept, "seeds": of_seeds}


class _Earlier:
    """The pages that earlier runs have kept, where the settings name an index of them."""

    def __init__(self, plan: Mapping[str, Any], shards: Sequence["_Extracted"]) -> None:
        self._shards = shards
        self._index: DedupIndex | None = None
        if plan["index"]:
            compared = Comparison(plan["shingle"], plan["bands"], plan["rows"])
            self._index = DedupIndex(Path(plan["index"]), compared)
            self._run = identity(shard.texts() for shard in shards)

    def pages(self) -> list[Pages]:
        """The pages that this run is compared with."""
        return self._index.pages(self._index.start(self._run)) if self._index else []

    def add(self, stands: Stands, again: NDArray[np.uint32]) -> None:
        """Add what this run has kept, but for the pages ``again``, which are there."""
        if self._index:
            masks = [
                stands.kept(number) & ~np.isin(stands.numbers(number), again)
                for number in range(len(self._shards))
            ]
            kept = (shard.some(mask) for shard, mask in zip(self._shards, masks, strict=True))
            self._index.add(self._run, kept, sum(int(mask.sum()) for mask in masks))


class _Extracted:
    """A shard of extracted pages, as ``dedup.Pages``.

    Seeds are wanted most, then pages under shorter URLs: of copies the one whose address carries
    no parameters is kept.
    """

    def __init__(self, place: str, seeds: NDArray[np.uint64], width: int) -> None:
        self.place = place
        self._seeds = seeds
        self._width = width

    def __len__(self) -> int:
        return self._count

    @cached_property
    def _count(self) -> int:
        with reading(self.place) as file:
            return int(pq.ParquetFile(file).metadata.num_rows)

    def keys(self) -> Keys:
        """The keys of the pages."""
        table = read_columns(self.place, ["url", "digest", "url_key", "page_key"])
        urls = table["url_key"].to_numpy()
        length = pc.binary_length(table["url"]).to_numpy().clip(max=_LONGEST).astype(np.uint64)
        order = table["page_key"].to_numpy() >> np.uint64(11)
        order |= length << np.uint64(53)
        order |= (~self.seeds(urls)).astype(np.uint64) << np.uint64(63)
        return Keys(order, urls, _as_numbers(table["digest"]))

    def texts(self) -> NDArray[np.uint64]:
        """Hashes of the texts; shape (N,)."""
        return _as_numbers(read_columns(self.place, ["digest"]).column(0))

    def some(self, mask_N: NDArray[np.bool_]) -> tuple[Keys, NDArray[np.uint32]]:
        """Keys and signatures of the pages that ``mask_N`` marks."""
        keys = self.keys()
        chosen = Keys(keys.order[mask_N], keys.url[mask_N], keys.text[mask_N])
        return chosen, self.signatures()[mask_N]

    def signatures(self) -> NDArray[np.uint32]:
        """Their MinHash signatures; shape (N, P)."""
        column = read_columns(self.place, ["signature"]).column(0)
        raw = b"".join(column.to_pylist())
        return np.frombuffer(raw, "<u4").reshape(len(column), self._width).astype(np.uint32)

    def seeds(self, urls: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Which hashes of normalised URLs are seeds."""
        at = np.searchsorted(self._seeds, urls)
        there = at < len(self._seeds)
        there[there] = self._seeds[at[there]] == urls[there]
        return there


def _take_back_seeds(shards: list[_Extracted], stands: Stands) -> NDArray[np.uint32]:
    """Keep the seeds that were dropped for a page of an earlier run; their numbers, sorted.

    Without them a second run on the same seeds would have nothing to learn from.
    """
    again = [np.zeros(0, np.uint32)]
    if stands.dropped["earlier_run"]:
        for number, shard in enumerate(shards):
            urls = read_columns(shard.place, ["url_key"]).column(0).to_numpy()
            roots = stands.of_shard(number)
            seeds = shard.seeds(urls) & (roots >= stands.starts[-1])
            again.append(stands.numbers(number)[seeds])
            roots[seeds] = again[-1]
    found = np.concatenate(again)
    stands.dropped["earlier_run"] -= len(found)
    return found


def _as_numbers(digests: pa.ChunkedArray) -> NDArray[np.uint64]:
    """64-bit numbers from their sixteen hexadecimal digits."""
    raw = bytes.fromhex("".join(digests.to_pylist()))
    return np.frombuffer(raw, ">u8").astype(np.uint64)


def _write_kept(
    stage: Stage,
    names: list[str],
    shards: list[_Extracted],
    stands: Stands,
    again: NDArray[np.uint32],
    scratch: Path,
) -> list[tuple[int, int]]:
    """``kept/NNNNN.parquet``; pages kept and seeds of each shard.

    The URLs of duplicates go to the shard of the page that stands for them through files, a
    partition for a range of shards.
    """
    dropped = sum(stands.dropped.values())
    small = min(_MOST_SMALL, 1 + dropped // _URLS_A_PARTITION)
    partitions = min(len(names), max(small, 1 + dropped // (10 * _URLS_A_PARTITION)))
    bounds = np.linspace(0, len(names), partitions + 1).astype(int).tolist()
    files = [scratch / f"standing-{at}.parquet" for at in range(partitions)]
    with ExitStack() as stack:
        writers = [stack.enter_context(pq.ParquetWriter(file, _STANDING)) for file in files]
        for number, shard in enumerate(shards):
            _write_standing(number, shard, stands, bounds, writers)
    counts = []
    for at, file in enumerate(files):
        standing = pq.read_table(file).sort_by([("root", "ascending"), ("url", "ascending")])
        for number in range(bounds[at], bounds[at + 1]):
            table = _kept_table(shards[number], number, stands, standing, again)
            write_table(stage.place(FOLDER, names[number]), table)
            counts.append((len(table), int(pc.sum(table["seed"]).as_py() or 0)))
        file.unlink()
    return counts


def _write_standing(
    number: int,
    shard: _Extracted,
    stands: Stands,
    bounds: list[int],
    writers: list[pq.ParquetWriter],
) -> None:
    """A shard's dropped pages, each to the partition of the page that stands for it."""
    roots = stands.of_shard(number)
    rows = np.flatnonzero(~stands.kept(number) & (roots < stands.starts[-1]))
    urls = read_columns(shard.place, ["url"]).column(0).take(pa.array(rows))
    partition = np.searchsorted(bounds, stands.shard_of(roots[rows]), "right") - 1
    for at in np.unique(partition).tolist():
        mine = pa.array(partition == at)
        part = {"root": pa.array(roots[rows]).filter(mine), "url": urls.filter(mine)}
        writers[at].write_table(pa.table(part, schema=_STANDING))


def _kept_table(
    shard: _Extracted,
    number: int,
    stands: Stands,
    standing: pa.Table,
    again: NDArray[np.uint32],
) -> pa.Table:
    rows = np.flatnonzero(stands.kept(number))
    columns = ["url", "host", "path", "tokens", "url_key", "page_key"]
    pages = read_columns(shard.place, columns).take(pa.array(rows))
    roots = standing["root"].to_numpy()
    numbers = stands.starts[number] + rows
    first, last = np.searchsorted(roots, numbers), np.searchsorted(roots, numbers, "right")
    urls = pages["url"].to_pylist()
    stands_for = [
        sorted(set(standing["url"].slice(a, b - a).to_pylist()) - {own}) if b > a else []
        for own, a, b in zip(urls, first.tolist(), last.tolist(), strict=True)
    ]
    found = {
        "row": pa.array(rows, pa.int32()),
        **{name: pages[name] for name in ("url", "host", "path", "tokens")},
        "key": pages["page_key"],
        "seed": pa.array(shard.seeds(pages["url_key"].to_numpy())),
        "again": pa.array(np.isin(numbers, again)),
        "stands_for": pa.array(stands_for, pa.list_(pa.string())),
    }
    return pa.table(found, schema=KEPT)


@contextmanager
def _scratch_folder(stage: Stage) -> Iterator[Path]:
    """A folder for what passes through files: in the run, or on local disk where that is remote."""
    if is_url(stage.run):
        with tempfile.TemporaryDirectory(prefix="seekmath-") as folder:
            yield Path(folder)
        return
    path = scratch_beside(Path(stage.run) / "deduplicate")
    path.mkdir(parents=True, exist_ok=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
