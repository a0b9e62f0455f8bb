"""Numbers of sixty digits, for what doubles cannot tell apart: 10^17 pi and 10^17 pi + 1.

A context of mpmath belongs to each thread, so that threads never change each other's precision.
"""

import threading
from fractions import Fraction
from typing import Any

from seekmath.verify.value import NoValue

_local = threading.local()
_MAX_EXPONENT = 100_000


class Precise:
    """Complex numbers of a given number of decimal digits."""

    cost = 20

    def __init__(self, digits: int) -> None:
        self._context = _context(digits)
        self.functions = _Bounded(self._context)
        self.pi, self.e = self._context.mpc(self._context.pi), self._context.mpc(self._context.e)
        self.i = self._context.mpc(0, 1)

    def of(self, number: Fraction) -> Any:
        """A fraction as a number of this kind."""
        return self._context.mpc(number.numerator) / number.denominator

    def power(self, base: Any, exponent: Any) -> Any:
        """The principal value.

        Raises:
            NoValue: its logarithm is out of bounds.
        """
        if abs(exponent * self._context.log(base)) > _MAX_EXPONENT:
            raise NoValue("too large")
        return self._context.power(base, exponent)

    def gamma(self, x: Any) -> Any:
        """The gamma function of a real number."""
        return self._context.mpc(self._context.gamma(x.real))


class _Bounded:
    """mpmath's functions, but no exponential whose digits would fill the memory."""

    def __init__(self, context: Any) -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._context, name)
        if name in ("exp", "sinh", "cosh", "tanh", "sin", "cos", "tan"):
            return lambda x: function(_within_bounds(x))
        return function


def _within_bounds(x: Any) -> Any:
    if abs(x) > _MAX_EXPONENT:
        raise NoValue("too large")
    return x


def _context(digits: int) -> Any:
    contexts = getattr(_local, "contexts", None)
    if contexts is None:
        contexts = _local.contexts = {}
    if digits not in contexts:
        import mpmath  # 0.1 s, for the few answers that need it

        contexts[digits] = mpmath.MPContext()
        contexts[digits].dps = digits
    return contexts[digits]
