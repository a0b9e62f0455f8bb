"""The process that runs model-written programs: warm, without secrets, one fork per program.

It is executed, not forked, so that nothing of the trainer is in its memory; it takes requests on
a socket, forks for each, watches the fork to its end and answers. A fork gives up everything it
does not need before it compiles the program: see ``_confine``.

Standard library only until ``_warm_up``; started by ``seekmath.verify.sandbox``.
"""

import ast
import contextlib
import gc
import io
import json
import os
import signal
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from seekmath.verify import kernel
from seekmath.verify.confine import RESULT, Layers, limit_program
from seekmath.verify.supervise import Ended, watch

#: Written when all layers are on; white space to JSON. Without it nothing of a program has run.
CONFINED = b" "
#: Most that the result channel may carry.
RECORD_BYTES = 64 * 1024
#: All that a worker is told of its surroundings: the same program gives the same result.
WORKER_ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
}
#: The folder that holds the package.
SOURCE = str(Path(__file__).parents[2])
_VALUE_CHARACTERS = 16 * 1024
_OUT_OF_MEMORY = b'{"status": "memory", "error": "MemoryError"}'


def run_program(request: dict[str, Any]) -> dict[str, Any]:
    """Execute a request's program in this process; its record, without what it printed."""
    _seed_chance(request)
    names: dict[str, Any] = {"__name__": "__main__"}
    try:
        _run_before(request["before"], names)
        exec(compile(request["code"], "<program>", "exec"), names)
    except SystemExit as end:
        if end.code not in (None, 0):
            return {"status": "error", "error": f"SystemExit: {_bounded(end.code)}"}
    except MemoryError:
        raise
    except BaseException as error:
        return {"status": "error", "error": _one_line(error)}
    if not request["value"]:
        return {"status": "ok", "value": None}
    try:
        return {"status": "ok", "value": _bounded(eval(request["value"], names))}
    except MemoryError:
        raise
    except BaseException as error:
        return {"status": "error", "error": _one_line(error)}


def _seed_chance(request: dict[str, Any]) -> None:
    """The same program gives the same result."""
    import random

    random.seed(0)
    if any("numpy" in code for code in (request["code"], *request["before"])):
        with contextlib.suppress(ImportError):
            import numpy

            numpy.random.seed(0)


def _run_before(blocks: list[str], names: dict[str, Any]) -> None:
    """Earlier blocks of the session; an error in one was reported when it was the last."""
    shown, sys.stdout = sys.stdout, io.StringIO()
    for block in blocks:
        with contextlib.suppress(Exception):
            tree = ast.parse(block)
            tree.body = [node for node in tree.body if not _is_print(node)]
            exec(compile(tree, "<program>", "exec"), names)
    sys.stdout = shown


def _is_print(node: ast.stmt) -> bool:
    call = node.value if isinstance(node, ast.Expr) else None
    return (
        isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "print"
    )


def _bounded(value: object) -> str:
    return str(value)[:_VALUE_CHARACTERS]


def _one_line(error: BaseException) -> str:
    try:
        text = str(error).strip().split("\n")[0][:_VALUE_CHARACTERS]
    except BaseException:  # an exception's own __str__ is hostile code as well
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _open_streams() -> None:
    """The standard streams that programs see, whatever the descriptors come to be."""
    sys.stdin = open(0, encoding="utf-8", closefd=False)
    sys.stdout = open(1, "w", encoding="utf-8", errors="replace", closefd=False)
    sys.stderr = open(2, "w", encoding="utf-8", errors="replace", closefd=False)
    sys.argv = ["program.py"]


def answer_on_result(request: dict[str, Any]) -> NoReturn:
    """Run a program, its output on descriptor 1 and its record on ``RESULT``, and end."""
    try:
        record = json.dumps(run_program(request)).encode()
        with contextlib.suppress(Exception):
            sys.stdout.flush()
    except MemoryError:
        record = _OUT_OF_MEMORY
    while record:
        record = record[os.write(RESULT, record) :]
    os._exit(0)


def _fork_and_watch(request: dict[str, Any], layers: Layers, control: int) -> dict[str, Any]:
    """One program in a fork of its own; the answer for the trainer."""
    limits = request["limits"]
    out_read, out_write = os.pipe()
    result_read, result_write = os.pipe()
    worker = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            _become_program(request, layers, worker, out_write, result_write)
        except BaseException as error:  # a layer could not be put on: nothing was run
            os.write(result_write, repr(error).encode())
        finally:
            os._exit(1)
    os.close(out_write)
    os.close(result_write)
    caps = {out_read: limits["output_bytes"], result_read: RECORD_BYTES}
    try:
        ended = watch(pid, caps, cpu_s=limits["cpu_s"], wall_s=limits["wall_s"], cancel=control)
    finally:
        os.close(out_read)
        os.close(result_read)
    return verdict(ended, limits)


def _become_program(
    request: dict[str, Any], layers: Layers, worker: int, out: int, result: int
) -> NoReturn:
    os.setsid()
    kernel.die_with_parent(worker)
    os.dup2(out, 1)
    limits = request["limits"]
    run_confined(request, layers, result, limits["cpu_s"])


def run_confined(request: dict[str, Any], layers: Layers, result: int, cpu_s: float) -> NoReturn:
    """Put on all layers, run the program in this process, leave its record on ``result``."""
    limit_program(layers.mapped + (request["limits"]["memory_mib"] << 20), cpu_s)
    null = os.open("/dev/null", os.O_RDWR)
    for source, target in ((null, 0), (null, 2), (result, RESULT)):
        os.dup2(source, target)
    layers.confine_fork()
    os.write(RESULT, CONFINED)
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
        return {**answer, **_record(ended.outputs[1].removeprefix(CONFINED), ended.code)}
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


def serve(control: int) -> None:
    """Take requests on the socket ``control`` until its other side closes."""
    channel = socket.socket(fileno=control)
    layers = Layers()
    layers.enter_process(namespaces=True)
    # This process has one thread and seeds chance itself: what libraries do at a fork is waste.
    os.register_at_fork = lambda **hooks: None
    _warm_up()
    layers.prepare()
    _open_streams()
    gc.collect()
    gc.freeze()
    with contextlib.suppress(OSError):
        kernel.join_pages()
    send(channel, {"layers": layers.active})
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            send(channel, _fork_and_watch(receive(channel), layers, control))


def run_once(result: int) -> None:
    """Run one request, read from standard input, in this process: its namespaces are given.

    A request whose code is None asks for the layers.
    """
    request = json.loads(sys.stdin.buffer.read())
    _open_streams()
    layers = Layers()
    layers.enter_process(namespaces=False)
    layers.prepare()
    if request["code"] is None:
        os.write(result, CONFINED + json.dumps({"status": "ok", "value": layers.active}).encode())
        return
    used = time.process_time()
    run_confined(request, layers, result, used + request["limits"]["cpu_s"])
