"""The typed tree of an answer."""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Node:
    """One node of the tree: an operation, its operands, and a number or a name at the leaves.

    ``op``: num, var, const, neg, deg (degrees), + and * (of any number), /, ^, sqrt, fn, abs, !,
    binom, base, tuple, list, set, union, matrix, rel (a chain). ``text`` is the name, the
    brackets, the lengths of a matrix's rows, the relations of a chain, or "call" for what may be
    f(x).
    """

    op: str
    operands: tuple["Node", ...] = ()
    number: Fraction = Fraction(0)
    text: str = ""


def flat(op: str, parts: list[Node]) -> Node:
    """A sum or product of any number of parts; one part stands for itself."""
    return parts[0] if len(parts) == 1 else Node(op, tuple(parts))
