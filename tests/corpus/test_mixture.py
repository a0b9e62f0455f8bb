from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seekmath.core.files import BadInput
from seekmath.corpus.mixture import Mixture, weights_by_size
from seekmath.corpus.shards import Shard

PAPER = {"math": 0.56, "algebra": 0.04, "arxiv": 0.10, "code": 0.20, "language": 0.10}


def shard(first, rows, context=4):
    count = rows * context + 1
    return Shard(np.arange(first, first + count).astype(np.uint32), np.array([count]), count)


def paper_mixture(seed=0):
    shards = {name: shard(10_000 * n, 20 + n) for n, name in enumerate(PAPER)}
    return Mixture(shards, PAPER, context=4, seed=seed)


@settings(max_examples=20, deadline=None)
@given(start=st.integers(0, 20_000))
def test_any_thousand_rows_hold_the_weights_within_one_percent(start):
    mixture = paper_mixture()
    counts = Counter(mixture.place(row)[0] for row in range(start, start + 1000))
    assert all(abs(counts[name] - 1000 * share) <= 10 for name, share in PAPER.items())


def test_each_corpus_is_read_through_once_an_epoch_whatever_its_weight():
    mixture = paper_mixture()
    places = [mixture.place(row) for row in range(3000)]
    for name in PAPER:
        ordinals = [ordinal for corpus, ordinal in places if corpus == name]
        assert ordinals == list(range(len(ordinals)))
    firsts = [int(mixture.batch(row, 1).tokens_BT[0, 0]) for row in range(3000)]
    math = [first for first, (name, _) in zip(firsts, places, strict=True) if name == "math"]
    assert sorted(math[:20]) == sorted(math[20:40]) == list(range(0, 80, 4))
    assert math[:20] != math[20:40]


@given(start=st.integers(0, 5000), rows=st.integers(1, 9))
def test_a_batch_is_its_rows_whoever_asks_for_them(start, rows):
    mixture = paper_mixture()
    whole = mixture.batch(start, rows).tokens_BT
    parts = [mixture.batch(start + row, 1).tokens_BT for row in range(rows)]
    assert (whole == np.concatenate(parts)).all()


def test_the_order_depends_on_the_seed():
    one, two = (paper_mixture(seed).batch(0, 50).tokens_BT for seed in (0, 1))
    assert not (one == two).all()


def test_epochs_count_how_often_a_corpus_was_read():
    mixture = Mixture({"a": shard(0, 10), "b": shard(0, 30)}, {"a": 0.5, "b": 0.5}, 4, 0)
    assert mixture.epochs(60) == {"a": 3.0, "b": 1.0}
    assert weights_by_size({"a": shard(0, 10), "b": shard(0, 30)})["b"] == pytest.approx(0.75, 0.01)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({"a": 0.5, "b": 0.4}, "sum to 0.9000; they must sum to 1"),
        ({"a": 1.0}, r"name the corpora \['a', 'b'\]"),
        ({"a": 1.0, "b": 0.0, "c": 0.0}, r"not \['c'\]"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights, words):
    with pytest.raises(BadInput, match=words):
        Mixture({"a": shard(0, 10), "b": shard(0, 10)}, weights, 4, 0)


def test_a_corpus_without_a_whole_row_is_refused():
    with pytest.raises(BadInput, match="corpus 'a' holds no row of 64 tokens"):
        Mixture({"a": shard(0, 10)}, {"a": 1.0}, 64, 0)
