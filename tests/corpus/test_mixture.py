from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seekmath.core.files import BadInput
from seekmath.corpus.mixture import Curriculum, Mixture, weights_by_size
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


@settings(max_examples=20, deadline=None)
@given(parts=st.lists(st.integers(1, 100), min_size=2, max_size=8), start=st.integers(0, 10**9))
def test_the_law_holds_for_any_weights(parts, start):
    weights = {f"c{n}": part / sum(parts) for n, part in enumerate(parts)}
    mixture = Mixture({name: shard(0, 9) for name in weights}, weights, context=4, seed=1)
    counts = Counter(mixture.place(row)[0] for row in range(start, start + 1000))
    assert all(abs(counts[name] - 1000 * share) <= 10 for name, share in weights.items())


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
    # Blocks hold the shares exactly; inside one the order decides.
    assert mixture.epochs(64) == {"a": 3.2, "b": 32 / 30}
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


@settings(max_examples=20, deadline=None)
@given(sizes=st.lists(st.integers(1, 70), min_size=1, max_size=4))
def test_phases_read_each_corpus_on_from_where_it_was_left(sizes):
    shards = {"a": shard(0, 10), "b": shard(1000, 30)}
    weights = [{"a": share, "b": 1 - share} for share in (1.0, 0.25, 0.0, 0.5)]
    curriculum = Curriculum.of(shards, list(zip(sizes, weights, strict=False)), 4, seed=0)
    read = {"a": [], "b": []}
    for row in range(sum(sizes)):
        first = int(curriculum.batch(row, 1).tokens_BT[0, 0])
        read["a" if first < 1000 else "b"].append(first)
    for name, firsts in read.items():
        alone = Mixture({name: shards[name]}, {name: 1.0}, 4, seed=0)
        wanted = [int(alone.batch(row, 1).tokens_BT[0, 0]) for row in range(len(firsts))]
        assert firsts == wanted
        total = 10 if name == "a" else 30
        assert curriculum.epochs(sum(sizes))[name] == len(firsts) / total


def test_a_curriculum_says_which_weights_hold_where():
    shards = {"a": shard(0, 10), "b": shard(0, 30)}
    parts = [(20, {"a": 1.0, "b": 0.0}), (10, {"a": 0.25, "b": 0.75})]
    curriculum = Curriculum.of(shards, parts, 4, seed=0)
    assert [curriculum.weights(row)["a"] for row in (0, 19, 20, 29)] == [1.0, 1.0, 0.25, 0.25]
