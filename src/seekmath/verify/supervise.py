"""Watching one program to its end: output capped, processor and wall time bounded."""

import contextlib
import os
import select
import signal
import time
from dataclasses import dataclass, field

_CHUNK = 1 << 16
_CPU_CLOCK = 2  # CPUCLOCK_SCHED: user and system time of a process


@dataclass
class Ended:
    """How a process ended.

    Attributes:
        outputs: what came through each pipe, cut at its cap.
        stopped: ``cpu``, ``wall``, ``output`` or ``cancelled`` if it was killed for that; or "".
        code: its exit status; minus the signal that killed it.
        cpu_s: processor time of it and the children it waited for.
        wall_s: time it took.
    """

    outputs: list[bytes] = field(default_factory=list)
    stopped: str = ""
    code: int = 0
    cpu_s: float = 0.0
    wall_s: float = 0.0


def watch(
    pid: int,
    pipes: dict[int, int],
    *,
    cpu_s: float,
    wall_s: float,
    cancel: int | None = None,
    own_clock: bool = True,
) -> Ended:
    """Read from a child process until it ends or passes a bound; then it is dead and reaped.

    Args:
        pid: the child.
        pipes: descriptors to read, each with the bytes it may bring.
        cpu_s: bound on processor time, seconds; exact, unlike RLIMIT_CPU.
        wall_s: bound on wall time, seconds.
        cancel: a descriptor at which readiness or hang-up ends the child.
        own_clock: the child itself does the work (False: its descendants, bounded by rlimits).
    """
    start = time.monotonic()
    clock = cpu_clock(pid)
    chunks: dict[int, bytearray] = {pipe: bytearray() for pipe in pipes}
    ended = Ended()
    process = os.pidfd_open(pid)
    try:
        poll = select.poll()
        for descriptor in (process, *pipes, *(() if cancel is None else (cancel,))):
            poll.register(descriptor, select.POLLIN)
        for pipe in pipes:
            os.set_blocking(pipe, False)
        while not ended.stopped:
            left_s = start + wall_s - time.monotonic()
            cpu_left_s = cpu_s - time.clock_gettime(clock) if own_clock else left_s
            if min(left_s, cpu_left_s) <= 0:
                ended.stopped = "wall" if left_s <= 0 else "cpu"
                break
            ready = {descriptor for descriptor, _ in poll.poll(_wait_ms(left_s, cpu_left_s))}
            if cancel in ready:
                ended.stopped = "cancelled"
            for pipe in ready & chunks.keys():
                if not _drain(pipe, chunks[pipe], pipes[pipe]):
                    poll.unregister(pipe)
                if len(chunks[pipe]) > pipes[pipe]:
                    ended.stopped = "output"
            if process in ready:
                break
        if ended.stopped:
            _kill(process)
        _, status, usage = os.wait4(pid, 0)
    finally:
        os.close(process)
    for pipe, got in chunks.items():  # what it wrote between the last look and its end
        if len(got) <= pipes[pipe]:
            _drain(pipe, got, pipes[pipe])
        if len(got) > pipes[pipe] and not ended.stopped:
            ended.stopped = "output"
    ended.outputs = [bytes(got[: pipes[pipe]]) for pipe, got in chunks.items()]
    ended.code = os.waitstatus_to_exitcode(status)
    ended.cpu_s = usage.ru_utime + usage.ru_stime
    ended.wall_s = time.monotonic() - start
    return ended


def _wait_ms(left_s: float, cpu_left_s: float) -> int:
    """Processor time of one thread cannot pass faster than wall time."""
    return int(1000 * min(left_s, cpu_left_s)) + 1


def _drain(pipe: int, into: bytearray, cap: int) -> bool:
    """Read what is there, to just over the cap; False once the other end is closed."""
    while len(into) <= cap:
        try:
            chunk = os.read(pipe, min(_CHUNK, cap + 1 - len(into)))
        except BlockingIOError:
            return True
        if not chunk:
            return False
        into += chunk
    return True


def _kill(process: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(process, signal.SIGKILL)


def cpu_clock(pid: int) -> int:
    """The clock of a process's time on the processor (clock_getcpuclockid of Linux)."""
    return (~pid << 3) | _CPU_CLOCK
