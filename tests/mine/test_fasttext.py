"""Our fastText against the real one: the same weights, the same probabilities, the same bytes."""

import io
from functools import cache

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seekmath.mine.fasttext_kernels import word_hashes
from seekmath.mine.fasttext_score import Classifier
from seekmath.mine.fasttext_train import (
    TrainingPlan,
    choose_words,
    log_odds,
    train,
    training_order,
)
from seekmath.mine.numbered_texts import number_words

from .real_fasttext import train_real

pytest.importorskip("fasttext", reason="the oracle is the package fasttext-numpy2")
LABELS = ("__label__other", "__label__math")


def texts_of(seed, number=400, words=300, length=30):
    """Texts of two classes whose words overlap, and their labels."""
    rng = np.random.default_rng(seed)
    ranks = 1.0 / np.arange(5, 5 + words)
    tilt = rng.normal(0, 0.5, words)
    shares = [ranks * np.exp(sign * tilt) for sign in (-1, 1)]
    positive = rng.random(number) < 0.5
    lines = []
    for label in positive.astype(int):
        chosen = rng.choice(
            words, int(rng.integers(3, 2 * length)), p=shares[label] / sum(shares[label])
        )
        lines.append(" ".join(f"wörd{n}" if n % 7 == 0 else f"w{n}" for n in chosen))
    return lines, positive


def plan(**changes):
    given = {
        "dim": 64, "width": 64, "learning_rate": 0.1, "word_ngrams": 3, "min_count": 1,
        "epochs": 20, "buckets": 150_000, "seed": 7,
    }  # fmt: skip
    return TrainingPlan(**{**given, **changes})


def theirs(path, lines, positive, of):
    labelled = (f"{LABELS[int(p)]} {line}\n" for line, p in zip(lines, positive, strict=True))
    path.write_text("".join(labelled), "utf-8")
    return train_real(
        path, dim=of.dim, lr=of.learning_rate, wordNgrams=of.word_ngrams, minCount=of.min_count,
        epoch=of.epochs, bucket=of.buckets, seed=of.seed,
    )  # fmt: skip


def collapsed(model, word_ngrams):
    """The real model as one weight for each of its rows."""
    output = np.asarray(model.f.getOutputMatrix())
    at = model.get_labels().index(LABELS[1])
    weights = np.asarray(model.f.getInputMatrix()) @ (output[at] - output[1 - at])
    return Classifier(tuple(model.get_words()), weights.astype(np.float32), word_ngrams, False)


def ours(lines, positive, of, order=None):
    tokens = number_words(lines)
    row_of = choose_words(tokens, np.zeros(len(lines), int), of.min_count, 1)
    order = training_order(positive, np.arange(len(lines)), of.seed) if order is None else order
    return train(tokens, row_of, positive, order, of)


def probabilities(model, lines):
    """The real model's, of the positive label; its ``predict`` adds 1e-5."""
    found = []
    for line in lines:
        labels, values = model.predict(line, k=2)
        found.append(values[list(labels).index(LABELS[1])])
    return np.array(found)


@pytest.mark.parametrize("word_ngrams", [2, 3])
def test_with_all_its_numbers_a_model_is_fasttexts_own(tmp_path, word_ngrams):
    lines, positive = texts_of(1)
    of = plan(word_ngrams=word_ngrams)
    real = collapsed(theirs(tmp_path / "train.txt", lines, positive, of), word_ngrams)
    tokens = number_words(lines)
    # fastText's order among words of equal count is its sort's; first values follow the order.
    row_of = np.array([real.words.index(word) for word in tokens.types], np.int32)
    mine = train(tokens, row_of, positive, np.arange(len(lines)), of)
    assert mine.words == real.words
    assert np.abs(real.weights).max() > 0.5
    np.testing.assert_allclose(mine.weights, real.weights, atol=1e-4)


def test_a_collapsed_model_gives_the_probabilities_of_predict(tmp_path):
    lines, positive = texts_of(2)
    real = theirs(tmp_path / "train.txt", lines, positive, plan(min_count=8))
    strange = ["", "unknown words only", "w1", "  w1   w2\tw3 ", "é w14 wörd7 數學", "w1 " * 400]
    fresh = texts_of(3, 100)[0] + strange
    got = collapsed(real, 3).score(fresh)
    assert got.min() < 0.2
    assert got.max() > 0.7
    np.testing.assert_allclose(got, probabilities(real, fresh), atol=1e-4)


