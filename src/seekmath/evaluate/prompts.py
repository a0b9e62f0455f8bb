r"""Prompts (paper, section 4.1 and its repository): zero-shot for chat, few-shot for base models.

Chat models are asked zero-shot, in the paper's words or in the model's own template; a base model
gets worked examples first, drawn once per benchmark from a train split or read from a file.
"""

import os
import re
from dataclasses import dataclass
from functools import lru_cache

from seekmath.core.files import BadInput, read_jsonl
from seekmath.core.seeds import python_random
from seekmath.corpus.chat import SHOT_BREAK, prompt_text, with_instruction
from seekmath.corpus.template import ChatTemplate
from seekmath.evaluate.problem import Benchmark, Problem, Row, needed, own_problems
from seekmath.evaluate.published import PUBLISHED, formal_problem
from seekmath.evaluate.settings import EvaluateSettings
from seekmath.verify.prover import proof_prompt

#: The paper's instructions to chat models, by mode and language.
PAPER_INSTRUCTIONS = {
    ("cot", "en"): "Please reason step by step, and put your final answer within \\boxed{}.",
    ("cot", "zh"): "请通过逐步推理来解答问题，并把最终答案放置于\\boxed{}中。",
    ("tool", "en"): "Please integrate natural language reasoning with programs to solve the"
    " problem above, and put your final answer within \\boxed{}.",
    ("tool", "zh"): "请结合自然语言和Python程序语言来解答问题，并把最终答案放置于\\boxed{}中。",
}
_LABELS = {"en": ("Question: ", "Answer: "), "zh": ("问题：", "答案：")}
_CALCULATOR = re.compile(r"<<[^<>\n]{0,200}>>")


@dataclass(frozen=True)
class Shot:
    """A worked example: the question with its choices, and its solution."""

    question: str
    solution: str


#: Worked examples by the problem's group: one group, "", but for miniF2F.
Shots = dict[str, list[Shot]]


@dataclass(frozen=True)
class Prompt:
    """What a model is asked.

    Attributes:
        text: for models that continue a text.
        message: the user's message, for servers that apply a template themselves.
        stops: texts that end the completion.
        special: the text spells special tokens (a model's own template does).
    """

    text: str
    message: str
    stops: tuple[str, ...] = ()
    special: bool = False


class Prompter:
    """Makes the prompts of one model on one benchmark."""

    def __init__(
        self,
        benchmark: Benchmark,
        settings: EvaluateSettings,
        shots: Shots,
        template: ChatTemplate | None = None,
    ) -> None:
        self._benchmark, self._settings = benchmark, settings
        self._shots, self._template = shots, template

    def prompt(self, problem: Problem) -> Prompt:
        """The prompt of one problem."""
        if self._shots:
            return self._few_shot(problem)
        message = self._message(problem)
        stops = tuple(self._settings.stop)
        if self._template:
            return Prompt(self._template.text(message), message, stops, special=True)
        return Prompt(prompt_text(message), message, stops)

    def _message(self, problem: Problem) -> str:
        asked = proof_request(problem) if self._benchmark.kind == "proof" else problem.asked
        mode = mode_of(self._benchmark, self._settings.mode)
        wanted = self._settings.instruction
        if wanted == "auto":
            wanted = "paper" if self._benchmark.published else "own"
        if wanted == "none" or mode == "proof":
            return asked
        if wanted == "paper" and (mode, problem.language) in PAPER_INSTRUCTIONS:
            return f"{asked}\n{PAPER_INSTRUCTIONS[mode, problem.language]}"
        if wanted in ("paper", "own"):
            return with_instruction(asked, mode, problem.language)
        return f"{asked}\n{wanted}"

    def _few_shot(self, problem: Problem) -> Prompt:
        spec = PUBLISHED.get(self._benchmark.published)
        shots = self._shots[spec.group(problem) if spec else ""]
        asked = proof_request(problem) if self._benchmark.kind == "proof" else problem.asked
        before, after = ("", "") if not spec or spec.kind == "proof" else _LABELS[problem.language]
        parts = [f"{before}{shot.question}\n{after}{shot.solution}" for shot in shots]
        text = SHOT_BREAK.join([*parts, f"{before}{asked}\n{after}".rstrip(" ")])
        next_one = "Informal:" if self._benchmark.kind == "proof" else before.strip()
        stops = (SHOT_BREAK, *((f"\n\n{next_one}",) if next_one else ()), *self._settings.stop)
        return Prompt(text, text, stops)


