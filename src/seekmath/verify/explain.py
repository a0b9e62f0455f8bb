"""A verdict with everything it rests on, for people to check (``seekmath grade GOLD ANSWER``)."""

from dataclasses import dataclass

from seekmath.verify.clean import clean
from seekmath.verify.compare import Rules
from seekmath.verify.equal import DEFAULT
from seekmath.verify.grade import Grade, gold_of, grade
from seekmath.verify.latex import parse
from seekmath.verify.lexer import Unreadable
from seekmath.verify.numeric import shown_value
from seekmath.verify.tree import Node

_LONGEST = 300


@dataclass(frozen=True)
class Explanation:
    """A grade, and how each of the two answers was read."""

    grade: Grade
    gold: str
    answer: str


def explain(
    gold: str,
    prediction: str,
    *,
    choices: list[str] | None = None,
    strict: bool = False,
    rules: Rules = DEFAULT,
) -> Explanation:
    """Grade an answer, and say how both sides were read; arguments as those of ``grade``."""
    judged = grade(gold, prediction, choices=choices, strict=strict, rules=rules)
    taken = gold_of(gold, choices)
    sides = (taken, judged.extracted)
    if choices:
        return Explanation(judged, *(side or "nothing" for side in sides))
    return Explanation(judged, *(reading(side) if side else "nothing" for side in sides))


def reading(answer: str) -> str:
    """How an answer is read: its tree, its unit and its value."""
    cleaned = clean(answer[:20_000])
    try:
        node = parse(cleaned.text)
    except (Unreadable, RecursionError) as error:
        return f"{_short(answer)} → text ({error})"
    parts = [_short(answer), _short(shown(node))]
    value = shown_value(node)
    if value and value != parts[-1]:
        parts.append(_short(value))
    unit = f" in {cleaned.unit.name}" if cleaned.unit else ""
    return " → ".join(dict.fromkeys(parts)) + unit + (" percent" if cleaned.percent else "")


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)} characters)"


def shown(node: Node) -> str:
    """A tree in plain notation, every operation in brackets of its own."""
    inner = [shown(part) for part in node.operands]
    if node.op == "num":
        return node.text or str(node.number)
    if node.op in ("var", "const"):
        return node.text.removeprefix("word:")
    if node.op in ("+", "*", "/", "^"):
        return "(" + f" {node.op} ".join(inner) + ")"
    if node.op == "neg":
        return f"-{inner[0]}"
    if node.op == "rel":
        signs = node.text.split()
        return inner[0] + "".join(f" {s} {p}" for s, p in zip(signs, inner[1:], strict=True))
    if node.op == "tuple":
        return node.text[:1] + ", ".join(inner) + node.text[-1:]
    name = node.text if node.op == "fn" else node.op
    return f"{name}({', '.join(inner)})"
