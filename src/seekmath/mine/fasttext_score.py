"""A two-label fastText model as one weight for each feature, and texts scored with it."""

# N texts, V words, K buckets

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import IO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from seekmath.mine.fasttext_kernels import score_texts, word_hashes, word_table

#: The word with which fastText ends every text.
LINE_END = "</s>"


@dataclass(frozen=True)
class Classifier:
    """A fastText model with two labels, collapsed.

    Such a model is linear: its input matrix times the difference of its two output rows leaves one
    float for each word and n-gram bucket, and gives the same probabilities.

    Attributes:
        words: the vocabulary of V words, in the order of their rows.
        weights: float32 of shape (V + K,): log-odds that a feature gives when it stands alone.
        word_ngrams: longest n-gram of words.
        known_only: n-grams run over the vocabulary's words as if no others stood between.
        learning_rate: the one it was trained with.
    """

    words: tuple[str, ...]
    weights: NDArray[np.float32]
    word_ngrams: int
    known_only: bool = True
    learning_rate: float = 0.0

    def score(self, texts: Sequence[str] | pa.Array) -> NDArray[np.float64]:
        """Probability of each text to be of the positive class, as fastText would give it.

        Words end at white space. A text without a feature has 0.5.
        """
        return probability(self.log_odds(texts))

    def log_odds(self, texts: Sequence[str] | pa.Array) -> NDArray[np.float64]:
        """Logarithm of the odds of the positive class for each text; 0 without a feature."""
        bytes_B, starts = _utf8(texts)
        found = score_texts(
            bytes_B, starts, *self._vocabulary, self.weights, self.word_ngrams, self.known_only
        )
        return np.nan_to_num(found, nan=0.0)

    @cached_property
    def _vocabulary(self) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray, NDArray]:
        names, starts = _utf8(self.words)
        hashes = word_hashes(names, starts)
        return word_table(hashes), hashes, names, starts

    def write(self, file: IO[bytes]) -> None:
        """Write the words and weights as ``.npz``; nothing in it is code."""
        np.savez_compressed(
            file,
            words=np.frombuffer("\n".join(self.words).encode(), np.uint8),
            weights=self.weights,
            ngrams=np.int64(self.word_ngrams),
            known_only=np.bool_(self.known_only),
            rate=np.float64(self.learning_rate),
        )

    @classmethod
    def read(cls, file: IO[bytes]) -> "Classifier":
        """Read what ``write`` wrote."""
        with np.load(file, allow_pickle=False) as parts:
            return cls(
                tuple(parts["words"].tobytes().decode().split("\n")),
                parts["weights"],
                int(parts["ngrams"]),
                bool(parts["known_only"]),
                float(parts["rate"]),
            )


def probability(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """The logistic function."""
    return 1.0 / (1.0 + np.exp(-np.clip(log_odds, -500.0, 500.0)))


def _utf8(texts: Sequence[str] | pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Bytes of all texts, and where each starts in them, without a copy of an Arrow array."""
    if not isinstance(texts, pa.Array):
        texts = pa.array(texts, pa.large_string())
    offset_type = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    _, offsets, data = texts.buffers()
    if not len(texts):
        return np.zeros(0, np.uint8), np.zeros(1, np.int64)
    starts = np.frombuffer(offsets, offset_type)[texts.offset : texts.offset + len(texts) + 1]
    return np.frombuffer(data or b"", np.uint8), starts.astype(np.int64)
