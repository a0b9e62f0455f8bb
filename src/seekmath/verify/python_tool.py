"""Answers through Python (paper, sections 2.3 and 3; its repository's evaluation).

Program of thought: the model writes one program, whose value is the answer. Tool-integrated
reasoning: text and ```python blocks alternate with ```output blocks that the tool writes.

Nothing here runs a program: callers hand in ``run``, such as ``Sandbox.run_all``.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from seekmath.verify.execution import Execution, Program

#: Generation stops here: what follows is for the tool to write.
STOP = "```output"
#: Rounds of generation and execution in the paper's repository.
ROUNDS = 2

_PYTHON_BLOCK = re.compile(r"```python[ \t]*\n(.*?)```", re.DOTALL)
_OUTPUT_BLOCK = re.compile(r"```output[ \t]*\n(.*?)\n?```", re.DOTALL)
_LANGUAGE = re.compile(r"\A[ \t]*(?:python|py)?[ \t]*\n")
_DECIMAL = re.compile(r"-?\d{1,17}\.\d{1,25}")
_KEPT_EACH_SIDE = 50


def gsm8k_program(completion: str) -> Program | None:
    """GSM8K form: the completion defines ``solution()``, in a ```python block or bare."""
    blocks = _PYTHON_BLOCK.findall(completion)
    code = blocks[0] if blocks else completion.split("```")[0]
    return Program(code.strip("\n"), value="solution()") if code.strip() else None


def math_program(completion: str) -> Program | None:
    """MATH form: a block that sets ``answer``, then a block of its imports, which go first.

    Returns None unless the completion holds exactly two fenced blocks.
    """
    parts = completion.split("```")
    if len(parts) != 5:
        return None
    program, imports = (_LANGUAGE.sub("", part) for part in (parts[1], parts[3]))
    return Program(f"{imports}\n\n{program}", value="answer")


def any_program(completion: str) -> Program | None:
    """The program of a completion, whatever its form: GSM8K's, MATH's, or one that prints."""
    defines = "def solution" in completion
    if not defines and completion.count("```") == 4:
        return math_program(completion)
    program = gsm8k_program(completion)
    return program if program is None or defines else Program(program.code)


def result_of(program: Program, execution: Execution) -> str | None:
    """What a program came to, to be graded: its value, or the last line that it printed."""
    if program.value:
        return answer_of(execution)
    lines = execution.stdout.strip().splitlines()
    return lines[-1].strip() if lines else None


def answer_of(execution: Execution) -> str | None:
    """The value of a program as the text to grade; None where it gave none.

    Binary fractions are rounded to 12 digits: 0.1 + 0.2 is meant to be 0.3.
    """
    value = execution.value
    if value is None or not _DECIMAL.fullmatch(value):
        return value
    return format(float(value), ".12g")


@dataclass(frozen=True)
class Turn:
    """What one call of a model gave: its text (with or without ``STOP`` at the end).

    ``ended``: the model closed its answer with its end token; False where that is not known.
    """

    text: str
    ended: bool = False


@dataclass(frozen=True)
class Span:
    """A piece of a transcript; the losses of training leave out what the tool wrote."""

    text: str
    by_tool: bool


@dataclass(frozen=True)
class Transcript:
    """One completion of tool-integrated reasoning: spans in order, and each program's end."""

    spans: tuple[Span, ...] = ()
    executions: tuple[Execution, ...] = field(default=(), compare=False)

    @property
    def text(self) -> str:
        """The whole completion."""
        return "".join(span.text for span in self.spans)

    def program(self) -> Program | None:
        """The program that the last span asks to run, with the earlier blocks before it."""
        if not self.spans or self.spans[-1].by_tool:
            return None
        asked = self.spans[-1].text.rstrip().removesuffix(STOP).rstrip()
        blocks = list(_PYTHON_BLOCK.finditer(asked))
        if not blocks or blocks[-1].end() != len(asked):
            return None
        earlier = "\n".join(span.text for span in self.spans[:-1] if not span.by_tool)
        before = [*_PYTHON_BLOCK.findall(earlier), *(block.group(1) for block in blocks[:-1])]
        return Program(blocks[-1].group(1), before=tuple(before))


Generate = Callable[[list[int], list[str]], list[Turn]]
Run = Callable[[list[Program]], list[Execution]]


def integrate(
    count: int, generate: Generate, run: Run, *, rounds: int = ROUNDS
) -> list[Transcript]:
    """Tool-integrated reasoning for ``count`` completions at once.

    Args:
        count: completions asked for; each is named by its number, 0 to count - 1.
        generate: given the numbers of the completions that go on and the text that each has so
            far (without its prompt), one ``Turn`` for each; it should stop at ``STOP``. A caller
            that needs token ids keeps them by number.
        run: executes programs, in order.
        rounds: how often a model may write; each time it ends in a program, that is run.

    Returns:
        Transcripts by number. The text of a model's span is what it wrote, ``STOP`` included
        where it wrote it; all that the tool added is in spans marked ``by_tool``.
    """
    transcripts = [Transcript() for _ in range(count)]
    going = list(range(count))
    for _ in range(rounds):
        if not going:
            break
        turns = generate(going, [transcripts[number].text for number in going])
        asked: list[tuple[int, Program]] = []
        for number, turn in zip(going, turns, strict=True):
            said = Span(until_stop(turn.text), by_tool=False)
            transcripts[number] = _with_span(transcripts[number], said)
            program = None if turn.ended else transcripts[number].program()
            if program:
                asked.append((number, program))
        for (number, _program), execution in zip(
            asked, run([program for _, program in asked]), strict=True
        ):
            shown = _with_span(transcripts[number], _tool_span(transcripts[number], execution))
            transcripts[number] = replace(shown, executions=(*shown.executions, execution))
        going = [number for number, _ in asked]
    return transcripts


def until_stop(text: str) -> str:
    """The text up to the first STOP; only line ends may follow it."""
    head, stop, rest = text.partition(STOP)
    return head + stop + ("\n" if rest.startswith("\n") else "")


def output_text(execution: Execution) -> str:
    """What the model is shown: the output, or the error, at most 50 characters at each end."""
    shown = execution.stdout.strip()
    if execution.status != "ok":
        return f"Runtime errors: {_cut(execution.error.strip())}"
    return _cut(shown)


def last_output(completion: str) -> str | None:
    """The content of the last ```output block: graded for the accuracy of the program."""
    blocks = _OUTPUT_BLOCK.findall(completion)
    return blocks[-1].strip() if blocks else None


def _with_span(transcript: Transcript, span: Span) -> Transcript:
    return replace(transcript, spans=(*transcript.spans, span))


def _tool_span(transcript: Transcript, execution: Execution) -> Span:
    said = transcript.spans[-1].text
    if not said.rstrip().endswith(STOP):
        head = STOP if said.endswith("\n") else f"\n{STOP}"
    else:
        head = ""
    line_end = "" if head == "" and said.endswith("\n") else "\n"
    return Span(f"{head}{line_end}{output_text(execution)}\n```\n", by_tool=True)


def _cut(text: str) -> str:
    if len(text) <= 2 * _KEPT_EACH_SIDE:
        return text
    return f"{text[:_KEPT_EACH_SIDE]}...{text[-_KEPT_EACH_SIDE:]}"
