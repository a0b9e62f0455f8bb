r"""A small parser of answers: numbers, LaTeX and plain arithmetic, to a typed tree.

No Python is evaluated and no algebra is done here. Length and depth are bounded and sums and
products are flat, so that any input is read or refused in time linear in its length.
"""

import re
from fractions import Fraction

from seekmath.verify.environments import environment
from seekmath.verify.lexer import FUNCTIONS, Unreadable, relation_of, tokens
from seekmath.verify.tree import Node, flat

MAX_CHARACTERS = 20_000
_MAX_DEPTH = 90


CONSTANTS = {"\\pi": "pi", "e": "e", "i": "i", "\\infty": "inf"}
_FRACTIONS = ("\\frac", "\\dfrac", "\\tfrac", "\\cfrac", "\\nicefrac", "\\sfrac")
_BINOMIALS = ("\\binom", "\\dbinom", "\\tbinom")
_NOT_FACTORS = {"\\cup", "\\cap", "\\pm", "\\mp", "\\end", "\\}", "\\\\", "\\rfloor", "\\rceil"}
_ACCENTS = ("\\dot", "\\ddot", "\\hat", "\\tilde")
_STARS = ("*", "\\cdot", "\\times", "\\ast")


_MINUS_ONE = Node("neg", (Node("num", number=Fraction(1), text="1"),))


def parse(text: str) -> Node:
    """The tree of an answer.

    Raises:
        Unreadable: too long, too deep, or not an expression.
    """
    if len(text) > MAX_CHARACTERS:
        raise Unreadable("too long")
    parser = _Parser(tokens(text))
    node = parser.groups()
    if parser.peek() is not None:
        raise Unreadable(f"left over: {parser.peek()}")
    return node


