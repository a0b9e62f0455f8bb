"""How the scores of a round are spread."""

# N pages

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def histogram(
    scores: NDArray[np.floating[Any]], tokens: NDArray[np.int64], bins: int = 20
) -> list[dict[str, float | int]]:
    """Pages and tokens by score, in bins of equal width over 0 to 1."""
    place = np.minimum((scores * bins).astype(int), bins - 1)
    pages = np.bincount(place, minlength=bins).tolist()
    of_tokens = np.bincount(place, weights=tokens, minlength=bins).tolist()
    return [
        {"from": at / bins, "pages": pages[at], "tokens": int(of_tokens[at])} for at in range(bins)
    ]


def add_histograms(parts: Sequence[Sequence[Mapping[str, Any]]]) -> list[dict[str, float | int]]:
    """The histogram of all parts together; ``parts`` are of equal bins."""
    return [
        {
            "from": bins[0]["from"],
            "pages": sum(one["pages"] for one in bins),
            "tokens": sum(one["tokens"] for one in bins),
        }
        for bins in zip(*parts, strict=True)
    ]
