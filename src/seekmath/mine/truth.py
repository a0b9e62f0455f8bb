"""How good a round was, against labels that only measuring reads."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seekmath.core.files import BadInput, read_jsonl, read_parquet
from seekmath.mine.urls import normalize_url

_LABELS = {"math": True, "other": False, "unsure": None}


@dataclass(frozen=True)
class Truth:
    """Pages whose label counts: in the crawl, sure, and no seed. One place for each page.

    Attributes:
        math: their labels.
        page: number of the kept page that is it or stands for it; -1 where none does.
    """

    math: NDArray[np.bool_]
    page: NDArray[np.int64]

    def measure(
        self, scores: NDArray[np.float64], collected: NDArray[np.bool_]
    ) -> dict[str, float | int]:
        """Precision and recall of what was collected, average precision of the scores.

        A duplicate counts as its representative does; a page that was dropped before scoring
        counts as not collected and has the lowest score.
        """
        here = self.page >= 0
        taken = here & collected[self.page]
        score = np.where(here, scores[self.page], -1.0)
        right = int((taken & self.math).sum())
        return {
            "precision": right / max(int(taken.sum()), 1),
            "recall": right / max(int(self.math.sum()), 1),
            "average_precision": average_precision(self.math, score),
            "math": int(self.math.sum()),
            "other": int((~self.math).sum()),
        }


def average_precision(right: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """Area under precision over recall, equal scores one step; 0 without positives."""
    total = int(right.sum())
    if not total:
        return 0.0
    order = np.argsort(-scores, kind="stable")
    hits, ends = np.cumsum(right[order]), np.append(np.diff(scores[order]) != 0, True)
    hits_at_ends = hits[ends]
    precision = hits_at_ends / (np.flatnonzero(ends) + 1)
    return float((precision * np.diff(hits_at_ends, prepend=0)).sum() / total)


def read_truth(
    path: Path,
    crawled: Iterable[str],
    seeds: set[str],
    urls: Sequence[str],
    stands_for: Sequence[Sequence[str]],
) -> Truth:
    """Join labels with the pages of a crawl.

    Args:
        path: Parquet or JSON lines with ``url`` and either ``math`` (true, false) or ``label``
            (math, other, unsure).
        crawled: every URL in the crawl; labels of other pages are left out.
        seeds: normalised URLs of the seed pages, which are left out.
        urls: the kept pages.
        stands_for: for each kept page the URLs of its duplicates.

    Raises:
        BadInput: a row has neither ``math`` nor a known ``label``.
    """
    page_of = {url: at for at, others in enumerate(stands_for) for url in others}
    page_of.update({url: at for at, url in enumerate(urls)})
    there = set(crawled)
    labels = {
        url: math
        for url, math in _labels(path)
        if math is not None and url in there and normalize_url(url) not in seeds
    }
    math = np.array(list(labels.values()), bool)
    return Truth(math, np.array([page_of.get(url, -1) for url in labels], np.int64))


def _labels(path: Path) -> Iterable[tuple[str, bool | None]]:
    rows: Iterable[Mapping[str, Any]]
    if path.suffix == ".parquet":
        rows = read_parquet(path, ["url", "math"]).to_pylist()
    else:
        rows = read_jsonl(path)
    for number, row in enumerate(rows, 1):
        if isinstance(row.get("math"), bool):
            yield row["url"], row["math"]
        elif row.get("label") in _LABELS:
            yield row["url"], _LABELS[row["label"]]
        else:
            raise BadInput(f"labels: {path}:{number}: expected math: true|false, or label: math")
