"""How numbers look in tables and figures. What is missing or not finite is a dash."""

import math
from typing import Any

MISSING = "–"
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def finite(value: Any) -> float | None:
    """``value`` as a float, or None when it is no finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def minus(text: str) -> str:
    """A formatted number with the sign of mathematics, U+2212, and none before zero."""
    return text.replace("-", "−") if text.strip("+-0.,%") else text.lstrip("+-")


def percent(value: Any, digits: int = 1) -> str:
    """A share as per cent: 0.543 is ``54.3%``."""
    share = finite(value)
    return MISSING if share is None else minus(f"{100 * share:.{digits}f}%")


def span(low: Any, high: Any, digits: int = 1) -> str:
    """An interval of shares in per cent without the sign: ``50.1–58.4``."""
    ends = finite(low), finite(high)
    if ends[0] is None or ends[1] is None:
        return MISSING
    low, high = (minus(f"{100 * end:.{digits}f}") for end in (ends[0], ends[1]))
    return f"{low}–{high}"


def points(value: Any) -> str:
    """A difference of shares in percentage points, signed: ``+5.2``."""
    share = finite(value)
    return MISSING if share is None else minus(f"{100 * share:+.1f}")


def signed(value: Any) -> str:
    """Two decimals with the sign: ``+0.38``."""
    given = finite(value)
    if given is None:
        return MISSING
    return minus(f"{given:+.2f}")


def count(value: Any) -> str:
    """A whole number with separators: ``12,345``."""
    number = finite(value)
    return MISSING if number is None else f"{number:,.0f}"


def number(value: Any) -> str:
    """Three significant digits; powers of ten where plain digits would be long."""
    given = finite(value)
    if given is None:
        return MISSING
    if given == 0:
        return "0"
    if abs(given) >= 1e15 or abs(given) < 1e-3:
        mantissa, _, exponent = f"{given:.2e}".partition("e")
        mantissa = mantissa.rstrip("0").rstrip(".")
        return f"{mantissa}×10{str(int(exponent)).translate(_SUPERSCRIPTS)}".replace("-", "−")
    if abs(given) >= 1000 or given == int(given):
        return minus(f"{given:,.0f}")
    decimals = max(0, 2 - math.floor(math.log10(abs(given))))
    return minus(f"{given:.{decimals}f}")


def duration(seconds: Any) -> str:
    """Seconds as people say them: ``42 s``, ``3 min 07 s``, ``2 h 05 min``."""
    value = finite(seconds)
    if value is None:
        return MISSING
    if value < 10:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if not minutes:
        return f"{rest} s"
    hours, left = divmod(minutes, 60)
    return f"{hours} h {left:02d} min" if hours else f"{minutes} min {rest:02d} s"


def memory(mib: Any) -> str:
    """MiB as ``812 MiB`` or ``2.4 GiB``."""
    value = finite(mib)
    if value is None or value <= 0:
        return MISSING
    return f"{value:,.0f} MiB" if value < 1024 else f"{value / 1024:.1f} GiB"


def compact(value: float) -> str:
    """A tick's label for a large number: ``12k``, ``1.5M``."""
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size * (10 if letter == "k" else 1):
            return f"{value / size:.3g}{letter}"
    return number(value)
