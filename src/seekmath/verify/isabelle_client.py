"""The Isabelle server's protocol over TCP (The Isabelle System Manual, chapter 4)."""

import json
import socket
import time
from typing import Any

from seekmath.core.files import BadInput

_MAX_MESSAGE = 64 << 20
_CANCEL_S = 30.0


class IsabelleTimeout(RuntimeError):
    """The server did not finish in time."""


class IsabelleConnection:
    """One connection; a message is a line, or a line with a length and then that many bytes.

    Raises:
        BadInput: nobody listens there, or the password is wrong.
    """

    def __init__(self, host: str, port: int, password: str) -> None:
        try:
            self._socket = socket.create_connection((host, port), timeout=10.0)
        except OSError as error:
            raise BadInput(f"no Isabelle server answers at {host}:{port}: {error}") from None
        self._buffer = bytearray()
        self._socket.sendall(password.encode() + b"\n")
        try:
            kind, self.greeting = self._message(time.monotonic() + 10.0)
        except (OSError, IsabelleTimeout):
            kind = ""
        if kind != "OK":
            self.close()
            raise BadInput(f"the Isabelle server at {host}:{port} refuses the password")

    def command(self, name: str, argument: dict[str, Any], wall_s: float) -> dict[str, Any]:
        """The result of a command; of an asynchronous one, that of its task.

        Raises:
            BadInput: the server refuses it.
            IsabelleTimeout: it took longer; its task is cancelled.
            OSError: the connection broke.
        """
        deadline = time.monotonic() + wall_s
        self._send(name, argument)
        while (reply := self._message(deadline))[0] not in ("OK", "ERROR"):
            pass  # what an earlier, cancelled task still says
        if reply[0] == "ERROR":
            raise BadInput(f"Isabelle server: {name}: {_text_of(reply[1])}")
        body = reply[1] if isinstance(reply[1], dict) else {}
        task = body.get("task")
        return self._finished(name, task, deadline) if task else body

    def close(self) -> None:
        """Leave; the server stays."""
        self._socket.close()

    def _finished(self, name: str, task: str, deadline: float) -> dict[str, Any]:
        while True:
            try:
                kind, body = self._message(deadline)
            except IsabelleTimeout:
                self._cancel(task)
                raise
            if isinstance(body, dict) and body.get("task") == task:
                if kind == "FINISHED":
                    return body
                if kind == "FAILED":
                    raise BadInput(f"Isabelle server: {name}: {_text_of(body)}")

    def _cancel(self, task: str) -> None:
        """Cancel a task and wait until the server has read that; how it ends is nobody's matter.

        What the task still says comes before or after, and later commands pass it over.
        """
        deadline = time.monotonic() + _CANCEL_S
        self._send("cancel", {"task": task})
        while self._message(deadline)[0] not in ("OK", "ERROR"):
            pass

    def _send(self, name: str, argument: dict[str, Any]) -> None:
        self._socket.sendall(f"{name} {json.dumps(argument)}\n".encode())

    def _message(self, deadline: float) -> tuple[str, Any]:
        line = self._line(deadline)
        if line.isdigit():
            length = int(line)
            if length > _MAX_MESSAGE:
                raise OSError("the Isabelle server sent a message of over 64 MiB")
            while len(self._buffer) < length:
                self._receive(deadline)
            line = bytes(self._buffer[:length])
            del self._buffer[:length]
        kind, _, body = line.decode(errors="replace").strip().partition(" ")
        try:
            return kind, json.loads(body) if body else {}
        except json.JSONDecodeError:
            raise OSError(f"the Isabelle server sent what is no JSON: {body[:80]}") from None

    def _line(self, deadline: float) -> bytes:
        while (end := self._buffer.find(b"\n")) < 0:
            self._receive(deadline)
        line = bytes(self._buffer[:end]).rstrip(b"\r")
        del self._buffer[: end + 1]
        return line

    def _receive(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise IsabelleTimeout("the Isabelle server did not finish in time")
        self._socket.settimeout(left)
        try:
            piece = self._socket.recv(1 << 16)
        except TimeoutError:
            raise IsabelleTimeout("the Isabelle server did not finish in time") from None
        if not piece:
            raise ConnectionError("the Isabelle server closed the connection")
        self._buffer.extend(piece)


def _text_of(body: Any) -> str:
    return str(body.get("message", body) if isinstance(body, dict) else body)[:300]
