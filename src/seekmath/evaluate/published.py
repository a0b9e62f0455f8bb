r"""The paper's benchmarks as they are published (sections 2.3 and 3.2): formats, shots, hub names.

Each row of a published file becomes a ``Problem``; the numbers of worked examples are those of the
paper's repository. Fields differ between a data set's own repository and its copy on a hub; both
are read.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from seekmath.core.files import BadInput
from seekmath.evaluate.problem import (
    Benchmark,
    Kind,
    NoProblem,
    Problem,
    Row,
    needed,
    renamed,
    whole,
)

_CALCULATOR = re.compile(r"<<[^<>\n]{0,200}>>")  # GSM8K's annotations
_LETTERED = re.compile(r"\s*\(?([A-J])[).:．、]\s*")
_LETTERS = "ABCDEFGHIJ"

Convert = Callable[[Row, str], Problem]


@dataclass(frozen=True)
class Published:
    """One published benchmark.

    Attributes:
        convert: a row and where it stands → a problem.
        shots: worked examples by the problem's group; the group is "" but for miniF2F.
        language: of the questions and of the instruction.
        kind: how it is answered.
        hub: ``OWNER/DATASET:CONFIG:SPLIT``, or "" where no copy in this format is known.
        split: of rows with a field ``split``, take these.
    """

    convert: Convert
    shots: dict[str, int]
    language: str = "en"
    kind: Kind = "cot"
    hub: str = ""
    group: Callable[[Problem], str] = field(default=lambda problem: "")
    split: str = ""


def read_published(name: str, rows: Iterable[Row], source: str, limit: int = 0) -> Benchmark:
    """The benchmark ``name`` from rows in its published format."""
    spec = PUBLISHED[name]
    others: set[str] = set()

    def problems() -> Iterator[Problem]:
        for number, row in enumerate(rows, 1):
            if spec.split and row.get("split", spec.split) != spec.split:
                others.add(str(row["split"]))
                continue
            try:
                problem = spec.convert(row, f"{source}:{number}")
            except BadInput as error:
                raise BadInput(
                    f"{error}; '{name}' is read as it was published:"
                    " --benchmark OTHER=FILE reads a file of your own"
                ) from None
            yield renamed(problem, name, number)

    try:
        found = whole(problems(), source, limit)
    except NoProblem:
        held = f" of the split '{spec.split}', only of {', '.join(sorted(others))}"
        raise BadInput(f"{source}: holds no problem{held if others else ''}") from None
    return Benchmark(name, found, spec.kind, name)


def _gsm8k(row: Row, where: str) -> Problem:
    worked = _CALCULATOR.sub("", needed(row, "answer", where))
    return Problem("", needed(row, "question", where), worked, [], solution=worked)


def _math(row: Row, where: str) -> Problem:
    solution = needed(row, "solution", where)
    return Problem(
        id=str(row.get("unique_id") or row.get("id") or ""),
        question=needed(row, "problem", where),
        answer=str(row.get("answer") or solution),
        choices=[],
        subject=str(row.get("type") or row.get("subject") or ""),
        level=str(row.get("level") or "").removeprefix("Level "),
        solution=solution,
    )


def _ocw(row: Row, where: str) -> Problem:
    return Problem(
        id=str(row.get("id", "")),
        question=needed(row, "problem", where),
        answer=needed(row, "answer", where),
        choices=[],
        solution=str(row.get("solution") or ""),
    )


def _sat(row: Row, where: str) -> Problem:
    choices = _split_choices(needed(row, "options", where), where)
    question = needed(row, "question", where)
    return Problem(str(row.get("id", "")), question, needed(row, "Answer", where), choices)


def _split_choices(text: str, where: str) -> list[str]:
    """``A) x B) y …`` or ``A. x B. y …`` as its texts: each letter in turn, once."""
    marks: list[re.Match[str]] = []
    for letter in _LETTERS:
        found = re.compile(rf"(?:(?<=\s)|^){letter}[.)]\s").search(
            text, marks[-1].end() if marks else 0
        )
        if not found:
            break
        marks.append(found)
    if len(marks) < 2:
        raise BadInput(f"{where}: options: expected 'A) … B) …'; found {text[:60]!r}")
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    return [text[mark.end() : end].strip() for mark, end in zip(marks, ends, strict=True)]


def _mmlu(row: Row, where: str) -> Problem:
    choices = [str(choice) for choice in row.get("options") or row.get("choices") or []]
    if len(choices) < 2:
        raise BadInput(f"{where}: needs the field 'options' (or 'choices'); found {', '.join(row)}")
    answer = needed(row, "answer", where)
    letter = _LETTERS[int(answer)] if answer.isdigit() and int(answer) < len(choices) else answer
    subject = str(row.get("topic") or row.get("subject") or "")
    identity = str(row.get("id", ""))
    return Problem(identity, needed(row, "question", where), letter, choices, subject=subject)


def _cmath(row: Row, where: str) -> Problem:
    question = str(row.get("question") or row.get("input") or "")
    return Problem(
        id="",
        question=question or needed(row, "question", where),
        answer=needed(row, "golden", where),
        choices=[],
        level=str(row.get("grade") or ""),
        language="zh",
    )


def _mgsm_zh(row: Row, where: str) -> Problem:
    if isinstance(row.get("messages"), list):
        question = next((m["content"] for m in row["messages"] if m.get("role") == "user"), "")
        answer = needed(row, "answer", where)
    else:
        question, answer = row.get("question", ""), needed(row, "answer_number", where)
    if not question:
        raise BadInput(f"{where}: needs 'messages' with a user's message, or 'question'")
    return Problem(str(row.get("id", "")), str(question), answer, [], language="zh")


def _cloze(row: Row, where: str) -> Problem:
    question = needed(row, "question", where)
    return Problem("", question, needed(row, "answer", where), [], language="zh")


def _gaokao_choice(row: Row, where: str) -> Problem:
    options = row.get("options")
    if not isinstance(options, list) or len(options) < 2:
        raise BadInput(f"{where}: needs the field 'options', a list; found {options!r:.60}")
    choices = [_LETTERED.sub("", str(option), count=1) for option in options]
    letters = "".join(re.findall("[A-J]", needed(row, "label", where)))
    question = needed(row, "question", where).rstrip("\\\n ")
    return Problem("", question, letters, choices, language="zh")


def formal_problem(row: Row, where: str) -> Problem:
    """miniF2F in Isabelle's form (``problem_name``, ``formal_statement``) or in Coq's (``name``,
    ``statement``); files of one's own have the same.

    Coq's has no informal side of its own; see ``with_informal``.
    """
    in_coq = "statement" in row
    name = needed(row, "name" if in_coq else "problem_name", where)
    said = str(row.get("informal_statement") or "")
    statement = needed(row, "statement" if in_coq else "formal_statement", where)
    return Problem(
        id=name,
        question=said if in_coq else needed(row, "informal_statement", where),
        answer=statement,
        choices=[],
        subject=str(row.get("subject") or _number_theory_or_not(name)),
        solution=str(row.get("informal_proof") or ""),
        formal=str(row.get("header") or "") + statement,
        prover="coq" if in_coq else "isabelle",
    )


def with_informal(problems: list[Problem], rows: Iterable[Row]) -> list[Problem]:
    """Formal problems that lack an informal side, with that of the same name where rows have one.

    Args:
        problems: of a formal benchmark.
        rows: with ``name`` or ``problem_name``, ``informal_statement``, ``informal_proof``.
    """
    informal = {str(row.get("problem_name") or row.get("name")): row for row in rows}
    found = []
    for problem in problems:
        row = informal.get(problem.id.rpartition("/")[2], {})
        if not problem.question and row.get("informal_statement"):
            said, proof = str(row["informal_statement"]), str(row.get("informal_proof") or "")
            problem = replace(problem, question=said, solution=proof)
        found.append(problem)
    return found


def _number_theory_or_not(name: str) -> str:
    return "numbertheory" if "numbertheory" in name else "other"


def _same(shots: int) -> dict[str, int]:
    return {"": shots}


_MINIF2F: dict[str, Any] = {
    "shots": {"numbertheory": 7, "other": 6},
    "kind": "proof",
    "group": lambda problem: problem.subject,
}

#: Every published benchmark by the name that the command line uses.
PUBLISHED: dict[str, Published] = {
    "gsm8k": Published(_gsm8k, _same(8), hub="openai/gsm8k:main:test"),
    "math": Published(_math, _same(4), hub="DigitalLearningGmbH/MATH-lighteval:default:test"),
    "math-500": Published(_math, _same(4), hub="HuggingFaceH4/MATH-500::test"),
    "ocw": Published(_ocw, _same(4)),
    "sat": Published(_sat, _same(4)),
    "mmlu-stem": Published(_mmlu, _same(4), hub="TIGER-Lab/MMLU-STEM::test"),
    "cmath": Published(_cmath, _same(6), language="zh", hub="weitianwen/cmath::test"),
    "mgsm-zh": Published(_mgsm_zh, _same(8), language="zh", hub="juletxara/mgsm:zh:test"),
    "gaokao-mathcloze": Published(_cloze, _same(5), language="zh"),
    "gaokao-mathqa": Published(_gaokao_choice, _same(5), language="zh"),
    "gsm8k-python": Published(_gsm8k, _same(8), kind="pot", hub="openai/gsm8k:main:test"),
    "math-python": Published(
        _math, _same(4), kind="pot", hub="DigitalLearningGmbH/MATH-lighteval:default:test"
    ),
    "minif2f-valid": Published(formal_problem, split="valid", **_MINIF2F),
    "minif2f-test": Published(formal_problem, split="test", **_MINIF2F),
}
