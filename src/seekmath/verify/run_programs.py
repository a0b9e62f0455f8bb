"""Recorded programs, executed again in the sandbox (``seekmath run-programs``)."""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from seekmath.core.files import BadInput, read_jsonl, refuse_overwriting, write_jsonl
from seekmath.verify.execution import Execution, Program
from seekmath.verify.grade import grade
from seekmath.verify.python_tool import answer_of, gsm8k_program, math_program
from seekmath.verify.sandbox import Sandbox

Form = Literal["code", "gsm8k", "math"]
_FIELDS = ("program", "code", "completion", "generated")
_AT_ONCE = 64


def run_programs(
    path: Path,
    out: Path,
    sandbox: Sandbox,
    *,
    form: Form = "code",
    value: str = "",
    recorded: str = "",
    gold: str = "",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Run the program of each line of a JSON-lines file; lines come out with what it gave.

    Args:
        path: lines with a field program, code, completion or generated (a text, or a list whose
            first text is taken).
        out: the same lines with status, stdout, value, error and cpu_s.
        sandbox: where they run.
        form: ``code`` is a program as it stands; ``gsm8k`` and ``math`` take a completion apart.
        value: expression that is the answer; the forms have their own.
        recorded: field with the result of an earlier run, null where it failed; compared.
        gold: field with the right answer; each value is graded against it.
        progress: told how many lines are done, of how many.

    Returns:
        Counts: programs, lines without one, each status; and those reproduced and right.

    Raises:
        BadInput: no line has a program, or a field that was named.
    """
    refuse_overwriting(out, path)
    counts: Counter[str] = Counter()
    total, names = 0, set[str]()
    for row in read_jsonl(path):
        total += 1
        names |= row.keys()
    for name in (recorded, gold):
        if name and name not in names:
            raise BadInput(f"{path}: no line has a field {name}; found {', '.join(sorted(names))}")

    def lines() -> Iterator[dict[str, Any]]:
        rows = read_jsonl(path)
        while batch := list(islice(rows, _AT_ONCE)):
            programs = [_program(row, form, value) for row in batch]
            ends = iter(sandbox.run_all([program for program in programs if program]))
            for row, program in zip(batch, programs, strict=True):
                end = next(ends) if program else None
                yield {**row, **_told(row, end, recorded, gold, counts)}
            progress(counts["programs"] + counts["without_program"], total)
        if not counts["programs"]:
            raise BadInput(f"{path}: no line has a program (a field {', '.join(_FIELDS)})")

    write_jsonl(out, lines())
    return dict(counts)


def _program(row: dict[str, Any], form: Form, value: str) -> Program | None:
    found = next((row[name] for name in _FIELDS if name in row), None)
    text = found[0] if isinstance(found, list) and found else found
    if not isinstance(text, str):
        return None
    if form == "code":
        return Program(text, value=value)
    return gsm8k_program(text) if form == "gsm8k" else math_program(text)


def _told(
    row: dict[str, Any], end: Execution | None, recorded: str, gold: str, counts: Counter[str]
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
    if recorded and recorded in row:
        told["reproduced"] = _same(row[recorded], end.value)
        counts["reproduced"] += told["reproduced"]
    if gold and gold in row:
        answer = answer_of(end)
        told["verdict"] = answer is not None and grade(str(row[gold]), answer).verdict
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
