"""What went wrong in reinforcement, from the logged steps: alarms, lost updates, lost rewards."""

from collections.abc import Sequence

from seekmath.report.numbers import finite
from seekmath.report.rollouts import visible
from seekmath.report.runs import Row, Stage

_ALARMS = {
    "entropy": "entropy collapsed: the policy hardly explores",
    "kl": "KL to the reference blew up",
    "length": "the length of outputs drifted away from that of the start",
    "truncated": "most outputs had no end token",
    "logprob_gap": "sampler and trainer did not compute the same policy",
}


def troubles(stage: Stage) -> list[str]:
    """A sentence for each kind of trouble, none where a run was calm."""
    rows = stage.metrics()
    found = []
    names = dict.fromkeys(name for row in rows for name in str(row.get("alarms") or "").split())
    for name in names:
        steps = [row["step"] for row in rows if name in str(row.get("alarms") or "").split()]
        words = _ALARMS.get(name, visible(name))
        found.append(f"Alarm {visible(name)}: {words} ({_steps(steps)}).")
    skipped = [row for row in rows if row.get("skipped")]
    if skipped:
        steps, last = [row["step"] for row in skipped], visible(skipped[-1]["skipped"])[:200]
        found.append(f"No update was made in {_steps(steps)}: {last}.")
    errors, timeouts = (_total(rows, key) for key in ("reward_errors", "reward_timeouts"))
    if errors:
        late = f", {timeouts:,} of them because the function was late" if timeouts else ""
        found.append(f"{errors:,} outputs had no reward and so no gradient{late}.")
    return found


def largest_gap(stage: Stage) -> float | None:
    """Largest difference of the run between sampler and trainer in a log-probability, nats."""
    gaps = [finite(row.get("logprob_gap")) for row in stage.metrics()]
    return max((gap for gap in gaps if gap is not None), default=None)


def _total(rows: Sequence[Row], key: str) -> int:
    return int(sum(finite(row.get(key)) or 0.0 for row in rows))


def _steps(steps: list[int]) -> str:
    if len(steps) == 1:
        return f"step {steps[0]}"
    return f"{len(steps)} steps, first {steps[0]}, last {steps[-1]}"
