"""Where a text holds a gram of a benchmark: rolling hash, bitmap, table, then the words themselves.

Two hashes roll over the words of a text: one of 10 words, and one of 3, with which every text of
3 to 9 words that is matched whole begins. Nearly all end at a bit of a bitmap that fits the cache.
"""

# W words, B benchmark grams, T slots of a table

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seekmath.core.words import GRAM, SHORTEST, gram_length, plain_words
from seekmath.mine.compiled import kernel
from seekmath.mine.plain import PlainHasher

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xFF51AFD7ED558CCD)
_EMPTY = np.uint64(0)


@dataclass(frozen=True)
class Match:
    """A benchmark gram in a text: where in the text, and in which benchmark texts it stands."""

    start: int
    length: int
    texts: tuple[int, ...]


@dataclass(frozen=True)
class _Table:
    """A set of hashes: a bitmap of 16 bits each, and open addressing with at most half full.

    ``marks`` says of a head of 3 words how long the texts are that begin with it, a bit each.
    """

    bitmap: NDArray[np.uint64]
    slots_T: NDArray[np.uint64]
    marks_T: NDArray[np.uint16]


class GramIndex:
    """Finds benchmark grams in texts; needs about 150 bytes for each word of the benchmarks."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._words = [tuple(plain_words(text)) for text in texts]
        self._hasher = PlainHasher()
        self._found_h = np.empty((1024, 2), np.int64)
        self._known: dict[tuple[str, ...], tuple[int, ...]] = {}
        hashes, owners, places, heads, marks = [], [], [], [], []
        for number, (text, words) in enumerate(zip(texts, self._words, strict=True)):
            length = gram_length(words)
            if not length:
                continue
            hashes_W = self._hasher.hash(text)[0]
            grams = _gram_hashes(hashes_W, length)
            hashes.append(grams)
            owners.append(np.full(len(grams), number, np.int32))
            places.append(np.arange(len(grams), dtype=np.int32))
            if length < GRAM:
                heads.append(_gram_hashes(hashes_W[:SHORTEST], SHORTEST))
                marks.append(np.full(1, 1 << length, np.uint16))
        flat = _joined(hashes, np.uint64)
        order = np.argsort(flat, kind="stable")
        self._hashes_B = flat[order]
        self._owners_B = _joined(owners, np.int32)[order]
        self._places_B = _joined(places, np.int32)[order]
        self._grams = _table(self._hashes_B, np.zeros(len(flat), np.uint16))
        self._heads = _table(_joined(heads, np.uint64), _joined(marks, np.uint16))

    def gram_length(self, number: int) -> int:
        """Length of the grams that text ``number`` is matched by; 0 where it is too short."""
        return gram_length(self._words[number])

    def matches(self, text: str) -> tuple[list[Match], NDArray[np.int32]]:
        """The grams of benchmarks in ``text``, in order, and the line of each word of the text.

        Takes 22 bytes for each character of the longest text beside the index.
        """
        hashes_W, lines_W = self._hasher.hash(text)
        count = self._search(hashes_W)
        if not count:
            return [], lines_W
        words = plain_words(text)
        return list(self._confirmed(words, self._found_h[:count], hashes_W)), lines_W

    def _search(self, hashes_W: NDArray[np.uint64]) -> int:
        grams, heads = self._grams, self._heads
        while True:
            count = _search(
                hashes_W,
                grams.bitmap,
                grams.slots_T,
                heads.bitmap,
                heads.slots_T,
                heads.marks_T,
                self._found_h,
            )
            if count <= len(self._found_h):
                return count
            self._found_h = np.empty((2 * count, 2), np.int64)

    def _confirmed(
        self, words: list[str], found_h: NDArray[np.int64], hashes_W: NDArray[np.uint64]
    ) -> Iterator[Match]:
        """Only matches whose words are the benchmark's; each different gram is looked up once."""
        for start, length in found_h.tolist():
            gram = tuple(words[start : start + length])
            if gram not in self._known:
                value = _gram_hashes(hashes_W[start : start + length], length)[0]
                self._known[gram] = tuple(self._owners(gram, value))
            if self._known[gram]:
                yield Match(start, length, self._known[gram])

    def _owners(self, gram: tuple[str, ...], value: np.uint64) -> Iterator[int]:
        low = np.searchsorted(self._hashes_B, value, "left")
        high = np.searchsorted(self._hashes_B, value, "right")
        for at in range(int(low), int(high)):
            owner, place = int(self._owners_B[at]), int(self._places_B[at])
            theirs = self._words[owner]
            whole = len(gram) == GRAM or len(gram) == len(theirs)
            if whole and theirs[place : place + len(gram)] == gram:
                yield owner


def _joined(parts: list[NDArray[Any]], kind: type[np.generic]) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(0, kind)


