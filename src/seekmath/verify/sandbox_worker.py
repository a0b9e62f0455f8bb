"""The process that runs model-written programs: warm, without secrets, one fork per program.

It is executed, not forked, so that nothing of the trainer is in its memory; it takes requests on
a socket, hands each to a fork that waits for it (``standby``), watches that to its end and answers.
A fork gives up everything it does not need before it is told the program: see ``confine``.

Standard library only until ``_warm_up``; started by ``seekmath.verify.sandbox``.
"""

import contextlib
import gc
import json
import os
import signal
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Any

from seekmath.verify import kernel
from seekmath.verify.confine import Layers
from seekmath.verify.sandbox_program import (
    CONFINED,
    answer_on_result,
    confine,
    open_streams,
    run_program,
)
from seekmath.verify.standby import Standby, died_waiting
from seekmath.verify.supervise import Ended

#: All that a worker is told of its surroundings: the same program gives the same result.
WORKER_ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
}
#: The folder that holds the package.
SOURCE = str(Path(__file__).parents[2])
_SAMPLE = "import sympy\nx = sympy.Symbol('x')\nprint(sympy.solve(x**2 - 7*x + 12, x))"


def serve(control: int) -> None:
    """Take limits, then requests on the socket ``control`` until its other side closes."""
    channel = socket.socket(fileno=control)
    with contextlib.suppress(EOFError, ConnectionError):
        _answer_all(channel, receive(channel))


def _answer_all(channel: socket.socket, limits: dict[str, Any]) -> None:
    layers = Layers()
    layers.enter_process(namespaces=True)
    # This process has one thread and seeds chance itself: what libraries do at a fork is waste.
    os.register_at_fork = lambda **hooks: None
    _warm_up()
    layers.prepare()
    open_streams()
    gc.collect()
    gc.freeze()
    with contextlib.suppress(OSError):
        kernel.join_pages()
    of_sympy = _pages_of_sympy()
    send(channel, {"layers": layers.active})
    waiting = Standby(limits, layers)
    while True:
        request = receive(channel)
        # Programs are mostly like the one before.
        symbolic = any("sympy" in code for code in (request["code"], *request["before"]))
        for _ in range(2):
            running = waiting
            running.hand_over(request)
            waiting = Standby(limits, layers, of_sympy if symbolic else None)
            ended = running.watch(channel.fileno())
            if not died_waiting(ended):
                break
        send(channel, verdict(ended, limits))


def _pages_of_sympy() -> kernel.Pages | None:
    """The memory that a sample program writes, found by a fork that runs it."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            sys.stdout = open(os.devnull, "w")
            run_program({"code": _SAMPLE, "before": (), "value": ""})
            data = kernel.own_pages()
            while data:
                data = data[os.write(write, data) :]
        finally:
            os._exit(0)
    os.close(write)
    with open(read, "rb") as file:
        pages = kernel.Pages.of(file.read())
    os.waitpid(pid, 0)
    return pages


def run_once(result: int) -> None:
    """Run one request, read from standard input, in this process: its namespaces are given.

    A request whose code is None asks for the layers.
    """
    request = json.loads(sys.stdin.buffer.read())
    open_streams()
    layers = Layers()
    layers.enter_process(namespaces=False)
    layers.prepare()
    if request["code"] is None:
        os.write(result, CONFINED + json.dumps({"status": "ok", "value": layers.active}).encode())
        return
    limits = request["limits"]
    confine(layers, limits, result, time.process_time() + limits["cpu_s"])
    answer_on_result(request)


def verdict(ended: Ended, limits: dict[str, Any]) -> dict[str, Any]:
    """The answer to a request: how the process ended decides, then the record it left."""
    answer = {
        "stdout": ended.outputs[0].decode("utf-8", "replace"),
        "value": None,
        "cpu_s": ended.cpu_s,
        "wall_s": ended.wall_s,
    }
    stopped = {
        "cpu": ("timeout", f"TimeoutError: over {limits['cpu_s']:g} s of processor time"),
        "wall": ("timeout", f"TimeoutError: over {limits['wall_s']:g} s of waiting"),
        "output": ("output", f"over {limits['output_bytes']} bytes of output"),
        "cancelled": ("unrun", "cancelled"),
    }
    if ended.stopped:
        status, error = stopped[ended.stopped]
    elif not ended.outputs[1].startswith(CONFINED):
        why = ended.outputs[1].decode("utf-8", "replace") or f"status {ended.code}"
        status, error = "unrun", f"the program could not be confined: {why}"
    elif ended.code < 0:
        status, error = "crash", f"killed by {_signal_name(-ended.code)}"
    else:
        return {**answer, **_record(ended.outputs[1].lstrip(CONFINED), ended.code)}
    return {**answer, "status": status, "error": error}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _record(written: bytes, code: int) -> dict[str, Any]:
    """The record that a program's process left; whatever does not read as one is an error."""
    if not written:
        return {"status": "error", "error": f"ended without a result, exit status {code}"}
    try:
        # Half a surrogate pair, which nothing could write or tokenize, becomes "?".
        record = json.loads(written)
        record = json.loads(json.dumps(record, ensure_ascii=False).encode("utf-8", "replace"))
        status, value, error = record["status"], record.get("value"), record.get("error", "")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {"status": "error", "error": "the result channel holds no result"}
    well_formed = (
        status in ("ok", "error", "memory")
        and isinstance(value, str | None)
        and isinstance(error, str)
    )
    if not well_formed or (status == "ok" and code != 0):
        return {"status": "error", "error": "the result channel holds no result"}
    return {"status": status, "value": value if status == "ok" else None, "error": error}


def send(channel: socket.socket, message: dict[str, Any]) -> None:
    """One JSON message with its length before it."""
    data = json.dumps(message).encode()
    channel.sendall(struct.pack("=Q", len(data)) + data)


def receive(channel: socket.socket) -> dict[str, Any]:
    """The next message.

    Raises:
        EOFError: the other side is gone.
    """
    (length,) = struct.unpack("=Q", _exactly(channel, 8))
    return json.loads(_exactly(channel, length))


def _exactly(channel: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        chunk = channel.recv(min(count - len(data), 1 << 16))
        if not chunk:
            raise EOFError
        data += chunk
    return bytes(data)


def _warm_up() -> None:
    """Import what programs use, and run sympy once so that what it imports late is there too."""
    import collections
    import datetime
    import fractions
    import itertools
    import math
    import random
    import statistics

    del collections, datetime, fractions, itertools, math, random, statistics
    with contextlib.suppress(ImportError):
        import sympy

        x, y = sympy.symbols("x y")
        sympy.solve([x + y - 3, x - y - 1], [x, y])
        sympy.solve(x**2 - 5 * x + 6, x)
        sympy.simplify(sympy.expand((x + 1) ** 2) - x)
        sympy.integrate(sympy.sin(x) * x, x)
        str(sympy.factor(x**2 - 1)), sympy.N(sympy.sqrt(2)), sympy.sympify("1/2 + x")


def worker_command(call: str) -> list[str]:
    """The command line of a worker that runs ``call``, a function of this module with arguments."""
    name = call.partition("(")[0]
    code = (
        f"import sys; sys.path.insert(0, {SOURCE!r}); "
        f"from seekmath.verify.sandbox_worker import {name}; sys.path.pop(0); {call}"
    )
    return [sys.executable, "-P", "-B", "-c", code]
