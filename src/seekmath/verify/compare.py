"""Whether two parsed answers are the same.

Scalars exactly, then at seeded points; tuples, sets, intervals, relations, matrices part by part.
"""

import random
from fractions import Fraction

from seekmath.verify.latex import Node
from seekmath.verify.matrices import as_matrix, is_matrix
from seekmath.verify.value import NoValue, Value, value, variables

_POINTS = 4
_CLOSE = 1e-8
# A decimal with so many places may stand for the number it rounds.
_ROUNDED_PLACES = 3
# Unordered comparison is quadratic where parts have no exact value.
_MOST_PARTS = 60
_TURNED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "!=": "!="}
_INFINITY = Node("const", text="inf")


def same(left: Node, right: Node) -> bool:
    """Whether two answers mean the same; symmetric."""
    left, right = _said(_settled(left), _settled(right))
    kinds = {left.op, right.op}
    if "rel" in kinds:
        return _same_relations(left, right)
    if kinds & {"list", "set", "union", "tuple"}:
        return _same_compound(left, right)
    if is_matrix(left) or is_matrix(right):
        return _same_matrices(left, right)
    if "base" in kinds and left.op != right.op:
        # The question says which base; the digits are the answer.
        digits = [n.operands[0].number if n.op == "base" else n.number for n in (left, right)]
        return kinds == {"base", "num"} and digits[0] == digits[1]
    try:
        return _same_number(left, right)
    except NoValue:
        return left == right


def _settled(node: Node) -> Node:
    """A chain without its detours: x = 1/3 ≈ 0.3 is x = 1/3; 2 + 3 = 5 is 5; x ≈ 3 is x = 3."""
    if node.op == "set" and len(node.operands) == 1 and node.operands[0].op == "rel":
        node = node.operands[0]
    if node.op != "rel":
        return node
    parts, relations = node.operands, node.text.split()
    if relations[0] == "in" and len(relations) == 1 and _is_name(parts[0]):
        return parts[1]
    if "~" in relations:
        cut = relations.index("~")
        if cut == 0:
            return Node("rel", parts[:2], text="=") if _is_name(parts[0]) else parts[0]
        parts, relations = parts[: cut + 1], relations[:cut]
    if set(relations) == {"="} and len(parts) > 2:
        named = [part for part in parts if _is_name(part)]
        relations = ["="]
        parts = (named[-1] if named else parts[0], parts[-1])
    if relations == ["="] and not variables(parts[0]) and not variables(parts[1]):
        return parts[1]
    if relations == ["="] and _is_name(parts[1]) and not _is_name(parts[0]):
        parts = (parts[1], parts[0])
    return Node("rel", parts, text=" ".join(relations))


def _is_name(node: Node) -> bool:
    """What may stand before ``=`` as a label: x, f(x), AB, NO/BO, S:T, (p, q), |AB|, sin A."""
    if node.op == "const":
        return node.text in ("e", "i")
    if node.op in ("var", "fn"):
        return bool(variables(node))
    if node.op in ("*", "/", "tuple", "abs", "rel"):
        return all(_is_name(part) for part in node.operands)
    return node.op == "^" and node.operands[0].op == "var" and node.operands[0].text == "\\angle"


def _said(left: Node, right: Node) -> tuple[Node, Node]:
    """``x = 5`` beside ``5``: a name on one side only says what is meant."""
    if _is_assignment(left) and not _has_relation(right):
        return left.operands[1], right
    if _is_assignment(right) and not _has_relation(left):
        return left, right.operands[1]
    return left, right


def _is_assignment(node: Node) -> bool:
    return node.op == "rel" and node.text == "=" and _is_name(node.operands[0])


def _has_relation(node: Node) -> bool:
    if node.op == "rel":
        return True
    return node.op in ("list", "set", "tuple") and any(p.op == "rel" for p in node.operands)


def _same_relations(left: Node, right: Node) -> bool:
    if left.op != right.op:
        # x = 1, 2, 3 reads as a list whose first part alone has the name.
        return _same_sets(_as_interval(left), _as_interval(right))
    if left.text == right.text == "=":
        first, second = left.operands, right.operands
        if same(first[0], second[0]) and same(first[1], second[1]):
            return True
        return _same_equation(left, right)
    return _same_chain(left, right) or _same_sets(_as_interval(left), _as_interval(right))


def _same_chain(left: Node, right: Node) -> bool:
    """1 < x <= 2 and 2 >= x > 1; x < 1 and -x > -1."""
    ours, theirs = left.text.split(), right.text.split()
    if len(ours) != len(theirs):
        return False
    parts = right.operands
    if ours == theirs and all(same(a, b) for a, b in zip(left.operands, parts, strict=True)):
        return True
    turned = [_TURNED.get(relation, "") for relation in reversed(theirs)]
    if ours == turned:
        backwards = reversed(parts)
        if all(same(a, b) for a, b in zip(left.operands, backwards, strict=True)):
            return True
    return len(ours) == 1 and _same_inequality(left, right)


def _same_inequality(left: Node, right: Node) -> bool:
    ratio = _ratio_of_sides(left, right)
    if ratio is None or abs(ratio.imag) > _CLOSE:
        return False
    wanted = right.text if ratio.real > 0 else _TURNED.get(right.text)
    return left.text == wanted and left.text in _TURNED


