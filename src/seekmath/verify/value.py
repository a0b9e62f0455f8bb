"""What a tree is worth: an exact fraction where there is one, else a number at a given point.

Nothing is timed: every evaluation has an allowance of work, so that what is refused is refused on
every machine and under every load.
"""

import cmath
import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from seekmath.verify.tree import Node

# Beyond these nothing that people write as an answer is meant: refused before it is computed.
_MAX_BITS = 40_000
_MAX_WHOLE = 5_000
_MAX_GAMMA = 160
_WORK = 100_000

#: An exact fraction, or a complex number of floats or of mpmath.
Value = Any
Point = Mapping[str, Fraction]


class NoValue(ValueError):
    """The tree has no number, or one too large to be meant."""


class TooMuchWork(Exception):
    """A comparison took more arithmetic than any answer needs."""


class Work:
    """What one comparison may spend, in operations on numbers of 64 digits or so."""

    def __init__(self, allowance: int = _WORK) -> None:
        self.left = allowance

    def spend(self, amount: int) -> None:
        """Count work done.

        Raises:
            TooMuchWork: the allowance is used up.
        """
        self.left -= amount
        if self.left < 0:
            raise TooMuchWork


class Floats:
    """Complex numbers of double precision: quick, and close enough to tell most answers apart."""

    cost = 1
    functions: Any = cmath
    pi, e, i = complex(math.pi), complex(math.e), 1j

    @staticmethod
    def of(number: Fraction) -> complex:
        """A fraction as a number of this kind."""
        return complex(number)

    @staticmethod
    def power(base: complex, exponent: complex) -> complex:
        """The principal value."""
        return base**exponent

    @staticmethod
    def gamma(x: complex) -> complex:
        """The gamma function of a real number."""
        return complex(math.gamma(x.real))


def variables(node: Node) -> set[str]:
    """Names of the free variables."""
    if node.op == "var":
        return {node.text}
    return set().union(*map(variables, node.operands)) if node.operands else set()


def value(node: Node, point: Point, work: Work, maths: Any = Floats) -> Value:
    """The value of an expression, exact as long as only rational arithmetic is needed.

    Args:
        node: the expression.
        point: the value of each variable.
        work: what may be spent.
        maths: the numbers to compute with where fractions do not do.

    Raises:
        NoValue: a variable is not in ``point``, a division by zero, or a number out of bounds.
        TooMuchWork: the allowance is used up.
    """
    try:
        result = _Evaluation(point, work, maths).value(node)
    except (ArithmeticError, ValueError, TypeError) as error:
        raise NoValue(str(error) or type(error).__name__) from None
    if isinstance(result, complex) and not cmath.isfinite(result):
        raise NoValue("not finite")
    return result


