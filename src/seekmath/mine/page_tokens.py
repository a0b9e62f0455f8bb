"""A page as tokens with their nesting, within bounds."""

from typing import NamedTuple

import numpy as np

from seekmath.mine import html_names as names
from seekmath.mine.html_nest import nest
from seekmath.mine.html_tokens import Bytes, Ints, tokenize

_MOST_TAGS = 500_000
MOST_DEPTH = 4096


class HostilePage(ValueError):
    """A page beyond the bounds of extraction; the message is the reason."""


class Tokens(NamedTuple):
    """A page as tokens with their nesting (``tokenize`` and ``nest`` say what each array holds)."""

    source: bytes
    octets: Bytes
    number: int
    kind: Ints
    start: Ints
    end: Ints
    flags: Ints
    close: Ints
    letters: Ints
    title: int
    heading: int
    roles: bool  # whether any element may hold a formula

    def inner(self, token: int) -> bytes:
        """What stands between an element's tags."""
        last = self.close[token]
        behind = int(self.start[last]) if last < self.number else len(self.source)
        return self.source[self.end[token] : max(behind, int(self.end[token]))]

    def tag(self, token: int) -> bytes:
        """A tag with its attributes."""
        return self.source[self.start[token] : self.end[token]]


def read_tokens(source: bytes) -> Tokens:
    """Tokens of a page in UTF-8.

    Raises:
        HostilePage: it has too many tags or is nested too deeply.
    """
    octets = np.frombuffer(source, np.uint8)
    count, kind, start, end, flags, roles = tokenize(
        octets, names.TAG_TABLE, names.PROPERTIES, names.ATTRIBUTE_TABLE, names.WORD_TABLE,
        names.NEEDLES, _MOST_TAGS,
    )  # fmt: skip
    if count < 0:
        raise HostilePage(f"more than {_MOST_TAGS} tags")
    deepest, close, letters, title, heading = nest(count, kind, flags, names.PROPERTIES, MOST_DEPTH)
    if deepest < 0:
        raise HostilePage(f"nested deeper than {MOST_DEPTH}")
    return Tokens(
        source, octets, count, kind, start, end, flags, close, letters, title, heading, roles
    )
