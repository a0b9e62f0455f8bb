r"""What stands between \\begin and \\end in an answer: matrices, and systems of equations."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from seekmath.verify.lexer import Unreadable, relation_of
from seekmath.verify.tree import Node, flat

if TYPE_CHECKING:
    from seekmath.verify.latex import _Parser

_SYSTEMS = ("cases", "aligned", "align", "gathered", "gather", "equation", "split")


def environment(parser: "_Parser") -> Node:
    r"""A matrix, or the lines of a system; the parser stands after ``\\begin``.

    Raises:
        Unreadable: another environment, or one that does not end.
    """
    parser.need("{")
    kind = parser.group_text()
    if kind == "array" and parser.take("{"):
        parser.group_text()
    if kind.rstrip("*") in _SYSTEMS:
        rows = _rows(parser, lambda: _line(parser))
        return flat("list", [part for row in rows for part in row])
    if not kind.endswith("matrix") and kind != "array":
        raise Unreadable(f"unknown environment {kind}")
    if kind == "vmatrix":
        raise Unreadable("a determinant")
    rows = _rows(parser, parser.sum)
    entries = tuple(node for row in rows for node in row)
    return Node("matrix", entries, text=",".join(str(len(row)) for row in rows))


def _line(parser: "_Parser") -> Node:
    r"""A line of a system of equations; the signs \\& only align it."""
    while parser.take("&") is not None:
        pass
    parts, relations = [parser.union()], []
    parser.take("&")
    while (relation := relation_of(parser.peek())) is not None:
        parser.take()
        parser.take("&")
        relations.append(relation)
        parts.append(parser.union())
        parser.take("&")
    parser.take(",")
    return parts[0] if not relations else Node("rel", tuple(parts), text=" ".join(relations))


def _rows(parser: "_Parser", cell: Callable[[], Node]) -> list[list[Node]]:
    """Cells between & in lines between \\\\, up to the environment's end."""
    rows: list[list[Node]] = [[]]
    while parser.peek() != "\\end":
        rows[-1].append(cell())
        if parser.take("\\\\") is not None and parser.peek() != "\\end":
            rows.append([])
        elif parser.peek() not in ("&", "\\end"):
            raise Unreadable("an environment that does not end")
        parser.take("&")
    parser.take()
    parser.need("{")
    parser.group_text()
    return rows
