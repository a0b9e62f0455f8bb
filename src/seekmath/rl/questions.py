"""The questions of reinforcement: read once, drawn by number (paper, section 4.2)."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from seekmath.core.files import BadInput, read_jsonl
from seekmath.core.seeds import rng
from seekmath.corpus.chat import render_prompt, with_choices
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.rl.settings import GrpoSettings


@dataclass(frozen=True)
class Question:
    """A question as the policy reads it, its gold answer and every column of its line."""

    id: str
    text: str
    answer: str
    prompt_ids: list[int]
    columns: dict[str, Any]


def read_questions(
    settings: GrpoSettings, tokenizer: Tokenizer, context: int
) -> tuple[list[Question], dict[str, int]]:
    """The questions to train on, and how many lines were dropped for which reason.

    A question that stands in several lines (one for each kind of solution) is taken once. A prompt
    must leave room for ``max_new_tokens`` in ``context``, so that no completion is cut for its
    prompt's length.

    Raises:
        BadInput: a line lacks question or answer, or none is left.
    """
    kept: dict[str, Question] = {}
    drops: Counter[str] = Counter()
    for number, row in enumerate(read_jsonl(settings.problems), 1):
        where = f"{settings.problems}:{number}"
        if not isinstance(row.get("question"), str) or row.get("answer") is None:
            raise BadInput(f"{where}: needs question (a text) and answer")
        reason = _unwanted(row, settings)
        asked = with_choices(row["question"], row.get("choices"))
        if not reason and asked in kept:
            reason = "same_question"
        if not reason:
            prompt_ids = render_prompt(tokenizer, asked)
            if len(prompt_ids) + settings.max_new_tokens > context:
                reason = "long_prompt"
        if reason:
            drops[reason] += 1
            continue
        name = str(row.get("id") or number)
        kept[asked] = Question(name, asked, str(row["answer"]), prompt_ids, row)
    if not kept:
        raise BadInput(
            f"{settings.problems}: no question is left (dropped: {dict(drops)}); long_prompt:"
            f" prompt and max_new_tokens ({settings.max_new_tokens}) must fit in the model's"
            f" context of {context} tokens"
        )
    return list(kept.values()), dict(drops)


def _unwanted(row: dict[str, Any], settings: GrpoSettings) -> str:
    if settings.subjects and row.get("subject") not in settings.subjects:
        return "other_subject"
    if settings.kinds and row.get("kind", settings.kinds[0]) not in settings.kinds:
        return "other_kind"
    if settings.levels and row.get("level") not in settings.levels:
        return "other_level"
    return ""


def questions_of_step(
    questions: list[Question], count: int, seed: int, step: int
) -> list[Question]:
    """The questions of step ``step`` (from 0): shuffled anew each epoch, by number alone."""
    drawn = []
    for index in range(step * count, (step + 1) * count):
        epoch, place = divmod(index, len(questions))
        drawn.append(questions[rng(seed, "questions", epoch).permutation(len(questions))[place]])
    return drawn
