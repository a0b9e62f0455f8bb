"""Schedule and mixture of a training: what was read, how often, at which learning rate."""

from dataclasses import dataclass
from typing import Any

from seekmath.report.numbers import finite, number
from seekmath.report.runs import Stage


@dataclass(frozen=True)
class Source:
    """A corpus or file: the share that was asked for, the share of tokens, passes over it."""

    name: str
    weight: float | None
    share: float | None
    epochs: float | None


@dataclass(frozen=True)
class Mixture:
    """``schedule`` in words; ``phases`` as (name, steps, mixture in words)."""

    schedule: str
    sources: list[Source]
    phases: list[tuple[str, float | None, str]]


def read_mixture(stage: Stage) -> Mixture | None:
    """What the manifest of a stage that trains says; None where it has not started."""
    if not stage.manifest:
        return None
    settings, metrics = stage.manifest.settings, stage.manifest.metrics
    weights = metrics.get("weights") or settings.get("weights")
    weights = weights if isinstance(weights, dict) else {}
    shares = {key.removeprefix("share/") for key in metrics if key.startswith("share/")}
    names = [str(name) for name in [*weights, *sorted(shares - set(weights))]]
    sources = [
        Source(
            name,
            finite(weights.get(name)),
            finite(metrics.get(f"share/{name}")),
            finite(metrics.get(f"epochs/{name}")),
        )
        for name in names
        if weights.get(name) != 0
    ]
    return Mixture(_schedule(settings), sources, _phases(settings.get("phases")))


def _schedule(settings: dict[str, Any]) -> str:
    parts = []
    if settings.get("schedule"):
        parts.append(f"schedule {settings['schedule']}")
    if finite(settings.get("peak_lr")) is not None:
        parts.append(f"peak {number(settings['peak_lr'])}")
    if settings.get("warmup_steps"):
        parts.append(f"{number(settings['warmup_steps'])} steps of warm-up")
    if settings.get("schedule_per_phase"):
        parts.append("anew in each phase")
    if finite(settings.get("steps")) is not None:
        parts.append(f"{number(settings['steps'])} steps")
    return ", ".join(parts)


def _phases(found: Any) -> list[tuple[str, float | None, str]]:
    rows = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    return [
        (str(one.get("name", "")), finite(one.get("steps")), _words(one.get("weights")))
        for one in rows
    ]


def _words(weights: Any) -> str:
    shares = weights.items() if isinstance(weights, dict) else ()
    return ", ".join(f"{name} {share:.0%}" for name, share in shares if finite(share))
