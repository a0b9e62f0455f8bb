"""Single answers of an evaluation, the same problems of every model beside each other."""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from seekmath.core.formulas import with_formulas
from seekmath.core.seeds import digest
from seekmath.report.rollouts import cut_text, visible
from seekmath.report.runs import Row, Stage

_GREEDY = -1
_PROOF = "proof "  # before a prover's verdict among the endings of what was run
_LIGHT = ["problem_id", "benchmark", "k", "extracted", "verdict"]
_WHOLE = [
    *_LIGHT, "question", "completion", "reason", "gold", "stop_reason", "overlap", "tokens",
    "programs",
]  # fmt: skip
_MOST_CHARACTERS = 3000
#: Problems of each benchmark that a page shows.
MOST_PROBLEMS = 12


@dataclass(frozen=True)
class Answer:
    """One model's answer; ``votes`` says how many of its samples were right, where there are any.

    ``model`` and ``verdict`` name CSS classes too: ``place`` is the model's number.
    """

    model: str
    place: int
    text: Markup
    cut: int
    verdict: str
    reason: str
    extracted: Markup | None
    tokens: int | None
    votes: str


@dataclass(frozen=True)
class Shown:
    """A problem with every model's answer; ``formal``: the gold is a statement to be proved."""

    benchmark: str
    place: int
    problem_id: str
    question: Markup
    gold: Markup
    flagged: bool
    formal: bool
    answers: list[Answer]


@dataclass(frozen=True)
class Answers:
    """The answers of one evaluation: what is shown, and of how many problems."""

    benchmarks: list[str]
    models: list[str]
    problems: list[Shown]
    of: int


def read_answers(stage: Stage, most: int = MOST_PROBLEMS) -> Answers | None:
    """At most ``most`` problems of each benchmark, first those on which models differ."""
    files = sorted(stage.folder.glob("samples/*.parquet"))
    light: dict[str, dict[str, list[Row]]] = {}
    for file in files:
        rows = stage.table(f"samples/{file.name}", _LIGHT)
        if rows:
            name = str(rows[0]["benchmark"])
            light.setdefault(name, {})[file.stem.removesuffix(f"-{name}")] = rows
    models = _in_order(stage, {model for found in light.values() for model in found})
    shown: list[Shown] = []
    total = 0
    for place, (name, by_model) in enumerate(light.items()):
        chosen = _chosen(list(by_model.values()), most)
        total += len({row["problem_id"] for rows in by_model.values() for row in rows})
        shown += _problems(stage, name, place, by_model, models, chosen)
    return Answers(list(light), models, shown, total) if shown else None


def _in_order(stage: Stage, found: set[str]) -> list[str]:
    """Models in the order of the settings, then by name."""
    settings = stage.manifest.settings if stage.manifest else {}
    fields = ("models", "served", "recorded")
    named = [str(model) for field in fields for model in settings.get(field, {})]
    return [model for model in named if model in found] + sorted(found - set(named))


def _first(rows: list[Row]) -> dict[str, Row]:
    """The greedy answer of each problem, or else its first sample."""
    found: dict[str, Row] = {}
    for row in rows:
        if row["problem_id"] not in found or row["k"] == _GREEDY:
            found[row["problem_id"]] = row
    return found


def _chosen(several: list[list[Row]], most: int) -> list[str]:
    """Up to half of them problems on which models differ; drawn by their names' digests."""
    verdicts: dict[str, set[Any]] = {}
    for rows in several:
        for name, row in _first(rows).items():
            verdicts.setdefault(name, set()).add(row["verdict"])
    order = sorted(verdicts, key=digest)
    differing = [name for name in order if len(verdicts[name]) > 1][: most // 2]
    rest = [name for name in order if name not in differing]
    return [*differing, *rest[: most - len(differing)]]


def _problems(
    stage: Stage,
    name: str,
    place: int,
    by_model: dict[str, list[Row]],
    models: list[str],
    chosen: list[str],
) -> list[Shown]:
    votes = {model: _votes(rows) for model, rows in by_model.items()}
    whole = {
        model: _first(stage.table(f"samples/{model}-{name}.parquet", _WHOLE, chosen))
        for model in by_model
    }
    found = []
    for problem in chosen:
        rows = [(model, whole[model][problem]) for model in models
                if problem in whole.get(model, {})]  # fmt: skip
        if not rows:
            continue
        one = rows[0][1]
        formal = any(_is_proof(row) for _, row in rows)
        answers = [
            _answer(model, models.index(model), row, votes[model].get(problem, ""))
            for model, row in rows
        ]
        found.append(
            Shown(
                name,
                place,
                visible(problem),
                with_formulas(cut_text(one["question"], _MOST_CHARACTERS)[0]),
                _statement(one["gold"]) if formal else with_formulas(_gold(one["gold"])),
                any(row["overlap"] for _, row in rows),
                formal,
                answers,
            )
        )
    return found


def _gold(gold: Any) -> str:
    """The last line of a worked solution; short golds whole."""
    lines = [line for line in visible(gold).splitlines() if line.strip()] or [""]
    return cut_text(lines[-1], 300)[0]


def _is_proof(row: Row) -> bool:
    return any(ending.startswith(_PROOF) for ending in row["programs"] or ())


def _statement(gold: Any) -> Markup:
    """A formal statement without the words that open or give up its proof."""
    text = re.sub(r"\s*\bProof\.(?:\s*(?:Admitted|Qed)\.)?\s*$|\s*\bsorry\s*$", "", visible(gold))
    return escape(cut_text(text, _MOST_CHARACTERS)[0])


def _votes(rows: list[Row]) -> dict[str, str]:
    right: Counter[str] = Counter()
    count: Counter[str] = Counter()
    for row in rows:
        if row["k"] != _GREEDY:
            count[row["problem_id"]] += 1
            right[row["problem_id"]] += row["verdict"] is True
    return {name: f"{right[name]} of {n} samples right" for name, n in count.items()}


def _answer(model: str, place: int, row: Row, votes: str) -> Answer:
    text, cut = cut_text(row["completion"], _MOST_CHARACTERS)
    extracted = row["extracted"]
    if _is_proof(row) and extracted and extracted.strip() == str(row["completion"]).strip():
        extracted = None  # it stands there already
    limit = ", cut at the limit" if row["stop_reason"] == "length" else ""
    return Answer(
        visible(model),
        place,
        with_formulas(text),
        cut,
        {True: "right", False: "wrong", None: "not-told"}[row["verdict"]],
        cut_text(row["reason"], 200)[0] + limit,
        None if extracted is None else with_formulas(_as_formula(cut_text(extracted, 200)[0])),
        row["tokens"],
        votes,
    )


def _as_formula(extracted: str) -> str:
    return f"${extracted}$" if "\\" in extracted and "$" not in extracted else extracted
