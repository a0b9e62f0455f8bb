"""Memory of this process: the peak, by sampling, and what becomes of freed memory."""

import contextlib
import ctypes
import threading

import psutil

_EVERY_S = 0.25
# glibc's names for mallopt.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4


def keep_freed() -> None:
    """Let freed memory stay with this process until ``give_back``.

    By default a large block goes back to the system when it is freed, and each page of the next
    one is fetched and cleared anew: a tenth to a fifth of a small model's training step.
    """
    with contextlib.suppress(AttributeError, OSError):  # another C library than glibc
        library = ctypes.CDLL(None)
        library.mallopt(_TRIM_THRESHOLD, -1)
        library.mallopt(_MMAP_MAX, 0)


def give_back() -> None:
    """Return freed memory to the system."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


class MemoryMeter:
    """Samples resident memory of the process tree four times a second while the block runs."""

    def __init__(self) -> None:
        self.peak_mib = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "MemoryMeter":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        process = psutil.Process()
        while True:
            self.peak_mib = max(self.peak_mib, _tree_mib(process))
            if self._stop.wait(_EVERY_S):
                return


def _tree_mib(process: psutil.Process) -> float:
    total = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += one.memory_info().rss
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return total / 2**20
