"""Grading: extract the answer of a solution and compare it with the gold answer."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seekmath.core.files import (
    BadInput,
    read_jsonl,
    refuse_overwriting,
    text_of,
    texts_of,
    write_jsonl,
)
from seekmath.verify.choices import letters_of
from seekmath.verify.clean import clean
from seekmath.verify.compare import Rules
from seekmath.verify.equal import DEFAULT, equal
from seekmath.verify.extract import all_boxed, extract_answer
from seekmath.verify.hedges import hedged
from seekmath.verify.prose import candidates, is_formula
from seekmath.verify.writings import without_colour

_CALCULATOR = re.compile(r"<<[^<>\n]{0,200}>>")  # GSM8K's annotations
_MOST_READ = 100_000


@dataclass(frozen=True)
class Grade:
    """A verdict (None where the gold answer cannot be read), what was extracted, and why."""

    verdict: bool | None
    extracted: str | None
    reason: str


def grade(
    gold: str,
    prediction: str,
    *,
    choices: list[str] | None = None,
    strict: bool = False,
    rules: Rules = DEFAULT,
) -> Grade:
    """Judge a full solution or a bare answer.

    Args:
        gold: the right answer, or a worked solution that ends with it.
        prediction: what is judged.
        choices: texts of the choices; then answers are letters.
        strict: as a reward: several different boxed answers, or a list of alternatives, are wrong.
        rules: how an answer may differ from the gold answer.
    """
    gold_answer = gold_of(gold, choices)
    if gold_answer is None:
        return Grade(None, None, "the gold text holds no answer")
    # The end of an output says what it means; megabytes before it are not read.
    said = without_colour(_CALCULATOR.sub("", prediction[-_MOST_READ:]))
    found = extract_answer(said, choices)
    if found.answer is None:
        return Grade(False, None, "no answer found")
    if strict and (hedge := hedged(said, found.answer)):
        return Grade(False, found.answer, f"hedged: {hedge}")
    if choices:
        same = found.answer == gold_answer
        return Grade(same, found.answer, f"letter {'equal' if same else 'differs'} ({found.how})")
    verdict = equal(gold_answer, found.answer, rules)
    return Grade(verdict.right, found.answer, f"{verdict.reason} ({found.how})")


def gold_of(gold: str, choices: list[str] | None = None) -> str | None:
    """The bare gold answer; a gold text may be a worked solution."""
    gold = without_colour(_CALCULATOR.sub("", gold)).strip()
    if choices and len(gold) <= 40:
        return letters_of(gold, choices) or None
    if choices or "\\boxed" in gold or "####" in gold:
        # A gold text is trusted: a box that stays open ends with the text.
        unclosed = "\\boxed{" in gold and not all_boxed(gold)
        return gold.rpartition("\\boxed{")[2] if unclosed else extract_answer(gold, choices).answer
    # "12 apples" is 12; a sentence is a worked solution; other words are the answer itself.
    worked = "\n" in gold or len(gold) > 120 or len(candidates(gold)) == 1
    # 5米 keeps its unit; a line that begins with words does not end in one.
    measured = bool(re.match(r"[-\d\\]", gold)) and "\n" not in gold and len(gold) <= 60
    measured = measured and clean(gold).unit is not None
    if worked and not measured and not is_formula(gold):
        return extract_answer(gold).answer
    return " ".join(line.strip() for line in gold.splitlines()) or None


def grade_pairs(pairs: Path, out: Path, *, strict: bool = False) -> dict[str, Any]:
    """Grade a file of recorded answers (``seekmath grade``).

    Each line has ``gold`` and ``prediction`` (``choices`` where there are any). A line with
    ``ground_truth`` and several ``{model: {"solution": …}}`` is graded once for each model, the
    form in which the example solutions of GSM8K are published.

    Returns:
        Counts: pairs, right, wrong, unreadable gold; and right answers by model where named.
    """
    refuse_overwriting(out, pairs)
    counts = {"pairs": 0, "right": 0, "wrong": 0, "unreadable": 0}
    by_model: dict[str, int] = {}

    def graded() -> Iterator[dict[str, Any]]:
        for number, row in enumerate(read_jsonl(pairs), 1):
            for line in _pairs_of(row, f"{pairs}:{number}"):
                judged = grade(
                    line["gold"], line["prediction"], choices=line.get("choices"), strict=strict
                )
                counts["pairs"] += 1
                key = {True: "right", False: "wrong", None: "unreadable"}[judged.verdict]
                counts[key] += 1
                if "model" in line:
                    name = str(line["model"])
                    by_model[name] = by_model.get(name, 0) + bool(judged.verdict)
                yield {
                    **line,
                    "verdict": judged.verdict,
                    "extracted": judged.extracted,
                    "reason": judged.reason,
                }

    write_jsonl(out, graded())
    return {**counts, **({"right_by_model": by_model} if by_model else {})}


def _pairs_of(row: dict[str, Any], where: str) -> list[dict[str, Any]]:
    if "gold" in row and "prediction" in row:
        texts = {name: text_of(row[name], f"{where}: {name}") for name in ("gold", "prediction")}
        texts_of(row.get("choices"), f"{where}: choices")
        return [{**row, **texts}]
    answers = {k: v for k, v in row.items() if isinstance(v, dict) and "solution" in v}
    if "ground_truth" in row and answers:
        rest = {k: v for k, v in row.items() if k not in answers and k != "ground_truth"}
        return [
            {
                **rest,
                "model": model,
                "gold": text_of(row["ground_truth"], f"{where}: ground_truth"),
                "prediction": text_of(answer["solution"], f"{where}: {model}: solution"),
                "recorded": answer.get("is_correct"),
            }
            for model, answer in answers.items()
        ]
    found = ", ".join(row)
    raise BadInput(f"{where}: needs the fields gold and prediction; found {found}")
