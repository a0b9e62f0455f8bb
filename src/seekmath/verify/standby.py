"""A process that waits, with all layers on, for the program that it is to run.

A fork of a warm interpreter and its layers take longer than a small program. So the next fork is
made while a program runs, and a program that comes finds one that waits.
"""

import contextlib
import json
import os
from typing import Any, NoReturn

from seekmath.verify import kernel
from seekmath.verify.confine import RESULT, Layers
from seekmath.verify.sandbox_program import CONFINED, answer_on_result, confine
from seekmath.verify.supervise import Ended, watch

#: Most that the result channel may carry.
RECORD_BYTES = 64 * 1024


class Standby:
    """One fork, confined before it is told anything.

    Args:
        limits: bounds of the program, as ``execution.Limits`` has them.
        layers: what the fork puts on.
        pages: memory that its program is likely to write, copied beforehand.
    """

    def __init__(
        self, limits: dict[str, Any], layers: Layers, pages: kernel.Pages | None = None
    ) -> None:
        self._limits = limits
        request, self._request = os.pipe()
        self._out, out = os.pipe()
        self._result, result = os.pipe()
        worker = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                os.setsid()
                kernel.die_with_parent(worker)
                for source, target in ((request, 0), (out, 1)):
                    os.dup2(source, target)
                if pages:
                    kernel.copy_now(pages)
                confine(layers, limits, result, limits["cpu_s"])
                _wait_and_run()
            except BaseException as error:  # a layer could not be put on: nothing was run
                os.write(result, repr(error).encode())
            finally:
                os._exit(1)
        for descriptor in (request, out, result):
            os.close(descriptor)

    def hand_over(self, request: dict[str, Any]) -> None:
        """Give the program; where the fork has died, ``watch`` tells."""
        data = json.dumps(request).encode()
        with contextlib.suppress(BrokenPipeError):
            while data:
                data = data[os.write(self._request, data) :]
        os.close(self._request)

    def watch(self, cancel: int) -> Ended:
        """Watch it to its end, or to the moment at which ``cancel`` can be read."""
        limits = self._limits
        caps = {self._out: limits["output_bytes"], self._result: RECORD_BYTES}
        bounds = {"cpu_s": limits["cpu_s"], "wall_s": limits["wall_s"]}
        try:
            return watch(self._pid, caps, **bounds, cancel=cancel)
        finally:
            os.close(self._out)
            os.close(self._result)


def died_waiting(ended: Ended) -> bool:
    """Whether a fork ended, killed from outside, before it had read its program."""
    return ended.code < 0 and not ended.stopped and ended.outputs[1] in (b"", CONFINED)


def _wait_and_run() -> NoReturn:
    data = bytearray()
    while chunk := os.read(0, 1 << 16):
        data += chunk
    if not data:  # the worker has gone
        os._exit(1)
    os.write(RESULT, CONFINED)  # once more: it begins
    answer_on_result(json.loads(data))
