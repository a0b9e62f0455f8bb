"""How good a round was, against labels that only measuring reads.

Labels are held as hashes of URLs, so measuring takes 9 bytes for each label and, while figures are
made, 14 for each page with a label.
"""

# L labels

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seekmath.core.files import BadInput, read_jsonl, read_parquet
from seekmath.core.places import reading, writing
from seekmath.core.seeds import digest
from seekmath.mine.engine import Beat, Shard, Stage
from seekmath.mine.round_files import all_shards, at_round, kept_columns
from seekmath.mine.tables import load_array, read_columns
from seekmath.mine.urls import read_seed_keys, url_key

_LABELS = {"math": True, "other": False, "unsure": None}
_INDEX = "labels.npz"


def index_labels(stage: Stage, shard: Shard, beat: Beat) -> dict[str, Any]:
    """Labels that count (sure, and not of a seed) as sorted hashes of their URLs; a step.

    Its inputs are the labels, Parquet or JSON lines with ``url`` and either ``math`` (true, false)
    or ``label`` (math, other, unsure), and the file of seeds.

    Raises:
        BadInput: a row has neither ``math`` nor a known ``label``.
    """
    labels, seeds = (Path(place) for place in shard.inputs)
    seed_keys = read_seed_keys(seeds)
    keys, math = [], []
    for url, is_math in _labels(labels):
        if is_math is not None:
            normal = np.uint64(url_key(url))
            at = int(np.searchsorted(seed_keys, normal))
            if at == len(seed_keys) or seed_keys[at] != normal:
                keys.append(_key(url))
                math.append(is_math)
    # The last label of a URL counts.
    found, first = np.unique(np.array(keys[::-1], np.uint64), return_index=True)
    with writing(stage.place(_INDEX)) as file:
        np.savez(file, keys=found, math=np.array(math[::-1], bool)[first])
    return {"labels": len(found)}


def measured_pages(stage: Stage, shard: Shard, number: int, collected_N: NDArray[np.bool_]) -> None:
    """Leave what the round made of the shard's labelled pages in ``measured/NNNNN.npy``.

    A duplicate counts as its representative does; a page that was dropped before scoring counts
    as not collected and has the lowest score.
    """
    kept = kept_columns(stage, shard, "url", "stands_for")
    scores_N = load_array(at_round(stage, number, "scores", f"{shard.name}.npy"))
    dropped = read_columns(stage.place("shards", f"{shard.name}.dropped.parquet"), ["url"])
    with reading(stage.place(_INDEX)) as file, np.load(file, allow_pickle=False) as index:
        label_keys = index["keys"]
    rows = []
    for at, (url, others) in enumerate(
        zip(kept["url"].to_pylist(), kept["stands_for"].to_pylist(), strict=True)
    ):
        page = (scores_N[at], collected_N[at])
        rows += [(_key(one), *page) for one in (url, *others)]
    rows += [(_key(url), -1.0, False) for url in dropped["url"].to_pylist() if url]
    keys, scores, taken = zip(*rows, strict=True) if rows else ((), (), ())
    found = np.array(keys, np.uint64)
    place = np.searchsorted(label_keys, found)
    there = place < len(label_keys)
    there[there] = label_keys[place[there]] == found[there]
    with writing(at_round(stage, number, "measured", f"{shard.name}.npz")) as file:
        np.savez(
            file,
            label=place[there].astype(np.int32),
            score=np.array(scores, np.float32)[there],
            collected=np.array(taken, bool)[there],
        )


def measure_all(stage: Stage, shard: Shard, beat: Beat) -> dict[str, Any]:
    """Precision and recall of what a round collected, average precision of its scores; a step."""
    with reading(stage.place(_INDEX)) as file, np.load(file, allow_pickle=False) as index:
        math_L = index["math"]
    there_L, taken_L = np.zeros(len(math_L), bool), np.zeros(len(math_L), bool)
    score_L = np.full(len(math_L), -1, np.float32)
    for place in all_shards(stage, stage.parameters["round"], "measured", ".npz"):
        with reading(place) as file, np.load(file, allow_pickle=False) as part:
            label = part["label"]
            there_L[label] = True
            taken_L[label] |= part["collected"]
            np.maximum.at(score_L, label, part["score"])
    return measure(math_L[there_L], taken_L[there_L], score_L[there_L])


def measure(
    math: NDArray[np.bool_], taken: NDArray[np.bool_], scores: NDArray[np.float32]
) -> dict[str, float | int]:
    """Precision, recall and average precision; one entry in each array for each labelled page."""
    right = int((taken & math).sum())
    found = {
        "precision": right / max(int(taken.sum()), 1),
        "recall": right / max(int(math.sum()), 1),
        "average_precision": average_precision(math, scores),
    }
    counts = {"math": int(math.sum()), "other": int((~math).sum())}
    return {**{name: round(value, 6) for name, value in found.items()}, **counts}


def average_precision(right: NDArray[np.bool_], scores: NDArray[np.float32]) -> float:
    """Area under precision over recall, equal scores one step; 0 without positives."""
    total = int(right.sum())
    if not total:
        return 0.0
    order = np.argsort(-scores, kind="stable")
    hits, ends = np.cumsum(right[order]), np.append(np.diff(scores[order]) != 0, True)
    hits_at_ends = hits[ends]
    precision = hits_at_ends / (np.flatnonzero(ends) + 1)
    return float((precision * np.diff(hits_at_ends, prepend=0)).sum() / total)


def _key(url: str) -> int:
    return int(digest(url), 16)


def _labels(path: Path) -> Iterator[tuple[str, bool | None]]:
    rows: Iterable[Mapping[str, Any]]
    if path.suffix == ".parquet":
        table = read_parquet(path, ["url", "math"])
        rows = (row for batch in table.to_batches(10_000) for row in batch.to_pylist())
    else:
        rows = read_jsonl(path)
    for number, row in enumerate(rows, 1):
        if isinstance(row.get("math"), bool):
            yield row["url"], row["math"]
        elif row.get("label") in _LABELS:
            yield row["url"], _LABELS[row["label"]]
        else:
            raise BadInput(f"labels: {path}:{number}: expected math: true|false, or label: math")