class _Parser:
    """Recursive descent with a bound on the depth."""

    def __init__(self, found: list[str]) -> None:
        self.tokens, self.place, self.depth, self.bars = found, 0, 0, 0

    def peek(self) -> str | None:
        return self.tokens[self.place] if self.place < len(self.tokens) else None

    def take(self, *wanted: str) -> str | None:
        token = self.peek()
        if token is None or (wanted and token not in wanted):
            return None
        self.place += 1
        return token

    def need(self, wanted: str) -> None:
        if self.take(wanted) is None:
            raise Unreadable(f"expected {wanted}, found {self.peek()}")

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise Unreadable("too deep")

    def groups(self) -> Node:
        """Items between semicolons; several assignments in one group belong together."""
        parts = [self.items((",",))]
        while self.take(";"):
            if self.peek() is not None:
                parts.append(self.items((",",)))
        if len(parts) == 1:
            return parts[0]
        tupled = [Node("tuple", p.operands, text="()") if p.op == "list" else p for p in parts]
        return Node("list", tuple(tupled))

    def items(self, separators: tuple[str, ...] = (",", ";")) -> Node:
        """Expressions and relations between commas."""
        self.deeper()
        while self.take(","):
            pass
        parts = [self.chain()]
        while self.take(*separators):
            if self.peek() not in (",", ";", ")", "]", "}", "\\}", None):
                parts.append(self.chain())
        self.depth -= 1
        return parts[0] if len(parts) == 1 else Node("list", tuple(parts))

    def chain(self) -> Node:
        """A chain of relations: a = b = c, 1 < x <= 2, x in S."""
        parts, relations = [self.union()], []
        while (relation := relation_of(self.peek())) is not None:
            self.place += 1
            relations.append(relation)
            parts.append(self.union())
        return parts[0] if not relations else Node("rel", tuple(parts), text=" ".join(relations))

    def union(self) -> Node:
        parts = [self.sum()]
        while self.take("\\cup"):
            parts.append(self.sum())
        return parts[0] if len(parts) == 1 else Node("union", tuple(parts))

    def sum(self) -> Node:
        self.deeper()
        terms: list[Node] = []
        sign = self.take("+", "\\pm", "\\mp", "-") or "+"
        split: Node | None = None
        while True:
            term = self.product()
            if sign in ("\\pm", "\\mp") and split is None:
                split = term
            else:
                terms.append(Node("neg", (term,)) if sign == "-" else term)
            following = self.take("+", "-", "\\pm", "\\mp")
            if following is None:
                break
            sign = following
        self.depth -= 1
        if split is None:
            return flat("+", terms)
        return Node("list", tuple(flat("+", [*terms, t]) for t in (split, Node("neg", (split,)))))

    def product(self) -> Node:
        # Signed first: -3 1/2 is minus the mixed number.
        factors = [self.signed()]
        divisions = 0
        called = self.peek() == "("
        while True:
            token = self.peek()
            if token in _STARS:
                self.place += 1
                factors.append(self.signed())
            elif token in ("/", "\\div", ":"):
                self.place += 1
                divisions += 1
                if divisions > _MAX_DEPTH // 2:
                    raise Unreadable("too many divisions")
                factors = [Node("/", (flat("*", factors), self.signed()))]
            elif self._starts_factor(token):
                self._juxtapose(factors, self.power())
            elif called and len(factors) == 2 and _is_function(factors[0]):
                return Node("*", tuple(factors), text="call")  # f(x), or a product
            else:
                return flat("*", factors)

    def _juxtapose(self, factors: list[Node], right: Node) -> None:
        # 3 1/2 is a mixed number only where a whole number stands before a proper fraction.
        left = factors[-1]
        inner = left.operands[0] if left.op == "neg" else left
        whole = inner.op == "num" and inner.number.denominator == 1
        proper = right.text == "frac" and all(part.op == "num" for part in right.operands)
        if whole and proper:
            mixed = Node("+", (inner, right))
            factors[-1] = Node("neg", (mixed,)) if left.op == "neg" else mixed
            return
        if inner.op == "num" and right.op == "num":
            raise Unreadable("two numbers side by side")
        if left.op == "var" and left.text.isalpha() and len(left.text) > 1 and right.op == "num":
            raise Unreadable("a word before a number")
        factors.append(right)

    def _starts_factor(self, token: str | None) -> bool:
        if token is None or token in _NOT_FACTORS or relation_of(token) is not None:
            return False
        if token == "|":
            return self.bars == 0
        if token.startswith("\\") and token not in ("\\|",):
            return token not in (*_STARS, "\\div")
        return token[0].isalnum() or token[0] == "." or token in ("(", "[", "{")

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
        if self.take("°") is not None:
            return Node("deg", (base,))
        if self.take("{") is not None:
            if (mark := self.take("°", "'")) is not None:
                self.need("}")
                return Node("deg", (base,)) if mark == "°" else base
            exponent = self.sum()
            self.need("}")
        elif (token := self.peek() or "").isdecimal():
            self.place += 1  # 2^10 is what its writer means, whatever LaTeX sets
            exponent = self._number(token)
        else:
            exponent = self._script()
        node = Node("^", (base, exponent))
        while self.take("!") is not None:
            node = Node("!", (node,))
        return node

    def _script(self) -> Node:
        """What follows ^ or a command without braces: one digit in LaTeX, one sign or group."""
        self.deeper()
        token = self.peek()
        if token is not None and token.isdigit() and len(token) > 1:
            self.tokens[self.place] = token[1:]
            node = Node("num", number=Fraction(token[0]), text=token[0])
        elif token in ("-", "+"):
            self.place += 1
            inner = self.atom()
            node = Node("neg", (inner,)) if token == "-" else inner
        else:
            node = self.atom()
        self.depth -= 1
        return node

    def postfix(self) -> Node:
        node = self.atom()
        count = 0
        while self.take("!") is not None:
            count += 1
            if count > 3:
                raise Unreadable("too many factorials")
            node = Node("!", (node,))
        degrees = False
        while self.take("°") is not None:
            degrees = True
        return Node("deg", (node,)) if degrees else node

    def atom(self) -> Node:
        self.deeper()
        token = self.take()
        if token is None:
            raise Unreadable("ends too early")
        node = self._command(token) if re.match(r"\\[A-Za-z]", token) else self._plain(token)
        self.depth -= 1
        return node

    def _plain(self, token: str) -> Node:
        if token[0].isdecimal() or token[0] == ".":
            return self._number(token)
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
        if token in ("|", "\\|"):
            self.bars += 1
            node = self.sum()
            self.bars -= 1
            self.need(token)
            return Node("abs", (node,))
        if token in CONSTANTS:
            return Node("const", text=CONSTANTS[token])
        if token.startswith("word:") or token.isalpha():
            return self._variable(token.removeprefix("word:"))
        raise Unreadable(f"unexpected {token}")

    def _number(self, token: str) -> Node:
        try:
            node = Node("num", number=Fraction(token), text=token)
        except ValueError:  # more digits than Python reads at once
            raise Unreadable("too many digits") from None
        if self.take("_") is None:
            return node
        base = self.group_text() if self.take("{") else (self.take() or "")
        return Node("base", (node,), text=base)

    def _variable(self, name: str) -> Node:
        if self.take("_") is not None:
            script = self.group_text() if self.take("{") else (self.take() or "")
            name = f"{name}_{script}"
        while self.take("'") is not None:
            name += "'"
        return Node("var", text=name)

    def _accented(self, accent: str) -> Node:
        inner = self._argument()
        return self._variable(f"{accent} {inner.text}") if inner.op == "var" else inner

    def _bracket(self, opening: str) -> Node:
        outer, self.bars = self.bars, 0
        node = self.items()
        self.bars = outer
        closing = self.take(")", "]")
        if closing is None:
            raise Unreadable("a bracket stays open")
        if node.op == "list":
            return Node("tuple", node.operands, text=opening + closing)
        if opening + closing not in ("()", "[]"):
            raise Unreadable("brackets do not match")
        return node

    def _command(self, token: str) -> Node:
        if token in _FRACTIONS:
            return Node("/", (self._argument(), self._argument()), text="frac")
        if token in _BINOMIALS:
            return Node("binom", (self._argument(), self._argument()))
        if token == "\\sqrt":
            return self._root()
        if token[1:] in FUNCTIONS:
            return self._function(token[1:])
        if token in ("\\lfloor", "\\lceil"):
            node = self.sum()
            self.need(token.replace("\\l", "\\r"))
            return Node("fn", (node,), text="floor" if token == "\\lfloor" else "ceil")
        if token == "\\emptyset":
            return Node("set")
        if token in (
            "\\boxed",
            "\\fbox",
            "\\underline",
            "\\overline",
            "\\bar",
            "\\vec",
            "\\overrightarrow",
        ):
            return self._argument()
        if token in CONSTANTS:
            return Node("const", text=CONSTANTS[token])
        if token in _ACCENTS:
            return self._accented(token)
        if token == "\\begin":
            return environment(self)
        if token in _NOT_FACTORS or relation_of(token) is not None:
            raise Unreadable(f"unexpected {token}")
        return self._variable(token)

    def _argument(self) -> Node:
        if self.take("{") is None:
            return self._script()
        node = self.items()
        self.need("}")
        return node

    def _root(self) -> Node:
        if self.take("[") is None:
            return Node("sqrt", (self._argument(),))
        degree = self.sum()
        self.need("]")
        inverse = Node("/", (Node("num", number=Fraction(1)), degree))
        return Node("^", (self._argument(), inverse))

    def _function(self, name: str) -> Node:
        base: tuple[Node, ...] = ()
        power = None
        while (script := self.take("_", "^")) is not None:
            node = self._argument()
            if script == "_":
                base = (node,)
            else:
                power = node
        # \sin 2x takes the product, \sin(x) y only what stands in the brackets.
        if self.peek() in ("(", "{", "["):
            argument = self.postfix()
        else:
            factors = [self.signed()]
            while self._starts_factor(self.peek()) and (self.peek() or "")[1:] not in FUNCTIONS:
                if self.peek() in ("(", "["):
                    break
                factors.append(self.power())
            argument = flat("*", factors)
        if power == _MINUS_ONE and name in ("sin", "cos", "tan"):
            name, power = f"arc{name}", None
        result = Node("fn", (argument, *base), text=name)
        return result if power is None else Node("^", (result, power))

    def group_text(self) -> str:
        words = []
        while (token := self.take()) not in ("}", None):
            words.append(str(token).removeprefix("word:"))
        return "".join(words)


def _is_function(node: Node) -> bool:
    r"""f, or f^{-1}."""
    return node.op == "var" or (
        node.op == "^" and node.operands[0].op == "var" and node.operands[1] == _MINUS_ONE
    )


def _spread(node: Node) -> tuple[Node, ...]:
    return node.operands if node.op == "list" else (node,)
