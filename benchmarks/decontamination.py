"""Finding benchmark text in pages by the full n-gram rule: ours beside Python sets and
ahocorasick-rs, and the embedded world's planted pages as the truth.

    python benchmarks/decontamination.py
    SEEKMATH_SHARED=../shared python benchmarks/decontamination.py

All three take page text and give the place and length of every 10-gram, and of every whole
benchmark text of 3 to 9 words; the run stops unless their answers are equal. The peers' words come
from ``core.words.plain_words``, ours from the kernel that does the same. One thread, CPU time.

The pages are those of the embedded world, with one mathematics page in ten quoting a test problem.
The benchmarks are the world's; where SEEKMATH_SHARED names the folder of published test sets, these
too (GSM8K, MATH, CMATH, AGIEval and MMLU-STEM; test splits, questions and solutions).
"""

import argparse
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import ahocorasick_rs
from timing import cpu_seconds, medians, save

from seekmath.cli import commands
from seekmath.core.files import read_parquet
from seekmath.core.words import gram_length, plain_words
from seekmath.mine.crawl import Damage, read_pages
from seekmath.mine.decontaminate import BenchmarkIndex, BenchmarkText, Report, clean
from seekmath.mine.decontaminate import read_benchmarks as read
from seekmath.mine.extract import extract_page

_PUBLISHED = (
    *("gsm8k/test.jsonl.gz", "math/test.jsonl.gz", "cmath/test.jsonl.gz"),
    *("agieval", "mmlu_stem/test.jsonl.gz"),
)

Places = list[set[tuple[int, int]]]


class Sets:
    """The rule word for word: a set of tuples for each length."""

    def __init__(self, texts: list[str]) -> None:
        self.sets: dict[int, set[tuple[str, ...]]] = {}
        for words in map(plain_words, texts):
            if length := gram_length(words):
                self.sets.setdefault(length, set()).update(grams(words, length))

    def places(self, words: list[str]) -> set[tuple[int, int]]:
        return {
            (start, length)
            for length, known in self.sets.items()
            for start, gram in enumerate(grams(words, length))
            if gram in known
        }


class AhoCorasick:
    """All grams as patterns over the words joined by spaces."""

    def __init__(self, sets: Sets) -> None:
        self.grams = sorted(gram for known in sets.sets.values() for gram in known)
        self.automaton = ahocorasick_rs.AhoCorasick([f" {' '.join(gram)} " for gram in self.grams])

    def places(self, text: str) -> set[tuple[int, int]]:
        found = self.automaton.find_matches_as_indexes(text, overlapping=True)
        return {(text.count(" ", 0, start), len(self.grams[which])) for which, start, _ in found}


def grams(words: list[str], length: int) -> Iterator[tuple[str, ...]]:
    return zip(*(words[shift:] for shift in range(length)), strict=False)


def make_world(out: Path, pages: int) -> None:
    options = ["--pages", str(pages), "--contamination", "0.1", "--out", str(out), "--quiet"]
    commands.main(["world", *options], standalone_mode=False)


def read_pages_of(out: Path) -> tuple[list[str], list[str]]:
    """Text of each page, and the test problem that it quotes, or ""."""
    truth = {
        row["url"]: row["contaminates"] for row in read_parquet(out / "truth.parquet").to_pylist()
    }
    pages = [
        page
        for file in sorted((out / "warc").iterdir())
        for page in read_pages(str(file), Damage())
    ]
    return [extract_page(page)["text"] for page in pages], [truth[page.url] for page in pages]


def against_truth(
    index: BenchmarkIndex, texts: list[str], planted: list[str]
) -> dict[str, int | float]:
    """Planted pages found, and clean pages that lose a line or all."""
    counts = dict.fromkeys(("planted", "found", "clean", "clean_hit", "clean_dropped"), 0)
    for text, item in zip(texts, planted, strict=True):
        report = Report(index)
        clean(text, "", "segment", report)
        if item:
            counts["planted"] += 1
            counts["found"] += item in {index.texts[number].item for number in report.by_text}
        else:
            counts["clean"] += 1
            counts["clean_hit"] += report.pages_hit
            counts["clean_dropped"] += report.pages_dropped
    return {**counts, "clean_hit_per_1000": 1000 * counts["clean_hit"] / counts["clean"]}


def compare(benchmark: list[BenchmarkText], texts: list[str], rounds: int) -> dict[str, object]:
    index = BenchmarkIndex(benchmark)
    sets = Sets([one.text for one in benchmark])
    automaton = AhoCorasick(sets)
    words = [plain_words(text) for text in texts]
    joined = [f" {' '.join(one)} " for one in words]

    def ours() -> Places:
        return [{(m.start, m.length) for m in index.grams.matches(text)[0]} for text in texts]

    works = {
        "seekmath": ours,
        "ahocorasick-rs": lambda: [
            automaton.places(f" {' '.join(plain_words(text))} ") for text in texts
        ],
        "python sets": lambda: [sets.places(plain_words(text)) for text in texts],
        "ahocorasick-rs, words given": lambda: [automaton.places(text) for text in joined],
        "python sets, words given": lambda: [sets.places(one) for one in words],
    }
    answers = {name: work() for name, work in works.items()}
    rule = answers["python sets"]
    assert all(answer == rule for answer in answers.values()), "the answers differ"
    seconds = medians(cpu_seconds(works, rounds))
    size = sum(len(text.encode()) for text in texts)
    return {
        "benchmark_texts": len(benchmark),
        "benchmark_grams": len(automaton.grams),
        "pages": len(texts),
        "megabytes": round(size / 1e6, 2),
        "matches": sum(map(len, rule)),
        "recall": sum(len(a & b) for a, b in zip(answers["seekmath"], rule, strict=True))
        / sum(map(len, rule)),
        "megabytes_per_cpu_s": {
            name: round(size / 1e6 / value, 2) for name, value in seconds.items()
        },
        "times_as_fast": {
            name: round(value / seconds["seekmath"], 1) for name, value in seconds.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=6000)
    parser.add_argument("--timed-pages", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make_world(Path(folder), given.pages)
        texts, planted = read_pages_of(Path(folder))
        embedded = read(Path(folder) / "benchmarks")
    few = texts[: given.timed_pages]
    found = {
        "work": "page text to the place of every benchmark gram (10 words; 3 to 9: whole text)",
        "embedded_world": against_truth(BenchmarkIndex(embedded), texts, planted),
        "embedded_benchmarks": compare(embedded, few, given.rounds),
        "targets": {"python sets": 10, "ahocorasick-rs": 6, "recall": 1.0, "clean_per_1000": 1},
    }
    if shared := os.environ.get("SEEKMATH_SHARED"):
        sets = [text for name in _PUBLISHED for text in read(Path(shared) / "data" / name)]
        found["published_test_sets"] = compare([*embedded, *sets], few, given.rounds)
    save("decontamination", found, ("numba", "ahocorasick_rs"))


if __name__ == "__main__":
    main()
