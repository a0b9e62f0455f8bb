"""Whether a test set's problems stand in worked examples or training data (section 2.1).

The rule is that of mining: a common 10-gram of words, or the whole text where it has 3 to 9.
The prompts of the paper's own repository hold 11 problems of miniF2F-valid and 2 of OCW.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from seekmath.core.files import BadInput, read_jsonl
from seekmath.core.words import gram_length, plain_words

_FIELDS = ("question", "problem", "input", "prompt", "informal_statement", "solution", "answer")

Gram = tuple[str, ...]


def found_in(questions: Mapping[str, str], texts: Iterable[str]) -> dict[str, float]:
    """Questions that a text quotes, in their order: id → the largest share of grams in one text.

    A text is one worked example or training problem; questions are matched by their words alone,
    so neither mark-up nor the spacing of formulas hides a quotation. A share of 1 is the whole
    question; a small one is a phrase, which families of problems have in common.
    """
    index: dict[Gram, list[str]] = {}
    count: dict[str, int] = {}
    lengths: set[int] = set()
    for name, question in questions.items():
        words = plain_words(question)
        if length := gram_length(words):
            lengths.add(length)
            grams = set(_grams(words, length))
            count[name] = len(grams)
            for gram in grams:
                index.setdefault(gram, []).append(name)
    shares: dict[str, float] = {}
    for text in texts:
        words = plain_words(text)
        hits: Counter[str] = Counter()
        for length in lengths:
            for gram in set(_grams(words, length)) & index.keys():
                hits.update(index[gram])
        for name, n in hits.items():
            shares[name] = max(shares.get(name, 0.0), n / count[name])
    return {name: shares[name] for name in questions if name in shares}


def _grams(words: list[str], length: int) -> Iterator[Gram]:
    return zip(*(words[shift:] for shift in range(length)), strict=False)


def texts_of(path: str | Path) -> Iterator[str]:
    """The texts of a JSON-lines file of problems: question, solution and answer of each line.

    Raises:
        BadInput: no line has one of the fields known to hold them.
    """
    some = False
    for row in read_jsonl(path):
        for field in _FIELDS:
            if row.get(field):
                some = True
                yield str(row[field])
    if not some:
        raise BadInput(f"{path}: no line has one of the fields {', '.join(_FIELDS)}")
