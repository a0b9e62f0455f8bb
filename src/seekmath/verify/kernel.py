"""System calls that Python has no name for, through the C library; each failure is an OSError."""

import ctypes
import os
import signal
import struct

_libc = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_CAPABILITY_VERSION_3 = 0x20080522
_LAST_CAPABILITY = 63
_MADV_COLLAPSE, _HUGE_PAGE = 25, 1 << 21
_NR_CAPSET = {"x86_64": 126, "aarch64": 91}

CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000


def machine() -> str:
    """The architecture as the kernel names it: x86_64, aarch64, …"""
    return os.uname().machine


def syscall(number: int, *arguments: object) -> int:
    """Call the kernel; integers are passed as machine words."""
    words = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    return _checked(_libc.syscall(ctypes.c_long(number), *words))


def prctl(option: int, *arguments: object) -> int:
    """``prctl(2)``."""
    words = [ctypes.c_ulong(one) if isinstance(one, int) else one for one in arguments]
    while len(words) < 4:
        words.append(ctypes.c_ulong(0))
    return _checked(_libc.prctl(ctypes.c_int(option), *words))


def unshare(flags: int) -> None:
    """Enter new namespaces."""
    _checked(_libc.unshare(ctypes.c_int(flags)))


def die_with_parent(parent: int) -> None:
    """Have this process killed when its parent ends; ``parent`` is the parent's id."""
    prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:  # it ended before the call
        os._exit(1)


def forbid_dumps() -> None:
    """No core file, and no look into this process's memory by others of the same user."""
    prctl(_PR_SET_DUMPABLE, 0)


def forbid_new_privileges() -> None:
    """No program that is executed from here on can gain a privilege."""
    prctl(_PR_SET_NO_NEW_PRIVS, 1)


def drop_capabilities() -> None:
    """Give up every capability for good; the user id stays."""
    for capability in range(_LAST_CAPABILITY + 1):
        try:
            prctl(_PR_CAPBSET_DROP, capability)
        except OSError:  # without CAP_SETPCAP, or past the last one: no_new_privs covers it
            break
    prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0))
    nothing = ctypes.create_string_buffer(24)
    syscall(_NR_CAPSET[machine()], header, nothing)


def join_pages() -> None:
    """Gather this process's memory in huge pages (Linux 6.1 or later, else nothing happens).

    A fork copies one entry of the page table for each instead of 512, and its end frees as few.
    """
    with open("/proc/self/maps", encoding="ascii") as file:
        mappings = [line.split() for line in file]
    for place, rights, _, _, inode, *_ in mappings:
        if rights != "rw-p" or inode != "0":
            continue
        low, high = (int(one, 16) for one in place.split("-"))
        for start in range(-(-low // _HUGE_PAGE) * _HUGE_PAGE, high - _HUGE_PAGE + 1, _HUGE_PAGE):
            _libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(_HUGE_PAGE), _MADV_COLLAPSE)


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
