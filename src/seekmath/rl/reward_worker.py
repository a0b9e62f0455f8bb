"""The process in which a user's reward function runs: ``python -m seekmath.rl.reward_worker``.

It reads a JSON line of keyword arguments from standard input and answers each with one JSON line:
``{"result": …}`` or ``{"error": "…"}``. Whoever started it kills it when an answer is late.
"""

import inspect
import json
import os
import queue
import sys
import threading
from collections.abc import Callable
from typing import IO, Any

from seekmath.core.files import BadInput
from seekmath.core.functions import load_function


def main(path: str, name: str) -> None:
    """Load the function, say so, and answer until standard input ends."""
    # What the function prints goes where errors go; the answers have the pipe for themselves.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    requests: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin, requests), daemon=True).start()
    sys.stdin = open(os.devnull, encoding="utf-8")
    try:
        function = load_function(path, name, hint="; name it with reward_name")
    except BadInput as error:
        _send(answers, {"error": str(error)})
        return
    _send(answers, {"result": "ready"})
    while True:
        _send(answers, _answer(function, json.loads(requests.get())))


def _listen(stream: IO[str], requests: "queue.SimpleQueue[str]") -> None:
    """Pass on what is asked; end the process, whatever it is at, when its owner is gone."""
    for line in stream:
        requests.put(line)
    os._exit(0)


def _answer(function: Callable[..., Any], given: dict[str, list[Any]]) -> dict[str, Any]:
    accepted = inspect.signature(function).parameters.values()
    takes_all = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in accepted)
    names = {one.name for one in accepted}
    try:
        found = function(**{k: v for k, v in given.items() if takes_all or k in names})
        return {"result": _plain(found)}
    except Exception as error:  # whatever a user's code raises is told, and costs its samples
        return {"error": repr(error)[:500]}


def _plain(found: Any) -> list[float | None] | str:
    """Numbers as JSON has them; a word on what came instead of a list."""
    if hasattr(found, "tolist"):
        found = found.tolist()
    if not isinstance(found, list | tuple):
        return type(found).__name__
    return [None if value is None else float(value) for value in found]


def _send(answers: IO[str], message: dict[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
