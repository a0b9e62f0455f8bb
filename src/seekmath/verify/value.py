"""What a tree is worth: an exact fraction where there is one, else a number at given points."""

import cmath
import math
from collections.abc import Mapping
from fractions import Fraction

from seekmath.verify.latex import Node

# Beyond these nothing that people write as an answer is meant: refused before it is computed.
_MAX_EXPONENT = 2000
_MAX_BITS = 20_000
_MAX_FACTORIAL = 170

Value = Fraction | complex


class NoValue(ValueError):
    """The tree has no number, or one too large to be meant."""


def variables(node: Node) -> set[str]:
    """Names of the free variables."""
    if node.op == "var":
        return {node.text}
    return set().union(*(variables(child) for child in node.operands)) if node.operands else set()


def value(node: Node, point: Mapping[str, complex]) -> Value:
    """The value of an expression, exact as long as only rational arithmetic is needed.

    Raises:
        NoValue: a variable is not in ``point``, a division by zero, or a number out of bounds.
    """
    try:
        result = _value(node, point)
    except (ZeroDivisionError, OverflowError, ValueError) as error:
        raise NoValue(str(error)) from None
    if isinstance(result, complex) and not cmath.isfinite(result):
        raise NoValue("not finite")
    return result


def _value(node: Node, point: Mapping[str, complex]) -> Value:
    if node.op == "num":
        return node.number
    if node.op == "const":
        return _constant(node.text)
    if node.op == "var":
        if node.text not in point:
            raise NoValue(f"free variable {node.text}")
        return point[node.text]
    parts = [_value(child, point) for child in node.operands]
    if node.op in ("+", "*", "/"):
        return _arithmetic(node.op, parts)
    if node.op == "neg":
        return -parts[0]
    if node.op == "^":
        return _power(*parts)
    if node.op == "sqrt":
        return _power(parts[0], Fraction(1, 2))
    if node.op == "abs":
        return abs(parts[0]) if isinstance(parts[0], Fraction) else complex(abs(parts[0]))
    if node.op == "!":
        return _factorial(parts[0])
    if node.op == "base":
        return _in_base(node)
    if node.op == "binom":
        top, bottom = (_whole(part) for part in parts)
        return Fraction(math.comb(top, bottom))
    if node.op == "fn":
        return _function(node.text, [complex(part) for part in parts])
    raise NoValue(f"{node.op} has no number")


def _constant(name: str) -> Value:
    known = {"pi": complex(math.pi), "e": complex(math.e), "i": 1j}
    if name not in known:
        raise NoValue(name)
    return known[name]


def _arithmetic(op: str, parts: list[Value]) -> Value:
    """Fold a flat sum, product or quotient, exact while every part is."""
    total = parts[0]
    for part in parts[1:]:
        left, right = total, part
        if not (isinstance(left, Fraction) and isinstance(right, Fraction)):
            left, right = complex(left), complex(right)
        if op == "+":
            total = left + right
        elif op == "*":
            total = left * right
        else:
            total = left / right
        if isinstance(total, Fraction) and _bits(total) > _MAX_BITS:
            raise NoValue("too large")
    return total


def _bits(number: Fraction) -> int:
    return max(number.numerator.bit_length(), number.denominator.bit_length())


def _power(base: Value, exponent: Value) -> Value:
    if isinstance(base, Fraction) and isinstance(exponent, Fraction):
        if exponent.denominator == 1:
            if abs(exponent) > _MAX_EXPONENT or _bits(base) * abs(exponent) > _MAX_BITS:
                raise NoValue("too large")
            return base ** int(exponent)
        exact = _root(base, exponent)
        if exact is not None:
            return exact
    left, right = complex(base), complex(exponent)
    if left == 0:
        return complex(0 if right.real > 0 else math.nan)
    odd_root = isinstance(exponent, Fraction) and exponent.denominator % 2 == 1
    if left.imag == 0 and left.real < 0 and odd_root:
        # Odd roots of negative numbers are real, as people write them.
        sign = -1 if exponent.numerator % 2 else 1  # type: ignore[union-attr]
        return complex(sign * (-left.real) ** right.real)
    return left**right


def _root(base: Fraction, exponent: Fraction) -> Fraction | None:
    if base < 0 or exponent.denominator > 8 or abs(exponent.numerator) > 8:
        return None
    parts = []
    for number in (base.numerator, base.denominator):
        if number.bit_length() > 900:
            return None
        root = round(number ** (1 / exponent.denominator))
        if root**exponent.denominator != number:
            return None
        parts.append(root)
    return Fraction(parts[0], parts[1]) ** exponent.numerator


def _whole(part: Value) -> int:
    if not isinstance(part, Fraction) or part.denominator != 1 or not 0 <= part <= 1000:
        raise NoValue("not a small whole number")
    return int(part)


def _factorial(part: Value) -> Fraction:
    number = _whole(part)
    if number > _MAX_FACTORIAL:
        raise NoValue("too large")
    return Fraction(math.factorial(number))


def _in_base(node: Node) -> Fraction:
    digits = node.operands[0].text
    if not (digits.isdigit() and node.text.isdigit() and 2 <= int(node.text) <= 36):
        raise NoValue("not a number in a base")
    return Fraction(int(digits, int(node.text)))


def _function(name: str, parts: list[complex]) -> complex:
    x = parts[0]
    if name in ("floor", "ceil"):
        return complex(math.floor(x.real) if name == "floor" else math.ceil(x.real))
    if name in ("ln", "log", "lg"):
        base = parts[1] if len(parts) > 1 else (math.e if name == "ln" else 10)
        return cmath.log(x) / cmath.log(base)
    if name in ("cot", "sec", "csc"):
        return 1 / getattr(cmath, {"cot": "tan", "sec": "cos", "csc": "sin"}[name])(x)
    return getattr(cmath, {"arcsin": "asin", "arccos": "acos", "arctan": "atan"}.get(name, name))(x)
