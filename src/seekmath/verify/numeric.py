"""Whether two expressions have one value: exactly, then at seeded points, then to sixty digits."""

import random
from fractions import Fraction

from seekmath.verify.matrices import is_matrix
from seekmath.verify.precise import Precise
from seekmath.verify.tree import Node
from seekmath.verify.value import Floats, NoValue, Point, TooMuchWork, Value, Work, value, variables

_POINTS = 4
# Doubles that differ by more than this are different; closer ones are computed to more digits.
_COARSE = 1e-6
_NEAR_ZERO = 1e-9
_DIGITS = (25, 60)
_AGREED = 1e-40
_SIGNIFICANT = 3
_INFINITY = Node("const", text="inf")
_INFINITIES = (_INFINITY, Node("neg", (_INFINITY,)))


def same_number(left: Node, right: Node, places: int, work: Work) -> bool:
    """Whether two expressions agree everywhere.

    Args:
        left: one expression.
        right: the other.
        places: a decimal with so many places may stand for the number it rounds.
        work: what may be spent.

    Raises:
        NoValue: one of them has no value.
    """
    names = variables(left) | variables(right)
    if not names:
        return _same_constant(left, right, places, work)
    positive, mixed = points(names)
    if not all(_coarsely(_floats(left, p, work), _floats(right, p, work)) for p in positive):
        return False
    # At negative points |x| is not x; where one side is not real there, nothing is said.
    if not all(_agree_where_real(left, right, point, work) for point in mixed):
        return False
    return all(agree(left, right, point, work) for point in positive[:2])


def points(names: set[str]) -> tuple[list[Point], list[Point]]:
    """Seeded points: positive ones, where roots and logarithms are real, and ones of any sign."""
    draw = random.Random(20240203)
    ordered = sorted(names)

    def one(sign: int) -> Point:
        sizes = {n: Fraction(draw.randint(30, 270), 100 + draw.randint(0, 7)) for n in ordered}
        return {n: x * (sign if draw.random() < 0.7 else 1) for n, x in sizes.items()}

    positive = [one(1) for _ in range(_POINTS)]
    return positive, [one(-1) for _ in range(_POINTS - 1)]


def roughly(left: Node, right: Node, work: Work) -> bool:
    """Whether one constant may be an approximation of another: within a twentieth."""
    try:
        a, b = (complex(_floats(node, {}, work)) for node in (left, right))
    except NoValue:
        return False
    return abs(a - b) <= 0.05 * max(abs(a), abs(b))


def has_value(node: Node, work: Work) -> bool:
    """Whether something can be said about an answer: it has no part that cannot be computed."""
    if node.op in ("list", "set", "tuple", "union", "matrix", "rel") or is_matrix(node):
        return all(has_value(part, work) for part in node.operands)
    if node in _INFINITIES:
        return True
    try:
        _floats(node, points(variables(node))[0][0], work)
    except (NoValue, TooMuchWork, RecursionError):
        return False
    return True


def shown_value(node: Node) -> str:
    """The value of an expression without variables, for people; empty where there is none."""
    try:
        found = _floats(node, {}, Work())
    except (NoValue, TooMuchWork, RecursionError):
        return ""
    if isinstance(found, Fraction):
        return str(found) if max(found.numerator, found.denominator) < 10**30 else ""
    number = complex(found)
    return f"{number.real:.10g}" if abs(number.imag) < _NEAR_ZERO else f"{number:.10g}"


def _same_constant(left: Node, right: Node, places: int, work: Work) -> bool:
    a, b = _floats(left, {}, work), _floats(right, {}, work)
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return a == b or rounds(a, b, left, places) or rounds(b, a, right, places)
    if _coarsely(a, b) and agree(left, right, {}, work):
        return True
    x, y = complex(a), complex(b)
    if abs(x.imag) > _NEAR_ZERO or abs(y.imag) > _NEAR_ZERO:
        return False
    return rounds(x.real, y.real, left, places) or rounds(y.real, x.real, right, places)


def rounds(rounded: Fraction | float, exact: Fraction | float, node: Node, places: int) -> bool:
    """Whether a decimal written out to enough places is the other number, rounded."""
    leaf = node.operands[0] if node.op == "neg" else node
    if leaf.op != "num" or not rounded:
        return False
    whole, _, decimals = leaf.text.partition(".")
    if len(decimals) < places or len((whole + decimals).lstrip("0")) < min(places, _SIGNIFICANT):
        return False
    half = Fraction(1, 2 * 10 ** min(len(decimals), 400))
    return abs(Fraction(rounded) - Fraction(exact)) <= half * Fraction(1_000_001, 1_000_000)


def _floats(node: Node, point: Point, work: Work) -> Value:
    """The value in doubles, or to more digits where doubles overflow."""
    try:
        return value(node, point, work, Floats)
    except NoValue:
        return value(node, point, work, Precise(_DIGITS[0]))


def _coarsely(a: Value, b: Value) -> bool:
    if a == b:
        return True
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return False
    a, b = (Floats.of(x) if isinstance(x, Fraction) else x for x in (a, b))
    size = max(abs(a), abs(b))
    return abs(a - b) <= _COARSE * size or size < _NEAR_ZERO


def _agree_where_real(left: Node, right: Node, point: Point, work: Work) -> bool:
    try:
        a, b = _floats(left, point, work), _floats(right, point, work)
    except NoValue:
        return True
    if any(not isinstance(x, Fraction) and abs(x.imag) > _NEAR_ZERO for x in (a, b)):
        return True
    return _coarsely(a, b)


def agree(left: Node, right: Node, point: Point, work: Work) -> bool:
    """Whether two values are one to forty digits, or their difference is rounding alone.

    A difference that is truly zero shrinks with the precision; one that is small stays.
    """
    gaps = []
    for digits in _DIGITS:
        maths = Precise(digits)
        x, y = (value(node, point, work, maths) for node in (left, right))
        if isinstance(x, Fraction) and isinstance(y, Fraction):
            return x == y
        x, y = (maths.of(one) if isinstance(one, Fraction) else one for one in (x, y))
        gaps.append(abs(x - y))
    if gaps[1] <= _AGREED * max(abs(x), abs(y)):
        return True
    return bool(gaps[1] <= gaps[0] * 1e-15)
