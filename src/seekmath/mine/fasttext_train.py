"""fastText's supervised training with two labels, the same on every run (section 2.1).

The order of the texts, the first values and every update are those of fastText on one thread, so
with as many numbers in a row as its ``dim`` the model is fastText's own to the last digits of
float32 (checked in the tests). Texts act on a row only along the output row, so fewer of a row's
numbers can be trained, scaled to the same length: 32 of 256 take less than half of the time, and
vary more from seed to seed (benchmarks/recall_training.py).
"""

# N texts, V words, K buckets, W numbers of a row

import contextlib
import mmap
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seekmath.core.seeds import rng
from seekmath.mine.fasttext_kernels import (
    numbered_log_odds,
    start_rows,
    train_texts,
    word_hashes,
)
from seekmath.mine.fasttext_score import Classifier
from seekmath.mine.numbered_texts import NumberedTexts

_MOST_HALVINGS = 5


@dataclass(frozen=True)
class TrainingPlan:
    """fastText's hyperparameters; paper: dim 256, lr 0.1, 3-grams, min count 3, 3 epochs.

    Attributes:
        width: numbers trained of the ``dim`` of a row; ``dim`` or more is fastText exactly.
    """

    dim: int
    width: int
    learning_rate: float
    word_ngrams: int
    min_count: int
    epochs: int
    buckets: int
    seed: int


def choose_words(
    texts: NumberedTexts, hosts: NDArray[np.int64], min_count: int, least_hosts: int
) -> NDArray[np.int32]:
    """Row of each numbered word, most frequent first; -1 for those left out.

    Left out are words seen less than ``min_count`` times or on less than ``least_hosts`` hosts.
    Where seeds stand on few hosts, the words that only those hosts use (names, menus) tell the
    host, not the subject, and a classifier that leans on them finds nothing elsewhere.

    Args:
        texts: the training texts.
        hosts: the number of the host of each.
        min_count: least occurrences.
        least_hosts: least hosts.

    Raises:
        ValueError: no word is left.
    """
    counts = texts.occurrences()
    good = counts >= min_count
    if least_hosts > 1:
        on_hosts = texts.hosts_of_words(hosts)
        on_hosts[0] = least_hosts
        good &= on_hosts >= least_hosts
    chosen = sorted(np.flatnonzero(good).tolist(), key=lambda n: (-counts[n], texts.types[n]))
    if not chosen:
        raise ValueError(f"no word occurs {min_count} times on {least_hosts} hosts")
    row_of = np.full(len(counts), -1, np.int32)
    row_of[chosen] = np.arange(len(chosen))
    return row_of


def training_order(
    positive: NDArray[np.bool_], texts: NDArray[np.int64], seed: int
) -> NDArray[np.int64]:
    """The texts in random order with the two classes spread evenly, as fastText needs them."""
    generator = rng(seed, "order")
    groups = [generator.permutation(texts[positive[texts] == label]) for label in (True, False)]
    places = np.concatenate([(np.arange(len(g)) + 0.5) / max(len(g), 1) for g in groups])
    return np.concatenate(groups)[np.argsort(places, kind="stable")]


def train(
    texts: NumberedTexts,
    row_of: NDArray[np.int32],
    positive: NDArray[np.bool_],
    order: NDArray[np.int64],
    plan: TrainingPlan,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Classifier:
    """Train on the texts of ``order``, each epoch in this order.

    On few pages the steps can diverge; then it trains again at half the learning rate.

    Args:
        texts: the texts.
        row_of: the vocabulary, of ``choose_words``.
        positive: the label of each text.
        order: which texts, in which order.
        plan: the hyperparameters.
        progress: told texts seen, and texts to see.

    Raises:
        RuntimeError: it diverges at a sixteenth of the learning rate too.
    """
    words = _vocabulary(texts, row_of)
    buckets = plan.buckets if plan.word_ngrams > 1 else 0
    width = min(plan.width, plan.dim)
    for halvings in range(_MOST_HALVINGS):
        rate = plan.learning_rate / 2**halvings
        matrix = _sparse_zeros(len(words) + buckets, width)
        start_rows(matrix, plan.dim, plan.seed % 2**31)
        output = np.zeros(width, np.float32)
        if _run_epochs(texts, row_of, positive, order, plan, rate, matrix, output, progress):
            return Classifier(words, 2 * (matrix @ output), plan.word_ngrams, True, rate)
    raise RuntimeError(f"training diverges at learning rates from {plan.learning_rate} to {rate}")


def _sparse_zeros(rows: int, width: int) -> NDArray[np.float32]:
    """A float32 matrix of zeros that takes memory only where it is written, 4 KiB at a time.

    numpy asks for pages of 2 MiB, and n-grams are hashed all over the matrix: a few thousand
    texts would fill it.
    """
    memory = mmap.mmap(-1, 4 * rows * width, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(AttributeError, OSError):  # not a Linux that has large pages
        memory.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(memory, np.float32).reshape(rows, width)


def _vocabulary(texts: NumberedTexts, row_of: NDArray[np.int32]) -> tuple[str, ...]:
    chosen = np.flatnonzero(row_of >= 0)
    return tuple(texts.types[number] for number in chosen[np.argsort(row_of[chosen])])


def _hash_of(texts: NumberedTexts, row_of: NDArray[np.int32]) -> NDArray[np.int32]:
    """fastText's hash of each numbered word of the vocabulary, 0 for others."""
    found = np.zeros(len(row_of), np.int32)
    chosen = np.flatnonzero(row_of >= 0)
    names = [texts.types[number].encode() for number in chosen]
    starts = np.cumsum([0, *map(len, names)]).astype(np.int64)
    found[chosen] = word_hashes(np.frombuffer(b"".join(names), np.uint8), starts)
    return found


def _run_epochs(
    texts: NumberedTexts,
    row_of: NDArray[np.int32],
    positive: NDArray[np.bool_],
    order: NDArray[np.int64],
    plan: TrainingPlan,
    rate: float,
    matrix: NDArray[np.float32],
    output: NDArray[np.float32],
    progress: Callable[[int, int], None],
) -> bool:
    words = int((row_of >= 0).sum())
    known = sum(int((row_of[numbers] >= 0).sum()) for _, numbers, _ in texts.blocks(order))
    seen = np.zeros(2, np.int64)
    hash_of = _hash_of(texts, row_of)
    for epoch in range(plan.epochs):
        done = epoch * len(order)
        for block, numbers, starts in texts.blocks(order):
            finite = train_texts(
                numbers,
                starts,
                positive[block],
                row_of,
                hash_of,
                words,
                plan.word_ngrams,
                rate,
                plan.epochs * (known + len(order)),
                seen,
                matrix,
                output,
            )
            if not finite:
                return False
            done += len(block)
            progress(done, plan.epochs * len(order))
    return bool(np.isfinite(output).all())


def log_odds(
    model: Classifier, texts: NumberedTexts, row_of: NDArray[np.int32], which: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Log-odds of the texts ``which``; 0 without a feature."""
    hash_of, words = _hash_of(texts, row_of), len(model.words)
    found = [
        numbered_log_odds(numbers, starts, row_of, hash_of, words, model.word_ngrams, model.weights)
        for _, numbers, starts in texts.blocks(which)
    ]
    return np.nan_to_num(np.concatenate(found), nan=0.0)
