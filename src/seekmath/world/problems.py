"""Families of generated problems with worked solutions, programs and tool-integrated solutions.

The mini counterparts of the paper's benchmarks. Whether a problem belongs to train or test follows
from its structure and numbers, not from its names, so no test problem stands in the training data
under other names.
"""

from collections.abc import Callable
from itertools import count
from random import Random
from typing import Any, Literal

from seekmath.core.seeds import digest, python_random
from seekmath.world.draft import Draft
from seekmath.world.exact import choice_zh as gaokao_choice
from seekmath.world.exact import cloze_zh, equation_choice, mixed_math, quantities, stem_choice
from seekmath.world.stories import story_en, story_zh

Split = Literal["train", "test"]
Kind = Literal["cot", "careful", "pot", "tool"]

#: Family → what draws a problem of it; the mini benchmark of a family is called ``mini-<family>``.
FAMILIES: dict[str, Callable[[Random, bool], Draft]] = {
    "gsm8k": story_en,
    "math": mixed_math,
    "ocw": quantities,
    "sat": equation_choice,
    "mmlu-stem": stem_choice,
    "cmath": story_zh,
    "gaokao-cloze": cloze_zh,
    "gaokao-qa": gaokao_choice,
}
CHINESE = ("cmath", "gaokao-cloze", "gaokao-qa")
_TEST_ONE_IN = 6


def draw(family: str, split: Split, seed: int, *index: int | str, slip: bool = False) -> Draft:
    """The problem of a family named by ``index``, from the wanted split.

    Args:
        family: a key of ``FAMILIES``.
        split: "train" or "test".
        seed: the world's seed.
        index: names this problem among those of its family and split.
        slip: solve it with the family's systematic slip, where the problem has room for one.
    """
    for attempt in count():
        random = python_random(seed, "problem", family, split, *index, attempt)
        draft = FAMILIES[family](random, slip)
        if split_of(family, draft.key) == split:
            return draft
    raise AssertionError("unreachable")


def split_of(family: str, key: str) -> Split:
    """The split that a problem belongs to by its structure and numbers."""
    return "test" if int(digest(family, key), 16) % _TEST_ONE_IN == 0 else "train"


def record(draft: Draft, family: str, identity: str, kind: Kind = "cot") -> dict[str, Any]:
    """The problem record of a draft with one kind of solution; ``answer`` is always the truth.

    "careful" is the chain of thought that training problems have; its kind is "cot" too.
    """
    solution = {
        "cot": draft.solution,
        "careful": draft.careful_solution,
        "pot": draft.program_solution,
        "tool": draft.tool_solution,
    }
    return {
        "id": identity,
        "question": draft.question,
        "answer": draft.answer,
        "solution": solution[kind](),
        "steps": (kind == "careful" and draft.careful) or draft.steps,
        "kind": "cot" if kind == "careful" else kind,
        "language": "zh" if family in CHINESE else "en",
        "level": draft.level,
        "subject": family,
        "choices": draft.choices,
        "source": "world:slip" if draft.slipped else "world",
    }


def benchmark(family: str, size: int, seed: int) -> list[dict[str, Any]]:
    """The first ``size`` test problems of a family, no two with the same structure and numbers."""
    found: dict[str, dict[str, Any]] = {}
    for index in count():
        if len(found) == size or index > 40 * size:
            return list(found.values())
        draft = draw(family, "test", seed, index)
        found.setdefault(draft.key, record(draft, family, f"mini-{family}/{index}"))
    raise AssertionError("unreachable")
