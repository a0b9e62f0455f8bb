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

import pyarrow as pa
import pyarrow.parquet as pq

from seekmath.core.files import BadInput, read_jsonl, whole_folder, write_json
from seekmath.core.job import Job
from seekmath.core.words import GRAM, SHORTEST
from seekmath.mine.grams import GramIndex
from seekmath.mine.settings import DecontaminateSettings

#: The fields of a benchmark item that are text to keep out, under the names that benchmarks use.
#: Not the options of multiple choice: "none of the above" stands on clean pages.
FIELDS = (
    *("question", "problem", "input", "passage", "informal_statement"),
    *("answer", "solution", "informal_proof"),
)
# What GSM8K's solutions have between their words, and their copies on the web have not.
_CALCULATION = re.compile("<<[^<>]*>>")
_EXAMPLES = 5
_BATCH = 1000


@dataclass(frozen=True)
class BenchmarkText:
    """One text to keep out, and where it is from."""

    benchmark: str
    item: str
    field: str
    text: str


class BenchmarkIndex:
    """The texts to keep out and the index of their grams."""

    def __init__(self, texts: Sequence[BenchmarkText]) -> None:
        self.texts = list(texts)
        self.grams = GramIndex([one.text for one in self.texts])

    @property
    def unused(self) -> int:
        """Texts too short to be used."""
        return sum(not self.grams.gram_length(number) for number in range(len(self.texts)))


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
            "unused_short_texts": self.index.unused,
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
            BenchmarkText(name, str(row.get("id", number)), key, text)
            for number, row in enumerate(read_jsonl(file))
            for key in FIELDS
            if row.get(key)
            for text in _versions(str(row[key]))
        ]
        if not found:
            raise BadInput(f"{file}: no line has one of the fields {', '.join(FIELDS)}")
        texts += found
    return texts


def _versions(text: str) -> list[str]:
    bare = _CALCULATION.sub("", text)
    return [text] if bare == text else [text, bare]


def clean(text: str, url: str, granularity: str, report: Report) -> str:
    """``text`` without the segments that hold benchmark grams; ``""`` where nothing is left.

    A match that runs over several lines removes each of them.
    """
    report.pages += 1
    matches, line_of_word = report.index.grams.matches(text)
    bad: set[int] = set()
    found: set[int] = set()
    for match in matches:
        bad.update(line_of_word[match.start : match.start + match.length].tolist())
        found.update(match.texts)
    if not bad:
        return text
    report.pages_hit += 1
    for number in sorted(found):
        report.by_text[number] += 1
        urls = report.urls.setdefault(number, [])
        if len(urls) < _EXAMPLES:
            urls.append(url)
    kept = [line for at, line in enumerate(text.split("\n")) if at not in bad]
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
            _clean_file(file, folder / file.name, settings.granularity, report)
    write_json(job.out / "contamination.json", report.as_json())
    counts = report.as_json()
    return {key: counts[key] for key in counts if key.startswith(("pages", "segments"))}


def _clean_file(source: Path, target: Path, granularity: str, report: Report) -> None:
    """One file, a thousand pages at a time."""
    try:
        file = pq.ParquetFile(source)
    except pa.ArrowInvalid as error:
        raise BadInput(f"{source}: not readable as Parquet: {error}") from None
    except FileNotFoundError:
        raise BadInput(f"{source}: no such file") from None
    schema = file.schema_arrow
    _check_columns(source, schema)
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        for batch in file.iter_batches(_BATCH):
            rows = list(clean_rows(batch.to_pylist(), granularity, report))
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))


def _check_columns(file: Path, schema: pa.Schema) -> None:
    for name in ("url", "text"):
        if name not in schema.names:
            raise BadInput(f"{file}: has no column '{name}'; found {', '.join(schema.names)}")
