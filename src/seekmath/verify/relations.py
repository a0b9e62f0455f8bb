"""What relations say: chains without their detours, names before ``=``, ranges as intervals."""

from dataclasses import replace
from fractions import Fraction

from seekmath.verify.tree import Node
from seekmath.verify.value import NoValue, TooMuchWork, Work, value, variables

TURNED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "!=": "!="}
_INFINITY = Node("const", text="inf")
_PARTS = frozenset("abcdkmnpqrs")
_BOUND = 100  # work that the bound of an interval may take


def settled(node: Node) -> Node:
    """A chain without its detours: x = 1/3 ≈ 0.3 is x = 1/3; 2 + 3 = 5 is 5; x ≈ 3 is x = 3."""
    if node.op == "set" and len(node.operands) == 1 and node.operands[0].op == "rel":
        node = node.operands[0]
    if node.op != "rel":
        return node
    parts, relations = node.operands, node.text.split()
    if relations[0] == "in" and len(relations) == 1 and is_name(parts[0]):
        return parts[1]
    if "~" in relations:
        cut = relations.index("~")
        if cut == 0:
            return Node("rel", parts[:2], text="=") if is_name(parts[0]) else parts[0]
        parts, relations = parts[: cut + 1], relations[:cut]
    if set(relations) == {"="} and len(parts) > 2:
        named = [part for part in parts if is_name(part)]
        relations = ["="]
        parts = (named[-1] if named else parts[0], parts[-1])
    if relations == ["="] and not variables(parts[0]) and not variables(parts[1]):
        return parts[1]
    if relations == ["="] and is_name(parts[1]) and not is_name(parts[0]):
        parts = (parts[1], parts[0])
    if relations == ["="] and parts[1].op == "list":  # y = ±x
        return Node(
            "list", tuple(Node("rel", (parts[0], one), text="=") for one in parts[1].operands)
        )
    return Node("rel", parts, text=" ".join(relations))


def said(left: Node, right: Node) -> tuple[Node, Node]:
    """``x = 5`` beside ``5``: a name on one side only says what is meant."""
    if (is_assignment(left) or _is_sum_of_names(left, right)) and not has_relation(right):
        return left.operands[1], right
    if (is_assignment(right) or _is_sum_of_names(right, left)) and not has_relation(left):
        return left, right.operands[1]
    return left, right


def _is_sum_of_names(node: Node, other: Node) -> bool:
    """m + n = 7, which says 7: competitions ask for it. x + y = 7 is the equation of a line."""
    if node.op != "rel" or node.text != "=" or node.operands[0].op != "+" or variables(other):
        return False
    parts = node.operands[0].operands
    return all(part.op == "var" and part.text in _PARTS for part in parts)


def is_name(node: Node) -> bool:
    """What may stand before ``=`` as a label: x, f(x), AB, NO/BO, S:T, (p, q), |AB|, sin A."""
    if node.op == "const":
        return node.text in ("e", "i")
    if node.op in ("var", "fn"):
        return bool(variables(node))
    if node.text == "call":  # f(x), f(2), P(X > 1), f^{-1}(x); not f(x + 1)
        return _is_argument(node.operands[1])
    if node.op in ("*", "/", "tuple", "abs", "rel"):
        return all(is_name(part) for part in node.operands)
    return node.op == "^" and node.operands[0].op == "var" and node.operands[0].text == "\\angle"


def _is_argument(node: Node) -> bool:
    if node.op in ("tuple", "rel"):
        return all(map(_is_argument, node.operands))
    return is_name(node) or not variables(node)


def same_call(left: Node, right: Node) -> bool:
    """Whether two names are one function of a variable: W(n) and W(x), but not W(1) and W(2)."""
    if not (left.op == right.op == "*" and left.text == right.text == "call"):
        return False
    return left.operands[0] == right.operands[0] and all(
        node.operands[1].op == "var" for node in (left, right)
    )


def is_assignment(node: Node) -> bool:
    """Whether a relation gives a name its value."""
    return node.op == "rel" and node.text == "=" and is_name(node.operands[0])


def has_relation(node: Node) -> bool:
    """Whether the node, or a part of a list, is a relation."""
    if node.op == "rel":
        return True
    return node.op in ("list", "set", "tuple") and any(p.op == "rel" for p in node.operands)


