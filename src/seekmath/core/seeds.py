"""Seeds derived from names: every random choice is a pure function of (seed, keys).

What follows from (seed, keys) is computed, never saved, so a resumed run or another number of
workers draws the same numbers.
"""

import random
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def derive(seed: int, *keys: str | int) -> int:
    """A 63-bit seed for the purpose named by ``keys``; independent of Python's salted hash."""
    text = "\x1f".join([str(seed), *(str(key) for key in keys)])
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def rng(seed: int, *keys: str | int) -> "np.random.Generator":
    """A numpy generator for the purpose named by ``keys``."""
    import numpy as np

    return np.random.default_rng(derive(seed, *keys))


def python_random(seed: int, *keys: str | int) -> random.Random:
    """A ``random.Random`` for the purpose named by ``keys``; cheaper than numpy for few draws."""
    return random.Random(derive(seed, *keys))


def digest(*parts: str | bytes) -> str:
    """Sixteen hex digits (64 bits) of blake2b over the parts, which are kept apart."""
    hasher = blake2b(digest_size=8)
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        hasher.update(len(raw).to_bytes(8, "little"))
        hasher.update(raw)
    return hasher.hexdigest()
