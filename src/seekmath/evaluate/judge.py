"""Judging a completion: its final answer, its program's value, or its proof."""

from dataclasses import dataclass

from seekmath.evaluate.answer import Reply, Run
from seekmath.evaluate.problem import Problem
from seekmath.verify.execution import Execution
from seekmath.verify.grade import grade
from seekmath.verify.python_tool import any_program, last_output, result_of


@dataclass(frozen=True)
class Judged:
    """A verdict (None where it could not be told), what was extracted, and why.

    ``program_right`` is the verdict on the last ```output block, where programs ran in turns with
    text; ``executions`` are the programs that ran to tell.
    """

    verdict: bool | None
    extracted: str | None
    reason: str
    program_right: bool | None = None
    executions: tuple[Execution, ...] = ()


def judge(problem: Problem, reply: Reply, mode: str, run: Run | None) -> Judged:
    """Judge one completion.

    Args:
        problem: with its gold answer.
        reply: what came back.
        mode: "cot", "pot", "tool" or "proof".
        run: executes programs (mode "pot").
    """
    if reply.text == "" and reply.tokens == 0:
        return Judged(False, None, reply.stop_reason)
    if mode == "proof":
        return Judged(None, None, "no prover checks this statement here")
    if mode == "pot" and run:
        return _by_program(problem, reply, run)
    judged = grade(problem.answer, reply.text, choices=problem.choices or None)
    if mode != "tool":
        return Judged(judged.verdict, judged.extracted, judged.reason)
    shown = last_output(reply.text)
    by_program = shown is not None and grade(problem.answer, shown).verdict is True
    return Judged(judged.verdict, judged.extracted, judged.reason, program_right=by_program)


def _by_program(problem: Problem, reply: Reply, run: Run) -> Judged:
    """Program of thought, in GSM8K's form, MATH's, or as one that prints its answer."""
    program = any_program(reply.text)
    if program is None:
        return Judged(False, None, "no program found")
    execution = run([program])[0]
    if execution.status == "unrun":
        return Judged(None, None, f"the sandbox failed: {execution.error}", executions=(execution,))
    if execution.status != "ok":
        reason = f"program: {execution.status}: {execution.error}"
        return Judged(False, None, reason, executions=(execution,))
    found = result_of(program, execution)
    if not found:
        return Judged(False, None, "the program gave no value", executions=(execution,))
    judged = grade(problem.answer, found, choices=problem.choices or None)
    reason = f"program: {judged.reason}"
    return Judged(judged.verdict, judged.extracted, reason, executions=(execution,))
