"""Ranking in bounded memory gives what sorting all pages at once would."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seekmath.mine.ranking import below_share, drawn_keys, find_cut, lowest

PAGES = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.5, 0.50001, 0.9, 1.0]), st.integers(0, 50)), max_size=30
)


def by_sorting(scores, tokens, least, budget):
    order = np.argsort(-scores, kind="stable")
    good = scores[order] >= np.float32(least)
    if budget:
        good &= np.cumsum(tokens[order]) <= budget
    collected = np.zeros(len(scores), bool)
    collected[order[good]] = True
    return collected


@given(st.lists(PAGES, min_size=1, max_size=4), st.sampled_from([0.0, 0.3, 0.5, 1.0]),
       st.integers(0, 600))  # fmt: skip
def test_the_cut_is_that_of_one_sorted_list(shards, least, budget):
    parts = [
        (np.array([s for s, _ in rows], np.float32), np.array([t for _, t in rows], np.int64))
        for rows in shards
    ]
    cut = find_cut(lambda: parts, least, budget)
    found = np.concatenate([cut.collected(at, part[0]) for at, part in enumerate(parts)])
    scores, tokens = (np.concatenate(column) for column in zip(*parts, strict=True))
    assert found.tolist() == by_sorting(scores, tokens, least, budget).tolist()


@given(st.integers(0, 3000), st.integers(0, 2**63 - 1))
def test_a_draw_takes_exactly_as_many_as_wanted_whatever_the_shards(wanted, salt):
    keys = drawn_keys(np.arange(2000, dtype=np.uint64), salt)
    assert len(set(keys.tolist())) == 2000
    maybe = np.concatenate(
        [part[below_share(part, wanted, 2000)] for part in (keys[:700], keys[700:])]
    )
    taken = maybe[lowest(maybe, wanted)]
    assert sorted(taken.tolist()) == sorted(keys.tolist())[:wanted]
