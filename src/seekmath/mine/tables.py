"""Reading and writing the tables and arrays that steps leave for each other."""

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from seekmath.core.places import reading, writing

_BATCH = 256
_PARTITIONS = b"partitions"
#: Rows of a group-by that are held before they are summed up.
_MERGE_ROWS = 1 << 20


def write_table(place: str, table: pa.Table) -> None:
    """Write one Parquet file, whole or not at all."""
    with writing(place) as file:
        pq.write_table(table, file, compression="zstd")


def read_columns(place: str, columns: Sequence[str]) -> pa.Table:
    """Some columns of a Parquet file."""
    with reading(place) as file:
        return pq.ParquetFile(file).read(columns=list(columns))


def read_rows(
    place: str, columns: Sequence[str], rows: NDArray[np.int32]
) -> Iterator[pa.RecordBatch]:
    """Some columns of a Parquet file at ``rows``, which ascend, a batch in memory at a time."""
    start = 0
    with reading(place) as file:
        for batch in pq.ParquetFile(file).iter_batches(_BATCH, columns=list(columns)):
            first, last = np.searchsorted(rows, [start, start + len(batch)])
            if last > first:
                yield batch.take(pa.array(rows[first:last] - start))
            start += len(batch)


def save_array(place: str, array: NDArray[Any]) -> None:
    """Write one array, whole or not at all."""
    with writing(place) as file:
        np.save(file, array, allow_pickle=False)


def load_array(place: str) -> NDArray[Any]:
    """Read what ``save_array`` wrote."""
    with reading(place) as file:
        array: NDArray[Any] = np.load(file, allow_pickle=False)
        return array


def write_partitions(place: str, table: pa.Table, key: str, partitions: int) -> None:
    """One map shard's file of a shuffle: a row group for each hash partition of the text ``key``.

    So a shuffle of S shards to P partitions has S files and not S times P.
    """
    names = table.column(key).to_pylist()
    of_row = np.fromiter((partition_of(name, partitions) for name in names), int, len(names))
    there = np.unique(of_row).tolist()
    schema = table.schema.with_metadata({_PARTITIONS: json.dumps(there).encode()})
    with writing(place) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for partition in there:
            rows = table.take(np.flatnonzero(of_row == partition))
            writer.write_table(rows.cast(schema), row_group_size=len(rows))


def partition_of(key: str, partitions: int) -> int:
    """Which hash partition of a shuffle ``key`` falls into."""
    return zlib.crc32(key.encode()) % partitions


def read_partition(places: Iterable[str], partition: int) -> Iterator[pa.Table]:
    """One partition's rows of every map shard's file, in the order of ``places``."""
    for place in places:
        with reading(place) as file:
            parquet = pq.ParquetFile(file)
            there = json.loads(parquet.schema_arrow.metadata[_PARTITIONS])
            if partition in there:
                yield parquet.read_row_group(there.index(partition))


def summed(tables: Iterable[pa.Table], key: str, values: Sequence[str]) -> pa.Table:
    """Sums of ``values`` by ``key`` over all tables, sorted by key; memory follows the keys."""
    held: list[pa.Table] = []
    rows = 0
    for table in tables:
        held.append(table.select([key, *values]).replace_schema_metadata())
        rows += len(table)
        if rows > _MERGE_ROWS:
            held = [_sum(held, key, values)]
            # Where the keys hardly repeat, wait until as many again have come.
            rows = -len(held[0])
    if not held:
        return pa.table(
            {key: pa.array([], pa.string())} | {v: pa.array([], pa.int64()) for v in values}
        )
    return _sum(held, key, values).sort_by(key)


def _sum(tables: list[pa.Table], key: str, values: Sequence[str]) -> pa.Table:
    grouped = pa.concat_tables(tables).group_by(key, use_threads=False)
    found = grouped.aggregate([(value, "sum") for value in values])
    return found.select([key, *(f"{value}_sum" for value in values)]).rename_columns([key, *values])
