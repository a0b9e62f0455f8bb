"""System calls that Python has no name for, through the C library; each failure is an OSError."""

import contextlib
import ctypes
import os
import resource
import signal
import struct
from dataclasses import dataclass

_libc = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_CAPABILITY_VERSION_3 = 0x20080522
_LAST_CAPABILITY = 63
_MADV_COLLAPSE, _HUGE_PAGE = 25, 1 << 21
_MADV_POPULATE_WRITE, _PAGE, _MOST_STRETCHES = 23, resource.getpagesize(), 1024
_NR_PROCESS_MADVISE = 440  # the same number on every architecture
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
    for low, high in _own_memory():
        for start in range(-(-low // _HUGE_PAGE) * _HUGE_PAGE, high - _HUGE_PAGE + 1, _HUGE_PAGE):
            _libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(_HUGE_PAGE), _MADV_COLLAPSE)


@dataclass(frozen=True)
class Pages:
    """Stretches of memory for ``copy_now``: an array of ``struct iovec``."""

    vector: ctypes.Array[ctypes.c_size_t]

    @classmethod
    def of(cls, numbers: bytes) -> "Pages | None":
        """Of the numbers of pages, 8 bytes each, ascending; None where there are none."""
        stretches: list[list[int]] = []
        for (number,) in struct.iter_unpack("=Q", numbers):
            if stretches and sum(stretches[-1]) == number:
                stretches[-1][1] += 1
            else:
                stretches.append([number, 1])
        flat = [part * _PAGE for stretch in stretches[:_MOST_STRETCHES] for part in stretch]
        return cls((ctypes.c_size_t * len(flat))(*flat)) if flat else None


def own_pages() -> bytes:
    """Numbers of this process's anonymous pages that it shares with no other, 8 bytes each.

    In a fork: those it has written. Empty where the kernel does not tell.
    """
    found: list[int] = []
    with contextlib.suppress(OSError), open("/proc/self/pagemap", "rb", buffering=0) as pagemap:
        for low, high in _own_memory():
            entries = os.pread(pagemap.fileno(), (high - low) // _PAGE * 8, low // _PAGE * 8)
            found += [
                low // _PAGE + place
                for place, (entry,) in enumerate(struct.iter_unpack("=Q", entries))
                if entry >> 63 and entry >> 56 & 1
            ]
    return struct.pack(f"={len(found)}Q", *found)


def copy_now(pages: Pages) -> None:
    """Copy pages that this process shares with its parent, as if it had written to each.

    One call instead of a fault for each page; before Linux 6.13 nothing happens.
    """
    count = len(pages.vector) // 2
    with contextlib.suppress(OSError):
        this = os.pidfd_open(os.getpid())
        syscall(_NR_PROCESS_MADVISE, this, pages.vector, count, _MADV_POPULATE_WRITE, 0)


def _own_memory() -> list[tuple[int, int]]:
    """Writable mappings of no file: where each begins and ends."""
    with open("/proc/self/maps", encoding="ascii") as file:
        mappings = [line.split() for line in file]
    places = [place.split("-") for place, rights, _, _, inode, *_ in mappings
              if rights == "rw-p" and inode == "0"]  # fmt: skip
    return [(int(low, 16), int(high, 16)) for low, high in places]


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
