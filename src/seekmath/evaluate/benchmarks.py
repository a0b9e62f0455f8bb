"""Benchmarks: problems to answer, from files of one's own or of the embedded world."""

from dataclasses import dataclass
from pathlib import Path

from seekmath.core.files import BadInput, read_jsonl
from seekmath.corpus.chat import with_choices


@dataclass(frozen=True)
class Problem:
    """One problem of a benchmark; ``asked`` is the question with its lettered choices."""

    id: str
    question: str
    answer: str
    choices: list[str]
    subject: str = ""

    @property
    def asked(self) -> str:
        """The question as a model sees it."""
        return with_choices(self.question, self.choices)


def benchmark_files(path: str | Path) -> dict[str, Path]:
    """Benchmarks by name: a file, or every .jsonl and .jsonl.gz of a folder."""
    path = Path(path)
    if not path.exists():
        raise BadInput(f"{path}: no such file or folder of benchmarks")
    files = sorted([*path.glob("*.jsonl"), *path.glob("*.jsonl.gz")]) if path.is_dir() else [path]
    if not files:
        raise BadInput(f"{path}: holds no .jsonl file")
    return {file.name.split(".jsonl")[0]: file for file in files}


def load_benchmark(
    path: Path, question_field: str = "question", answer_field: str = "answer", limit: int = 0
) -> list[Problem]:
    """Read a benchmark; BadInput names the line and the field that is missing.

    Args:
        path: JSON lines with a question and an answer, which may be a worked solution; ``choices``
            (a list of texts), ``id`` and ``subject`` where there are any.
        question_field: the name of the question's field.
        answer_field: the name of the answer's field.
        limit: problems at most, the first ones; 0 takes all.
    """
    problems: list[Problem] = []
    for number, row in enumerate(read_jsonl(path), 1):
        for field in (question_field, answer_field):
            if row.get(field) in (None, ""):
                found = ", ".join(row)
                raise BadInput(f"{path}:{number}: needs the field '{field}'; found {found}")
        problems.append(
            Problem(
                id=str(row.get("id") or f"{path.name.split('.')[0]}/{number}"),
                question=str(row[question_field]),
                answer=str(row[answer_field]),
                choices=[str(choice) for choice in row.get("choices") or []],
                subject=str(row.get("subject") or ""),
            )
        )
        if limit and len(problems) == limit:
            break
    if not problems:
        raise BadInput(f"{path}: holds no problem")
    if len({problem.id for problem in problems}) < len(problems):
        raise BadInput(f"{path}: two problems have the same id; ids must differ")
    return problems
