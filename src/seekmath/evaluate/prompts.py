"""Prompts (paper, section 4.1 and its repository): chat without examples, few-shot for base models.

Chat models are asked zero-shot; a base model gets worked examples of the benchmark's own subject
first, drawn once per benchmark from a train split.
"""

from collections.abc import Iterator
from typing import Any

from seekmath.core.files import BadInput, read_jsonl
from seekmath.core.seeds import python_random
from seekmath.corpus.chat import (
    SHOT_BREAK,
    prompt_text,
    render_few_shot,
    render_prompt,
    with_choices,
)
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.evaluate.benchmarks import Problem
from seekmath.evaluate.settings import EvaluateSettings

Shots = list[tuple[str, str]]  # question with its choices, worked solution


def draw_shots(settings: EvaluateSettings, benchmark: str, subject: str, seed: int) -> Shots:
    """Worked examples for one benchmark: of its subject where the file has enough of them.

    Raises:
        BadInput: no file was named, or it has too few examples.
    """
    if not settings.shots_from:
        raise BadInput("shots_from: needed with shots: JSON lines with question and solution")
    rows = list(_worked(settings.shots_from))
    alike = [row for row in rows if subject and row.get("subject") == subject]
    if len(alike) >= settings.shots:
        rows = alike
    if len(rows) < settings.shots:
        raise BadInput(
            f"{settings.shots_from}: shots={settings.shots}, but it has {len(rows)} worked problems"
        )
    chosen = python_random(seed, "shots", benchmark).sample(rows, settings.shots)
    return [(with_choices(row["question"], row.get("choices")), row["solution"]) for row in chosen]


def _worked(path: str) -> Iterator[dict[str, Any]]:
    """Problems with a solution in words; programs are no examples for a chain of thought."""
    for number, row in enumerate(read_jsonl(path), 1):
        if row.get("kind", "cot") != "cot":
            continue
        if not row.get("question") or not row.get("solution"):
            raise BadInput(f"{path}:{number}: needs question and solution; found {', '.join(row)}")
        yield row


def prompt_ids(tokenizer: Tokenizer, problem: Problem, shots: Shots) -> list[int]:
    """What the model is fed."""
    if shots:
        return render_few_shot(tokenizer, problem.asked, shots)
    return render_prompt(tokenizer, problem.asked)


def shown_prompt(problem: Problem, shots: Shots) -> str:
    """The prompt as text, worked examples left to their number."""
    if shots:
        return f"[{len(shots)} worked examples]{SHOT_BREAK}{problem.asked}\n"
    return prompt_text(problem.asked)


def judged_part(text: str, shots: Shots) -> str:
    """The part of a completion that answers: a base model goes on with a problem of its own."""
    return text.split(SHOT_BREAK)[0] if shots else text
