"""What a Python program that a model wrote is given, and what came of running it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "error", "timeout", "memory", "output", "crash", "unrun"]


@dataclass(frozen=True)
class Program:
    """Python source, and what to read when it has run.

    Attributes:
        code: the source; what it prints is its output.
        before: earlier blocks of the same session, run first, their outermost ``print`` lines left
            out and what else they print dropped; an error in one ends that block only.
        value: an expression evaluated at the end, such as ``solution()``; none where empty.
    """

    code: str
    before: tuple[str, ...] = ()
    value: str = ""


@dataclass(frozen=True)
class Limits:
    """Bounds of one program.

    The processor time decides; the wall time is generous, so that a busy machine changes no
    result and only a program that waits for something meets it.
    """

    cpu_s: float = 10.0
    wall_s: float = 60.0
    memory_mib: int = 1024
    output_bytes: int = 64 * 1024


@dataclass(frozen=True)
class Execution:
    """The end of one program.

    Attributes:
        status: ``ok``; ``error``: it raised, or ended without a result; ``timeout``; ``memory``;
            ``output``: it wrote more than the limit; ``crash``: killed by a signal of its own
            making; ``unrun``: the sandbox itself failed, which says nothing about the program.
        stdout: what it printed, at most ``Limits.output_bytes``.
        value: ``str`` of the value of ``Program.value``; None unless ok and asked for.
        error: the exception in one line, or why it was stopped; empty if ok.
        cpu_s: processor time of the program, seconds.
        wall_s: time that passed, seconds.
    """

    status: Status
    stdout: str = ""
    value: str | None = None
    error: str = ""
    cpu_s: float = 0.0
    wall_s: float = 0.0


def count_statuses(executions: Iterable[Execution]) -> dict[str, int]:
    """How many programs ended in each way; a timeout is counted, never a silent wrong."""
    return dict(Counter(execution.status for execution in executions).most_common())
