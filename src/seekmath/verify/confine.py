"""What a process gives up before it runs a program that a model wrote.

For the worker and all its forks: namespaces where they can be had, capabilities, the right to gain
privileges. For each fork: landlock, seccomp, hard limits. As nothing can be spawned under them,
nothing is left to clean up.
"""

import contextlib
import fcntl
import os
import resource
import site
import sysconfig
from collections.abc import Callable

from seekmath.verify import kernel, landlock, seccomp

#: The descriptor on which a program's value goes out; those above it are closed.
RESULT = 3
_OPEN_FILES = 64
# Of shared libraries, most is mapped and never touched.
_UNTOUCHED_BYTES = 256 << 20

#: Read by the dynamic linker and by libraries that programs import.
SYSTEM_FILES = (
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/share/zoneinfo",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/dev/null",
    "/dev/urandom",
)

_NAMESPACES = {
    "net": kernel.CLONE_NEWNET,
    "pid": kernel.CLONE_NEWPID,
    "ipc": kernel.CLONE_NEWIPC,
    "uts": kernel.CLONE_NEWUTS,
    "cgroup": kernel.CLONE_NEWCGROUP,
}


class Layers:
    """The protections of this process, and what each fork still has to put on."""

    def __init__(self) -> None:
        self.active: dict[str, str] = {}
        self.mapped = 0
        self._rules: int | None = None
        self._filter: seccomp.Filter | None = None

    def enter_process(self, *, namespaces: bool) -> None:
        """What holds for this process and all its forks.

        With ``namespaces`` it goes on as the first process of new ones where they can be had.
        """
        if namespaces:
            self._enter_namespaces()
        self._note("capabilities", "dropped", kernel.drop_capabilities)
        self._note("no_new_privs", "set", kernel.forbid_new_privileges)
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")  # where memory runs out, a program goes before the trainer
        self._note("dumps", "forbidden", kernel.forbid_dumps)

    def prepare(self) -> None:
        """Make the rules that each fork puts on."""
        if landlock.version():
            rules = landlock.ruleset(readable_paths())
            self._rules = fcntl.fcntl(rules, fcntl.F_DUPFD_CLOEXEC, RESULT + 1)
            os.close(rules)
            self.active["landlock"] = f"version {landlock.version()}"
        if seccomp.supported():
            self._filter = seccomp.Filter()
            self.active["seccomp"] = f"{len(seccomp.ALLOWED)} calls allowed"
        self._note("rlimits", "set", _limit_worker)
        self.mapped = mapped_bytes()

    def confine_fork(self) -> None:
        """Put on the rules; from here on nothing can be opened but what programs may read."""
        if self._rules is not None:
            landlock.restrict_self(self._rules)
        os.closerange(RESULT + 1, 1 << 16)
        if self._filter is not None:
            self._filter.install()

    def _enter_namespaces(self) -> None:
        flags = 0
        for flag in _NAMESPACES.values():
            flags |= flag
        for extra, name in ((0, ""), (kernel.CLONE_NEWUSER, "user ")):
            try:
                kernel.unshare(flags | extra)
            except OSError:
                continue
            self.active["namespaces"] = name + " ".join(_NAMESPACES)
            _become_first_process()
            return

    def _note(self, name: str, words: str, put_on: Callable[[], None]) -> None:
        with contextlib.suppress(OSError, KeyError):
            put_on()
            self.active[name] = words


def readable_paths() -> list[str]:
    """What a program may read: the interpreter's library, installed packages, shared libraries."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    python = [sysconfig.get_path(name) for name in names]
    if site.ENABLE_USER_SITE:
        python.append(site.getusersitepackages())
    return [*dict.fromkeys(os.path.realpath(path) for path in python), *SYSTEM_FILES]


def _become_first_process() -> None:
    """Go on as the first process of the new pid namespace; when that ends, all in it end."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    kernel.die_with_parent(0)  # so reads the id of a parent outside


def mapped_bytes() -> int:
    """Address space that this process has mapped, or an upper guess where /proc is not there."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + _UNTOUCHED_BYTES


def limit_program(address_space: int, cpu_s: float) -> None:
    """Limits of the process that runs a program; ``address_space`` in bytes."""
    _set_hard(resource.RLIMIT_AS, address_space)
    _set_hard(resource.RLIMIT_CPU, int(cpu_s) + 1)  # behind the watcher's exact bound
    _set_hard(resource.RLIMIT_NPROC, 0)


def _limit_worker() -> None:
    """Limits that a worker can bear too, and hands down to its forks."""
    _set_hard(resource.RLIMIT_NOFILE, _OPEN_FILES)
    names = (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE, resource.RLIMIT_MEMLOCK)
    for name in (*names, resource.RLIMIT_MSGQUEUE):
        _set_hard(name, 0)


def _set_hard(name: int, most: int) -> None:
    hard = resource.getrlimit(name)[1]
    bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(name, (bound, bound))
