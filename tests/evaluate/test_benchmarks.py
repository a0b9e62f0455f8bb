"""Benchmark files: what is read, and how a file that will not do is refused."""

from pathlib import Path

import pytest

from seekmath.core.files import BadInput, write_jsonl
from seekmath.evaluate.benchmarks import benchmark_files, load_benchmark
from seekmath.verify.grade import gold_of


def test_a_folder_is_its_files_by_name(benchmarks: Path):
    assert list(benchmark_files(benchmarks)) == ["letters", "sums"]
    assert list(benchmark_files(benchmarks / "sums.jsonl")) == ["sums"]


def test_choices_stand_lettered_below_the_question(benchmarks: Path):
    first, *rest = load_benchmark(benchmarks / "letters.jsonl.gz")
    assert first.asked == "Which?\nA. 1\nB. 2\nC. 3"
    assert first.id == "letters/1"
    assert len({first.id, *(problem.id for problem in rest)}) == 5
    assert len(load_benchmark(benchmarks / "letters.jsonl.gz", limit=2)) == 2


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "holds no problem"),
        (
            [{"question": "a", "answer": 1}, {"question": "b"}],
            "x.jsonl:2: needs the field 'answer'",
        ),
        ([{"prompt": "a", "answer": 1}], "'question'; found prompt, answer"),
        ([{"id": 1, "question": "a", "answer": 1}] * 2, "same id"),
    ],
)
def test_a_file_that_will_not_do_is_refused(tmp_path: Path, rows: list, message: str):
    write_jsonl(tmp_path / "x.jsonl", rows)
    with pytest.raises(BadInput, match=message):
        load_benchmark(tmp_path / "x.jsonl")


def test_a_path_without_benchmarks_is_refused(tmp_path: Path):
    with pytest.raises(BadInput, match=r"holds no \.jsonl"):
        benchmark_files(tmp_path)
    with pytest.raises(BadInput, match="no such file"):
        benchmark_files(tmp_path / "none")


@pytest.mark.shared
@pytest.mark.parametrize(
    ("path", "question", "answer", "n", "first"),
    [
        ("gsm8k/test.jsonl.gz", "question", "answer", 1319, "18"),
        ("math/test.jsonl.gz", "problem", "solution", 5000, "2"),
        ("ocw/test.jsonl.gz", "problem", "answer", 272, "1.6"),
        ("cmath/test.jsonl.gz", "question", "golden", 1098, "18"),
    ],
)
def test_published_files_are_read(
    shared: Path, path: str, question: str, answer: str, n: int, first: str
):
    problems = load_benchmark(shared / "data" / path, question, answer)
    assert len(problems) == n
    assert gold_of(problems[0].answer) == first