def mode_of(benchmark: Benchmark, mode: str) -> str:
    """How a benchmark is answered: as it says itself, else as the settings say."""
    return benchmark.kind if benchmark.kind != "cot" else mode


def proof_request(problem: Problem) -> str:
    """Informal statement and proof, then the formal statement that the model is to prove."""
    return proof_prompt(problem.question, problem.solution, problem.answer).rstrip("\n")


def cut_at(text: str, stops: tuple[str, ...]) -> str:
    """The text before the first of the stops; a base model goes on with a problem of its own."""
    ends = [place for stop in stops if (place := text.find(stop)) >= 0]
    return text[: min(ends)] if ends else text


def draw_shots(settings: EvaluateSettings, benchmark: Benchmark, seed: int) -> Shots:
    """Worked examples for one benchmark: of its subject where the file has enough of them.

    A file with exactly the wanted number is taken as it stands.

    Raises:
        BadInput: no file was named, or it has too few examples.
    """
    sources = settings.shots_from
    path = sources.get(benchmark.name) or (
        next(iter(sources.values())) if len(sources) == 1 else ""
    )
    if not path:
        raise BadInput(
            f"--shots-from: needed for the worked examples of '{benchmark.name}':"
            " JSON lines with question and solution"
        )
    mode = mode_of(benchmark, settings.mode)
    rows = [(where, row) for where, row in _rows(path) if row.get("kind", mode) == mode]
    return {
        group: _draw(rows, benchmark, group, count, path, seed)
        for group, count in shots_wanted(settings, benchmark).items()
    }


def shots_wanted(settings: EvaluateSettings, benchmark: Benchmark) -> dict[str, int]:
    """How many worked examples by the problem's group: the settings' number, or the paper's."""
    spec = PUBLISHED.get(benchmark.published)
    if settings.shots:
        return dict.fromkeys(spec.shots if spec else [""], settings.shots)
    if spec is None:
        raise BadInput(f"--shots: needed for '{benchmark.name}', which is no published benchmark")
    return spec.shots


Placed = tuple[str, Row]  # file:line, and what stands there


def _rows(path: str) -> tuple[Placed, ...]:
    """The lines of a file, which is read once for all benchmarks."""
    try:
        status = os.stat(path)
    except OSError:
        raise BadInput(f"--shots-from: {path}: no such file") from None
    return _rows_as_of(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=4)
def _rows_as_of(path: str, time_ns: int, size: int) -> tuple[Placed, ...]:
    return tuple((f"{path}:{number}", row) for number, row in enumerate(read_jsonl(path), 1))


def _draw(
    rows: list[Placed], benchmark: Benchmark, group: str, count: int, path: str, seed: int
) -> list[Shot]:
    spec = PUBLISHED.get(benchmark.published)
    if group and spec:
        rows = [
            (where, row) for where, row in rows if spec.group(spec.convert(row, where)) == group
        ]
    elif not spec:
        subject = benchmark.problems[0].subject
        alike = [(where, row) for where, row in rows if subject and row.get("subject") == subject]
        rows = alike if len(alike) >= count else rows
    if len(rows) < count:
        name = f" of '{group}'" if group else ""
        raise BadInput(
            f"--shots-from: {path}: {count} are needed for '{benchmark.name}' (--shots), but it has"
            f" {len(rows)} worked problems{name}"
        )
    random = python_random(seed, "shots", benchmark.name, *([group] if group else []))
    chosen = rows if len(rows) == count else random.sample(rows, count)
    return [_worked_example(row, benchmark, where) for where, row in chosen]


def _worked_example(row: Row, benchmark: Benchmark, where: str) -> Shot:
    spec = PUBLISHED.get(benchmark.published)
    if benchmark.kind == "proof":
        problem = formal_problem(row, where)
        return Shot(proof_request(problem), needed(row, "formal_proof", where))
    if row.get("question") and row.get("solution"):
        own = own_problems([row], where, "question", "solution")[0]
        return Shot(own.asked, _CALCULATOR.sub("", own.solution))
    if spec and spec.kind == "cot":
        problem = spec.convert(row, where)
        if problem.solution:
            return Shot(problem.asked, problem.solution)
    raise BadInput(f"{where}: needs question and solution; found {', '.join(row)}")
