"""Recorded programs, executed again in the sandbox (``seekmath run-programs``)."""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from seekmath.core.files import BadInput, read_jsonl, write_jsonl
from seekmath.verify.execution import Execution, Program
from seekmath.verify.grade import grade
from seekmath.verify.python_tool import answer_of, gsm8k_program, math_program
from seekmath.verify.sandbox import Sandbox

Form = Literal["code", "gsm8k", "math"]
_FIELDS = ("program", "code", "completion", "generated")
_AT_ONCE = 64


@dataclass(frozen=True)
class ProgramFile:
    """A file of programs, read through once: ``read_programs`` makes it.

    Attributes:
        path: lines with a field program, code, completion or generated (a text, or a list whose
            first text is taken).
        lines: how many there are.
        form: ``code`` is a program as it stands; ``gsm8k`` and ``math`` take a completion apart.
        value: expression that is the answer; the forms have their own.
        recorded: field with the result of an earlier run, null where it failed; compared.
        gold: field with the right answer; each value is graded against it.
    """

    path: Path
    lines: int
    form: Form
    value: str
    recorded: str
    gold: str


def read_programs(
    path: Path, *, form: Form = "code", value: str = "", recorded: str = "", gold: str = ""
) -> ProgramFile:
    """Look through a file before any sandbox is started; for the arguments see ``ProgramFile``.

    Raises:
        BadInput: no line has a program, or a field that was named.
    """
    total, programs, names = 0, 0, set[str]()
    for row in read_jsonl(path):
        total += 1
        programs += bool(_text(row))
        names |= row.keys()
    if not programs:
        raise BadInput(f"{path}: no line has a program (a field {', '.join(_FIELDS)})")
    for name in (recorded, gold):
        if name and name not in names:
            raise BadInput(f"{path}: no line has a field {name}; found {', '.join(sorted(names))}")
    return ProgramFile(path, total, form, value, recorded, gold)


def run_programs(
    work: ProgramFile,
    out: Path,
    sandbox: Sandbox,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Run the program of each line of a JSON-lines file; lines come out with what it gave.

    Args:
        work: the file.
        out: the same lines with status, stdout, value, error and cpu_s.
        sandbox: where they run.
        progress: told how many lines are done, of how many.

    Returns:
        Counts: programs, lines without one, each status; and those reproduced and right.
    """
    counts: Counter[str] = Counter()

    def lines() -> Iterator[dict[str, Any]]:
        rows = read_jsonl(work.path)
        while batch := list(islice(rows, _AT_ONCE)):
            programs = [_program(row, work) for row in batch]
            ends = iter(sandbox.run_all([program for program in programs if program]))
            for row, program in zip(batch, programs, strict=True):
                end = next(ends) if program else None
                yield {**row, **_told(row, end, work, counts)}
            progress(counts["programs"] + counts["without_program"], work.lines)

    write_jsonl(out, lines())
    return dict(counts)


def _text(row: dict[str, Any]) -> str | None:
    found = next((row[name] for name in _FIELDS if name in row), None)
    text = found[0] if isinstance(found, list) and found else found
    return text if isinstance(text, str) else None


def _program(row: dict[str, Any], work: ProgramFile) -> Program | None:
    text = _text(row)
    if text is None:
        return None
    if work.form == "code":
        return Program(text, value=work.value)
    return gsm8k_program(text) if work.form == "gsm8k" else math_program(text)


def _told(
    row: dict[str, Any], end: Execution | None, work: ProgramFile, counts: Counter[str]
) -> dict[str, Any]:
    """What a line gains, and its share of the counts."""
    if end is None:
        counts["without_program"] += 1
        return {}
    counts["programs"] += 1
    counts[end.status] += 1
    told: dict[str, Any] = {
        "status": end.status,
        "stdout": end.stdout,
        "value": end.value,
        "error": end.error,
        "cpu_s": round(end.cpu_s, 6),
    }
    if work.recorded and work.recorded in row:
        told["reproduced"] = _same(row[work.recorded], end.value)
        counts["reproduced"] += told["reproduced"]
    if work.gold and work.gold in row:
        answer = answer_of(end)
        told["verdict"] = answer is not None and grade(str(row[work.gold]), answer).verdict
        counts["right"] += bool(told["verdict"])
    return told


def _same(recorded: Any, value: str | None) -> bool:
    """Whether a value is the recorded one; numbers may differ by rounding."""
    if recorded is None or value is None:
        return recorded is None and value is None
    try:
        return math.isclose(float(recorded), float(value), rel_tol=1e-9, abs_tol=1e-9)
    except (ValueError, TypeError, OverflowError):
        return str(recorded) == value
