"""Judging a completion: its final answer, its program's value, or its proof."""

from dataclasses import dataclass

from seekmath.evaluate.answer import Reply, Run
from seekmath.evaluate.problem import Problem
from seekmath.verify.grade import grade
from seekmath.verify.prover import Prover
from seekmath.verify.python_tool import any_program, last_output, result_of

#: Before a prover's verdict among the endings of what was run for an answer.
PROOF = "proof "


@dataclass(frozen=True)
class Judged:
    """A verdict (None where it could not be told), what was extracted, and why.

    ``program_right`` is the verdict on the last ```output block, where programs ran in turns with
    text; ``endings`` say how what ran to tell ended: programs, or the check of a proof.
    """

    verdict: bool | None
    extracted: str | None
    reason: str
    program_right: bool | None = None
    endings: tuple[str, ...] = ()


def judge(
    problem: Problem, reply: Reply, mode: str, run: Run | None, prover: Prover | None = None
) -> Judged:
    """Judge one completion.

    Args:
        problem: with its gold answer.
        reply: what came back.
        mode: "cot", "pot", "tool" or "proof".
        run: executes programs (mode "pot").
        prover: checks proofs (mode "proof").
    """
    if reply.text == "" and reply.tokens == 0:
        return Judged(False, None, reply.stop_reason)
    if prover:
        return _by_proof(problem, reply, prover)
    if mode == "pot" and run:
        return _by_program(problem, reply, run)
    judged = grade(problem.answer, reply.text, choices=problem.choices or None)
    if mode != "tool":
        return Judged(judged.verdict, judged.extracted, judged.reason)
    shown = last_output(reply.text)
    by_program = shown is not None and grade(problem.answer, shown).verdict is True
    return Judged(judged.verdict, judged.extracted, judged.reason, program_right=by_program)


def _by_proof(problem: Problem, reply: Reply, prover: Prover) -> Judged:
    """The prover's word; None where it says nothing about the proof."""
    proof = prover.extract(problem.formal, reply.text)
    done = prover.check(problem.formal, proof)
    right = None if done.verdict in ("statement", "unrun") else done.verdict == "proved"
    reason = ": ".join(filter(None, (done.verdict, done.reason)))
    return Judged(right, done.proof or proof or None, reason, endings=(PROOF + done.verdict,))


def _by_program(problem: Problem, reply: Reply, run: Run) -> Judged:
    """Program of thought, in GSM8K's form, MATH's, or as one that prints its answer."""
    program = any_program(reply.text)
    if program is None:
        return Judged(False, None, "no program found")
    execution = run([program])[0]
    if execution.status == "unrun":
        return Judged(None, None, f"the sandbox failed: {execution.error}", endings=("unrun",))
    if execution.status != "ok":
        reason = f"program: {execution.status}: {execution.error}"
        return Judged(False, None, reason, endings=(execution.status,))
    found = result_of(program, execution)
    if not found:
        return Judged(False, None, "the program gave no value", endings=(execution.status,))
    judged = grade(problem.answer, found, choices=problem.choices or None)
    reason = f"program: {judged.reason}"
    return Judged(judged.verdict, judged.extracted, reason, endings=(execution.status,))
