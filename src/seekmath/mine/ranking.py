"""Rank by score and cut at a token budget, exactly, in memory that does not grow with the corpus.

Scores are float32. Positive floats order as their bit patterns do, so the score at which the
budget ends is found by two passes of counting: tokens by the upper 16 bits of the score, then by
the lower 16 bits within the one upper half in which the budget ends.
"""

# N pages of one shard

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]
Tokens = NDArray[np.int64]
#: Gives (scores, tokens) of each shard in order, each time it is called.
Parts = Callable[[], Iterable[tuple[Scores, Tokens]]]

_HALF = 1 << 16


@dataclass(frozen=True)
class Cut:
    """Which pages are collected: all scored above ``score``, and ``ties`` of those scored equal.

    Attributes:
        score: where the collection ends.
        ties: for each shard how many of its pages with exactly this score, first ones first.
    """

    score: float
    ties: tuple[int, ...]

    def collected(self, shard: int, scores_N: Scores) -> NDArray[np.bool_]:
        """Which pages of a shard are collected."""
        score = np.float32(self.score)
        equal_N = scores_N == score
        return (scores_N > score) | (equal_N & (np.cumsum(equal_N) <= self.ties[shard]))


def find_cut(parts: Parts, least_score: float, keep_tokens: int) -> Cut:
    """The best pages within the token budget, none scored below ``least_score``.

    The budget is met by whole pages in the order of scores, equal ones in the order of pages: the
    first page that would exceed it ends the collection.

    Args:
        parts: scores (0 to 1) and tokens of each shard.
        least_score: pages below are not collected whatever the budget.
        keep_tokens: the budget; 0: none.
    """
    least = np.float32(least_score)
    budget = keep_tokens if keep_tokens else np.iinfo(np.int64).max
    upper, above = _last_within(_tokens_by(parts, least, 16, None), budget)
    if upper < 0:  # the budget holds all that is good enough
        return Cut(float(least), tuple(len(scores) for scores, _ in parts()))
    lower, above = _last_within(_tokens_by(parts, least, 0, upper), budget, above)
    bits = np.uint32(upper << 16 | max(lower, 0))
    return _ties(parts, bits.view(np.float32), budget - above)


def _tokens_by(parts: Parts, least: np.float32, shift: int, upper: int | None) -> Tokens:
    """Tokens by 16 bits of the score, of pages at least ``least`` and with this upper half."""
    total = np.zeros(_HALF, np.int64)
    for scores, tokens in parts():
        bits = scores.view(np.uint32)
        good = scores >= least
        if upper is not None:
            good &= bits >> 16 == upper
        place = (bits[good] >> shift & 0xFFFF).astype(np.int64)
        # add.at, since bincount sums weights as floats
        np.add.at(total, place, tokens[good])
    return total


def _last_within(tokens: Tokens, budget: int, above: int = 0) -> tuple[int, int]:
    """The bin, from the highest down, in which the budget ends, and the tokens of those above it.

    The bin is -1 where it does not end.
    """
    sums = above + np.cumsum(tokens[::-1])
    ends = np.flatnonzero(sums > budget)
    if not len(ends):
        return -1, int(sums[-1])
    first = int(ends[0])
    return len(tokens) - 1 - first, int(sums[first - 1]) if first else above


def _ties(parts: Parts, score: np.float32, left: int) -> Cut:
    """The cut at ``score``, of whose pages those are taken, in order, that ``left`` tokens hold."""
    ties = []
    for scores, tokens in parts():
        sums = np.cumsum(tokens[scores == score])
        ties.append(int((sums <= left).sum()))
        # The first page that does not fit ends the collection in later shards too.
        left = left - int(sums[-1]) if ties[-1] == len(sums) > 0 else left if not len(sums) else -1
    return Cut(float(score), tuple(ties))


def below_share(keys_N: NDArray[np.uint64], wanted: int, there: int) -> NDArray[np.bool_]:
    """Which pages may be among the ``wanted`` with the lowest keys of ``there`` pages in all.

    Keys are uniform, so a bound six standard deviations above the share wanted holds them all;
    ``lowest`` then takes exactly those.
    """
    if wanted >= there:
        return np.ones(len(keys_N), bool)
    share = min(1.0, (wanted + 6 * wanted**0.5 + 20) / there)
    return keys_N <= np.uint64(min(int(share * 2.0**64), 2**64 - 1))


def lowest(keys_N: NDArray[np.uint64], wanted: int) -> NDArray[np.bool_]:
    """Which are the ``wanted`` lowest keys."""
    if wanted >= len(keys_N):
        return np.ones(len(keys_N), bool)
    if wanted == 0:
        return np.zeros(len(keys_N), bool)
    return keys_N <= np.partition(keys_N, wanted - 1)[wanted - 1]


def drawn_keys(keys_N: NDArray[np.uint64], salt: int) -> NDArray[np.uint64]:
    """The keys shuffled for one draw: splitmix64 (Steele 2014) of key and salt."""
    mixed = keys_N ^ np.uint64(salt)
    mixed = mixed + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
