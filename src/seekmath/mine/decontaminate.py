"""Keeping benchmarks out of the corpus (section 2.1, after DeepSeek-Coder).

A segment is dropped when it holds a 10-gram of a benchmark text. A text of 3 to 9 grams is
matched whole, and a shorter one is not used. Both sides are compared as words only, so that
mark-up, punctuation, delimiters and the spacing of LaTeX make no difference; of Chinese every
character is a word. The paper leaves open what a segment is: here a line, or the whole page.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from seekmath.core.files import BadInput, read_jsonl, read_parquet, whole_folder, write_json
from seekmath.core.job import Job
from seekmath.core.words import GRAM, SHORTEST, gram_length, plain_words
from seekmath.mine.dedup import gram_hashes
from seekmath.mine.settings import DecontaminateSettings

FIELDS = ("question", "problem", "answer", "solution")
_EXAMPLES = 5


@dataclass(frozen=True)
class BenchmarkText:
    """One text to keep out: where it is from and its words."""

    benchmark: str
    item: str
    field: str
    words: tuple[str, ...]

    @property
    def gram(self) -> int:
        """Length of the grams it is matched by; 0 where it is too short to be used."""
        return gram_length(self.words)


@dataclass(frozen=True)
class _Grams:
    """All grams of one length, by hash: (text, place) of each, sorted by hash."""

    hashes: NDArray[np.uint64]
    texts: NDArray[np.int32]
    places: NDArray[np.int32]


class BenchmarkIndex:
    """Finds benchmark grams in pages: hashes first, then the words themselves."""

    def __init__(self, texts: Sequence[BenchmarkText]) -> None:
        self.texts = list(texts)
        lengths = sorted({text.gram for text in texts} - {0})
        self._grams = {length: self._index(length) for length in lengths}

    def _index(self, length: int) -> _Grams:
        parts = [
            (gram_hashes(text.words, length), number)
            for number, text in enumerate(self.texts)
            if text.gram == length
        ]
        hashes = np.concatenate([part for part, _ in parts])
        texts = np.concatenate([np.full(len(p), number, np.int32) for p, number in parts])
        places = np.concatenate([np.arange(len(p), dtype=np.int32) for p, _ in parts])
        order = np.argsort(hashes, kind="stable")
        return _Grams(hashes[order], texts[order], places[order])

    def hits(self, words: Sequence[str]) -> Iterator[tuple[int, int, int]]:
        """Yield (first word, number of words, number of the benchmark text) of every match."""
        for length, grams in self._grams.items():
            hashes = gram_hashes(words, length)
            low = np.searchsorted(grams.hashes, hashes, "left")
            found = np.flatnonzero(grams.hashes[np.minimum(low, len(grams.hashes) - 1)] == hashes)
            for start in found.tolist():
                for at in range(int(low[start]), len(grams.hashes)):
                    if grams.hashes[at] != hashes[start]:
                        break
                    text, place = int(grams.texts[at]), int(grams.places[at])
                    theirs = self.texts[text].words[place : place + length]
                    if tuple(words[start : start + length]) == theirs:
                        yield start, length, text


@dataclass
class Report:
    """What was hit and removed; ``as_json`` is ``contamination.json``."""

    index: BenchmarkIndex
    pages: int = 0
    pages_hit: int = 0
    pages_dropped: int = 0
    segments_dropped: int = 0
    by_text: Counter[int] = field(default_factory=Counter)
    urls: dict[int, list[str]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The counts and, for each benchmark text that was found, how often and where."""
        texts = self.index.texts
        items = [
            {
                "benchmark": texts[number].benchmark,
                "item": texts[number].item,
                "field": texts[number].field,
                "pages": count,
                "urls": self.urls[number],
            }
            for number, count in sorted(self.by_text.items(), key=lambda pair: (-pair[1], pair[0]))
        ]
        return {
            "rule": f"{GRAM}-gram; {SHORTEST} to {GRAM - 1} grams: whole text; shorter: unused",
            "benchmark_texts": len(texts),
            "unused_short_texts": sum(1 for text in texts if not text.gram),
            "pages": self.pages,
            "pages_hit": self.pages_hit,
            "pages_dropped": self.pages_dropped,
            "segments_dropped": self.segments_dropped,
            "items": items,
        }