class _Evaluation:
    def __init__(self, point: Point, work: Work, maths: Any) -> None:
        self.point, self.work, self.maths = point, work, maths

    def value(self, node: Node) -> Value:
        self.work.spend(self.maths.cost)
        if node.op == "num":
            return node.number
        if node.op == "var":
            if node.text not in self.point:
                raise NoValue(f"free variable {node.text}")
            return self.point[node.text]
        if node.op == "const":
            if node.text == "inf":
                raise NoValue("infinite")
            return getattr(self.maths, node.text)
        operation = _OPERATIONS.get(node.op)
        if operation is None:
            raise NoValue(f"{node.op} has no number")
        return operation(self, node, [self.value(child) for child in node.operands])

    def inexact(self, number: Value) -> Any:
        return self.maths.of(number) if isinstance(number, Fraction) else number

    def fold(self, node: Node, parts: list[Value]) -> Value:
        """A flat sum, product or quotient, exact while every part is."""
        total = parts[0]
        for part in parts[1:]:
            if isinstance(total, Fraction) and isinstance(part, Fraction):
                self.charge(max(_bits(total), _bits(part)))
            else:
                total, part = self.inexact(total), self.inexact(part)
            total = _FOLDS[node.op](total, part)
        return total

    def charge(self, bits: int) -> None:
        """Long fractions cost their greatest common divisor, quadratic in their length."""
        if bits > _MAX_BITS:
            raise NoValue("too large")
        self.work.spend((bits >> 9) ** 2)

    def power(self, base: Value, exponent: Value) -> Value:
        if isinstance(base, Fraction) and isinstance(exponent, Fraction):
            if exponent.denominator == 1 and _bits(base) * abs(exponent) <= _MAX_BITS:
                return base ** int(exponent)
            exact = _root(base, exponent)
            if exact is not None:
                return exact
        odd = isinstance(exponent, Fraction) and exponent.denominator % 2 == 1
        left, right = self.inexact(base), self.inexact(exponent)
        if left == 0:
            if right.real > 0:
                return Fraction(0)
            raise NoValue("a power of zero")
        if odd and exponent.denominator > 1 and left.imag == 0 and left.real < 0:
            # Odd roots of negative numbers are real, as people write them.
            root = self.maths.power(-left, right)
            return -root if exponent.numerator % 2 else root
        return self.maths.power(left, right)

    def absolute(self, part: Value) -> Value:
        return abs(part) if isinstance(part, Fraction) else abs(part) + 0 * self.maths.i

    def factorial(self, part: Value) -> Value:
        whole = _whole(part)
        if whole is not None:
            self.charge(whole * whole.bit_length())
            return Fraction(math.factorial(whole))
        return self.gamma(part, 1)

    def binomial(self, top: Value, bottom: Value) -> Value:
        n, k = _whole(top), _whole(bottom)
        if n is not None and k is not None:
            self.charge(n)
            self.work.spend(n)
            return Fraction(math.comb(n, k))
        parts = self.gamma(bottom, 1), self.gamma(self.inexact(top) - self.inexact(bottom), 1)
        return self.gamma(top, 1) / (parts[0] * parts[1])

    def gamma(self, part: Value, shift: int) -> Any:
        x = self.inexact(part) + shift
        if abs(x) > _MAX_GAMMA or x.imag:
            raise NoValue("not a small number")
        return self.maths.gamma(x)

    def function(self, node: Node, parts: list[Value]) -> Value:
        name, x = node.text, parts[0]
        if name in ("floor", "ceil"):
            exact = x if isinstance(x, Fraction) else Fraction(float(x.real))
            return Fraction(math.floor(exact) if name == "floor" else math.ceil(exact))
        x = self.inexact(x)
        if name in ("ln", "log", "lg"):
            return self.logarithm(name, x, parts[1:])
        if name in _TURNS and _in_degrees(node.operands[0]):
            x = x * self.maths.pi / 180
        if name in _INVERSES:
            return 1 / getattr(self.maths.functions, _INVERSES[name])(x)
        return getattr(self.maths.functions, _NAMES.get(name, name))(x)

    def logarithm(self, name: str, x: Any, base: list[Value]) -> Any:
        log = self.maths.functions.log
        if name == "ln" and not base:
            return log(x)
        return log(x) / log(self.inexact(base[0] if base else Fraction(10)))


_INVERSES = {"cot": "tan", "sec": "cos", "csc": "sin"}
_NAMES = {"arcsin": "asin", "arccos": "acos", "arctan": "atan"}
_TURNS = ("sin", "cos", "tan", "cot", "sec", "csc")
_FOLDS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b, "*": lambda a, b: a * b, "/": lambda a, b: a / b
}  # fmt: skip
_HALF = Fraction(1, 2)
_OPERATIONS: dict[str, Callable[[_Evaluation, Node, list[Value]], Value]] = {
    "+": _Evaluation.fold, "*": _Evaluation.fold, "/": _Evaluation.fold,
    "neg": lambda self, node, parts: -parts[0],
    "deg": lambda self, node, parts: parts[0],
    "^": lambda self, node, parts: self.power(*parts),
    "sqrt": lambda self, node, parts: self.power(parts[0], _HALF),
    "abs": lambda self, node, parts: self.absolute(parts[0]),
    "!": lambda self, node, parts: self.factorial(parts[0]),
    "binom": lambda self, node, parts: self.binomial(*parts),
    "base": lambda self, node, parts: _in_base(node),
    "fn": _Evaluation.function,
}  # fmt: skip


def _in_degrees(node: Node) -> bool:
    return node.op == "deg" or any(map(_in_degrees, node.operands))


def _bits(number: Fraction) -> int:
    return max(number.numerator.bit_length(), number.denominator.bit_length())


def _root(base: Fraction, exponent: Fraction) -> Fraction | None:
    """An exact root, where both parts of the fraction have one."""
    if base < 0 or not 1 < exponent.denominator <= 8 or abs(exponent.numerator) > 8:
        return None
    parts = []
    for number in (base.numerator, base.denominator):
        if number.bit_length() > 900:
            return None
        root = round(number ** (1 / exponent.denominator))
        if root**exponent.denominator != number:
            return None
        parts.append(root)
    if not parts[0] and exponent < 0:
        return None
    return Fraction(parts[0], parts[1]) ** exponent.numerator


def _whole(part: Value) -> int | None:
    if not isinstance(part, Fraction) or part.denominator != 1 or part < 0:
        return None
    if part > _MAX_WHOLE:
        raise NoValue("too large")
    return int(part)


def _in_base(node: Node) -> Fraction:
    whole, _, rest = node.operands[0].text.partition(".")
    if not (whole.isdigit() and node.text.isdigit() and 2 <= int(node.text) <= 36):
        raise NoValue("not a number in a base")
    base = int(node.text)
    return Fraction(int(whole + rest, base), base ** len(rest))