def _same_equation(left: Node, right: Node) -> bool:
    """Two equations are equal when the differences of their sides are proportional."""
    return _ratio_of_sides(left, right) is not None


def _ratio_of_sides(left: Node, right: Node) -> complex | None:
    """The constant ratio of the differences of two equations' sides, or None."""
    first, second = (
        Node("+", (n.operands[0], Node("neg", (n.operands[1],)))) for n in (left, right)
    )
    names = variables(first) | variables(second)
    ratios = []
    try:
        for point in _points(names):
            a, b = complex(value(first, point)), complex(value(second, point))
            if abs(a) < 1e-12 or abs(b) < 1e-12:
                return None
            ratios.append(a / b)
    except NoValue:
        return None
    steady = all(abs(ratio - ratios[0]) <= _CLOSE * abs(ratios[0]) for ratio in ratios)
    return ratios[0] if steady and names else None


def _as_interval(node: Node) -> Node:
    """A relation on one name as an interval; a list of them as a union; else the node itself."""
    if node.op == "list" and all(part.op == "rel" for part in node.operands):
        return Node("union", tuple(_as_interval(_settled(part)) for part in node.operands))
    if node.op != "rel":
        return node
    parts, relations = list(node.operands), node.text.split()
    if relations[0] in (">", ">="):
        parts.reverse()
        relations = [_TURNED.get(relation, "") for relation in reversed(relations)]
    if not set(relations) <= {"<", "<="}:
        return node
    if len(parts) == 2:
        if _is_name(parts[0]):
            parts.insert(0, Node("neg", (_INFINITY,)))
            relations.insert(0, "<")
        else:
            parts.append(_INFINITY)
            relations.append("<")
    if len(parts) != 3 or not _is_name(parts[1]):
        return node
    brackets = ("[" if relations[0] == "<=" else "(") + ("]" if relations[1] == "<=" else ")")
    return Node("tuple", (parts[0], parts[2]), text=brackets)


def _same_sets(left: Node, right: Node) -> bool:
    if "rel" in (left.op, right.op):
        return left.op == right.op and left == right
    return same(left, right)


def _same_compound(left: Node, right: Node) -> bool:
    ops = {left.op, right.op}
    if ops == {"tuple"}:
        alike = left.text == right.text or len(left.operands) > 2
        return alike and _same_in_order(left, right)
    if ops == {"tuple", "list"}:
        return _same_in_order(left, right)
    if ops <= {"list", "set"}:
        return _same_lists(left, right)
    if "union" in ops:
        left, right = (_as_interval(n) if n.op == "list" else n for n in (left, right))
        return left.op == right.op and _same_unordered(left.operands, right.operands)
    # {5} and 5 are different kinds, but an answer's dressing only.
    sets = [n for n in (left, right) if n.op == "set"]
    if len(sets) == 1 and len(sets[0].operands) == 1 and "tuple" not in ops:
        other = right if left is sets[0] else left
        return same(sets[0].operands[0], other)
    return False


def _same_lists(left: Node, right: Node) -> bool:
    """Unordered, but in order where names on one side say which is which: a = 1, b = 2 and 1, 2."""
    if len(left.operands) != len(right.operands):
        return False
    named = [[_is_assignment(_settled(p)) for p in n.operands] for n in (left, right)]
    if all(named[0]) != all(named[1]):
        full = left if all(named[0]) else right
        names = {_settled(part).operands[0] for part in full.operands}
        if len(names) > 1:
            return _same_in_order(left, right)
    return _same_unordered(left.operands, right.operands)


def _same_in_order(left: Node, right: Node) -> bool:
    if len(left.operands) != len(right.operands):
        return False
    return all(same(a, b) for a, b in zip(left.operands, right.operands, strict=True))


def _same_unordered(left: tuple[Node, ...], right: tuple[Node, ...]) -> bool:
    if all(node.op == "num" for node in (*left, *right)):
        return sorted(n.number for n in left) == sorted(n.number for n in right)
    if len(left) != len(right) or len(left) > _MOST_PARTS:
        return False
    rest = list(right)
    for node in left:
        match = next((other for other in rest if same(node, other)), None)
        if match is None:
            return False
        rest.remove(match)
    return True


def _same_matrices(left: Node, right: Node) -> bool:
    first, second = as_matrix(left), as_matrix(right)
    if first is None or second is None:
        return False
    if [len(row) for row in first] != [len(row) for row in second]:
        return False
    rows = zip(first, second, strict=True)
    return all(same(a, b) for pair in rows for a, b in zip(*pair, strict=True))


def _points(names: set[str]) -> list[dict[str, complex]]:
    """Seeded points, away from zero and one; positive, so that roots and logarithms are real."""
    draw = random.Random(20240203)
    return [
        {name: complex(draw.uniform(0.3, 2.7)) for name in sorted(names)} for _ in range(_POINTS)
    ]


def _same_number(left: Node, right: Node) -> bool:
    ours, theirs = variables(left), variables(right)
    if bool(ours) != bool(theirs):
        return False
    points = _points(ours | theirs) if ours else [{}]
    return all(_close(value(left, p), value(right, p), left, right) for p in points)


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
    if places < _ROUNDED_PLACES or not rounded:
        return False
    half = Fraction(1, 2 * 10 ** min(places, 400))
    return abs(Fraction(rounded) - Fraction(exact)) <= half * Fraction(1_000_001, 1_000_000)
