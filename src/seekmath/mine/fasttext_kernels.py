"""fastText's arithmetic for two labels, compiled: features, training, scoring.

fastText is a linear model behind a hidden layer: a text is the mean of the rows of its words and
hashed n-grams, and a softmax over two output rows that always stay each other's negative. So one
output row is kept, and a trained model is one weight for each input row.
"""

# N texts, T tokens, V words, K buckets, W numbers of a row, B bytes, S slots of the word table

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seekmath.mine.compiled import kernel, leaf

_NGRAM_FACTOR = np.uint64(116049371)  # Dictionary::addWordNgrams
_FNV_START, _FNV_PRIME = np.uint32(2166136261), np.uint32(16777619)  # Dictionary::hash
_SPACE = 32  # this byte and those below end a word
_RATE_EVERY = 100  # lrUpdateRate: tokens between two steps of the learning rate
_LCG_FACTOR, _LCG_MODULUS = np.uint64(48271), np.uint64(2147483647)  # std::minstd_rand


@kernel
def word_hash(bytes_B: NDArray[np.uint8]) -> Any:
    """fastText's 32-bit FNV-1a of a word, which takes bytes as signed characters."""
    value = _FNV_START
    for byte in bytes_B:
        value = np.uint32((value ^ np.uint32(np.int8(byte))) * _FNV_PRIME)
    return np.int32(value)


@kernel
def word_hashes(bytes_B: NDArray[np.uint8], starts: NDArray[np.int64]) -> Any:
    """Hashes of the words that lie one after the other in ``bytes_B``."""
    hashes = np.empty(len(starts) - 1, np.int32)
    for word in range(len(hashes)):
        hashes[word] = word_hash(bytes_B[starts[word] : starts[word + 1]])
    return hashes


@kernel
def word_table(hashes_V: NDArray[np.int32]) -> Any:
    """Open addressing over the word hashes: int32 of shape (S,), -1 where a slot is free."""
    slots = 8
    while slots < 2 * len(hashes_V):
        slots *= 2
    table_S = np.full(slots, -1, np.int32)
    for row in range(len(hashes_V)):
        slot = hashes_V[row] & (slots - 1)
        while table_S[slot] >= 0:
            slot = (slot + 1) & (slots - 1)
        table_S[slot] = row
    return table_S


@leaf
def _find(
    bytes_B: Any,
    start: int,
    end: int,
    hashed: Any,
    table_S: Any,
    hashes_V: Any,
    names: Any,
    at: Any,
) -> int:
    """Row of the word ``bytes_B[start:end]``, or -1."""
    mask = len(table_S) - 1
    slot = hashed & mask
    while table_S[slot] >= 0:
        row = table_S[slot]
        if hashes_V[row] == hashed and at[row + 1] - at[row] == end - start:
            same = True
            for place in range(end - start):
                if bytes_B[start + place] != names[at[row] + place]:
                    same = False
                    break
            if same:
                return row
        slot = (slot + 1) & mask
    return -1


@leaf
def _ngram_rows(
    hashes: Any, count: int, words: int, buckets: int, longest: int, rows: Any, found: int
) -> int:
    """Append to ``rows`` the buckets of every n-gram of 2 to ``longest`` words; the new length."""
    for first in range(count):
        total = np.uint64(np.int64(hashes[first]))
        for last in range(first + 1, min(count, first + longest)):
            total = total * _NGRAM_FACTOR + np.uint64(np.int64(hashes[last]))
            rows[found] = words + np.int64(total % np.uint64(buckets))
            found += 1
    return found


@leaf
def _read_words(
    bytes_B: Any, start: int, end: int, table_S: Any, hashes_V: Any, names: Any, name_starts: Any,
    known_only: bool, hashes: Any, rows: Any,
) -> tuple[int, int]:  # fmt: skip
    """Hashes of a text's words and rows of the known ones; how many of each."""
    count = known = 0
    at = start
    while at < end:
        word, hashed = at, _FNV_START
        while at < end and bytes_B[at] > _SPACE:
            hashed = np.uint32((hashed ^ np.uint32(np.int8(bytes_B[at]))) * _FNV_PRIME)
            at += 1
        if at > word:
            signed = np.int32(hashed)
            row = _find(bytes_B, word, at, signed, table_S, hashes_V, names, name_starts)
            if row >= 0:
                rows[known] = row
                known += 1
            if row >= 0 or not known_only:
                hashes[count] = signed
                count += 1
        at += 1
    return count, known


