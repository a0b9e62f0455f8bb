"""Sample rollouts of GRPO: whole groups with rewards and advantages (section 4.1)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from seekmath.report.numbers import finite
from seekmath.report.runs import Row, Stage

_COLUMNS = [
    "problem_id", "k", "prompt", "completion", "stop_reason", "extracted", "verdict", "reason",
    "gold", "rewards", "advantages", "step_ends",
]  # fmt: skip
_GROUPS = 3
_SHOWN, _FOLDED = 4, 12
MOST_CHARACTERS = 1500
_STEP = re.compile(r"\s*\S[^\n]*(?:\n\s*(?=\S|\Z))?")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_PICTURES = {**{n: chr(0x2400 + n) for n in range(32)}, 0x7F: "\u2421"}


@dataclass(frozen=True)
class Step:
    """A step of a completion with the mean advantage of its tokens; ``tint`` as an output's."""

    text: str
    advantage: float
    tint: float


@dataclass(frozen=True)
class Output:
    """One completion. ``tint`` runs from -1 to 1 with the advantage.

    ``advantages`` are the first and last token's: equal under outcome supervision. ``steps`` are
    there where tokens differ (process supervision, PPO).
    """

    k: int
    text: str
    cut: int
    verdict: str
    reason: str
    extracted: str | None
    rewards: list[float | None]
    advantages: tuple[float, float] | None
    tint: float
    steps: list[Step]


@dataclass(frozen=True)
class Group:
    """A question's outputs: some shown, some ``folded`` away, ``more`` left out.

    ``zero_variance`` says that all of them earned the same.
    """

    problem_id: str
    prompt: str
    cut: int
    gold: str
    outputs: list[Output]
    folded: list[Output]
    more: int
    right: int
    size: int
    zero_variance: bool


@dataclass(frozen=True)
class Kept:
    """Groups of one kept step."""

    step: int
    groups: list[Group]
    of: int


def read_rollouts(stage: Stage) -> list[Kept]:
    """A few groups of the first, middle and last kept step that can be read."""
    files = sorted(stage.folder.glob("rollouts/step-*.parquet"))
    places = sorted({0, len(files) // 2, len(files) - 1}) if files else []
    kept = []
    for file in (files[place] for place in places):
        rows = stage.table(f"rollouts/{file.name}", _COLUMNS)
        groups = list(groups_of(rows))
        if groups:
            step = int("".join(filter(str.isdecimal, file.stem)) or 0)
            kept.append(Kept(step, [_group(rows) for rows in _chosen(groups)], len(groups)))
    return kept


def groups_of(rows: list[Row]) -> Iterator[list[Row]]:
    """Rows of one question follow each other, ``k`` ascending; the same one may come twice."""
    group: list[Row] = []
    for row in rows:
        if group and (row["prompt"] != group[-1]["prompt"] or row["k"] <= group[-1]["k"]):
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def _chosen(groups: list[list[Row]]) -> list[list[Row]]:
    """Groups with a gradient first, and one without where there is one."""
    flat = [group for group in groups if _zero_variance(group)]
    telling = [group for group in groups if not _zero_variance(group)]
    chosen = telling[: _GROUPS - bool(flat)] + flat
    return chosen[:_GROUPS]


def _zero_variance(group: list[Row]) -> bool:
    return all(not value for row in group for value in row["advantages"] or [])


def _group(rows: list[Row]) -> Group:
    largest = max((abs(v) for row in rows for v in _finite(row["advantages"])), default=0.0)
    prompt, cut = cut_text(rows[0]["prompt"])
    shown = _telling(rows)
    folded = [row for row in rows if not any(row is one for one in shown)]
    return Group(
        visible(rows[0]["problem_id"]),
        prompt,
        cut,
        visible(rows[0]["gold"]),
        [_output(row, largest) for row in shown],
        [_output(row, largest) for row in folded[:_FOLDED]],
        len(folded[_FOLDED:]),
        sum(row["verdict"] is True for row in rows),
        len(rows),
        _zero_variance(rows),
    )


def _telling(rows: list[Row]) -> list[Row]:
    """The highest and the lowest advantages of a group, in the order they were sampled."""
    if _zero_variance(rows):
        return rows[: _SHOWN // 2]
    ranked = sorted(rows, key=lambda row: -sum(_ends(row) or (0.0,)))
    chosen = ranked[: _SHOWN // 2] + ranked[_SHOWN // 2 :][-_SHOWN // 2 :]
    return [row for row in rows if any(row is one for one in chosen)]


def _output(row: Row, largest: float) -> Output:
    text, cut = cut_text(row["completion"])
    ends = _ends(row)
    tint = (ends[0] + ends[1]) / 2 / largest if ends and largest else 0.0
    return Output(
        int(row["k"] or 0),
        text,
        cut,
        {True: "right", False: "wrong", None: "not told"}[row["verdict"]],
        visible(row["reason"]) + (", cut at the limit" if row["stop_reason"] == "length" else ""),
        None if row["extracted"] is None else cut_text(row["extracted"], 80)[0],
        [finite(value) for value in row["rewards"] or []],
        ends,
        round(tint, 3),
        [] if cut else _steps(row, largest),
    )


def _steps(row: Row, largest: float) -> list[Step]:
    """The completion by step, where its tokens' advantages differ.

    A step is a line with its line break and blank lines that follow (``corpus/steps.py``); tokens
    are counted, not decoded, so lines that are no steps by that count are shown undivided.
    """
    values, ends = _finite(row["advantages"]), row["step_ends"] or []
    lines = _STEP.findall(str(row["completion"] or ""))
    fits = len(lines) == len(ends) and values and ends == sorted(set(ends))
    if not fits or len(set(values)) < 2 or not largest or ends[-1] >= len(values):
        return []
    means = [
        sum(values[start : end + 1]) / (end + 1 - start)
        for start, end in zip([0, *(end + 1 for end in ends)], ends, strict=False)
    ]
    return [
        Step(visible(line), mean, round(mean / largest, 3))
        for line, mean in zip(lines, means, strict=True)
    ]


def _finite(values: Any) -> list[float]:
    return [value for value in map(finite, values or []) if value is not None]


def _ends(row: Row) -> tuple[float, float] | None:
    values = [finite(value) for value in row["advantages"] or []]
    if not values or values[0] is None or values[-1] is None:
        return None
    return values[0], values[-1]


def cut_text(text: Any, most: int = MOST_CHARACTERS) -> tuple[str, int]:
    """At most ``most`` characters of what a model wrote, and how many are left out."""
    shown = visible(text)
    return shown[:most], max(0, len(shown) - most)


def visible(text: Any) -> str:
    """Text with control and direction characters as signs, so that it cannot disturb the page."""
    return _CONTROLS.sub(lambda match: _PICTURES.get(ord(match[0]), "\ufffd"), str(text or ""))
