"""Freed memory stays with the process while asked to, and goes back when told."""

import subprocess
import sys

import pytest

TEXT = """
import psutil
from seekmath.core.memory import give_back, keep_freed

def mib():
    return psutil.Process().memory_info().rss >> 20

if {keep}:
    keep_freed()
start = mib()
block = b"x" * (200 << 20)
full = mib()
del block
freed = mib()
give_back()
print(full - start, freed - start, mib() - start)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
@pytest.mark.parametrize("keep", [True, False])
def test_a_freed_block_stays_until_it_is_given_back(keep):
    text = TEXT.format(keep=keep)
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, check=True)
    full, freed, given = map(int, done.stdout.split())
    assert full >= 195
    assert freed >= 195 if keep else freed <= 20
    assert given <= 20
