"""A warm coqtop in bubblewrap: sentences in, its answer to each out.

``coqtop -emacs`` writes ``<prompt>NAME < STATE |proofs| DEPTH < </prompt>`` to its standard error
after each sentence, errors before it, and everything else to its standard output. Processor time
bounds a sentence, so that a busy machine changes no verdict: past it coqtop is interrupted, and
killed if it does not heed that.
"""

import contextlib
import os
import re
import secrets
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seekmath.core.files import BadInput
from seekmath.verify.bubblewrap import open_command
from seekmath.verify.execution import Limits
from seekmath.verify.supervise import cpu_clock

_PROMPT = re.compile(rb"<prompt>[^<]* < (\d+) \|[^|]*\| \d+ < </prompt>")
_MARKUP = re.compile(r"</?(?:infomsg|warning|prompt)>")
_LOOK_S = 0.02
_GRACE_S = 1.0  # of processor time, between the interrupt and the kill
_WALL_FACTOR = 200.0
_IDLE_S = 5.0  # so long without work or answer, and coqtop waits for more of the sentence
_MAX_OUTPUT = 4 << 20
# A smaller first heap and a lazier collector than coqtop's own: 290 MB instead of 425 at the start.
_COLLECTOR = "s=8M,o=400"
_PARTS = ("/usr/bin", "/usr/lib/ocaml", "/usr/lib/coq", "/etc/ocamlfind.conf")


Why = Literal["timeout", "memory", "unrun", "refused"]


class Ended(RuntimeError):
    """coqtop is gone, and why."""

    def __init__(self, why: Why, message: str) -> None:
        super().__init__(message)
        self.why = why


@dataclass(frozen=True)
class Answer:
    """What coqtop said to a sentence: ``error`` is None where it took it."""

    state: int
    error: str | None
    interrupted: bool = False


