"""Landlock: which files a process may read; it may write none, and open no TCP connection.

The kernel's documentation, "Landlock: unprivileged access control". A version of the interface
that lacks a right leaves that right to seccomp, which forbids it too.
"""

import ctypes
import os
from collections.abc import Iterable

from seekmath.verify.kernel import syscall

# The same numbers on every architecture.
_NR_CREATE, _NR_ADD_RULE, _NR_RESTRICT = 444, 445, 446
_CREATE_VERSION = 1
_RULE_PATH_BENEATH = 1

_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
# Rights over files by the interface version that brought them: all bits below this one.
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
_NET_RIGHTS = 0b11  # bind and connect TCP, version 4
_SCOPES = 0b11  # abstract Unix sockets and signals, version 6


def version() -> int:
    """The version of the kernel's interface; 0 where there is none."""
    try:
        return syscall(_NR_CREATE, None, 0, _CREATE_VERSION)
    except OSError:
        return 0


def ruleset(readable: Iterable[str]) -> int:
    """A rule set under which only what lies below ``readable`` can be read, as a descriptor.

    Raises:
        OSError: the kernel has no landlock.
    """
    has = version()
    bits = max(count for since, count in _FILE_RIGHTS.items() if since <= max(has, 1))
    handled = [(1 << bits) - 1]
    if has >= 4:
        handled.append(_NET_RIGHTS)
    if has >= 6:
        handled.append(_SCOPES)
    attributes = (ctypes.c_uint64 * len(handled))(*handled)
    rules = syscall(_NR_CREATE, ctypes.byref(attributes), ctypes.sizeof(attributes), 0)
    for path in readable:
        _allow(rules, path)
    return rules


def restrict_self(rules: int) -> None:
    """Put this process under the rules for good; it needs ``no_new_privs``."""
    syscall(_NR_RESTRICT, rules, 0)


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def _allow(rules: int, path: str) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no permission
    try:
        rights = _READ_FILE | (_READ_DIR if os.path.isdir(path) else 0)
        rule = _PathBeneath(rights, descriptor)
        syscall(_NR_ADD_RULE, rules, _RULE_PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(descriptor)
