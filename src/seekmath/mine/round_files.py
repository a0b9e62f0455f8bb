"""Where the steps of the rounds leave their files, and what they read of each other's."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from seekmath.mine.engine import Shard, Stage
from seekmath.mine.tables import load_array, read_columns

MODEL = "classifier.npz"


def at_round(stage: Stage, number: int, *names: str) -> str:
    """A place of round ``number``."""
    return stage.place("rounds", f"{number:02d}", *names)


def all_shards(stage: Stage, number: int, what: str, suffix: str) -> list[str]:
    """The places of ``what`` of every shard in round ``number``, in order."""
    count = stage.parameters["shards"]
    return [at_round(stage, number, what, f"{at:05d}{suffix}") for at in range(count)]


def all_partitions(stage: Stage, number: int, what: str) -> list[str]:
    """The Parquet files of ``what`` of every partition of a shuffle in round ``number``."""
    count = stage.parameters["partitions"]
    return [at_round(stage, number, what, f"{at:05d}.parquet") for at in range(count)]


def kept_columns(stage: Stage, shard: Shard, *columns: str) -> pa.Table:
    """Columns of the shard's kept pages."""
    return read_columns(stage.place("kept", f"{shard.name}.parquet"), columns)


def pages_place(stage: Stage, shard: Shard) -> str:
    """The shard of extracted pages."""
    return stage.place("shards", f"{shard.name}.parquet")


def positive_before(stage: Stage, shard: Shard, number: int) -> NDArray[np.bool_]:
    """Which pages are seeds in round ``number``: the given ones, and those that joined before."""
    if number > 1:
        return load_array(at_round(stage, number - 1, "positive", f"{shard.name}.npy"))
    seeds: NDArray[np.bool_] = kept_columns(stage, shard, "seed").column(0).to_numpy()
    return seeds


def collected_in(stage: Stage, shard: Shard, number: int, pages: int) -> NDArray[np.bool_]:
    """Which pages were collected in round ``number``; none in round 0."""
    if number < 1:
        return np.zeros(pages, bool)
    return load_array(at_round(stage, number, "collected", f"{shard.name}.npy"))
