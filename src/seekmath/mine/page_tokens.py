"""A page as tokens with their nesting, within bounds."""

from typing import NamedTuple

import numpy as np

from seekmath.mine import html_names as names
from seekmath.mine.html_nest import nest
from seekmath.mine.html_tokens import BEHIND, CLOSE, START, Bytes, Ints, tokenize

_MOST_TAGS = 500_000
MOST_DEPTH = 4096


class HostilePage(ValueError):
    """A page beyond the bounds of extraction; the message is the reason."""


class Tokens(NamedTuple):
    """A page as tokens with their nesting, a row each (``html_tokens`` names the columns)."""

    source: bytes
    octets: Bytes
    number: int
    rows: Ints
    title: int
    heading: int
    roles: bool  # whether any element may hold a formula

    def inner(self, token: int) -> bytes:
        """What stands between an element's tags."""
        last, inside = self.rows[token, CLOSE], int(self.rows[token, BEHIND])
        end = int(self.rows[last, START]) if last < self.number else len(self.source)
        return self.source[inside : max(end, inside)]

    def tag(self, token: int) -> bytes:
        """A tag with its attributes."""
        return self.source[self.rows[token, START] : self.rows[token, BEHIND]]


def read_tokens(source: bytes) -> Tokens:
    """Tokens of a page in UTF-8.

    Raises:
        HostilePage: it has too many tags or is nested too deeply.
    """
    octets = np.frombuffer(source, np.uint8)
    number, rows, roles = tokenize(
        octets, names.TAG_TABLE, names.PROPERTIES, names.ATTRIBUTE_TABLE, names.WORD_TABLE,
        names.NEEDLES, _MOST_TAGS,
    )  # fmt: skip
    if number < 0:
        raise HostilePage(f"more than {_MOST_TAGS} tags")
    deepest, title, heading = nest(number, rows, names.PROPERTIES, MOST_DEPTH)
    if deepest < 0:
        raise HostilePage(f"nested deeper than {MOST_DEPTH}")
    return Tokens(source, octets, number, rows, title, heading, roles)
