"""Inside a confined process: run the program, then write the record of its end.

Standard library only: a worker imports this before it is warm.
"""

import ast
import contextlib
import io
import json
import os
import sys
from typing import Any, NoReturn

from seekmath.verify.confine import RESULT, Layers, limit_program

#: Written when all layers are on; white space to JSON. Without it nothing of a program has run.
CONFINED = b" "
_VALUE_CHARACTERS = 16 * 1024
_OUT_OF_MEMORY = b'{"status": "memory", "error": "MemoryError"}'


def confine(layers: Layers, limits: dict[str, Any], result: int, cpu_s: float) -> None:
    """Put on all layers; the record goes to ``result``, and errors that are printed nowhere."""
    limit_program(layers.mapped + (limits["memory_mib"] << 20), cpu_s)
    os.dup2(os.open("/dev/null", os.O_RDWR), 2)
    os.dup2(result, RESULT)
    layers.confine_fork()
    os.write(RESULT, CONFINED)


def answer_on_result(request: dict[str, Any]) -> NoReturn:
    """Run a program, its output on descriptor 1 and its record on ``RESULT``, and end.

    What the process read its request from is closed to the program.
    """
    os.dup2(2, 0)
    try:
        record = json.dumps(run_program(request)).encode()
        with contextlib.suppress(Exception):
            sys.stdout.flush()
    except MemoryError:
        record = _OUT_OF_MEMORY
    while record:
        record = record[os.write(RESULT, record) :]
    os._exit(0)


def open_streams() -> None:
    """The standard streams that programs see, whatever the descriptors come to be."""
    sys.stdin = open(0, encoding="utf-8", closefd=False)
    sys.stdout = open(1, "w", encoding="utf-8", errors="replace", closefd=False)
    sys.stderr = open(2, "w", encoding="utf-8", errors="replace", closefd=False)
    sys.argv = ["program.py"]


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
