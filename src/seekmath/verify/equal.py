r"""Whether two answers are equal: exact arithmetic first, then numbers at seeded points.

The relation is symmetric, never executes anything, and takes bounded time for any input.
"""

import random
import re
from dataclasses import dataclass
from fractions import Fraction

from seekmath.verify.clean import clean, words
from seekmath.verify.latex import MAX_CHARACTERS, Node, Unreadable, parse
from seekmath.verify.value import NoValue, Value, value, variables

_WHOLE = re.compile(r"-?\d{1,300}")
_POINTS = 4
_CLOSE = 1e-8
# A decimal with so many places may stand for the number it rounds.
_ROUNDED_PLACES = 3


@dataclass(frozen=True)
class Verdict:
    """Right, wrong, or None where the gold answer cannot be read; and why."""

    right: bool | None
    reason: str


def equal(gold: str, answer: str) -> Verdict:
    """Compare an answer with the gold answer.

    Args:
        gold: the right answer, LaTeX or plain.
        answer: the answer to judge.
    """
    gold, answer = gold.strip(), answer.strip()
    if not gold:
        return Verdict(None, "the gold answer is empty")
    if max(len(gold), len(answer)) > MAX_CHARACTERS:
        return Verdict(False, f"longer than {MAX_CHARACTERS} characters")
    if _WHOLE.fullmatch(gold) and _WHOLE.fullmatch(answer):
        same = int(gold) == int(answer)
        return Verdict(same, f"whole numbers {'equal' if same else 'differ'}")
    left, right = clean(gold), clean(answer)
    if left.text and left.text == right.text and left.percent == right.percent:
        return Verdict(True, "same text")
    if words(gold) and words(gold) == words(answer):
        return Verdict(True, "same words")
    try:
        left_node = parse(left.text)
    except Unreadable:
        return Verdict(False, "the gold answer is text, and the answer is another")
    try:
        right_node = parse(right.text)
    except Unreadable as error:
        return Verdict(False, f"the answer is not an expression ({error})")
    if left.percent != right.percent:
        return _with_percent(left_node, right_node, left.percent)
    same = _same(left_node, right_node)
    return Verdict(same, "equal in value" if same else "different in value")


def _with_percent(left: Node, right: Node, left_has_it: bool) -> Verdict:
    """50% is 50 with its unit, or one half; 50 is never one half."""
    if _same(left, right):
        return Verdict(True, "equal but for the percent sign")
    hundred = Node("num", number=Fraction(100))
    left, right = (
        (Node("/", (left, hundred)), right) if left_has_it else (left, Node("/", (right, hundred)))
    )
    same = _same(left, right)
    return Verdict(same, "equal as percent" if same else "different in value")


def _same(left: Node, right: Node) -> bool:
    left, right = _assigned(left, right)
    kinds = {left.op, right.op}
    if kinds & {"tuple", "matrix", "list", "set", "union", "=", "rel"}:
        return _same_compound(left, right)
    try:
        return _same_number(left, right)
    except NoValue:
        return left == right


def _assigned(left: Node, right: Node) -> tuple[Node, Node]:
    """``x = 5`` and ``x \\in {5}`` beside ``5``: a name on one side only says what is meant."""

    def bare(node: Node) -> Node:
        named = node.op == "=" or (node.op == "rel" and node.text == "in")
        if named and node.operands[0].op in ("var", "fn"):
            return node.operands[1]
        # f(x) = …, read as a product of f and x
        if node.op == "=" and node.operands[0].op == "*" and _is_call(node.operands[0]):
            return node.operands[1]
        return node

    if (left.op == "=") != (right.op == "=") or (left.op == "rel") != (right.op == "rel"):
        return bare(left), bare(right)
    return left, right


def _is_call(node: Node) -> bool:
    return all(part.op == "var" for part in node.operands)


def _same_compound(left: Node, right: Node) -> bool:
    if {left.op, right.op} <= {"list", "set"}:
        return _same_sets(left.operands, right.operands)
    if left.op != right.op:
        return False
    if left.op in ("tuple", "matrix"):
        pairs = zip(left.operands, right.operands, strict=False)
        alike = left.text == right.text or (left.op == "tuple" and len(left.operands) > 2)
        return alike and len(left.operands) == len(right.operands) and all(_same(*p) for p in pairs)
    if left.op == "union":
        return _same_sets(left.operands, right.operands)
    if left.op == "=":
        return _same_equation(left, right)
    return _same_relation(left, right)


def _same_sets(left: tuple[Node, ...], right: tuple[Node, ...]) -> bool:
    if len(left) != len(right) or len(left) > 50:
        return False
    rest = list(right)
    for node in left:
        match = next((other for other in rest if _same(node, other)), None)
        if match is None:
            return False
        rest.remove(match)
    return True


def _same_equation(left: Node, right: Node) -> bool:
    """Two equations are equal when the differences of their sides are proportional."""
    first, second = (Node("-", node.operands) for node in (left, right))
    ratios = []
    try:
        for point in _points(variables(first) | variables(second)):
            a, b = complex(value(first, point)), complex(value(second, point))
            if abs(a) < 1e-12 or abs(b) < 1e-12:
                return False
            ratios.append(a / b)
    except NoValue:
        return left == right
    return all(abs(ratio - ratios[0]) <= _CLOSE * abs(ratios[0]) for ratio in ratios)


def _same_relation(left: Node, right: Node) -> bool:
    turned = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
    if left.text == right.text:
        a, b = right.operands
    elif turned.get(left.text) == right.text:
        b, a = right.operands
    else:
        return False
    return _same(left.operands[0], a) and _same(left.operands[1], b)


def _points(names: set[str]) -> list[dict[str, complex]]:
    """Seeded points, away from zero and one; positive, so that roots and logarithms are real."""
    draw = random.Random(20240203)
    return [
        {name: complex(draw.uniform(0.3, 2.7)) for name in sorted(names)} for _ in range(_POINTS)
    ]


def _same_number(left: Node, right: Node) -> bool:
    names = variables(left) | variables(right)
    if variables(left) != variables(right) and not (variables(left) and variables(right)):
        return False
    for point in _points(names) if names else [{}]:
        a, b = value(left, point), value(right, point)
        if not _close(a, b, left, right):
            return False
    return True


def _close(a: Value, b: Value, left: Node, right: Node) -> bool:
    if a == b:
        return True
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return _rounds(a, b, left) or _rounds(b, a, right)
    x, y = complex(a), complex(b)
    if abs(x - y) <= _CLOSE * max(abs(x), abs(y), 1e-300):
        return True
    if abs(x.imag) > 1e-9 or abs(y.imag) > 1e-9:
        return False
    return _rounds(x.real, y.real, left) or _rounds(y.real, x.real, right)


def _rounds(rounded: Fraction | float, exact: Fraction | float, node: Node) -> bool:
    """Whether a decimal written out to three places or more is the other number, rounded."""
    leaf = node.operands[0] if node.op == "neg" else node
    places = len(leaf.text.partition(".")[2]) if leaf.op == "num" else 0
    return (
        places >= _ROUNDED_PLACES and abs(float(rounded) - float(exact)) <= 0.5000001 * 10**-places
    )
