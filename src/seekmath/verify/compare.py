"""Whether two parsed answers are the same.

Scalars exactly, then at seeded points; tuples, sets, intervals, relations, matrices part by part.
"""

from dataclasses import dataclass
from fractions import Fraction

from seekmath.verify.matrices import as_matrix, bracketed, is_matrix, vector_beside
from seekmath.verify.numeric import points, same_number
from seekmath.verify.relations import (
    TURNED,
    as_interval,
    as_segment,
    flat_tuples,
    is_assignment,
    renamed,
    said,
    same_call,
    settled,
)  # fmt: skip
from seekmath.verify.tree import Node
from seekmath.verify.value import Floats, NoValue, Work, value, variables

_CLOSE = 1e-9


@dataclass(frozen=True)
class Rules:
    """How an answer may differ from the gold answer and still be right.

    ``places``: a decimal with so many places may stand for the number it rounds. ``renamed``:
    free variables may have other names. ``ranges``: ``1 < x < 2`` may stand for a gold ``(1, 2)``.
    """

    places: int = 3
    renamed: bool = False
    ranges: bool = True


class Comparison:
    """One comparison under some rules, with an allowance of work; symmetric."""

    def __init__(self, rules: Rules, work: Work) -> None:
        self.rules, self.work = rules, work

    def same(self, left: Node, right: Node) -> bool:
        """Whether two answers mean the same.

        Raises:
            TooMuchWork: the allowance is used up.
        """
        self.work.spend(1)
        left, right = said(settled(left), settled(right))
        if self.rules.renamed:
            left, right = renamed(left), renamed(right)
        kinds = {left.op, right.op}
        if "rel" in kinds:
            return self._relations(left, right)
        if "matrix" in kinds:
            left, right = (
                vector_beside(right, bracketed(left)),
                vector_beside(left, bracketed(right)),
            )
        elif kinds & {"list", "set", "union", "tuple"}:
            return self._compound(left, right)
        if is_matrix(left) or is_matrix(right):
            return self._matrices(left, right)
        if "base" in kinds and left.op != right.op:
            # The question says which base; the digits are the answer.
            digits = [n.operands[0].number if n.op == "base" else n.number for n in (left, right)]
            return kinds == {"base", "num"} and digits[0] == digits[1]
        if left == right:
            return True
        try:
            return same_number(left, right, self.rules.places, self.work)
        except NoValue:
            return False

    def _relations(self, left: Node, right: Node) -> bool:
        if left.op != right.op:
            if not self.rules.ranges and right.op == "rel":
                return False
            # x = 1, 2, 3 reads as a list whose first part alone has the name.
            return self._ranges(as_interval(left), as_interval(right))
        if left.text == right.text == "=":
            names, values = zip(left.operands, right.operands, strict=True)
            if (same_call(*names) or self.same(*names)) and self.same(*values):
                return True
            called = all(name.text == "call" for name in names)  # f(1) = 1 is not f(2) = 2
            return not called and self._equation(left, right)
        return self._chain(left, right) or self._ranges(as_interval(left), as_interval(right))

    def _ranges(self, left: Node, right: Node) -> bool:
        if "rel" in (left.op, right.op):
            return left == right
        return self.same(left, right)

    def _chain(self, left: Node, right: Node) -> bool:
        """1 < x <= 2 and 2 >= x > 1; x < 1 and -x > -1."""
        ours, theirs = left.text.split(), right.text.split()
        if len(ours) != len(theirs):
            return False
        turned = [TURNED.get(relation, "") for relation in reversed(theirs)]
        for relations, parts in ((theirs, right.operands), (turned, right.operands[::-1])):
            pairs = zip(left.operands, parts, strict=True)
            if ours == relations and all(self.same(*pair) for pair in pairs):
                return True
        return len(ours) == 1 and self._inequality(left, right)

    def _inequality(self, left: Node, right: Node) -> bool:
        ratio = self._ratio_of_sides(left, right)
        if ratio is None or ratio.imag:
            return False
        wanted = right.text if ratio.real > 0 else TURNED.get(right.text)
        return left.text == wanted and left.text in TURNED

    def _equation(self, left: Node, right: Node) -> bool:
        """Two equations are equal when the differences of their sides are proportional."""
        return self._ratio_of_sides(left, right) is not None

    def _ratio_of_sides(self, left: Node, right: Node) -> Fraction | complex | None:
        """The constant ratio of the differences of two equations' sides, or None."""
        first, second = (
            Node("+", (n.operands[0], Node("neg", (n.operands[1],)))) for n in (left, right)
        )
        names = variables(first) | variables(second)
        if not names or len(left.operands) != 2 or len(right.operands) != 2:
            return None
        ratios = []
        try:
            for point in points(names)[0]:
                a, b = value(first, point, self.work), value(second, point, self.work)
                if not (isinstance(a, Fraction) and isinstance(b, Fraction)):
                    a, b = (Floats.of(x) if isinstance(x, Fraction) else x for x in (a, b))
                if abs(a) < 1e-12 or abs(b) < 1e-12:
                    return None
                ratios.append(a / b)
        except NoValue:
            return None
        close = [
            r == ratios[0] if isinstance(r, Fraction) else abs(r - ratios[0]) <= _CLOSE * abs(r)
            for r in ratios
        ]
        return ratios[0] if all(close) else None

    def _compound(self, left: Node, right: Node) -> bool:
        ops = {left.op, right.op}
        if ops == {"tuple"}:
            alike = left.text == right.text or len(left.operands) > 2
            return alike and self._in_order(left, right)
        if ops == {"tuple", "list"}:
            if self.rules.ranges:
                left, right = as_segment(left), as_segment(right)
            if left.op == right.op:
                return self._compound(left, right)
            return self._in_order(left, right)
        if ops <= {"list", "set"}:
            return self._lists(flat_tuples(left), flat_tuples(right))
        if "union" in ops:
            if self.rules.ranges:
                left, right = (as_interval(n) if n.op == "list" else n for n in (left, right))
            return left.op == right.op and self._unordered(left.operands, right.operands)
        lists = [n for n in (left, right) if n.op == "list"]
        if len(lists) == 1 and not ops & {"tuple", "set"}:  # 3/8 or 0.375
            other = right if left is lists[0] else left
            return all(self.same(part, other) for part in lists[0].operands)
        # {5} and 5 are different kinds, but an answer's dressing only.
        sets = [n for n in (left, right) if n.op == "set"]
        if len(sets) == 1 and len(sets[0].operands) == 1 and "tuple" not in ops:
            other = right if left is sets[0] else left
            return self.same(sets[0].operands[0], other)
        return False

    def _lists(self, left: Node, right: Node) -> bool:
        """Unordered, but in order where names on one side alone say which is which."""
        named = [[is_assignment(settled(p)) for p in n.operands] for n in (left, right)]
        if all(named[0]) != all(named[1]) and len(left.operands) == len(right.operands):
            full = left if all(named[0]) else right
            names = {settled(part).operands[0] for part in full.operands}
            if len(names) > 1:
                return self._in_order(left, right)
        return self._unordered(self._once(left), self._once(right))

    def _once(self, node: Node) -> tuple[Node, ...]:
        """The parts; a solution (a tuple) that is given twice counts once."""
        if not all(part.op == "tuple" for part in node.operands):
            return node.operands
        kept: list[Node] = []
        for part in node.operands:
            if not any(self.same(part, other) for other in kept):
                kept.append(part)
        return tuple(kept)

    def _in_order(self, left: Node, right: Node) -> bool:
        if len(left.operands) != len(right.operands):
            return False
        return all(self.same(a, b) for a, b in zip(left.operands, right.operands, strict=True))

    def _unordered(self, left: tuple[Node, ...], right: tuple[Node, ...]) -> bool:
        if len(left) != len(right):
            return False
        if all(node.op == "num" for node in (*left, *right)) and sorted(
            n.number for n in left
        ) == sorted(n.number for n in right):
            return True
        rest = list(right)
        for node in left:
            match = next(
                (place for place, other in enumerate(rest) if self.same(node, other)), None
            )
            if match is None:
                return False
            del rest[match]
        return True

    def _matrices(self, left: Node, right: Node) -> bool:
        first, second = as_matrix(left), as_matrix(right)
        if first is None or second is None:
            return False
        if [len(row) for row in first] != [len(row) for row in second]:
            return False
        rows = zip(first, second, strict=True)
        return all(self.same(a, b) for pair in rows for a, b in zip(*pair, strict=True))