@kernel
def score_texts(
    bytes_B: NDArray[np.uint8],
    starts: NDArray[np.int64],
    table_S: NDArray[np.int32],
    hashes_V: NDArray[np.int32],
    names: NDArray[np.uint8],
    name_starts: NDArray[np.int64],
    weights: NDArray[np.float32],
    longest: int,
    known_only: bool,
) -> Any:
    """Log-odds of each text: the mean weight of its features; NaN for a text without any.

    Args:
        bytes_B: UTF-8 of N texts; words end at a space, a control character or the text's end.
        starts: where each text begins, and the last one's end, shape (N + 1,).
        table_S: ``word_table`` of the vocabulary.
        hashes_V: ``word_hashes`` of the vocabulary.
        names: UTF-8 of the vocabulary's words, one after the other.
        name_starts: where each begins, shape (V + 1,).
        weights: of shape (V + K,).
        longest: longest n-gram.
        known_only: n-grams run over the vocabulary's words as if no others stood between.
    """
    words = len(hashes_V)
    most = 1
    for text in range(len(starts) - 1):
        most = max(most, (starts[text + 1] - starts[text]) // 2 + 2)
    hashes = np.empty(most, np.int32)
    rows = np.empty(most * longest, np.int64)
    log_odds = np.empty(len(starts) - 1, np.float64)
    line_end = np.array([60, 47, 115, 62], np.uint8)  # </s>, with which fastText ends a line
    end_hash = word_hash(line_end)
    end_row = _find(line_end, 0, 4, end_hash, table_S, hashes_V, names, name_starts)
    for text in range(len(starts) - 1):
        count, found = _read_words(
            bytes_B, starts[text], starts[text + 1], table_S, hashes_V, names, name_starts,
            known_only, hashes, rows,
        )  # fmt: skip
        if end_row >= 0:
            rows[found] = end_row
            found += 1
        if end_row >= 0 or not known_only:
            hashes[count] = end_hash
            count += 1
        if len(weights) > words:
            found = _ngram_rows(hashes, count, words, len(weights) - words, longest, rows, found)
        total = 0.0
        for feature in range(found):
            total += weights[rows[feature]]
        log_odds[text] = total / found if found else np.nan
    return log_odds


@leaf
def _text_rows(
    numbers: Any, row_of: Any, hash_of: Any, hashes: Any, words: int, buckets: int, longest: int,
    rows: Any,
) -> int:  # fmt: skip
    """Rows of one text's known words and n-grams into ``rows``; how many."""
    count = 0
    for number in numbers:
        if row_of[number] >= 0:
            rows[count] = row_of[number]
            hashes[count] = hash_of[number]
            count += 1
    if buckets == 0:
        return count
    return _ngram_rows(hashes, count, words, buckets, longest, rows, count)


@leaf
def _longest_text(starts: Any) -> int:
    most = 1
    for text in range(len(starts) - 1):
        most = max(most, starts[text + 1] - starts[text])
    return most


@kernel
def train_texts(
    numbers_T: NDArray[np.int32],
    starts: NDArray[np.int64],
    positive: NDArray[np.bool_],
    row_of: NDArray[np.int32],
    hash_of: NDArray[np.int32],
    words: int,
    longest: int,
    rate: float,
    tokens: int,
    seen: NDArray[np.int64],
    matrix: NDArray[np.float32],
    output_W: NDArray[np.float32],
) -> Any:
    """Train on N texts in their order, updating ``seen``, ``matrix`` and ``output_W``.

    ``FastText::trainThread`` with one thread; ``_update`` is what a text does.

    Args:
        numbers_T: numbers of the words of the texts.
        starts: where each begins in it, and the last one's end, shape (N + 1,).
        positive: labels, shape (N,).
        row_of: row of each numbered word, -1 where it is not in the vocabulary.
        hash_of: ``word_hash`` of each numbered word.
        words: V; further rows of ``matrix`` are buckets.
        longest: longest n-gram.
        rate: learning rate at the start; it falls to 0 over ``tokens`` tokens.
        tokens: known words of all passes, and one label for each text of each.
        seen: tokens that the learning rate counts, and those it does not count yet, shape (2,).
        matrix: input rows, shape (V + K, W).
        output_W: output row of the positive label.

    Returns:
        Whether all stayed finite.
    """
    buckets = len(matrix) - words
    most = _longest_text(starts)
    rows = np.empty(most * longest + 1, np.int64)
    hashes = np.empty(most, np.int32)
    hidden_W, step_W = np.empty_like(output_W), np.empty_like(output_W)
    for text in range(len(positive)):
        numbers = numbers_T[starts[text] : starts[text + 1]]
        found = _text_rows(numbers, row_of, hash_of, hashes, words, buckets, longest, rows)
        now = np.float32(rate * (1.0 - seen[0] / tokens))
        if found and not _update(
            rows[:found], positive[text], now, matrix, output_W, hidden_W, step_W
        ):
            return False
        seen[1] += 1  # the label
        for number in numbers:
            seen[1] += row_of[number] >= 0
        if seen[1] > _RATE_EVERY:
            seen[0] += seen[1]
            seen[1] = 0
    return True


@leaf
def _update(
    rows: Any, positive: bool, rate: Any, matrix: Any, output_W: Any, hidden_W: Any, step_W: Any
) -> bool:
    """One text's step: ``Model::update`` and ``SoftmaxLoss::forward``; whether it stayed finite.

    With output rows o and -o, hidden h and label y: p = 1/(1 + exp(-2 o.h)), a = rate (y - p);
    then o += a h, and each of the text's F rows += 2 a o / F with the o before.
    """
    width = len(output_W)
    hidden_W[:] = 0
    for row in rows:
        row_W = matrix[row]
        for at in range(width):
            hidden_W[at] += row_W[at]
    share = np.float32(1.0 / len(rows))
    product = np.float32(0.0)
    for at in range(width):
        hidden_W[at] *= share
        product += hidden_W[at] * output_W[at]
    probability = 1.0 / (1.0 + np.exp(-2.0 * product))
    if not np.isfinite(probability):
        return False
    label = 1.0 if positive else 0.0
    pull = np.float32(rate * (label - probability))
    for at in range(width):
        step_W[at] = np.float32(2.0) * pull * output_W[at] * share
        output_W[at] += pull * hidden_W[at]
    for row in rows:
        row_W = matrix[row]
        for at in range(width):
            row_W[at] += step_W[at]
    return True


@kernel
def numbered_log_odds(
    numbers_T: NDArray[np.int32],
    starts: NDArray[np.int64],
    row_of: NDArray[np.int32],
    hash_of: NDArray[np.int32],
    words: int,
    longest: int,
    weights: NDArray[np.float32],
) -> Any:
    """Log-odds of texts that are numbered already: what ``score_texts`` gives for their words."""
    most = _longest_text(starts)
    rows = np.empty(most * longest + 1, np.int64)
    hashes = np.empty(most, np.int32)
    log_odds = np.empty(len(starts) - 1, np.float64)
    for text in range(len(starts) - 1):
        numbers = numbers_T[starts[text] : starts[text + 1]]
        found = _text_rows(
            numbers, row_of, hash_of, hashes, words, len(weights) - words, longest, rows
        )
        total = 0.0
        for feature in range(found):
            total += weights[rows[feature]]
        log_odds[text] = total / found if found else np.nan
    return log_odds


@kernel
def start_rows(matrix: NDArray[np.float32], dim: int, seed: int) -> Any:
    """Fill ``matrix`` with fastText's first values for rows of ``dim`` numbers and one thread.

    They are uniform in [-1/dim, 1/dim) in the first tenth of the rows and 0 elsewhere
    (``DenseMatrix::uniform`` gives one thread a tenth of the matrix). Of a row's numbers the first
    W are kept, scaled by sqrt(dim / W), so that rows keep their expected length.
    """
    rows, width = matrix.shape
    state = np.uint64(seed) % _LCG_MODULUS
    if state == 0:
        state = np.uint64(1)
    span = np.float64(_LCG_MODULUS) - 1.0
    scale = np.sqrt(dim / width)
    for place in range(rows * dim // 10):
        state = state * _LCG_FACTOR % _LCG_MODULUS
        low = np.float64(state) - 1.0
        state = state * _LCG_FACTOR % _LCG_MODULUS
        high = np.float64(state) - 1.0
        at = place % dim
        if at < width:
            uniform = (low + high * span) / (span * span)
            matrix[place // dim, at] = np.float32((2.0 * uniform - 1.0) / dim * scale)