def _table(hashes_B: NDArray[np.uint64], marks_B: NDArray[np.uint16]) -> _Table:
    bits = max(10, int(2 * max(len(hashes_B), 1)).bit_length())
    table = _Table(
        np.zeros(1 << (bits + 3 - 6), np.uint64),
        np.zeros(1 << bits, np.uint64),
        np.zeros(1 << bits, np.uint16),
    )
    _fill(hashes_B, marks_B, table.bitmap, table.slots_T, table.marks_T)
    return table


@kernel
def _mixed(rolled: np.uint64, length: int) -> np.uint64:
    """The hash of a gram from its rolled polynomial; never 0, which is an empty slot."""
    mixed = rolled + np.uint64(length)
    mixed = (mixed ^ (mixed >> np.uint64(33))) * _MIX
    return (mixed ^ (mixed >> np.uint64(33))) | np.uint64(1)


@kernel
def _gram_hashes(hashes_W: NDArray[np.uint64], length: int) -> NDArray[np.uint64]:
    count = max(len(hashes_W) - length + 1, 0)
    grams = np.empty(count, np.uint64)
    for start in range(count):
        rolled = np.uint64(0)
        for at in range(start, start + length):
            rolled = rolled * _FACTOR + hashes_W[at]
        grams[start] = _mixed(rolled, length)
    return grams


@kernel
def _fill(
    hashes_B: NDArray[np.uint64],
    marks_B: NDArray[np.uint16],
    bitmap: NDArray[np.uint64],
    slots_T: NDArray[np.uint64],
    marks_T: NDArray[np.uint16],
) -> None:
    for at in range(len(hashes_B)):
        value = hashes_B[at]
        bit = _bit(value, bitmap)
        bitmap[bit >> np.uint64(6)] |= np.uint64(1) << (bit & np.uint64(63))
        slot = _slot(value, slots_T)
        slots_T[slot] = value
        marks_T[slot] |= marks_B[at]


@kernel
def _bit(value: np.uint64, bitmap: NDArray[np.uint64]) -> np.uint64:
    return (value >> np.uint64(20)) & np.uint64(len(bitmap) * 64 - 1)


@kernel
def _slot(value: np.uint64, slots_T: NDArray[np.uint64]) -> np.uint64:
    """The slot that holds ``value``, or the empty one where it would be."""
    last = np.uint64(len(slots_T) - 1)
    slot = (value >> np.uint64(1)) & last
    while slots_T[slot] != _EMPTY and slots_T[slot] != value:
        slot = (slot + np.uint64(1)) & last
    return slot


@kernel
def _holds(value: np.uint64, bitmap: NDArray[np.uint64], slots_T: NDArray[np.uint64]) -> bool:
    bit = _bit(value, bitmap)
    if not (bitmap[bit >> np.uint64(6)] >> (bit & np.uint64(63))) & np.uint64(1):
        return False
    return slots_T[_slot(value, slots_T)] == value


@kernel
def _search(
    hashes_W: NDArray[np.uint64],
    bitmap: NDArray[np.uint64],
    slots_T: NDArray[np.uint64],
    head_bitmap: NDArray[np.uint64],
    head_slots_T: NDArray[np.uint64],
    head_marks_T: NDArray[np.uint16],
    found_h: NDArray[np.int64],
) -> int:
    """(first word, number of words) of each gram whose hash is known; how many there are.

    ``found_h`` is filled as far as it reaches.
    """
    count = 0
    size = len(hashes_W)
    oldest = np.uint64(1)
    for _ in range(GRAM):
        oldest *= _FACTOR
    ten = np.uint64(0)
    for end in range(1, size + 1):
        ten = ten * _FACTOR + hashes_W[end - 1]
        if end > GRAM:
            ten -= hashes_W[end - 1 - GRAM] * oldest
        if end >= GRAM and _holds(_mixed(ten, GRAM), bitmap, slots_T):
            if count < len(found_h):
                found_h[count, 0], found_h[count, 1] = end - GRAM, GRAM
            count += 1
        if end < SHORTEST:
            continue
        start = end - SHORTEST
        head = (hashes_W[start] * _FACTOR + hashes_W[start + 1]) * _FACTOR + hashes_W[start + 2]
        mixed = _mixed(head, SHORTEST)
        if not _holds(mixed, head_bitmap, head_slots_T):
            continue
        marks = head_marks_T[_slot(mixed, head_slots_T)]
        rolled = head
        for length in range(SHORTEST, min(GRAM, size - start + 1)):
            if length > SHORTEST:
                rolled = rolled * _FACTOR + hashes_W[start + length - 1]
            if marks >> length & 1 and _holds(_mixed(rolled, length), bitmap, slots_T):
                if count < len(found_h):
                    found_h[count, 0], found_h[count, 1] = start, length
                count += 1
    return count
