"""Trials of pre-training side by side: each on its own corpora, measured on all."""

from dataclasses import dataclass
from typing import Any

from seekmath.report.numbers import finite
from seekmath.report.runs import Run

_MEASURE = "bits_per_byte/"


@dataclass(frozen=True)
class Trial:
    """One pre-training: what it was trained on, and bits per byte by held-out corpus."""

    name: str
    trained_on: str
    tokens: float | None
    bits: list[float | None]


@dataclass(frozen=True)
class Trials:
    """All that measured at least two corpora; ``best`` is the lowest of each column."""

    corpora: list[str]
    rows: list[Trial]
    best: list[float | None]


def read_trials(run: Run) -> Trials | None:
    """The trials of a run; None where there are not at least two to compare."""
    measured = [
        (stage.name, stage.manifest.metrics)
        for stage in run.of_type("pretrain")
        if stage.manifest and any(key.startswith(_MEASURE) for key in stage.manifest.metrics)
    ]
    keys = {key: None for _, metrics in measured for key in metrics if key.startswith(_MEASURE)}
    if len(measured) < 2 or len(keys) < 2:
        return None
    rows = [
        Trial(
            name,
            _trained_on(metrics.get("weights")),
            finite(metrics.get("tokens")),
            [finite(metrics.get(key)) for key in keys],
        )
        for name, metrics in measured
    ]
    columns = zip(*(row.bits for row in rows), strict=True)
    best = [min((bits for bits in column if bits is not None), default=None) for column in columns]
    return Trials([key.removeprefix(_MEASURE) for key in keys], rows, best)


def _trained_on(weights: Any) -> str:
    shares = weights.items() if isinstance(weights, dict) else ()
    named = [(str(name), finite(share) or 0.0) for name, share in shares]
    return ", ".join(
        name if share == 1 else f"{name} {share:.0%}" for name, share in named if share > 0
    )
