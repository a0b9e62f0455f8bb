"""Compiled kernels: numba, with the machine code kept so that workers do not compile again.

A kernel may call kernels of its own file only: numba notices an edit of a kernel's file, not one
of a file that it calls into. The questions of ``byte_masks`` are part of the kernels that ask
them: after an edit there the kept code has to go.
"""

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core.event import Event, Listener, register

from seekmath.mine.limits import Uncounted

Function = TypeVar("Function", bound=Callable[..., Any])


class _Compiling(Listener):
    """Charges no record of a crawl with the compiling that its being the first brought about."""

    def __init__(self) -> None:
        self._uncounted = Uncounted()

    def on_start(self, event: Event) -> None:
        self._uncounted.begin()

    def on_end(self, event: Event) -> None:
        self._uncounted.end()


register("numba:compile", _Compiling())


def kernel(function: Function) -> Function:
    """Compile ``function`` at its first call, in nopython mode.

    The code is kept in ``NUMBA_CACHE_DIR``, beside the source, or in the user's cache folder,
    whichever can be written; in a read-only home in a private folder below the temporary one;
    and where nothing can be written each process compiles for itself.
    """
    compiler: Any = numba
    try:
        return compiler.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba found no folder that it can write to
        private = _private_folder(Path(tempfile.gettempdir()) / f"seekmath-kernels-{os.getuid()}")
        if private is None:
            return compiler.njit(nogil=True)(function)
        compiler.config.CACHE_DIR = str(private)
        return compiler.njit(cache=True, nogil=True)(function)


def _private_folder(path: Path) -> Path | None:
    """``path`` when it is a folder that nobody else can write to, made if absent.

    Kept code is loaded and run, so a folder that another user has made is never trusted.
    """
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    except OSError:
        return None
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    return path if ours and not found.st_mode & 0o077 and os.access(path, os.W_OK) else None
