"""Running Python that a model wrote, in isolation.

Two back ends: ``native``, a warm worker that forks for each program (``sandbox_worker``), and
``bubblewrap``, a cold interpreter in namespaces of its own for each program. Both fail closed: a
program whose protections cannot be put on is not run.
"""

import queue
import socket
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Literal, Protocol

from seekmath.core.files import BadInput
from seekmath.verify.bubblewrap import BubblewrapRunner
from seekmath.verify.execution import Execution, Limits, Program
from seekmath.verify.sandbox_worker import WORKER_ENVIRONMENT, receive, send, worker_command

Backend = Literal["auto", "native", "bubblewrap"]

#: Without these the native back end does not run a program.
REQUIRED = ("capabilities", "no_new_privs", "landlock", "seccomp", "rlimits")
# What a program must not be able to do: tried at start, for a layer that is on may still not hold.
_PROBE = """
import os, socket
acts = {
    "read files": lambda: open("/etc/passwd"),
    "read /proc": lambda: open("/proc/self/environ"),
    "write files": lambda: open("/tmp/seekmath-probe", "w"),
    "open sockets": lambda: socket.socket(),
    "start processes": lambda: os.fork() or os._exit(0),
    "signal": lambda: os.kill(os.getppid(), 0),
}
able = []
for name, act in acts.items():
    try:
        act()
    except OSError:
        continue
    able.append(name)
"""
# A worker that has not answered this long after a program's wall time is broken.
_GRACE_S = 30.0


class NoIsolation(BadInput):
    """This machine cannot isolate programs, and running them unprotected was not asked for."""


class Runner(Protocol):
    """Runs one program at a time."""

    @property
    def layers(self) -> dict[str, str]:
        """What protects the machine, by layer."""

    def run(self, program: Program) -> Execution:
        """The end of one program."""

    def close(self) -> None:
        """End what it has running."""


class Sandbox:
    """Runs programs, several at a time, from any thread.

    Args:
        limits: bounds of each program.
        backend: ``auto`` takes ``native`` where the kernel has its layers, else ``bubblewrap``.
        workers: programs under way at once.
        unsafe: where neither back end works, run programs with the layers there are.

    Raises:
        NoIsolation: this machine cannot isolate programs, and ``unsafe`` was not given.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        backend: Backend = "auto",
        workers: int = 1,
        unsafe: bool = False,
    ) -> None:
        limits = limits or Limits()
        first, self.backend = _first_runner(limits, backend, unsafe)
        self.layers = first.layers
        if self.backend != "unsafe":
            _check_holds(first)
        kind = BubblewrapRunner if self.backend == "bubblewrap" else WarmRunner
        self._runners: list[Runner] = [first, *(kind(limits) for _ in range(workers - 1))]
        self._free: queue.LifoQueue[Runner] = queue.LifoQueue()
        for runner in self._runners:
            self._free.put(runner)
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="sandbox")

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, program: Program) -> Execution:
        """Run one program to its end; waits while all workers are busy."""
        runner = self._free.get()
        try:
            return runner.run(program)
        finally:
            self._free.put(runner)

    def run_all(self, programs: Sequence[Program]) -> list[Execution]:
        """Run programs, as many at once as there are workers; their ends, in order."""
        return list(self._threads.map(self.run, programs))

    def describe(self) -> str:
        """What protects this machine from a program, in one line."""
        return f"{self.backend}: " + ", ".join(f"{k} {v}" for k, v in self.layers.items())

    def close(self) -> None:
        """End all workers."""
        self._threads.shutdown(cancel_futures=True)
        for runner in self._runners:
            runner.close()


def _first_runner(limits: Limits, backend: Backend, unsafe: bool) -> tuple[Runner, str]:
    """The first back end that works, with its first runner."""
    reasons = []
    if backend in ("auto", "native"):
        runner = WarmRunner(limits)
        missing = [layer for layer in REQUIRED if layer not in runner.layers]
        if not missing:
            return runner, "native"
        runner.close()
        reasons.append(f"native needs {', '.join(missing)} (Linux 5.13 or later, landlock enabled)")
    if backend in ("auto", "bubblewrap"):
        try:
            return BubblewrapRunner(limits), "bubblewrap"
        except BadInput as error:
            reasons.append(str(error))
    if unsafe:
        return WarmRunner(limits), "unsafe"
    raise NoIsolation(
        f"this machine cannot isolate programs that a model wrote: {'; '.join(reasons)}. "
        "--unsafe runs them nevertheless"
    )


def _check_holds(runner: Runner) -> None:
    """Have a program try what it must not be able to do."""
    probed = runner.run(Program(_PROBE, value="', '.join(able)"))
    if probed.status != "ok" or probed.value:
        runner.close()
        found = f"a program can {probed.value}" if probed.value else probed.error
        raise NoIsolation(f"the sandbox does not hold on this machine: {found}")


class WarmRunner:
    """A warm worker process; a new one takes its place if it dies."""

    _layers: dict[str, str] | None

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._start()

    @property
    def layers(self) -> dict[str, str]:
        """The worker's protections; waits until it is warm."""
        if self._layers is None:
            try:
                self._layers = receive(self._channel)["layers"]
            except (EOFError, OSError):
                self.close()
                raise RuntimeError("the sandbox's worker did not start") from None
        return self._layers

    def run(self, program: Program) -> Execution:
        """Run one program; if the worker dies under it, once more in a new worker."""
        request = asdict(program)
        for _ in range(2):
            try:
                assert self.layers is not None  # its greeting comes before any answer
                send(self._channel, request)
                return Execution(**receive(self._channel))
            except (EOFError, OSError):
                self.close()
                self._start()
            except BaseException:
                # Interrupted: the answer to this program must not be taken for the next one's.
                self.close()
                raise
        return Execution("unrun", error="the sandbox's worker died twice under this program")

    def close(self) -> None:
        """End the worker and what it runs."""
        self._channel.close()
        self._process.kill()
        self._process.wait()

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            control = theirs.fileno()
            self._process = subprocess.Popen(
                worker_command(f"serve({control})"),
                env=WORKER_ENVIRONMENT,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[control],
                start_new_session=True,
            )
        ours.settimeout(self._limits.wall_s + _GRACE_S)
        send(ours, asdict(self._limits))
        self._channel = ours
        self._layers = None
