"""Recall: a fastText classifier trained on seeds against random pages, scoring all (section 2.1).

The real fastText trains. A supervised model with two labels is linear in its features, so after
training its input matrix times the difference of the two output rows leaves one float for each
word and n-gram bucket; scores are fastText's own probabilities, an order of magnitude faster and
without its model file (checked against ``fasttext`` in the tests).
"""

# V words, K buckets, F features of one text

import contextlib
import math
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from seekmath.mine.settings import MineSettings

_END = "</s>"  # fastText ends every line with it
_FNV_START, _FNV_PRIME, _LOW_32 = 2166136261, 16777619, 0xFFFFFFFF
_NGRAM_FACTOR = np.uint64(116049371)  # fastText's Dictionary::addWordNgrams
_TRAINING = (
    "dim",
    "learning_rate",
    "word_ngrams",
    "min_count",
    "epochs",
    "least_updates",
    "buckets",
    "least_hosts",
)


@dataclass(frozen=True)
class TrainingPlan:
    """fastText's hyperparameters; paper: dim 256, lr 0.1, 3-grams, min count 3, 3 epochs."""

    dim: int
    learning_rate: float
    word_ngrams: int
    min_count: int
    epochs: int
    buckets: int
    seed: int


class FnvHashes(dict[str, int]):
    """fastText's 32-bit word hashes as signed numbers, remembered."""

    def __missing__(self, word: str) -> int:
        value = _FNV_START
        for byte in word.encode("utf-8", "replace"):
            # fastText reads bytes as signed characters: a high byte sets all upper bits.
            value = ((value ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * _FNV_PRIME) & _LOW_32
        signed = value - (1 << 32) if value >> 31 else value
        if len(self) < 2_000_000:
            self[word] = signed
        return signed


_HASHES = FnvHashes()


@dataclass(frozen=True)
class Classifier:
    """A two-label fastText model collapsed to one weight for each feature.

    Attributes:
        vocabulary: word to row, of the V words seen at least ``min_count`` times.
        weights: float32 of shape (V + K,): log-odds that a feature gives when it stands alone.
        word_ngrams: longest n-gram of words.
        learning_rate: the one it was trained with.
    """

    vocabulary: dict[str, int]
    weights: NDArray[np.float32]
    word_ngrams: int
    learning_rate: float

    def score(self, texts: pa.Array) -> NDArray[np.float64]:
        """Probability of each text to be of the positive class, as fastText would give it.

        Words end at white space.
        """
        lines = (self.known(text.split()) for text in texts.to_pylist())
        return np.fromiter(map(self.score_words, lines), np.float64, len(texts))

    def score_words(self, words: Sequence[str]) -> float:
        """Probability of one text, given its words of the vocabulary."""
        features_F = self.features(words)
        if not len(features_F):
            return 0.5
        logit = float(self.weights[features_F].mean(dtype=np.float64))
        return 1.0 / (1.0 + math.exp(-min(max(logit, -500.0), 500.0)))

    def known(self, words: Iterable[str]) -> list[str]:
        """The words of the vocabulary, as ``train`` was given them: n-grams run over these."""
        return [word for word in words if word in self.vocabulary]

    def features(self, words: Sequence[str]) -> NDArray[np.int64]:
        """Rows of the words and the hashed n-grams of one text, as fastText forms them."""
        line = [*words, _END]
        known = self.vocabulary
        rows = [row for word in line if (row := known.get(word, -1)) >= 0]
        buckets = len(self.weights) - len(known)
        if self.word_ngrams < 2 or not buckets:
            return np.array(rows, np.int64)
        hashes = np.fromiter((_HASHES[word] for word in line), np.int64, len(line)).view(np.uint64)
        parts = [np.array(rows, np.int64)]
        total = hashes
        for n in range(1, self.word_ngrams):
            total = total[: len(line) - n] * _NGRAM_FACTOR + hashes[n:]
            parts.append((total % np.uint64(buckets)).astype(np.int64) + len(known))
        return np.concatenate(parts)

    def write(self, file: IO[bytes]) -> None:
        """Write the words and weights as ``.npz``; nothing in it is code."""
        names = np.frombuffer("\n".join(self.vocabulary).encode(), np.uint8)
        np.savez(
            file,
            words=names,
            weights=self.weights,
            ngrams=np.int64(self.word_ngrams),
            rate=np.float64(self.learning_rate),
        )

    @classmethod
    def read(cls, file: IO[bytes]) -> "Classifier":
        """Read what ``write`` wrote."""
        with np.load(file, allow_pickle=False) as parts:
            words = parts["words"].tobytes().decode().split("\n")
            rows = {word: row for row, word in enumerate(words)}
            return cls(rows, parts["weights"], int(parts["ngrams"]), float(parts["rate"]))


def training_settings(settings: MineSettings) -> dict[str, Any]:
    """The settings that decide a classifier, as JSON."""
    return settings.model_dump(include=set(_TRAINING))


def training_plan(settings: Mapping[str, Any], seed: int, pages: int) -> TrainingPlan:
    """The hyperparameters, with more epochs where training pages are few.

    Args:
        settings: of ``training_settings``.
        seed: of this round.
        pages: how many are trained on.
    """
    needed = math.ceil(settings["least_updates"] / max(pages, 1))
    return TrainingPlan(
        settings["dim"],
        settings["learning_rate"],
        settings["word_ngrams"],
        settings["min_count"],
        max(settings["epochs"], needed),
        settings["buckets"],
        seed,
    )


def train_on(
    texts: Iterable[str],
    hosts: Sequence[str],
    positive: NDArray[np.bool_],
    plan: TrainingPlan,
    least_hosts: int,
) -> tuple[Classifier, dict[str, Any]]:
    """Train a classifier; also how reliable its scores are, which is not measured yet.

    Args:
        texts: words of each training page, parted by spaces; read once.
        hosts: the host of each.
        positive: whether each is a seed.
        plan: the hyperparameters.
        least_hosts: words on fewer hosts are left out.
    """
    lines = [text.split() for text in texts]
    shared = shared_words(lines, hosts, plan.min_count, least_hosts)
    lines = [[word for word in line if word in shared] for line in lines]
    seeds = [line for line, good in zip(lines, positive, strict=True) if good]
    others = [line for line, good in zip(lines, positive, strict=True) if not good]
    return train(seeds, others, plan), {}


def shared_words(
    lines: Sequence[Sequence[str]], hosts: Sequence[str], least_count: int, least_hosts: int
) -> set[str]:
    """Words seen ``least_count`` times and on ``least_hosts`` hosts among the training pages.

    Where seeds stand on few hosts, the words that only those hosts use (names, menus) tell the
    host, not the subject, and a classifier that leans on them finds nothing elsewhere.
    """
    counts: Counter[str] = Counter()
    found: dict[str, set[str]] = defaultdict(set)
    for line, host in zip(lines, hosts, strict=True):
        counts.update(line)
        for word in set(line):
            if len(found[word]) < least_hosts:
                found[word].add(host)
    return {w for w, n in counts.items() if n >= least_count and len(found[w]) >= least_hosts}


def train(
    positives: Iterable[Sequence[str]], negatives: Iterable[Sequence[str]], plan: TrainingPlan
) -> Classifier:
    """Train the real fastText on one thread (so that a seed gives one model) and collapse it.

    On few pages its steps can diverge; then it trains again at half the learning rate.

    Args:
        positives: words of the seed pages (``word_kernels.count_and_score``).
        negatives: words of the random pages.
        plan: the hyperparameters.

    Raises:
        RuntimeError: it diverges at a sixteenth of the learning rate too.
        ValueError: no word occurs ``min_count`` times.
    """
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", errors="replace") as file:
        file.writelines(_mixed(positives, negatives))
        file.flush()
        for halvings in range(5):
            rate = plan.learning_rate / 2**halvings
            with contextlib.suppress(RuntimeError):
                return collapse(_fasttext(file.name, plan, rate), plan.word_ngrams, rate)
    raise RuntimeError(f"fastText diverges at learning rates from {plan.learning_rate} to {rate}")


def _fasttext(path: str, plan: TrainingPlan, rate: float) -> Any:
    import fasttext

    return fasttext.train_supervised(
        path,
        dim=plan.dim,
        lr=rate,
        wordNgrams=plan.word_ngrams,
        minCount=plan.min_count,
        epoch=plan.epochs,
        bucket=plan.buckets,
        thread=1,
        seed=plan.seed % 2**31,
        verbose=0,
    )


def collapse(model: Any, word_ngrams: int, learning_rate: float) -> Classifier:
    """One weight for each input row: its product with the difference of the two output rows."""
    positive = model.get_labels().index("__label__math")
    # asarray reads fastText's own memory; its get_input_matrix would copy gigabytes.
    output = np.asarray(model.f.getOutputMatrix())
    weights = np.asarray(model.f.getInputMatrix()) @ (output[positive] - output[1 - positive])
    vocabulary = {word: row for row, word in enumerate(model.get_words())}
    return Classifier(vocabulary, weights.astype(np.float32), word_ngrams, learning_rate)


def _mixed(positives: Iterable[Sequence[str]], negatives: Iterable[Sequence[str]]) -> list[str]:
    """Labelled lines, the two classes spread evenly: fastText reads its file in order."""
    lines = [
        [f"__label__{label} {' '.join(words)}\n" for words in texts]
        for label, texts in (("math", positives), ("other", negatives))
    ]
    places = [(at + 0.5) / len(group) for group in lines for at in range(len(group))]
    flat = lines[0] + lines[1]
    return [flat[at] for at in np.argsort(places, kind="stable")]
