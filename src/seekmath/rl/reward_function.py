"""A user's reward function, run in a process of its own that is killed when it takes too long.

A thread cannot be ended from outside and a signal does not reach code that waits in C, on any
platform; a process can be killed on all of them.
"""

import contextlib
import json
import math
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

from seekmath.core.files import BadInput
from seekmath.corpus.chat import prompt_text
from seekmath.rl.rollout import Sample

# Loading the file may import a library or read a model.
_LOAD_S = 600.0
# New processes in one step at most: each loads the file anew.
_MOST_RESTARTS = 8
# One sample alone gets this share of the time of all, and at least a second.
_ALONE_SHARE, _ALONE_LEAST_S = 0.1, 1.0
# A killed process's pipes are at their end at once, unless a child of its own holds them.
_END_S = 1.0


class Late(Exception):
    """No answer within the time."""


class Gone(Exception):
    """The process ended instead of answering."""


class FunctionReward:
    """``(prompts, completions, **columns) -> list of numbers`` of a Python file, as in TRL.

    Each column of the problems' file comes as a list with one entry per completion. Call it on
    samples: a number each, NaN where it could not be had.

    Args:
        path: the Python file.
        name: the function in it.
        timeout_s: time for the samples of a step. Where they are late, or where the function
            raises, each is tried by itself within the same time again; those that then raise,
            are late or are not reached go without a reward.

    Attributes:
        faults: why the last call gave no number, by the sample's place: ``timeout`` or an error.

    Raises:
        BadInput: the file or the function is not there, or the function returns another number
            of rewards, or fails on every sample when it is first asked.
    """

    def __init__(self, path: str, name: str, timeout_s: float) -> None:
        self.faults: dict[int, str] = {}
        self._path, self._name, self._timeout_s = path, name, timeout_s
        self._worker: _Worker | None = _Worker(path, name)
        self._has_worked = False

    def __call__(self, samples: list[Sample]) -> list[float]:
        """The reward of each sample."""
        self.faults = {}
        if not samples:
            return []
        try:
            values = self._ask(samples, self._timeout_s)
        except (Late, Gone, _Raised) as error:
            values = self._one_by_one(samples, error)
        if len(self.faults) == len(samples) and not self._has_worked:
            raise BadInput(
                f"{self._path}: {self._name}: fails on every sample: {self.faults[0]}"
                " (reward_timeout_s sets how long it may take)"
            )
        self._has_worked = True
        return values

    def close(self) -> None:
        """End the process."""
        if self._worker:
            self._worker.kill()
        self._worker = None

    def _one_by_one(self, samples: Sequence[Sample], first: Exception) -> list[float]:
        left_s, restarts = self._timeout_s, 0
        values = [math.nan] * len(samples)
        for place, sample in enumerate(samples):
            if left_s <= 0 or restarts > _MOST_RESTARTS:
                self.faults[place] = "timeout" if isinstance(first, Late) else str(first)
                continue
            alone_s = min(left_s, max(_ALONE_LEAST_S, _ALONE_SHARE * self._timeout_s))
            self._start()  # loading the file again is not the samples' time
            began = time.monotonic()
            try:
                (values[place],) = self._ask([sample], alone_s)
            except Late:
                self.faults[place], restarts = "timeout", restarts + 1
            except Gone as error:
                self.faults[place], restarts = str(error), restarts + 1
            except _Raised as error:
                self.faults[place] = str(error)
            left_s -= time.monotonic() - began
        return values

    def _start(self) -> "_Worker":
        if self._worker is None:
            self._worker = _Worker(self._path, self._name)
        return self._worker

    def _ask(self, samples: Sequence[Sample], limit_s: float) -> list[float]:
        worker = self._start()
        try:
            found = worker.ask(arguments(samples), limit_s)
        except (Late, Gone):
            self.close()
            raise
        if not isinstance(found, list) or len(found) != len(samples):
            said = f"{len(found)} values" if isinstance(found, list) else found
            raise BadInput(
                f"{self._path}: {self._name}: returned {said}; needed: a list of"
                f" {len(samples)} numbers, one per completion"
            )
        return [math.nan if v is None or not math.isfinite(v) else v for v in found]


class _Raised(Exception):
    """The function raised; the text is the exception's."""


class _Worker:
    """The process; ``ask`` waits for it, but not for ever."""

    def __init__(self, path: str, name: str) -> None:
        command = [sys.executable, "-m", "seekmath.rl.reward_worker", path, name]
        # What this process can import, that one can.
        found = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": found},
            encoding="utf-8",
        )
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        try:
            self._receive(_LOAD_S)
        except _Raised as error:
            self.kill()
            raise BadInput(str(error)) from None
        except (Late, Gone) as error:
            self.kill()
            raise BadInput(f"{path}: cannot be loaded: {error}") from None

    def ask(self, given: dict[str, list[Any]], limit_s: float) -> Any:
        """The function's result on these arguments."""
        line = json.dumps(given) + "\n"
        # Written by a thread: a process that has stopped reading must not hold this one.
        self._writer = threading.Thread(target=self._write, args=(line,), daemon=True)
        self._writer.start()
        return self._receive(limit_s)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()
        # Both end by themselves now: the pipes have no other end.
        for thread in (self._listener, self._writer):
            if thread:
                thread.join(_END_S)
        if self._process.stdin:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def _receive(self, limit_s: float) -> Any:
        try:
            line = self._answers.get(timeout=limit_s)
        except queue.Empty:
            raise Late(f"no answer within {limit_s:.0f} s") from None
        if not line:
            raise Gone(f"its process ended with code {self._process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise _Raised(answer["error"])
        return answer["result"]

    def _listen(self) -> None:
        assert self._process.stdout
        with self._process.stdout:
            for line in self._process.stdout:
                self._answers.put(line)
        self._answers.put("")

    def _write(self, line: str) -> None:
        assert self._process.stdin
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except (OSError, ValueError):  # it has ended, which _receive tells
            return


def arguments(samples: Sequence[Sample]) -> dict[str, list[Any]]:
    """What a function is called with."""
    # Lines of one file may differ in their columns: a missing one is None.
    names = dict.fromkeys(key for sample in samples for key in sample.question.columns)
    columns = {key: [sample.question.columns.get(key) for sample in samples] for key in names}
    return {
        **columns,
        "prompts": [prompt_text(sample.question.text) for sample in samples],
        "completions": [sample.text for sample in samples],
    }