def as_interval(node: Node) -> Node:
    """A relation on one name as an interval; a list of them as a union; else the node itself."""
    if node.op == "list" and all(part.op == "rel" for part in node.operands):
        return _both(tuple(as_interval(settled(part)) for part in node.operands))
    if node.op != "rel":
        return node
    parts, relations = list(node.operands), node.text.split()
    if relations[0] in (">", ">="):
        parts.reverse()
        relations = [TURNED.get(relation, "") for relation in reversed(relations)]
    if relations == ["!="] and is_name(parts[0]) and not is_name(parts[1]):
        sides = (Node("neg", (_INFINITY,)), parts[1]), (parts[1], _INFINITY)
        return Node("union", tuple(Node("tuple", side, text="()") for side in sides))
    if not set(relations) <= {"<", "<="}:
        return node
    if len(parts) == 2:
        if is_name(parts[0]):
            parts.insert(0, Node("neg", (_INFINITY,)))
            relations.insert(0, "<")
        else:
            parts.append(_INFINITY)
            relations.append("<")
    if len(parts) != 3 or not is_name(parts[1]):
        return node
    if parts[1].op == "abs":
        return _around_zero(parts, relations)
    brackets = ("[" if relations[0] == "<=" else "(") + ("]" if relations[1] == "<=" else ")")
    return Node("tuple", (parts[0], parts[2]), text=brackets)


def as_segment(node: Node) -> Node:
    """x >= 1 and x <= 3 as the one interval that it says; any other node as it is."""
    found = as_interval(node) if node.op == "list" else node
    return found if found.op == "tuple" else node


def _both(parts: tuple[Node, ...]) -> Node:
    """x >= 1 and x <= 3 is [1, 3]; x < 1 or x > 3, which do not meet, is their union."""
    rays = sorted(parts, key=lambda part: part.operands[:1] == (Node("neg", (_INFINITY,)),))
    if len(parts) == 2 and all(part.op == "tuple" for part in parts):
        (low, above), (below, high) = (part.operands for part in rays)
        if above == _INFINITY and below == Node("neg", (_INFINITY,)) and _less(low, high):
            return Node("tuple", (low, high), text=rays[0].text[0] + rays[1].text[1])
    return Node("union", parts)


def _less(low: Node, high: Node) -> bool:
    try:
        difference = value(Node("+", (high, Node("neg", (low,)))), {}, Work(_BOUND))
    except (NoValue, TooMuchWork):
        return False
    real = difference if isinstance(difference, Fraction) else complex(difference).real
    return real > 0


def _around_zero(parts: list[Node], relations: list[str]) -> Node:
    """|x| < 2 is (-2, 2); 1 < |x| <= 3 is [-3, -1) and (1, 3]."""
    low, _, high = parts
    opening = "(" if relations[0] == "<" else "["
    closing = ")" if relations[1] == "<" else "]"
    mirrored = {"(": ")", "[": "]", ")": "(", "]": "["}
    if low == Node("neg", (_INFINITY,)):
        return Node("tuple", (Node("neg", (high,)), high), text=mirrored[closing] + closing)
    left = (Node("neg", (high,)), Node("neg", (low,)))
    halves = (
        Node("tuple", left, text=mirrored[closing] + mirrored[opening]),
        Node("tuple", (low, high), text=opening + closing),
    )
    return Node("union", halves)


def flat_tuples(node: Node) -> Node:
    """p = 5, q = 2, p = 7, q = 2 as the two solutions that it lists."""
    given = [settled(part) for part in node.operands]
    if not given or not all(is_assignment(part) for part in given):
        return node
    names = [part.operands[0] for part in given]
    period = len(set(names))
    rounds = len(names) // period
    if period == 1 or rounds == 1 or names != names[:period] * rounds:
        return node
    starts = range(0, len(names), period)
    return Node(
        "list", tuple(Node("tuple", tuple(given[i : i + period]), text="()") for i in starts)
    )


def renamed(node: Node) -> Node:
    """The node with its variables named by the order in which they appear."""
    names: dict[str, str] = {}

    def walk(one: Node) -> Node:
        if one.op == "var":
            return Node("var", text=names.setdefault(one.text, f"v{len(names)}"))
        return replace(one, operands=tuple(map(walk, one.operands))) if one.operands else one

    return walk(node)
