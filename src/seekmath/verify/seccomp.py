"""Seccomp: the system calls that a computation needs, and no other.

A program may compute, read what landlock lets it read, write to descriptors that it was given, and
wait. It cannot make a process or a thread, execute, open a socket or a file for writing, signal,
trace, mount, or reach the kernel's larger interfaces. What is not on the list fails with EPERM, so
that Python raises PermissionError and goes on.
"""

import ctypes
import errno
import struct
import sys
from dataclasses import dataclass

from seekmath.verify.kernel import machine, prctl

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2

# Classic BPF: load a word, jump if equal, if at least, if any bit is set; return.
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
# Offsets in struct seccomp_data.
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_X32 = 0x40000000  # system calls of the 32-bit ABI on x86_64

_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# Numbers on x86_64 and aarch64 (None: it has no such call).
ALLOWED: dict[str, tuple[int, int | None]] = {
    "read": (0, 63),
    "write": (1, 64),
    "mmap": (9, 222),
    "munmap": (11, 215),
    "brk": (12, 214),
    "newfstatat": (262, 79),
    "fstat": (5, 80),
    "lseek": (8, 62),
    "close": (3, 57),
    "getdents64": (217, 61),
    "futex": (202, 98),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "mprotect": (10, 226),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "pread64": (17, 67),
    "readv": (19, 65),
    "writev": (20, 66),
    "stat": (4, None),
    "lstat": (6, None),
    "statx": (332, 291),
    "access": (21, None),
    "faccessat": (269, 48),
    "faccessat2": (439, 439),
    "readlink": (89, None),
    "readlinkat": (267, 78),
    "getcwd": (79, 17),
    "dup": (32, 23),
    "dup2": (33, None),
    "dup3": (292, 24),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "nanosleep": (35, 101),
    "gettimeofday": (96, 169),
    "time": (201, None),
    "times": (100, 153),
    "getrusage": (98, 165),
    "getrandom": (318, 278),
    "getpid": (39, 172),
    "gettid": (186, 178),
    "getppid": (110, 173),
    "getuid": (102, 174),
    "geteuid": (107, 175),
    "getgid": (104, 176),
    "getegid": (108, 177),
    "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123),
    "uname": (63, 160),
    "sysinfo": (99, 179),
    "getrlimit": (97, 163),
    "poll": (7, None),
    "ppoll": (271, 73),
    "select": (23, None),
    "pselect6": (270, 72),
    "getitimer": (36, 102),
    "setitimer": (38, 103),
    "alarm": (37, None),
    "restart_syscall": (219, 128),
    "exit": (60, 93),
    "exit_group": (231, 94),
}
# Refused with the error at which the C library and Python take another way.
REFUSED: dict[str, tuple[int, int | None, int]] = {
    "ioctl": (16, 29, errno.ENOTTY),
    "clone3": (435, 435, errno.ENOSYS),
    "rseq": (334, 293, errno.ENOSYS),
    "set_robust_list": (273, 99, errno.ENOSYS),
}
# O_WRONLY, O_RDWR, O_CREAT, O_TRUNC: the same values on both architectures.
_WRITING = 0o1 | 0o2 | 0o100 | 0o1000
# F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC; F_SETOWN and F_SETFL could send signals.
_DESCRIPTOR_COMMANDS = (0, 1, 2, 3, 1030)


@dataclass(frozen=True)
class _Argument:
    """A call that is allowed by one 32-bit argument."""

    numbers: tuple[int, int | None]
    index: int
    bits_clear: int = 0
    one_of: tuple[int, ...] = ()


_BY_ARGUMENT: dict[str, _Argument] = {
    "openat": _Argument((257, 56), 2, bits_clear=_WRITING),
    "open": _Argument((2, None), 1, bits_clear=_WRITING),
    "fcntl": _Argument((72, 25), 1, one_of=_DESCRIPTOR_COMMANDS),
    # Of this process itself; its hard limits are set, and it has no capability to raise them.
    "prlimit64": _Argument((302, 261), 0, one_of=(0,)),
}


def supported() -> bool:
    """Whether the tables have this machine's architecture."""
    return machine() in _AUDIT and sys.byteorder == "little"


def program(architecture: str) -> bytes:
    """The filter as BPF instructions for ``x86_64`` or ``aarch64``."""
    which = 0 if architecture == "x86_64" else 1
    code = [_step(_LOAD, _ARCHITECTURE), _step(_EQUAL, _AUDIT[architecture], 1, 0)]
    code += [_step(_RETURN, _KILL), _step(_LOAD, _NUMBER)]
    if architecture == "x86_64":
        code += [_step(_AT_LEAST, _X32, 0, 1), _step(_RETURN, _KILL)]
    leaves = {numbers[which]: [_step(_RETURN, _ALLOW)] for numbers in ALLOWED.values()}
    for *refused, error in REFUSED.values():
        leaves[refused[which]] = [_step(_RETURN, _ERRNO | error)]
    for rule in _BY_ARGUMENT.values():
        leaves[rule.numbers[which]] = _argument_test(rule)
    return b"".join(
        [*code, *_tree(sorted((n, leaf) for n, leaf in leaves.items() if n is not None))]
    )


class Filter:
    """The filter of this machine, made once and installed in each forked process."""

    def __init__(self) -> None:
        code = program(machine())
        self._code = ctypes.create_string_buffer(code, len(code))
        self._head = ctypes.create_string_buffer(
            struct.pack("@HP", len(code) // 8, ctypes.addressof(self._code))
        )

    def install(self) -> None:
        """Put this process under the filter for good; it needs ``no_new_privs``."""
        prctl(_PR_SET_SECCOMP, _MODE_FILTER, self._head)


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _tree(leaves: list[tuple[int, list[bytes]]]) -> list[bytes]:
    """A binary search for the system call's number.

    To install a filter the kernel tries it on every number there is, and that for each program.
    """
    if len(leaves) == 1:
        number, leaf = leaves[0]
        return [_step(_EQUAL, number, 0, len(leaf)), *leaf, _step(_RETURN, _ERRNO | errno.EPERM)]
    middle = len(leaves) // 2
    low, high = _tree(leaves[:middle]), _tree(leaves[middle:])
    return [_step(_AT_LEAST, leaves[middle][0], len(low), 0), *low, *high]


def _argument_test(rule: _Argument) -> list[bytes]:
    load = _step(_LOAD, _ARGUMENTS + 8 * rule.index)
    allow, refuse = _step(_RETURN, _ALLOW), _step(_RETURN, _ERRNO | errno.EPERM)
    if rule.bits_clear:
        return [load, _step(_ANY_BIT, rule.bits_clear, 1, 0), allow, refuse]
    tests = [
        _step(_EQUAL, value, len(rule.one_of) - place, 0) for place, value in enumerate(rule.one_of)
    ]
    return [load, *tests, refuse, allow]
