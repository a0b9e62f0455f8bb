"""What GRPO gained over several seeds: before, after, mean difference with a t interval."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seekmath.core.files import BadInput, read_json
from seekmath.report.numbers import finite

# 97.5% quantiles of Student's t for 1 to 30 degrees of freedom; beyond, the normal's is near.
_T = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip


@dataclass(frozen=True)
class Gain:
    """Accuracies (shares of 1) by seed; ``low`` and ``high`` are NaN with a single seed."""

    benchmark: str
    rows: list[tuple[str, float, float]]
    mean: float
    low: float
    high: float


def read_gain(path: Path) -> Gain | None:
    """Read ``{"benchmark": …, "seeds": [{"seed", "before", "after"}]}``; None where absent."""
    try:
        value = read_json(path)
    except (BadInput, OSError):
        return None
    if not isinstance(value, dict) or not isinstance(value.get("seeds"), list):
        return None
    rows = [_row(row) for row in value["seeds"] if isinstance(row, dict)]
    known = [row for row in rows if row]
    if not known:
        return None
    mean, low, high = t_interval([after - before for _, before, after in known])
    return Gain(str(value.get("benchmark", "")), known, mean, low, high)


def _row(row: dict[str, Any]) -> tuple[str, float, float] | None:
    before, after = finite(row.get("before")), finite(row.get("after"))
    if before is None or after is None:
        return None
    return str(row.get("seed", "")), before, after


def t_interval(values: list[float]) -> tuple[float, float, float]:
    """Mean and 95% t interval; the interval is NaN for a single value."""
    n = len(values)
    mean = math.fsum(values) / n
    if n < 2:
        return mean, math.nan, math.nan
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    half = (_T[n - 2] if n - 2 < len(_T) else 1.96) * deviation / math.sqrt(n)
    return mean, mean - half, mean + half
