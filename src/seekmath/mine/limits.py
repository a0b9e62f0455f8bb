"""What one record may take of a worker, kept by the kernel: processor time and memory.

Compiling a kernel is the process's own work and no record's: it may take half a minute on a fresh
installation, and would otherwise be charged to the page that happened to come first. While
``uncounted`` holds, the clock stands still and the bound is lifted.
"""

import resource
import signal
import time
from collections.abc import Callable

_STATM_DATA = 5  # the field of /proc/self/statm that RLIMIT_DATA limits
_NONE = resource.RLIM_INFINITY


def limit_time(cpu_s: float) -> None:
    """End this process after ``cpu_s`` more seconds of processor time; 0: no limit."""
    signal.setitimer(signal.ITIMER_PROF, cpu_s)


def limit_memory(budget_mib: int) -> None:
    """Bound what this process may allocate from now on; 0 lifts the bound of an earlier shard."""
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    soft = _allocated() + (budget_mib << 20) if budget_mib else hard
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


class Uncounted:
    """Between ``begin`` and ``end`` nothing counts; calls may nest.

    Attributes:
        spent_s: processor seconds that this process has spent so.
        begun: called whenever it begins.
    """

    def __init__(self) -> None:
        self._depth = 0
        self.spent_s = 0.0
        self.begun: Callable[[], None] = lambda: None

    def begin(self) -> None:
        """Stop the clock and lift the bound."""
        self._depth += 1
        if self._depth == 1:
            self.begun()
            self._begun_s = time.process_time()
            self._left_s = signal.setitimer(signal.ITIMER_PROF, 0)[0]
            self._soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
            if self._soft != _NONE:
                self._before = _allocated()
                resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))

    def end(self) -> None:
        """Let the clock run on, and bound anew what is allocated beyond what was made here."""
        self._depth -= 1
        if self._depth:
            return
        self.spent_s += time.process_time() - self._begun_s
        if self._soft != _NONE:
            hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
            soft = self._soft + max(0, _allocated() - self._before)
            resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
        signal.setitimer(signal.ITIMER_PROF, self._left_s)


#: Of this process: the compiling of kernels.
COMPILING = Uncounted()
#: What a user is told who waits for it.
COMPILES = "compiling kernels: once in an installation, up to a minute"


def _allocated() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[_STATM_DATA]) * resource.getpagesize()
