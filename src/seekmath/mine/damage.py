"""What a reader of WARC files skipped or mended: counted by reason, each loss with its place."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

# Enough to look into; the counts go on.
_MOST_LISTED = 10_000


class Loss(NamedTuple):
    """Bytes of a file that gave no record."""

    offset: int
    length: int
    reason: str
    url: str = ""  # where the record's head can still be read


@dataclass
class Damage:
    """What a reader met beside sound pages.

    ``skipped`` counts by reason what was not delivered: losses, and records that are no pages.
    ``losses`` lists the first 10,000 losses. ``mended`` counts faults that cost nothing.
    """

    skipped: Counter[str] = field(default_factory=Counter)
    losses: list[Loss] = field(default_factory=list)
    mended: Counter[str] = field(default_factory=Counter)

    def lose(self, reason: str, offset: int, length: int, url: str = "") -> None:
        """Note that the bytes from ``offset`` on gave no record."""
        self.skipped[reason] += 1
        if len(self.losses) < _MOST_LISTED:
            self.losses.append(Loss(offset, length, reason, url))