class CoqSession:
    """One coqtop.

    Args:
        prelude: sentences said first; the state after them is ``base``, ``state`` the present one.
        memory_mib: address space of coqtop.
        unsafe: run coqtop without bubblewrap where that is missing.

    Raises:
        BadInput: coqtop or bubblewrap is missing, or the prelude fails.
    """

    def __init__(
        self, prelude: Sequence[str], memory_mib: int = 4096, unsafe: bool = False
    ) -> None:
        self._process = _start(memory_mib, unsafe)
        assert self._process.stdout
        assert self._process.stderr
        self._out, self._error = bytearray(), bytearray()
        self._selector = selectors.DefaultSelector()
        for stream, into in (
            (self._process.stdout, self._out),
            (self._process.stderr, self._error),
        ):
            os.set_blocking(stream.fileno(), False)
            self._selector.register(stream, selectors.EVENT_READ, into)
        self._pid = 0
        self._sent, self._answered = 1, 0  # the first prompt answers none
        self.state = 0
        try:
            self._prompt(60.0)
            self._pid = _innermost(self._process.pid)
            for sentence in prelude:
                answer = self.say(sentence, 120.0)
                if answer.error is not None:
                    raise BadInput(f"coqtop cannot load what proofs need: {answer.error}")
        except Ended as ended:
            raise BadInput(f"coqtop does not start in its sandbox: {ended}") from None
        self.base = self.state

    def cpu_s(self) -> float:
        """Processor time of coqtop so far, seconds."""
        if not self._pid:
            return 0.0
        try:
            return time.clock_gettime(cpu_clock(self._pid))
        except OSError:  # it is gone
            return 0.0

    def say(self, sentence: str, cpu_s: float) -> Answer:
        """Send one sentence and wait for the answer, at most ``cpu_s`` of processor time.

        Raises:
            Ended: coqtop died or had to be killed.
        """
        self._send(sentence)
        return self._prompt(cpu_s)

    def check_count(self) -> None:
        """Make sure that coqtop has answered as many sentences as it was told, after ``told``.

        What is one sentence to us and two to coqtop would show here.

        Raises:
            Ended: it has answered more; it was killed.
        """
        if self._answered + len(_PROMPT.findall(self._error)) != self._sent:
            self.close()
            raise Ended("refused", "coqtop read more sentences in it than there are")

    def told(self, query: str, cpu_s: float) -> str:
        """What a query prints, between two marks that nobody could know before.

        Whatever was printed earlier, and however it was meant to be read, stays outside.

        Raises:
            Ended: coqtop died or had to be killed.
        """
        mark = f"n{secrets.token_hex(8)}"
        marks = [f"Check (fun {mark}{place} : Prop => {mark}{place})." for place in "ab"]
        self._send(f"{marks[0]}\n{query}\n{marks[1]}\nCheck {mark}_end.", sentences=4)
        end = f"{mark}_end was not found".encode()
        deadline = time.monotonic() + cpu_s * _WALL_FACTOR
        while not _after(self._error, end) or f"=> {mark}b".encode() not in self._out:
            self._read(deadline)
        last = _PROMPT.search(_after(self._error, end) or b"")
        self.state = int(last.group(1)) if last else 0
        told = self._out.decode(errors="replace").partition(f"=> {mark}a")[2]
        told = told.partition(f"fun {mark}b")[0].partition(": Prop -> Prop")[2]
        return _MARKUP.sub("", told).strip()

    def back_to(self, state: int) -> None:
        """Return to an earlier state.

        Raises:
            Ended: it is not the state that coqtop then tells; it was killed.
        """
        if self.say(f"BackTo {state}.", 10.0).state != state:
            self.close()
            raise Ended("unrun", "coqtop lost count of its sentences")

    def close(self) -> None:
        """End coqtop."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._selector.close()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()

    def _send(self, text: str, sentences: int = 1) -> None:
        assert self._process.stdin
        self._answered += len(_PROMPT.findall(self._error))
        self._sent += sentences
        self._out.clear()
        self._error.clear()
        try:
            self._process.stdin.write(text.encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            self._died()

    def _prompt(self, cpu_s: float) -> Answer:
        began, wall = self.cpu_s(), time.monotonic() + cpu_s * _WALL_FACTOR
        interrupted = False
        worked, idle_from = began, time.monotonic()
        while not (found := _PROMPT.search(self._error)):
            self._read(wall)
            spent = self.cpu_s() - began if self._pid else 0.0
            if began + spent > worked or not self._sleeps():
                worked, idle_from = began + spent, time.monotonic()
            elif time.monotonic() - idle_from > _IDLE_S:
                self.close()
                raise Ended("refused", "coqtop reads on past the end of a sentence")
            if spent > cpu_s and not interrupted:
                interrupted = True
                os.kill(self._pid, signal.SIGINT)
            elif spent > cpu_s + _GRACE_S:
                self.close()
                raise Ended("timeout", f"more than {cpu_s:g} s of processor time")
        state = int(found.group(1))
        told = _MARKUP.sub("", self._error[: found.start()].decode(errors="replace")).strip()
        failed = state == self.state
        self.state = state
        return Answer(state, _plain(told) if failed else None, interrupted and failed)

    def _sleeps(self) -> bool:
        """Whether coqtop waits for something; on a busy machine one that has work waits not."""
        with contextlib.suppress(OSError):
            stat = Path(f"/proc/{self._pid}/stat").read_text(encoding="ascii", errors="replace")
            return stat.rpartition(") ")[2].startswith("S")
        return False

    def _read(self, deadline: float) -> None:
        """Take what has come; a little later without anything."""
        if time.monotonic() > deadline:
            self.close()
            raise Ended("timeout", "coqtop did not answer")
        for key, _events in self._selector.select(_LOOK_S):
            piece = os.read(key.fd, 1 << 16)
            if not piece:
                self._died()
            key.data.extend(piece)
            if len(key.data) > _MAX_OUTPUT:
                self.close()
                raise Ended("unrun", f"more than {_MAX_OUTPUT >> 20} MiB of output")

    def _died(self) -> None:
        told = self._error.decode(errors="replace").strip()[-300:]
        self.close()
        memory = "emory" in told or "Stack overflow" in told
        raise Ended("memory" if memory else "unrun", told or "coqtop ended")


def check_installed(unsafe: bool) -> str:
    """Where coqtop is.

    Raises:
        BadInput: it is nowhere, or what would isolate it is not.
    """
    program = shutil.which("coqtop")
    if program is None:
        raise BadInput(
            "Coq is not installed (Debian and Ubuntu: apt install coq libcoq-coquelicot "
            "libcoq-interval libcoq-hammer bubblewrap)"
        )
    if not unsafe and shutil.which("bwrap") is None:
        raise BadInput("bubblewrap is not installed (Debian and Ubuntu: apt install bubblewrap)")
    return program


def _start(memory_mib: int, unsafe: bool) -> subprocess.Popen[bytes]:
    program = check_installed(unsafe)
    command = [program, "-q", "-emacs"]
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "OCAMLRUNPARAM": _COLLECTOR}
    if unsafe and shutil.which("bwrap") is None:
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment, start_new_session=True
        )
    return open_command(
        command,
        readable=[program, str(Path(program).resolve().parent.parent / "lib/coq"), *_PARTS],
        limits=Limits(cpu_s=86_400, memory_mib=memory_mib),
        environment=environment,
        scratch_mib=64,
    )


def _innermost(pid: int) -> int:
    """The last of the chain of only children: coqtop behind bubblewrap."""
    while children := Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        pid = int(children[0])
    return pid


def _after(text: bytearray, mark: bytes) -> bytes | None:
    """What follows ``mark`` once a prompt is in it."""
    place = text.find(mark)
    rest = bytes(text[place:]) if place >= 0 else b""
    return rest if _PROMPT.search(rest) else None


def _plain(told: str) -> str:
    """An error in one line, without the place that coqtop shows it at."""
    lines = [
        line for line in told.splitlines() if line.strip() and not re.match(r"Toplevel|>", line)
    ]
    return " ".join(" ".join(lines).split())[:1000]
