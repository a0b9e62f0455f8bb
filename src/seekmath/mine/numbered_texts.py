"""Training texts as numbers of their words, in a file: only the texts asked for are in memory."""

# N texts, T tokens

import os
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO

import numpy as np
from numpy.typing import NDArray

from seekmath.mine.fasttext_score import LINE_END

_TEXTS_AT_ONCE = 2_000
_NUMBER_BYTES = 4
_END = bytes(_NUMBER_BYTES)  # number 0


@dataclass(frozen=True)
class NumberedTexts:
    """N texts as numbers of their words, which lie in a file without a name.

    They are read and not mapped: what was read of a mapped file counts as the process's memory.

    Attributes:
        types: the numbered words; number 0 ends each text.
        starts: where each text begins, in tokens, shape (N + 1,).
        file: int32 of shape (T,), all texts one after the other.
    """

    types: list[str]
    starts: NDArray[np.int64]
    file: IO[bytes] = field(repr=False)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __del__(self) -> None:
        self.file.close()

    def some(self, texts: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Numbers of the texts ``texts``, one after the other, and where each begins in them."""
        file = self.file.fileno()
        at = (self.starts[texts] * _NUMBER_BYTES).tolist()
        counts = self.starts[texts + 1] - self.starts[texts]
        sizes = (counts * _NUMBER_BYTES).tolist()
        raw = b"".join(map(os.pread, [file] * len(at), sizes, at))
        return np.frombuffer(raw, np.int32), np.concatenate([[0], np.cumsum(counts)])

    def blocks(
        self, texts: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]]:
        """``texts`` in their order, 2,000 at a time: which, their numbers, where each begins."""
        for first in range(0, len(texts), _TEXTS_AT_ONCE):
            block = texts[first : first + _TEXTS_AT_ONCE]
            yield block, *self.some(block)

    def occurrences(self) -> NDArray[np.int64]:
        """How often each word stands in all texts."""
        counts = np.zeros(len(self.types), np.int64)
        for _, numbers, _ in self.blocks(np.arange(len(self))):
            counts += np.bincount(numbers, minlength=len(counts))
        return counts

    def hosts_of_words(self, hosts: NDArray[np.int64]) -> NDArray[np.int32]:
        """On how many hosts each word stands; ``hosts`` is the number of each text's host."""
        found = np.zeros(len(self.types), np.int32)
        last = np.full(len(self.types), -1, np.int64)
        for block, numbers, starts in self.blocks(np.argsort(hosts, kind="stable")):
            for at, host in enumerate(hosts[block].tolist()):
                words = np.unique(numbers[starts[at] : starts[at + 1]])
                new = words[last[words] != host]
                found[new] += 1
                last[new] = host
        return found


class _Numbers(dict[str, int]):
    def __missing__(self, word: str) -> int:
        self[word] = number = len(self)
        return number


def number_words(texts: Iterable[str]) -> NumberedTexts:
    """Number the words of texts, which are parted by white space; each text is let go again.

    Raises:
        ValueError: there is no text.
    """
    number_of = _Numbers({LINE_END: 0})
    starts = array("q", [0])
    file = tempfile.TemporaryFile()
    for text in texts:
        numbers = [number_of[word] for word in text.split()]
        file.write(array("i", numbers))
        file.write(_END)
        starts.append(starts[-1] + len(numbers) + 1)
    file.flush()
    if len(starts) == 1:
        raise ValueError("no texts to train on")
    return NumberedTexts(list(number_of), np.array(starts, np.int64), file)
