"""A problem, a benchmark of problems, and how rows of any file become them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from seekmath.core.complaints import unknown
from seekmath.core.files import BadInput, text_of, texts_of
from seekmath.corpus.chat import with_choices

Row = dict[str, Any]
#: How a benchmark is answered: in words, by a program alone, or by a formal proof.
Kind = Literal["cot", "pot", "proof"]
ProverName = Literal["coq", "isabelle"]


@dataclass(frozen=True)
class Problem:
    """One problem; ``asked`` is the question with its lettered choices.

    Of problems that ask for a proof, ``formal`` is the formal statement with its header, and
    ``prover`` says whose language it is written in.
    """

    id: str
    question: str
    answer: str
    choices: list[str]
    subject: str = ""
    level: str = ""
    language: str = "en"
    solution: str = ""
    formal: str = ""
    prover: ProverName | None = None

    @property
    def asked(self) -> str:
        """The question as a model sees it."""
        return with_choices(self.question, self.choices)


@dataclass(frozen=True)
class Benchmark:
    """Problems under a name, and how the paper asks them.

    ``shots`` is the paper's number of worked examples by the problem's group (one group, ``""``,
    but for miniF2F); ``published`` names the format, and is empty for a file of one's own.
    """

    name: str
    problems: list[Problem]
    kind: Kind = "cot"
    published: str = ""

    @property
    def prover(self) -> ProverName | None:
        """In whose language a formal benchmark is stated."""
        return self.problems[0].prover

    @property
    def texts(self) -> dict[str, str]:
        """Question by id."""
        return {problem.id: problem.question for problem in self.problems}


def own_problems(
    rows: Iterable[Row],
    source: str,
    question_field: str,
    answer_field: str,
    limit: int = 0,
    hint: str = "; name the field with --question-field or --answer-field",
) -> list[Problem]:
    """``load_benchmark`` on rows from anywhere; ``source`` names them in errors."""
    name = Path(source).name.split(".")[0]

    def problems() -> Iterator[Problem]:
        for number, row in enumerate(rows, 1):
            where = f"{source}:{number}"
            yield Problem(
                id=f"{name}/{number}" if row.get("id") in (None, "") else str(row["id"]),
                question=needed(row, question_field, where, hint),
                answer=needed(row, answer_field, where, hint),
                choices=texts_of(row.get("choices"), f"{where}: choices"),
                subject=str(row.get("subject") or ""),
                level=str(row.get("level") or ""),
                language=str(row.get("language") or "en"),
                solution=str(row.get("solution") or ""),
            )

    return whole(problems(), source, limit)


def needed(row: Row, field: str, where: str, hint: str = "") -> str:
    """A field as text, or BadInput naming it and the fields that are there."""
    value = row.get(field)
    if value is None or value == "":
        found = ", ".join(row)
        raise BadInput(f"{where}: needs the field '{field}'; found {found}{hint}")
    return text_of(value, f"{where}: {field}")


class NoProblem(BadInput):
    """A file without a single problem."""


def whole(problems: Iterator[Problem], source: str, limit: int) -> list[Problem]:
    """The problems, at least one, with ids that differ."""
    found: list[Problem] = []
    for problem in problems:
        found.append(problem)
        if limit and len(found) == limit:
            break
    if not found:
        raise NoProblem(f"{source}: holds no problem")
    if len({problem.id for problem in found}) < len(found):
        raise BadInput(f"{source}: two problems have the same id; ids must differ")
    return found


def renamed(problem: Problem, prefix: str, number: int) -> Problem:
    """The problem with an id under its benchmark's name, its own or its place."""
    own = problem.id or str(number)
    return replace(problem, id=own if own.startswith(f"{prefix}/") else f"{prefix}/{own}")


def known_name(where: str, name: str, allowed: list[str]) -> None:
    """Refuse a name that is not among those allowed."""
    if name not in allowed:
        raise BadInput(unknown(where, name, allowed))
