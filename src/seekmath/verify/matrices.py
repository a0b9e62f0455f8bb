"""Matrices in answers: sums, products and multiples worked out entry by entry."""

from collections.abc import Callable, Sequence

from seekmath.verify.tree import Node

Rows = list[list[Node]]
Operand = Rows | Node  # a matrix or a scalar
_MOST_ENTRIES = 400


def is_matrix(node: Node) -> bool:
    """Whether a matrix stands in the node's arithmetic."""
    if node.op == "matrix":
        return True
    return node.op in ("+", "*", "/", "neg") and any(is_matrix(part) for part in node.operands)


def bracketed(node: Node) -> Node:
    """``[[1, 2], [3, 4]]`` as the matrix that it may be; any other node as it is."""
    rows = node.operands
    if node.op != "tuple" or node.text != "[]" or len(rows) > _MOST_ENTRIES:
        return node
    if any(row.op != "tuple" or row.text != "[]" for row in rows):
        return node
    flat = tuple(entry for row in rows for entry in row.operands)
    return Node("matrix", flat, text=",".join(str(len(row.operands)) for row in rows))


def vector_beside(other: Node, node: Node) -> Node:
    """``(1, 2)`` as a column or row where the other is one; any other node as it is."""
    count = len(node.operands)
    if node.op != "tuple" or node.text != "()" or other.op != "matrix":
        return node
    column = ",".join(["1"] * count)
    if count <= _MOST_ENTRIES and other.text in (column, str(count)):
        return Node("matrix", node.operands, text=other.text)
    return node


def as_matrix(node: Node) -> Rows | None:
    """The entries of a matrix expression, row by row; None where shapes do not fit."""
    if node.op == "matrix":
        return _rows(node)
    if node.op == "neg":
        inner = as_matrix(node.operands[0])
        return inner and [[Node("neg", (entry,)) for entry in row] for row in inner]
    if node.op == "/" and is_matrix(node.operands[0]) and not is_matrix(node.operands[1]):
        inner = as_matrix(node.operands[0])
        return inner and [[Node("/", (e, node.operands[1])) for e in row] for row in inner]
    if node.op == "+":
        return _fold(node, _sum)
    return _fold(node, _product) if node.op == "*" else None


def _rows(node: Node) -> Rows | None:
    if len(node.operands) > _MOST_ENTRIES:
        return None
    rows, start = [], 0
    for length in map(int, node.text.split(",")):
        rows.append(list(node.operands[start : start + length]))
        start += length
    return rows


def _fold(node: Node, combine: Callable[[Operand, Operand], Operand | None]) -> Rows | None:
    total: Operand | None = _operand(node.operands[0])
    for part in node.operands[1:]:
        other = _operand(part)
        if total is None or other is None:
            return None
        total = combine(total, other)
    return total if isinstance(total, list) else None


def _operand(node: Node) -> Operand | None:
    return as_matrix(node) if is_matrix(node) else node


def _sum(left: Operand, right: Operand) -> Operand | None:
    if isinstance(left, Node) or isinstance(right, Node):
        return None
    if [len(row) for row in left] != [len(row) for row in right]:
        return None
    rows = zip(left, right, strict=True)
    return [[Node("+", pair) for pair in zip(a, b, strict=True)] for a, b in rows]


def _product(left: Operand, right: Operand) -> Operand | None:
    if isinstance(left, Node):
        left, right = right, left
    if isinstance(left, Node):
        return Node("*", (left, right)) if isinstance(right, Node) else None
    if isinstance(right, Node):
        return [[Node("*", (right, entry)) for entry in row] for row in left]
    if {len(row) for row in left} != {len(right)} or len(left) * len(right[0]) > _MOST_ENTRIES:
        return None
    columns = list(zip(*right, strict=True)) if len({len(r) for r in right}) == 1 else []
    return [[_dot(row, column) for column in columns] for row in left]


def _dot(row: Sequence[Node], column: Sequence[Node]) -> Node:
    return Node("+", tuple(Node("*", pair) for pair in zip(row, column, strict=True)))
