"""Benchmarks by name, from files of one's own, published files, or a hub."""

import difflib
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

from seekmath.core.files import BadInput, read_jsonl
from seekmath.evaluate.hub import load_from_hub
from seekmath.evaluate.problem import Benchmark, Problem, Row, own_problems, whole
from seekmath.evaluate.published import (
    PUBLISHED,
    formal_problem,
    read_published,
    with_informal,
)


def load_benchmarks(
    paths: dict[str, str],
    hub: list[str] | None = None,
    question_field: str = "question",
    answer_field: str = "answer",
    limit: int = 0,
    informal: str = "",
) -> dict[str, Benchmark]:
    """Every benchmark by name.

    Args:
        paths: name → file, or a folder whose ``.jsonl`` and ``.jsonl.gz`` files are benchmarks of
            one's own under the files' names. A file under the name of a published benchmark has
            that benchmark's format; one of formal statements has miniF2F's.
        hub: ``NAME`` of a published benchmark, or ``NAME=OWNER/DATASET[:CONFIG[:SPLIT]]``.
        question_field: the question's field in files of one's own.
        answer_field: the answer's field in files of one's own.
        limit: problems of each at most, the first ones; 0 takes all.
        informal: the informal side of formal statements that have none, by name.

    Raises:
        BadInput: names the file, the line and the field that will not do.
    """
    found: dict[str, Benchmark] = {}
    for key, path in paths.items():
        for name, file in benchmark_files(path, key).items():
            _check_new(name, found)
            if name in PUBLISHED:
                found[name] = read_published(name, read_jsonl(file), str(file), limit)
            else:
                found[name] = _own(name, file, question_field, answer_field, limit)
    for item in hub or []:
        name = item.partition("=")[0]
        _check_new(name, found)
        found[name] = load_from_hub(item, question_field, answer_field, limit)
    return {name: _with_informal(one, informal) for name, one in found.items()}


def _own(name: str, file: Path, question_field: str, answer_field: str, limit: int) -> Benchmark:
    """A file of one's own: questions with answers, or formal statements."""
    rows = read_jsonl(file)
    first = next(rows, {})
    rows = chain([first] if first else [], rows)
    if question_field not in first and ("statement" in first or "formal_statement" in first):
        return Benchmark(name, whole(_formal(rows, str(file)), str(file), limit), "proof")
    hint = _hint(name)
    problems = own_problems(rows, str(file), question_field, answer_field, limit, hint)
    return Benchmark(name, problems)


def _formal(rows: Iterator[Row], source: str) -> Iterator[Problem]:
    for number, row in enumerate(rows, 1):
        yield formal_problem(row, f"{source}:{number}")


def _with_informal(benchmark: Benchmark, informal: str) -> Benchmark:
    if benchmark.kind != "proof" or not informal:
        return benchmark
    problems = with_informal(benchmark.problems, read_jsonl(informal))
    if not any(problem.question for problem in problems):
        raise BadInput(f"--informal: {informal}: none of its names is of '{benchmark.name}'")
    return replace(benchmark, problems=problems)


def _check_new(name: str, found: dict[str, Benchmark]) -> None:
    if name in found:
        raise BadInput(
            f"--benchmark: two are called '{name}'; give them names: --benchmark NAME=FILE"
        )


def nearest_published(name: str) -> str:
    """The published benchmark whose name is almost ``name``, or an empty text."""
    near = difflib.get_close_matches(name.casefold(), PUBLISHED, n=1, cutoff=0.7)
    return near[0] if near and name not in PUBLISHED else ""


def _hint(name: str) -> str:
    near = nearest_published(name)
    nearest = f" (is '{near}' meant?)" if near else f": {', '.join(PUBLISHED)}"
    return (
        "; name the fields with --question-field and --answer-field, or for a published file"
        f" write --benchmark NAME=FILE with its name{nearest}"
    )


def benchmark_files(path: str | Path, name: str = "") -> dict[str, Path]:
    """Benchmarks by name: a file, or every .jsonl and .jsonl.gz of a folder.

    A published name stands for one file, also where its folder is given.
    """
    path = Path(path)
    if not path.exists():
        raise BadInput(f"{path}: no such file or folder of benchmarks")
    if not path.is_dir():
        return {(name or path.name).split(".jsonl")[0]: path}
    files = sorted([*path.glob("*.jsonl"), *path.glob("*.jsonl.gz")])
    if not files:
        raise BadInput(f"{path}: holds no .jsonl file")
    if name in PUBLISHED:
        if len(files) > 1:
            there = ", ".join(file.name for file in files)
            raise BadInput(
                f"--benchmark {name}: {path} is a folder of {len(files)} files;"
                f" name one of them: {there}"
            )
        return {name: files[0]}
    return {file.name.split(".jsonl")[0]: file for file in files}


def load_benchmark(
    path: Path, question_field: str = "question", answer_field: str = "answer", limit: int = 0
) -> list[Problem]:
    """Read a file of one's own; BadInput names the line and the field that is missing.

    Args:
        path: JSON lines with a question and an answer, which may be a worked solution; ``choices``
            (a list of texts), ``id``, ``subject``, ``level`` and ``language`` where there are any.
        question_field: the name of the question's field.
        answer_field: the name of the answer's field.
        limit: problems at most, the first ones; 0 takes all.
    """
    rows = read_jsonl(path)
    return own_problems(rows, str(path), question_field, answer_field, limit, _hint(path.name))
