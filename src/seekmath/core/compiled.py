"""Compiled kernels: numba, with the machine code kept so that no process compiles again.

A kernel may call kernels of its own file only: numba notices an edit of a kernel's file, not one
of a file that it calls into.
"""

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function, **options: Any) -> Function:
    """Compile ``function`` at its first call, in nopython mode; ``options`` are numba's.

    The code is kept in ``NUMBA_CACHE_DIR``, beside the source, or in the user's cache folder,
    whichever can be written; in a read-only home in a private folder below the temporary one;
    and where nothing can be written each process compiles for itself.
    """
    compiler: Any = numba
    try:
        return compiler.njit(cache=True, nogil=True, **options)(function)
    except RuntimeError:  # numba found no folder that it can write to
        private = _private_folder(Path(tempfile.gettempdir()) / f"seekmath-kernels-{os.getuid()}")
        if private is None:
            return compiler.njit(nogil=True, **options)(function)
        compiler.config.CACHE_DIR = str(private)
        return compiler.njit(cache=True, nogil=True, **options)(function)


def leaf(function: Function) -> Function:
    """A kernel that makes no array, for kernels to call for every token or byte.

    References to its arguments are not counted, which takes longer than the call itself. numba
    refuses one that makes an array.
    """
    return kernel(function, _nrt=False)


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