def test_accuracy_is_that_of_fasttext_whatever_the_width(tmp_path):
    lines, positive = texts_of(4, 1500)
    fresh, truth = texts_of(4, 4500)
    fresh, truth = fresh[1500:], truth[1500:]
    of = plan(dim=256, width=32, learning_rate=0.1, min_count=3, epochs=30, buckets=50_000)
    real = theirs(tmp_path / "train.txt", lines, positive, of)
    expected = ((collapsed(real, 3).score(fresh) > 0.5) == truth).mean()
    assert 0.75 < expected < 0.99
    for width in (32, 256):
        model = ours(lines, positive, plan(**{**vars(of), "width": width}))
        assert ((model.score(fresh) > 0.5) == truth).mean() == pytest.approx(expected, abs=0.003)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path):
    lines, positive = texts_of(5)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        with (tmp_path / name).open("wb") as file:
            ours(lines, positive, plan(seed=seed)).write(file)
    first, second, other = ((tmp_path / name).read_bytes() for name in "abc")
    assert first == second != other


def test_a_saved_model_scores_alike():
    lines, positive = texts_of(6, 100)
    model = ours(lines, positive, plan())
    file = io.BytesIO()
    model.write(file)
    file.seek(0)
    again = Classifier.read(file)
    assert again.words == model.words
    np.testing.assert_array_equal(again.score(lines), model.score(lines))


def test_numbered_texts_and_texts_have_the_same_log_odds():
    lines, positive = texts_of(7, 200)
    of = plan(min_count=10)
    tokens = number_words(lines)
    row_of = choose_words(tokens, np.zeros(len(lines), int), of.min_count, 1)
    model = train(tokens, row_of, positive, np.arange(len(lines)), of)
    found = log_odds(model, tokens, row_of, np.arange(len(lines)))
    np.testing.assert_allclose(found, model.log_odds(lines), atol=1e-12)


@cache
def small_model():
    lines, positive = texts_of(8, 60)
    return ours(lines, positive, plan(epochs=1, buckets=100)), lines


@given(st.lists(st.text(max_size=40), max_size=8), st.integers(0, 7), st.integers(0, 7))
def test_scores_do_not_depend_on_the_batch(texts, first, last):
    model, lines = small_model()
    array = pa.array([*texts, *lines[:4]], pa.string())
    whole = model.score(array)
    np.testing.assert_array_equal(model.score(array[first:last]), whole[first:last])
    assert ((whole > 0) & (whole < 1)).all()


def test_hashes_are_fasttexts_signed_fnv():
    def fnv(word):
        value = 2166136261
        for byte in word:
            value = ((value ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * 16777619) & 0xFFFFFFFF
        return value - (1 << 32) if value >> 31 else value

    names = ["", "a", "wörd", "數學", "</s>"]
    raw = [name.encode() for name in names]
    starts = np.cumsum([0, *map(len, raw)]).astype(np.int64)
    assert word_hashes(np.frombuffer(b"".join(raw), np.uint8), starts).tolist() == list(
        map(fnv, raw)
    )


def test_words_of_too_few_hosts_or_occurrences_are_left_out():
    tokens = number_words(["a a b c", "a b d", "a c", "d a"])
    for hosts, kept in ((1, ["</s>", "a", "b", "c", "d"]), (2, ["</s>", "a", "b"])):
        row_of = choose_words(tokens, np.array([0, 1, 0, 1]), 2, hosts)
        by_row = sorted(
            (row, word) for row, word in zip(row_of, tokens.types, strict=True) if row >= 0
        )
        assert sorted(word for _, word in by_row) == kept
    with pytest.raises(ValueError, match="no word occurs 9 times"):
        choose_words(tokens, np.zeros(4, int), 9, 1)


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(0, 3))
def test_both_classes_are_spread_over_the_order(labels, seed):
    positive = np.array(labels)
    order = training_order(positive, np.arange(len(labels)), seed)
    assert sorted(order.tolist()) == list(range(len(labels)))
    share = positive.mean()
    seen = np.cumsum(positive[order]) - share * np.arange(1, len(labels) + 1)
    assert np.abs(seen).max() <= 1.0


def test_training_that_diverges_goes_on_at_a_lower_rate():
    lines, positive = texts_of(9, 50)
    model = ours(lines, positive, plan(learning_rate=300.0, buckets=1000, epochs=10))
    assert 300.0 / 16 <= model.learning_rate < 300.0
    with pytest.raises(RuntimeError, match="diverges"):
        ours(lines, positive, plan(learning_rate=1e30, buckets=1000))
