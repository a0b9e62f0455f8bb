"""Kernels for mining: compiling one is charged to no record of a crawl.

The questions of ``byte_masks`` are part of the kernels that ask them: after an edit there the kept
code has to go.
"""

from numba.core.event import Event, Listener, register

from seekmath.core.compiled import kernel, leaf
from seekmath.mine.limits import COMPILING

__all__ = ["kernel", "leaf"]


class _Compiling(Listener):
    """Charges no record of a crawl with the compiling that its being the first brought about."""

    def on_start(self, event: Event) -> None:
        COMPILING.begin()

    def on_end(self, event: Event) -> None:
        COMPILING.end()


register("numba:compile", _Compiling())
