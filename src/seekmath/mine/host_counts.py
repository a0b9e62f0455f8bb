"""The domain rule over all shards: counts of hosts, then of prefixes, each by a file shuffle.

A map step counts within a shard and writes its counts by hash of the host; a reduce step sums one
partition. All prefixes of a host fall into its host's partition, where they are marked.
"""

import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from seekmath.mine.annotate import NOT, as_marks, by_threshold, from_file
from seekmath.mine.annotations import Annotations
from seekmath.mine.domains import Share, candidates, least_share, prefixes_of
from seekmath.mine.engine import Beat, Shard, Stage
from seekmath.mine.round_files import (
    all_partitions,
    all_shards,
    at_round,
    collected_in,
    kept_columns,
)
from seekmath.mine.tables import (
    partition_of,
    read_columns,
    read_partition,
    summed,
    write_partitions,
    write_table,
)

MOST_REPORTED = 100
_PAGES_A_PARTITION = 4_000_000
_COUNTS = ["pages", "collected"]


def partitions_for(pages: int) -> int:
    """Partitions of the shuffles: a partition's counts take at most about 500 MiB."""
    return max(1, math.ceil(pages / _PAGES_A_PARTITION))


def count_hosts(
    place: str, hosts: pa.ChunkedArray, collected_N: NDArray[np.bool_], partitions: int
) -> None:
    """One shard's pages and collected pages of each host."""
    table = pa.table(
        {
            "host": hosts,
            "pages": np.ones(len(hosts), np.int64),
            "collected": collected_N.astype(np.int64),
        }
    )
    write_partitions(place, summed([table], "host", _COUNTS), "host", partitions)


def sum_hosts(stage: Stage, shard: Shard, beat: Beat) -> dict[str, Any]:
    """One partition of the hosts: candidates to a file, the largest to the manifest."""
    number = stage.parameters["round"]
    shares = _shares(all_shards(stage, number, "hosts/counted", ".parquet"), shard, "host")
    good = candidates(shares, stage.parameters["host_share"], stage.parameters["least_host_pages"])
    place = at_round(stage, number, "hosts/candidates", f"{shard.name}.parquet")
    _write_shares(place, good, "host")
    return {
        "hosts": len(shares),
        "hosts_collected": sum(bool(share.collected) for share in shares),
        "largest": [share.as_row("host") for share in shares[:MOST_REPORTED]],
        "candidates": len(good),
    }


def candidate_hosts(stage: Stage, number: int, sure_above: float = 0.0) -> pa.Array:
    """Names of the candidates of round ``number`` of which surely so much was collected."""
    places = all_partitions(stage, number, "hosts/candidates")
    table = pa.concat_tables([read_columns(place, ["host", *_COUNTS]) for place in places])
    lower_N = least_share(table["collected"].to_numpy(), table["pages"].to_numpy())
    return table["host"].filter(pa.array(lower_N > sure_above)).combine_chunks()


def count_prefixes(stage: Stage, shard: Shard, beat: Beat) -> dict[str, Any]:
    """One shard's pages and collected pages under each prefix of the candidate hosts."""
    number = stage.parameters["round"]
    wanted = candidate_hosts(stage, number)
    kept = kept_columns(stage, shard, "host", "path")
    collected_N = collected_in(stage, shard, number, len(kept))
    rows = np.flatnonzero(pc.is_in(kept["host"], wanted).to_numpy())
    some, taken = kept.take(pa.array(rows)), collected_N[rows].tolist()
    pages: Counter[tuple[str, str]] = Counter()
    found: Counter[tuple[str, str]] = Counter()
    for host, path, got in zip(
        some["host"].to_pylist(), some["path"].to_pylist(), taken, strict=True
    ):
        for prefix in prefixes_of(host, path):
            pages[host, prefix] += 1
            found[host, prefix] += got
    keys = sorted(pages)
    table = pa.table(
        {
            "host": pa.array([host for host, _ in keys], pa.string()),
            "prefix": pa.array([prefix for _, prefix in keys], pa.string()),
            "pages": pa.array([pages[key] for key in keys], pa.int64()),
            "collected": pa.array([found[key] for key in keys], pa.int64()),
        }
    )
    place = at_round(stage, number, "prefixes/counted", f"{shard.name}.parquet")
    write_partitions(place, table, "host", stage.parameters["partitions"])
    return {"prefixes": len(keys)}


def mark_prefixes(stage: Stage, shard: Shard, beat: Beat) -> dict[str, Any]:
    """One partition of the prefixes: the marks to a file, with the shares of those marked math."""
    number = stage.parameters["round"]
    shares = _shares(all_shards(stage, number, "prefixes/counted", ".parquet"), shard, "prefix")
    named = set(_marks(stage, shard, shares))
    marked = [share for share in shares if share.name in named]
    # A person may mark what no candidate host holds; it counts all the same, once.
    unknown = sorted(named - {share.name for share in marked})
    partition, partitions = int(shard.name), stage.parameters["partitions"]
    marked += [
        Share(name, 0, 0)
        for name in unknown
        if partition_of(name.removeprefix(NOT).partition("/")[0], partitions) == partition
    ]
    place = at_round(stage, number, "prefixes/marked", f"{shard.name}.parquet")
    _write_shares(place, marked, "prefix")
    return {
        "marked": sum(not share.name.startswith(NOT) for share in marked),
        "largest": [share.as_row("prefix") for share in marked[:MOST_REPORTED] if share.pages],
    }


def _marks(stage: Stage, shard: Shard, shares: list[Share]) -> list[str]:
    plan = stage.parameters
    if plan["annotator"] == "threshold":
        return by_threshold(
            shares, plan["prefix_share"], plan["least_prefix_pages"], plan["host_share"]
        )
    if plan["annotator"] == "file":
        rows = from_file(Path(shard.inputs[0]))
        return as_marks({prefix: row["label"] for prefix, row in rows.items()})
    standing = Annotations(Path(stage.run)).standing(plan["round"])
    return as_marks({prefix: one.label for prefix, one in standing.items()})


def marked_before(stage: Stage, number: int) -> frozenset[str]:
    """The mark of every prefix in the rounds before round ``number``; a later round's holds."""
    found: dict[str, str] = {}
    for earlier in range(1, number):
        for place in all_partitions(stage, earlier, "prefixes/marked"):
            marks = read_columns(place, ["prefix"]).column(0).to_pylist()
            found.update((mark.removeprefix(NOT), mark) for mark in marks)
    return frozenset(found.values())


def largest(manifests: list[dict[str, Any]], label: str) -> list[dict[str, Any]]:
    """The most collected of all partitions, ties by name."""
    rows = [row for manifest in manifests for row in manifest["largest"]]
    return sorted(rows, key=lambda row: (-row["collected"], row[label]))[:MOST_REPORTED]


def _shares(places: list[str], partition: Shard, key: str) -> list[Share]:
    table = summed(read_partition(places, int(partition.name)), key, _COUNTS)
    columns = (table[name].to_pylist() for name in (key, *_COUNTS))
    found = [Share(*row) for row in zip(*columns, strict=True)]
    return sorted(found, key=lambda share: (-share.collected, share.name))


def _write_shares(place: str, shares: list[Share], label: str) -> None:
    columns = {
        label: pa.array([share.name for share in shares], pa.string()),
        "pages": pa.array([share.pages for share in shares], pa.int64()),
        "collected": pa.array([share.collected for share in shares], pa.int64()),
    }
    write_table(place, pa.table(columns))
