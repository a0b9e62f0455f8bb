r"""A small parser of answers: numbers, LaTeX and plain arithmetic, to a typed tree.

No Python is evaluated and no algebra is done here. Size and depth are bounded, so that any input
is read or refused in time linear in its length.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

MAX_CHARACTERS = 4000
_MAX_DEPTH = 60
_MAX_DIGITS = 1000


class Unreadable(ValueError):
    """The text is not an expression this parser knows."""


@dataclass(frozen=True)
class Node:
    """One node of the tree: an operation, its operands, and a number or a name at the leaves.

    ``op``: num, var, const, neg, +, -, *, /, ^, sqrt, fn, abs, !, binom, tuple, list, set, union,
    matrix, =, rel; ``text`` is the name, brackets or relation where there is one.
    """

    op: str
    operands: tuple["Node", ...] = ()
    number: Fraction = Fraction(0)
    text: str = ""


_FUNCTIONS = "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh ln log exp".split()
_CONSTANTS = {"pi": "pi", "π": "pi", "e": "e", "i": "i", "infty": "inf", "∞": "inf"}
_RELATIONS = {
    "le": "<=", "leq": "<=", "leqslant": "<=", "ge": ">=", "geq": ">=", "geqslant": ">=",
    "lt": "<", "gt": ">", "ne": "!=", "neq": "!=", "in": "in", "≤": "<=", "≥": ">=", "≠": "!=",
    "<": "<", ">": ">", "∈": "in",
}  # fmt: skip
_TOKEN = re.compile(
    r"(?P<number>\d+(?:\.\d+)?|\.\d+)|\\(?P<command>[A-Za-z]+)|(?P<name>[A-Za-z\u0370-\u03ff])"
    r"|(?P<sign>\\\\|\\[{}|]|[-+*/^_=(){}\[\],;|!<>≤≥≠∈∞π√°&:'])|(?P<space>\s+)|(?P<other>.)",
    re.DOTALL,
)
_SOFT = {"left", "right", "displaystyle", "limits", "big", "Big", "bigl", "bigr", "middle"}
_SPACES = {"quad", "qquad", "enspace", "thinspace"}


def parse(text: str) -> Node:
    """The tree of an answer.

    Raises:
        Unreadable: too long, too deep, or not an expression.
    """
    if len(text) > MAX_CHARACTERS:
        raise Unreadable("too long")
    parser = _Parser(_tokens(text))
    node = parser.relation()
    if parser.peek() is not None:
        raise Unreadable(f"left over: {parser.peek()}")
    return node


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    for match in _TOKEN.finditer(text):
        kind, value = match.lastgroup, match.group()
        if kind == "space" or (kind == "command" and value[1:] in _SOFT | _SPACES):
            continue
        if kind == "other":
            raise Unreadable(f"unknown sign {value!r}")
        if kind == "number" and len(value) > _MAX_DIGITS:
            raise Unreadable("too many digits")
        tokens.append(value)
    return tokens


class _Parser:
    """Recursive descent with a bound on the depth."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens, self.place, self.depth = tokens, 0, 0

    def peek(self, ahead: int = 0) -> str | None:
        place = self.place + ahead
        return self.tokens[place] if place < len(self.tokens) else None

    def take(self, *wanted: str) -> str | None:
        token = self.peek()
        if token is None or (wanted and token not in wanted):
            return None
        self.place += 1
        return token

    def need(self, wanted: str) -> None:
        if self.take(wanted) is None:
            raise Unreadable(f"expected {wanted}, found {self.peek()}")

    def relation(self) -> Node:
        left = self.union()
        while (token := self.peek()) is not None:
            name = token.lstrip("\\")
            if token == "=":
                self.place += 1
                left = Node("=", (left, self.union()))
            elif name in _RELATIONS and (token.startswith("\\") or not name.isalpha()):
                self.place += 1
                left = Node("rel", (left, self.union()), text=_RELATIONS[name])
            else:
                break
        return left

    def union(self) -> Node:
        parts = [self.items()]
        while self.take("\\cup", "∪"):
            parts.append(self.items())
        return parts[0] if len(parts) == 1 else Node("union", tuple(parts))

    def items(self) -> Node:
        parts = [self.sum()]
        while self.take(",", ";"):
            parts.append(self.sum())
        return parts[0] if len(parts) == 1 else Node("list", tuple(parts))

    def sum(self) -> Node:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise Unreadable("too deep")
        if self.take("+") is not None:
            left = self.product()
        elif self.take("\\pm") is not None:
            value = self.product()
            left = Node("list", (value, Node("neg", (value,))))
        else:
            left = self.product()
        while (sign := self.take("+", "-", "\\pm")) is not None:
            right = self.product()
            if sign == "\\pm":
                left = Node("list", (Node("+", (left, right)), Node("-", (left, right))))
            else:
                left = Node(sign, (left, right))
        self.depth -= 1
        return left

    def product(self) -> Node:
        left = self.signed()
        while True:
            token = self.peek()
            if token in ("*", "\\cdot", "\\times", "\\ast"):
                self.place += 1
                left = Node("*", (left, self.signed()))
            elif token in ("/", "\\div", ":"):
                self.place += 1
                left = Node("/", (left, self.signed()))
            elif self._starts_factor(token):
                left = self._juxtaposed(left, self.power())
            else:
                return left

    def _juxtaposed(self, left: Node, right: Node) -> Node:
        # 3 1/2 is a mixed number only where a whole number stands before a fraction of two.
        whole = left.op == "num" and left.number.denominator == 1
        proper = right.op == "/" and all(part.op == "num" for part in right.operands)
        if whole and proper and right.text == "frac":
            return Node("+", (left, right))
        if left.op == "num" and right.op == "num":
            raise Unreadable("two numbers side by side")
        return Node("*", (left, right))

    def _starts_factor(self, token: str | None) -> bool:
        if token is None or token in ("\\cup", "\\pm", "\\right", "\\end"):
            return False
        if token.startswith("\\") and len(token) > 1 and token[1].isalpha():
            name = token[1:]
            known = (*_FUNCTIONS, *_CONSTANTS, "frac", "dfrac", "tfrac", "cfrac", "sqrt", "binom")
            return name in known or (
                name not in _RELATIONS and name not in ("cdot", "times", "div")
            )
        return token[0].isalnum() or token in ("(", "{", "π", "∞", "√") or token == "\\{"

    def signed(self) -> Node:
        negative = False
        while (sign := self.take("-", "+")) is not None:
            negative ^= sign == "-"
        node = self.power()
        return Node("neg", (node,)) if negative else node

    def power(self) -> Node:
        base = self.postfix()
        if self.take("^") is None:
            return base
        if self.take("\\circ", "°") is not None:
            return base  # degrees count as the number itself
        if self.take("{") is not None:
            if self.peek() == "\\circ":
                self.place += 1
                self.need("}")
                return base
            exponent = self.sum()
            self.need("}")
        else:
            exponent = self._script()
        return Node("^", (base, exponent))

    def _script(self) -> Node:
        """What follows ^ or a command without braces: one digit in LaTeX, one sign or group."""
        token = self.peek()
        if token is not None and token.isdigit() and len(token) > 1:
            self.tokens[self.place] = token[1:]
            return Node("num", number=Fraction(token[0]))
        if token == "-":
            self.place += 1
            return Node("neg", (self.atom(),))
        return self.atom()

    def postfix(self) -> Node:
        node = self.atom()
        while self.take("!") is not None:
            node = Node("!", (node,))
        self.take("°")
        return node

    def atom(self) -> Node:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise Unreadable("too deep")
        token = self.take()
        if token is None:
            raise Unreadable("ends too early")
        node = self._command(token[1:]) if re.match(r"\\[A-Za-z]", token) else self._plain(token)
        self.depth -= 1
        return node

    def _plain(self, token: str) -> Node:
        if token[0].isdigit() or token[0] == ".":
            return Node("num", number=Fraction(token), text=token)
        if token == "{":
            node = self.items()
            self.need("}")
            return node
        if token in ("(", "["):
            return self._bracket(token)
        if token == "\\{":
            node = Node("set") if self.peek() == "\\}" else self.items()
            self.need("\\}")
            return node if node.op == "set" else Node("set", _spread(node))
        if token == "|":
            node = self.sum()
            self.need("|")
            return Node("abs", (node,))
        if token == "√":
            return Node("sqrt", (self.atom(),))
        if token in _CONSTANTS:
            return Node("const", text=_CONSTANTS[token])
        if token.isalpha():
            return self._variable(token)
        raise Unreadable(f"unexpected {token}")

    def _variable(self, name: str) -> Node:
        if self.take("_") is not None:
            script = self._group_text() if self.take("{") else (self.take() or "")
            name = f"{name}_{script}"
        while self.take("'") is not None:
            name += "'"
        return Node("var", text=name)

    def _bracket(self, opening: str) -> Node:
        node = self.items()
        closing = self.take(")", "]")
        if closing is None:
            raise Unreadable("a bracket stays open")
        if node.op == "list":
            return Node("tuple", node.operands, text=opening + closing)
        if opening + closing not in ("()", "[]"):
            raise Unreadable("brackets do not match")
        return node

    def _command(self, name: str) -> Node:
        if name in ("frac", "dfrac", "tfrac", "cfrac"):
            return Node("/", (self._script_or_group(), self._script_or_group()), text="frac")
        if name in ("binom", "dbinom", "tbinom"):
            return Node("binom", (self._script_or_group(), self._script_or_group()))
        if name == "sqrt":
            return self._root()
        if name in ("text", "mathrm", "textbf", "mathbf", "mbox", "operatorname", "textit"):
            self.need("{")
            return self._word(self._group_text())
        if name in _FUNCTIONS:
            return self._function(name)
        if name in ("emptyset", "varnothing"):
            return Node("set")
        if name in _CONSTANTS:
            return Node("const", text=_CONSTANTS[name])
        if name == "begin":
            return self._matrix()
        return self._variable("\\" + name)

    def _word(self, word: str) -> Node:
        if word.isalpha():
            return Node("var", text=word.lower())
        raise Unreadable("text in an expression")

    def _script_or_group(self) -> Node:
        if self.take("{") is None:
            return self._script()
        node = self.sum()
        self.need("}")
        return node

    def _root(self) -> Node:
        if self.take("[") is None:
            return Node("sqrt", (self._script_or_group(),))
        degree = self.sum()
        self.need("]")
        inverse = Node("/", (Node("num", number=Fraction(1)), degree))
        return Node("^", (self._script_or_group(), inverse))

    def _function(self, name: str) -> Node:
        base: tuple[Node, ...] = ()
        power = None
        while (script := self.take("_", "^")) is not None:
            node = self._script_or_group()
            if script == "_":
                base = (node,)
            else:
                power = node
        argument = self.power() if self._starts_factor(self.peek()) else self.signed()
        result = Node("fn", (argument, *base), text=name)
        return result if power is None else Node("^", (result, power))

    def _group_text(self) -> str:
        words = []
        while (token := self.take()) not in ("}", None):
            words.append(str(token))
        return "".join(words)

    def _matrix(self) -> Node:
        self.need("{")
        kind = self._group_text()
        if not kind.endswith("matrix") and kind != "array":
            raise Unreadable(f"unknown environment {kind}")
        if kind == "array" and self.take("{"):
            self._group_text()
        rows: list[list[Node]] = [[]]
        while self.peek() != "\\end":
            rows[-1].append(self.sum())
            if self.take("\\\\") is not None and self.peek() != "\\end":
                rows.append([])
            elif self.peek() not in ("&", "\\end"):
                raise Unreadable("a matrix that does not end")
            self.take("&")
        self.place += 1
        self.need("{")
        self._group_text()
        flat = tuple(node for row in rows for node in row)
        return Node("matrix", flat, text=",".join(str(len(row)) for row in rows))


def _spread(node: Node) -> tuple[Node, ...]:
    return node.operands if node.op == "list" else (node,)
