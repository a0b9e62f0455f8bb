"""Benchmark files: what is read, and how a file that will not do is refused."""

from pathlib import Path

import pytest

from seekmath.core.files import BadInput, write_jsonl
from seekmath.corpus.examples import render_row
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.evaluate.benchmarks import (
    benchmark_files,
    load_benchmark,
    load_benchmarks,
    nearest_published,
)
from seekmath.evaluate.prompts import Prompter
from seekmath.evaluate.settings import EvaluateSettings
from seekmath.verify.grade import gold_of
from seekmath.world.formal import formal_benchmark


def test_a_folder_is_its_files_by_name(benchmarks: Path):
    assert list(benchmark_files(benchmarks)) == ["letters", "sums"]
    assert list(benchmark_files(benchmarks / "sums.jsonl")) == ["sums"]


def test_a_published_name_stands_for_one_file_also_where_its_folder_is_given(tmp_path: Path):
    write_jsonl(tmp_path / "gsm/test.jsonl", [{"question": "2 + 2?", "answer": "4\n#### 4"}])
    found = load_benchmarks({"gsm8k": str(tmp_path / "gsm")})
    assert found["gsm8k"].published == "gsm8k"
    write_jsonl(tmp_path / "gsm/train.jsonl", [{"question": "1 + 2?", "answer": "3\n#### 3"}])
    with pytest.raises(BadInput, match=r"name one of them: test\.jsonl, train\.jsonl"):
        load_benchmarks({"gsm8k": str(tmp_path / "gsm")})


def test_almost_a_published_name_is_pointed_to_it(tmp_path: Path):
    write_jsonl(tmp_path / "x.jsonl", [{"problem": "2 + 2?", "solution": "\\boxed{4}"}])
    with pytest.raises(BadInput, match="is 'math' meant"):
        load_benchmarks({"maths": str(tmp_path / "x.jsonl")})
    assert [nearest_published(name) for name in ("gsmk", "gsm8k", "mini-gsm8k", "sums")] == [
        "gsm8k", "", "", ""
    ]  # fmt: skip


def test_a_file_of_formal_statements_asks_as_fine_tuning_does(tmp_path: Path, model_folder: Path):
    tokenizer, rows = Tokenizer.load(model_folder), formal_benchmark(3, 0)
    write_jsonl(tmp_path / "own.jsonl", rows)
    (benchmark,) = load_benchmarks({"own": str(tmp_path / "own.jsonl")}).values()
    assert (benchmark.kind, benchmark.prover, benchmark.published) == ("proof", "coq", "")
    settings = EvaluateSettings(models={"m": "x"}, benchmarks={"own": "x"})
    for problem, row in zip(benchmark.problems, rows, strict=True):
        assert problem.formal == row["header"] + row["statement"]
        assert (problem.id, problem.subject) == (row["name"], row["subject"])
        ids, mask = render_row(tokenizer, row)
        asked = Prompter(benchmark, settings, {}).prompt(problem).text
        assert tokenizer.decode(ids[: mask.index(True)]) == asked


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
        ([{"question": "a", "answer": ["1"]}], 'answer: needs text or a number; found \\["1"\\]'),
        ([{"question": True, "answer": 1}], "question: needs text or a number; found true"),
        ([{"question": "a", "answer": "A", "choices": "1 2"}], "choices: needs a list of texts"),
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
