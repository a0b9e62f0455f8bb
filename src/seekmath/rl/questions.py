"""The questions of reinforcement: read once, drawn by number (paper, section 4.2)."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seekmath.core.files import BadInput, read_jsonl
from seekmath.core.seeds import rng
from seekmath.corpus.chat import render_prompt, with_choices, with_instruction
from seekmath.corpus.mixture import mixture_place
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.rl.settings import GrpoSettings


@dataclass(frozen=True)
class Question:
    """A question as the policy reads it, its gold answer and every column of its line.

    ``source`` names the file of problems that it comes from.
    """

    id: str
    text: str
    answer: str
    prompt_ids: list[int]
    columns: dict[str, Any]
    source: str = ""


def read_questions(
    settings: GrpoSettings, tokenizer: Tokenizer, context: int
) -> tuple[list[Question], dict[str, int]]:
    """The questions to train on, and how many lines were dropped for which reason.

    A question that stands in several lines (one for each kind of solution) is taken once. A prompt
    must leave room for ``max_new_tokens`` in ``context``, so that no completion is cut for its
    prompt's length.

    Raises:
        BadInput: a line lacks question or answer, or a file has none that is taken.
    """
    kept: dict[str, Question] = {}
    drops: Counter[str] = Counter()
    for source, path in settings.problems.items():
        before = len(kept)
        _read_file(path, source, settings, tokenizer, context, kept, drops)
        if len(kept) == before:
            raise BadInput(
                f"{path}: no question is left (dropped: {dict(drops)}); long_prompt:"
                f" prompt and max_new_tokens ({settings.max_new_tokens}) must fit in the model's"
                f" context of {context} tokens"
            )
    return list(kept.values()), dict(drops)


def _read_file(
    path: str,
    source: str,
    settings: GrpoSettings,
    tokenizer: Tokenizer,
    context: int,
    kept: dict[str, Question],
    drops: Counter[str],
) -> None:
    for number, row in enumerate(read_jsonl(path), 1):
        if not isinstance(row.get("question"), str) or row.get("answer") is None:
            found = ", ".join(map(str, row)) or "nothing"
            raise BadInput(f"{path}:{number}: needs question (a text) and answer; found {found}")
        reason = _unwanted(row, settings)
        asked = _asked(row, settings)
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
        kept[asked] = Question(name, asked, str(row["answer"]), prompt_ids, row, source)


def _asked(row: dict[str, Any], settings: GrpoSettings) -> str:
    """The question with its choices, and the words that ask for a program where one is wanted."""
    kind = row.get("kind") or settings.kinds_taken[0]
    text = with_choices(row["question"], row.get("choices"))
    return with_instruction(text, kind, row.get("language") or "en")


def _unwanted(row: dict[str, Any], settings: GrpoSettings) -> str:
    if settings.subjects and row.get("subject") not in settings.subjects:
        return "other_subject"
    if row.get("kind") and row["kind"] not in settings.kinds_taken:
        return "other_kind"
    if settings.levels and row.get("level") not in settings.levels:
        return "other_level"
    return ""


def questions_of_step(
    questions: list[Question], count: int, seed: int, step: int, weights: Mapping[str, float] = {}
) -> list[Question]:
    """The questions of step ``step`` (from 0): shuffled anew each epoch, by number alone.

    Args:
        questions: all of them.
        count: questions of a step.
        seed: of the run.
        step: number of the step.
        weights: shares of the files; without, all questions are one pool.
    """
    drawn = []
    for index in range(step * count, (step + 1) * count):
        if weights:
            source, place = mixture_place(index, weights, seed)
            pool = [question for question in questions if question.source == source]
            drawn.append(_drawn(pool, place, seed, "questions", source))
        else:
            drawn.append(_drawn(questions, index, seed, "questions"))
    return drawn


def _drawn(pool: list[Question], index: int, seed: int, *names: str) -> Question:
    epoch, place = divmod(index, len(pool))
    return pool[rng(seed, *names, epoch).permutation(len(pool))[place]]
