"""What a page may hold, told by a few letters; only then need names be looked for (compiled)."""

import numpy as np
from numpy.typing import NDArray

from seekmath.mine.compiled import kernel

Bytes = NDArray[np.uint8]

# Macros of a configuration and of LaTeX, a choice of delimiters, AsciiMath.
CONFIGURES_MACROS, DEFINES_MACROS, CHOOSES_DELIMITERS, LOADS_ASCIIMATH = (1 << n for n in range(4))


@kernel
def macro_hints(source: Bytes) -> int:
    """Whether a page may define macros, from a few letters; only then need they be looked for.

    Loops over slices, one a question, are what the compiler makes vectors of.
    """
    size = max(0, len(source) - 4)
    a, b, c = source[:size], source[1 : size + 1], source[2 : size + 2]
    d, e = source[3 : size + 3], source[4 : size + 4]
    configured = defined = False
    for at in range(size):  # [Mm]acro
        configured |= (
            ((a[at] | 32) == 109) & (b[at] == 97) & (c[at] == 99) & (d[at] == 114) & (e[at] == 111)
        )
    for at in range(size):  # \new…, \ren…, \prov…, \def, \Dec…
        byte, behind = b[at], d[at]
        defined |= (a[at] == 92) & (
            (
                (c[at] == 101)
                & (
                    ((byte == 110) & (behind == 119)) | ((byte == 114) & (behind == 110))
                    | ((byte == 100) & (behind == 102)) | ((byte == 68) & (behind == 99))
                )
            )
            | ((byte == 112) & (c[at] == 114) & (behind == 111) & (e[at] == 118))
        )  # fmt: skip
    return configured * CONFIGURES_MACROS | defined * DEFINES_MACROS


@kernel
def style_hints(source: Bytes) -> int:
    """Whether a page may choose delimiters or load AsciiMath, as ``macro_hints``."""
    size = max(0, len(source) - 4)
    a, b, c = source[:size], source[1 : size + 1], source[2 : size + 2]
    d, e = source[3 : size + 3], source[4 : size + 4]
    delimited = ascii_math = False
    for at in range(size):  # inlin[eMath], rende[rMath]InElement, [delim]iters
        byte = a[at]
        delimited |= (
            (b[at] == 77) & (c[at] == 97) & (d[at] == 116) & (e[at] == 104)
            & ((byte == 101) | (byte == 114))
        ) | (
            (byte == 100) & (b[at] == 101) & (c[at] == 108) & (d[at] == 105) & (e[at] == 109)
        )  # fmt: skip
    for at in range(size):  # asc[iim]ath in any case, AM_
        ascii_math |= (((a[at] | 32) == 105) & ((b[at] | 32) == 105) & ((c[at] | 32) == 109)) | (
            (a[at] == 65) & (b[at] == 77) & (c[at] == 95)
        )
    return delimited * CHOOSES_DELIMITERS | ascii_math * LOADS_ASCIIMATH
