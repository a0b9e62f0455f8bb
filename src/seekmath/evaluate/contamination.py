"""Whether a test set's problems stand in worked examples or training data (section 2.1).

The rule is that of mining: a common 10-gram of words, or the whole text where it has 3 to 9.
The prompts of the paper's own repository hold 11 problems of miniF2F-valid and 2 of OCW.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from seekmath.core.files import BadInput, read_jsonl
from seekmath.core.words import gram_length, plain_words

_FIELDS = ("question", "problem", "input", "prompt", "informal_statement", "solution", "answer")

Gram = tuple[str, ...]


def found_in(questions: Mapping[str, str], texts: Iterable[str]) -> list[str]:
    """Ids of the questions that a text quotes, in the order of ``questions``.

    A text is one worked example or training problem; questions are matched by their words alone,
    so neither mark-up nor the spacing of formulas hides a quotation.
    """
    index: dict[Gram, list[str]] = {}
    lengths: set[int] = set()
    for name, question in questions.items():
        words = plain_words(question)
        if length := gram_length(words):
            lengths.add(length)
            for gram in _grams(words, length):
                index.setdefault(gram, []).append(name)
    found: set[str] = set()
    for text in texts:
        words = plain_words(text)
        for length in lengths:
            for gram in _grams(words, length):
                found.update(index.get(gram, ()))
    return [name for name in questions if name in found]


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
