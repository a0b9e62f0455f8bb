"""fastText's supervised training with two labels, the same on every run (section 2.1).

The order of the texts, the first values and every update are those of fastText on one thread, so
with as many numbers in a row as its ``dim`` the model is fastText's own to the last digits of
float32 (checked in the tests). Texts act on a row only along the output row, so fewer of a row's
numbers can be trained, scaled to the same length: 32 of 256 take less than half of the time, and
vary more from seed to seed (benchmarks/recall_training.py).
"""

# N texts, T tokens, V words, K buckets, W numbers of a row

import contextlib
import mmap
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import IO

import numpy as np
from numpy.typing import NDArray

from seekmath.core.seeds import rng
from seekmath.mine.fasttext_kernels import (
    numbered_log_odds,
    start_rows,
    train_texts,
    word_hashes,
)
from seekmath.mine.fasttext_score import LINE_END, Classifier

_TEXTS_AT_ONCE = 2_000  # between two looks at progress and interrupts
_COUNT_AT_ONCE = 1 << 24
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


@dataclass(frozen=True)
class Tokens:
    """N texts as numbers of their words, which lie in a file without a name.

    Attributes:
        types: the numbered words; number 0 ends each text.
        numbers: int32 of shape (T,), all texts one after the other.
        starts: where each begins, shape (N + 1,).
    """

    types: list[str]
    numbers: NDArray[np.int32]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def text(self, at: int) -> NDArray[np.int32]:
        """Numbers of text ``at``."""
        return self.numbers[self.starts[at] : self.starts[at + 1]]


class _Numbers(dict[str, int]):
    def __missing__(self, word: str) -> int:
        self[word] = number = len(self)
        return number


def number_words(texts: Iterable[str]) -> Tokens:
    """Number the words of texts, which are parted by white space; each text is let go again.

    Raises:
        ValueError: there is no text.
    """
    number_of = _Numbers({LINE_END: 0})
    starts = [0]
    with tempfile.TemporaryFile() as file:
        for text in texts:
            numbers = [number_of[word] for word in text.split()]
            np.array([*numbers, 0], np.int32).tofile(file)
            starts.append(starts[-1] + len(numbers) + 1)
        if len(starts) == 1:
            raise ValueError("no texts to train on")
        return Tokens(list(number_of), _mapped(file), np.array(starts, np.int64))


def _mapped(file: IO[bytes]) -> NDArray[np.int32]:
    file.flush()
    return np.asarray(np.memmap(file, np.int32, "c"))


def choose_words(
    tokens: Tokens, hosts: Sequence[str], min_count: int, least_hosts: int
) -> NDArray[np.int32]:
    """Row of each numbered word, most frequent first; -1 for those left out.

    Left out are words seen less than ``min_count`` times or on less than ``least_hosts`` hosts.
    Where seeds stand on few hosts, the words that only those hosts use (names, menus) tell the
    host, not the subject, and a classifier that leans on them finds nothing elsewhere.

    Args:
        tokens: the training texts.
        hosts: the host of each.
        min_count: least occurrences.
        least_hosts: least hosts.

    Raises:
        ValueError: no word is left.
    """
    counts = np.zeros(len(tokens.types), np.int64)
    for start in range(0, len(tokens.numbers), _COUNT_AT_ONCE):
        part = tokens.numbers[start : start + _COUNT_AT_ONCE]
        counts += np.bincount(part, minlength=len(counts))
    good = counts >= min_count
    if least_hosts > 1:
        on_hosts = _hosts_of_words(tokens, hosts)
        on_hosts[0] = least_hosts
        good &= on_hosts >= least_hosts
    chosen = sorted(np.flatnonzero(good).tolist(), key=lambda n: (-counts[n], tokens.types[n]))
    if not chosen:
        raise ValueError(f"no word occurs {min_count} times on {least_hosts} hosts")
    row_of = np.full(len(counts), -1, np.int32)
    row_of[chosen] = np.arange(len(chosen))
    return row_of


