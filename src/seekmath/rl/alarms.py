"""What goes wrong in reinforcement, told from the logged lines alone: alarms, and when to stop.

As nothing but ``metrics.jsonl`` is read, a resumed run raises the alarms that it would have raised.
"""

import json
import math
import statistics
from pathlib import Path
from typing import Any

from seekmath.core.files import BadInput
from seekmath.rl.settings import GrpoSettings

Line = dict[str, Any]

# Steps that a mean is taken over, so that one odd step is no alarm.
_SHORT, _LONG = 5, 10
# Standard errors that two means must lie apart for a rise or a fall to be believed.
_APART = 3.0


class Diverged(BadInput):
    """The run cannot usefully go on with these settings."""


def read_lines(path: Path) -> list[Line]:
    """The logged lines of a run; none where nothing was logged yet."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def alarms(lines: list[Line], settings: GrpoSettings) -> dict[str, str]:
    """The alarms of the last of ``lines``, by name, each with what is wrong in words."""
    found = {}
    kl = _mean(lines[-_SHORT:], "kl")
    if kl is not None and kl > settings.most_kl:
        found["kl"] = (
            f"KL to the reference is {kl:.2f} nats per token, over {settings.most_kl:g}:"
            " the policy has left it; lower peak_lr or raise kl_weight"
        )
    entropy, entropy_before = _mean(lines[-_LONG:], "entropy"), _mean(lines[:_LONG], "entropy")
    if entropy is not None and entropy_before and len(lines) > _LONG:
        share = entropy / entropy_before
        if share < settings.least_entropy:
            found["entropy"] = (
                f"entropy has fallen to {share:.0%} of what it was: the policy hardly explores;"
                " lower peak_lr, or raise kl_weight or clip_high"
            )
    found |= _length_alarms(lines, settings) | _exploited(lines)
    gap = lines[-1].get("logprob_gap")
    if gap is not None and not gap <= settings.most_gap:
        found["logprob_gap"] = (
            f"sampler and trainer differ by {gap:.2g} nats on a token: they do not compute the"
            " same policy; see importance_cap"
        )
    return found


def _length_alarms(lines: list[Line], settings: GrpoSettings) -> dict[str, str]:
    found = {}
    now, before = (_mean(part, "completion_length") for part in (lines[-_SHORT:], lines[:_SHORT]))
    if now and before:
        factor = now / before
        if not 1 / settings.most_drift <= factor <= settings.most_drift:
            found["length"] = f"outputs are {factor:.2g} times as long as at the start"
    recent = lines[-_SHORT:]
    cut = math.fsum(line["truncated"] for line in recent)
    share = cut / max(1, math.fsum(line["completions"] for line in recent))
    if share > settings.most_truncated:
        found["truncated"] = (
            f"{share:.0%} of outputs have no end token: raise max_new_tokens, or see truncated"
        )
    return found


def _exploited(lines: list[Line]) -> dict[str, str]:
    """A reward that is not the rule's may be met without solving anything."""
    if len(lines) < 2 * _LONG:
        return {}
    paid = "step_reward_mean" if "step_reward_mean" in lines[-1] else "reward_mean"
    if _rise(lines, paid) < _APART or _rise(lines, "right") > -_APART:
        return {}
    before, now = (_mean(part, "right") for part in (lines[:_LONG], lines[-_LONG:]))
    return {
        "exploited": (
            f"rewards have risen while right answers fell from {before:.1%} to {now:.1%}: the"
            " policy has found what the reward overlooks; look at rollouts, add the rewards answer"
            " or format, raise kl_weight, or train the reward model on (iterations)"
        )
    }


def _rise(lines: list[Line], key: str) -> float:
    """From the first steps to the last, in standard errors of the difference; 0 if not known."""
    first, last = (_known(part, key) for part in (lines[:_LONG], lines[-_LONG:]))
    if min(len(first), len(last)) < _LONG:
        return 0.0
    error = math.sqrt((statistics.variance(first) + statistics.variance(last)) / _LONG)
    rise = statistics.fmean(last) - statistics.fmean(first)
    return rise / error if error else math.copysign(math.inf, rise) if rise else 0.0


def check(lines: list[Line], settings: GrpoSettings) -> None:
    """Raise where the run must end: an alarm that the settings name, or no update for long.

    Raises:
        Diverged: says what is wrong, where, and what to change.
    """
    last = lines[-1]
    for name in str(last.get("alarms") or "").split():
        if name in settings.stop_on:
            raise Diverged(f"step {last['step']}: {alarms(lines, settings)[name]} (stop_on)")
    recent = lines[-settings.most_skipped :]
    if len(recent) == settings.most_skipped and all(line.get("skipped") for line in recent):
        raise Diverged(
            f"steps {recent[0]['step']} to {last['step']} made no update: {last['skipped']};"
            " lower peak_lr or clip_norm, or mend the reward (most_skipped)"
        )


def finite(value: float) -> float | None:
    """The value, or None where it is not finite: JSON has no other word for it."""
    return value if math.isfinite(value) else None


def _mean(lines: list[Line], key: str) -> float | None:
    """Mean of a number over the lines that have it."""
    known = _known(lines, key)
    return math.fsum(known) / len(known) if known else None


def _known(lines: list[Line], key: str) -> list[float]:
    return [line[key] for line in lines if isinstance(line.get(key), int | float)]