def read_benchmarks(path: Path) -> list[BenchmarkText]:
    """The texts of a JSON-lines file, or of all below a folder, by the file's name.

    Raises:
        BadInput: there is no file, or no line of one has a question, answer or solution.
    """
    files = sorted(p for p in path.rglob("*.jsonl*") if p.is_file()) if path.is_dir() else [path]
    if not files:
        raise BadInput(f"{path}: holds no *.jsonl file")
    texts = []
    for file in files:
        name = file.name.split(".jsonl")[0]
        found = [
            BenchmarkText(name, str(row.get("id", number)), key, tuple(plain_words(str(row[key]))))
            for number, row in enumerate(read_jsonl(file))
            for key in FIELDS
            if row.get(key)
        ]
        if not found:
            raise BadInput(f"{file}: no line has one of the fields {', '.join(FIELDS)}")
        texts += found
    return texts


def clean(text: str, url: str, granularity: str, report: Report) -> str:
    """``text`` without the segments that hold benchmark grams; ``""`` where nothing is left.

    A match that runs over several lines removes each of them.
    """
    report.pages += 1
    lines = text.split("\n")
    words_of_lines = [plain_words(line) for line in lines]
    words = [word for line in words_of_lines for word in line]
    line_of_word = np.repeat(np.arange(len(lines)), [len(line) for line in words_of_lines])
    bad: set[int] = set()
    found: set[int] = set()
    for start, length, number in report.index.hits(words):
        bad.update(line_of_word[start : start + length].tolist())
        found.add(number)
    if not bad:
        return text
    report.pages_hit += 1
    for number in sorted(found):
        report.by_text[number] += 1
        urls = report.urls.setdefault(number, [])
        if len(urls) < _EXAMPLES:
            urls.append(url)
    kept = [line for at, line in enumerate(lines) if at not in bad]
    rest = "" if granularity == "page" else re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip("\n")
    report.segments_dropped += len(bad)
    report.pages_dropped += not rest
    return rest


def clean_rows(
    rows: Iterable[dict[str, Any]], granularity: str, report: Report
) -> Iterator[dict[str, Any]]:
    """The rows with cleaned ``text``; rows of which nothing is left are dropped and counted."""
    for row in rows:
        rest = clean(row["text"], row["url"], granularity, report)
        if rest:
            yield {**row, "text": rest} if rest != row["text"] else row


def decontaminate(settings: DecontaminateSettings, job: Job) -> dict[str, Any]:
    """The stage: a corpus without benchmark text in ``corpus/``, and ``contamination.json``."""
    report = Report(BenchmarkIndex(read_benchmarks(Path(settings.benchmarks))))
    source = Path(settings.corpus)
    files = sorted(source.glob("*.parquet")) if source.is_dir() else [source]
    if not files:
        raise BadInput(f"corpus: {source}: holds no *.parquet file")
    with whole_folder(job.out / "corpus") as folder:
        for number, file in enumerate(files):
            job.progress(number, len(files), "files", file.name)
            table = read_parquet(file)
            _check_columns(file, table)
            rows = list(clean_rows(table.to_pylist(), settings.granularity, report))
            kept = pa.Table.from_pylist(rows, schema=table.schema)
            pq.write_table(kept, folder / file.name, compression="zstd")
    write_json(job.out / "contamination.json", report.as_json())
    counts = report.as_json()
    return {key: counts[key] for key in counts if key.startswith(("pages", "segments"))}


def _check_columns(file: Path, table: pa.Table) -> None:
    for name in ("url", "text"):
        if name not in table.column_names:
            raise BadInput(f"{file}: has no column '{name}'; found {', '.join(table.column_names)}")