def _hosts_of_words(tokens: Tokens, hosts: Sequence[str]) -> NDArray[np.int32]:
    """On how many hosts each numbered word stands."""
    found = np.zeros(len(tokens.types), np.int32)
    last = np.full(len(tokens.types), -1, np.int32)
    number_of = {host: number for number, host in enumerate(dict.fromkeys(hosts))}
    for at in sorted(range(len(tokens)), key=lambda text: number_of[hosts[text]]):
        here = number_of[hosts[at]]
        words = np.unique(tokens.text(at))
        new = words[last[words] != here]
        found[new] += 1
        last[new] = here
    return found


def training_order(
    positive: NDArray[np.bool_], texts: NDArray[np.int64], seed: int
) -> NDArray[np.int64]:
    """The texts in random order with the two classes spread evenly, as fastText needs them."""
    generator = rng(seed, "order")
    groups = [generator.permutation(texts[positive[texts] == label]) for label in (True, False)]
    places = np.concatenate([(np.arange(len(g)) + 0.5) / max(len(g), 1) for g in groups])
    return np.concatenate(groups)[np.argsort(places, kind="stable")]


def train(
    tokens: Tokens,
    row_of: NDArray[np.int32],
    positive: NDArray[np.bool_],
    order: NDArray[np.int64],
    plan: TrainingPlan,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Classifier:
    """Train on the texts of ``order``, each epoch in this order.

    On few pages the steps can diverge; then it trains again at half the learning rate.

    Args:
        tokens: the texts.
        row_of: the vocabulary, of ``choose_words``.
        positive: the label of each text.
        order: which texts, in which order.
        plan: the hyperparameters.
        progress: told texts seen, and texts to see.

    Raises:
        RuntimeError: it diverges at a sixteenth of the learning rate too.
    """
    words = _vocabulary(tokens, row_of)
    buckets = plan.buckets if plan.word_ngrams > 1 else 0
    width = min(plan.width, plan.dim)
    for halvings in range(_MOST_HALVINGS):
        rate = plan.learning_rate / 2**halvings
        matrix = _sparse_zeros(len(words) + buckets, width)
        start_rows(matrix, plan.dim, plan.seed % 2**31)
        output = np.zeros(width, np.float32)
        if _run_epochs(tokens, row_of, positive, order, plan, rate, matrix, output, progress):
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


def _vocabulary(tokens: Tokens, row_of: NDArray[np.int32]) -> tuple[str, ...]:
    chosen = np.flatnonzero(row_of >= 0)
    return tuple(tokens.types[number] for number in chosen[np.argsort(row_of[chosen])])


def _hash_of(tokens: Tokens, row_of: NDArray[np.int32]) -> NDArray[np.int32]:
    """fastText's hash of each numbered word of the vocabulary, 0 for others."""
    found = np.zeros(len(row_of), np.int32)
    chosen = np.flatnonzero(row_of >= 0)
    names = [tokens.types[number].encode() for number in chosen]
    starts = np.cumsum([0, *map(len, names)]).astype(np.int64)
    found[chosen] = word_hashes(np.frombuffer(b"".join(names), np.uint8), starts)
    return found


def _run_epochs(
    tokens: Tokens,
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
    known = sum(int((row_of[tokens.text(at)] >= 0).sum()) for at in order.tolist())
    seen = np.zeros(2, np.int64)
    of = plan.epochs * len(order)
    hash_of = _hash_of(tokens, row_of)
    for epoch in range(plan.epochs):
        for start in range(0, len(order), _TEXTS_AT_ONCE):
            finite = train_texts(
                tokens.numbers,
                tokens.starts,
                order[start : start + _TEXTS_AT_ONCE],
                positive,
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
            progress(epoch * len(order) + min(start + _TEXTS_AT_ONCE, len(order)), of)
    return bool(np.isfinite(output).all())


def log_odds(
    model: Classifier, tokens: Tokens, row_of: NDArray[np.int32], texts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Log-odds of numbered texts; 0 without a feature."""
    found = numbered_log_odds(
        tokens.numbers,
        tokens.starts,
        texts,
        row_of,
        _hash_of(tokens, row_of),
        len(model.words),
        model.word_ngrams,
        model.weights,
    )
    return np.nan_to_num(found, nan=0.0)
