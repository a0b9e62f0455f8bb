"""What a record may take: the clock stands still while kernels are compiled, and only then."""

import signal
import subprocess
import sys

import pytest

HEAD = """
import signal, time, resource
from seekmath.mine.limits import Uncounted, limit_memory, limit_time

def work(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass

signal.signal(signal.SIGPROF, signal.SIG_DFL)
"""


def ran(text: str) -> int:
    return subprocess.run([sys.executable, "-c", HEAD + text]).returncode


def test_uncounted_work_is_free_and_what_follows_is_not():
    nested = "u = Uncounted()\nu.begin(); u.begin(); work(.3); u.end(); work(.3); u.end()\n"
    assert ran("limit_time(.2)\n" + nested) == 0
    assert ran("limit_time(.2)\n" + nested + "work(.3)") == -signal.SIGPROF
    assert ran("limit_time(.2)\nwork(.15)\n" + nested + "work(.15)") == -signal.SIGPROF
    assert ran("work(.3)\n" + nested + "raise SystemExit(not .6 <= u.spent_s < .8)") == 0


def test_uncounted_memory_is_free_and_what_follows_is_not():
    taken = "u = Uncounted()\nu.begin(); kept = bytearray(64 << 20); u.end()\n"
    assert ran("limit_memory(32)\n" + taken + "more = bytearray(16 << 20)") == 0
    more = "try:\n    more = bytearray(48 << 20)\nexcept MemoryError:\n    raise SystemExit(7)"
    assert ran("limit_memory(32)\n" + taken + more) == 7


@pytest.mark.parametrize("nested", [False, True])
def test_compiling_a_kernel_counts_for_no_record(nested):
    """The body of an ``overload`` runs while numba compiles, so it sees the limits of then."""
    text = f"""
import numba
from numba.extending import overload
from seekmath.mine.compiled import kernel
seen = []
def probe(): pass
@overload(probe)
def _():
    limits = signal.getitimer(signal.ITIMER_PROF)[0], resource.getrlimit(resource.RLIMIT_DATA)
    seen.append(limits)
    return lambda: 1
inner = numba.njit(lambda: probe())
outer = numba.njit(lambda: inner()) if {nested} else inner
no_limits = 0, resource.getrlimit(resource.RLIMIT_DATA)
limit_time(50); limit_memory(1000)
assert outer() == 1
hard = no_limits[1][1]
assert seen and all(limits == (0, (hard, hard)) for limits in seen), seen
assert 40 < signal.getitimer(signal.ITIMER_PROF)[0] <= 50
assert resource.getrlimit(resource.RLIMIT_DATA)[0] != hard
"""
    assert ran(text) == 0
