"""Steps that would harm: a loss or gradient that is no number, or far off the last ones.

Such a step is left out: its batch is read and its gradient thrown away. The rule for spikes is that
of OLMo 2 (arXiv 2501.00656): more than six standard deviations above the mean of the last 128. A
gradient that clipping leaves as it is counts as none, however calm those before it were.
"""

import math
import statistics
from collections import deque
from typing import Any

from seekmath.core.files import BadInput
from seekmath.train.settings import LoopSettings

_WINDOW = 128


class Diverged(BadInput):
    """Too many steps in a row had to be skipped; the message says where to go on from."""


class Guard:
    """Judges each step by the ones before it; its whole state is ``facts``."""

    def __init__(self, settings: LoopSettings, facts: dict[str, Any] | None = None) -> None:
        self._sigma, self._most = settings.spike_sigma, settings.most_skips
        self._clip_norm = settings.clip_norm
        facts = facts or {"losses": [], "norms": [], "in_a_row": 0, "skipped": 0}
        self._seen = {key: deque(facts[key], _WINDOW) for key in ("losses", "norms")}
        self.in_a_row: int = facts["in_a_row"]
        self.skipped: int = facts["skipped"]

    @property
    def facts(self) -> dict[str, Any]:
        """What a checkpoint keeps of it, in JSON."""
        seen = {key: list(values) for key, values in self._seen.items()}
        return {**seen, "in_a_row": self.in_a_row, "skipped": self.skipped}

    @property
    def lost(self) -> bool:
        """Whether so many steps in a row were skipped that training must stop."""
        return self.in_a_row >= self._most

    def objection(self, loss: float, norm: float) -> str:
        """Why a step must be skipped; empty where it may be taken."""
        found = self._objection("loss", loss, self._seen["losses"], -math.inf)
        found = found or self._objection(
            "gradient norm", norm, self._seen["norms"], self._clip_norm
        )
        if math.isfinite(loss) and math.isfinite(norm):
            # Spikes too: where the data has changed for good, they soon are spikes no more.
            self._seen["losses"].append(loss)
            self._seen["norms"].append(norm)
        self.in_a_row = self.in_a_row + 1 if found else 0
        self.skipped += bool(found)
        return found

    def forget(self) -> None:
        """Begin anew, where other data begins."""
        for values in self._seen.values():
            values.clear()

    def _objection(self, name: str, value: float, seen: deque[float], harmless: float) -> str:
        if not math.isfinite(value):
            return f"{name} {value}"
        if not self._sigma or len(seen) < _WINDOW or value <= harmless:
            return ""
        mean, deviation = statistics.fmean(seen), statistics.pstdev(seen)
        if value <= mean + self._sigma * deviation:
            return ""
        return f"{name} {value:.4g} after {mean:.4g} ± {deviation:.2g}"
