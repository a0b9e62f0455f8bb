"""Decisions of people and models on URL prefixes: an append-only file that several may write.

Each decision is a JSON line that is on disk before anybody is told that it was made: who, when, in
which round, which prefix, which label. Undoing one, and finishing a round, are lines too, so
nothing is overwritten: of several decisions on a prefix the last that was not undone holds.
"""

import csv
import fcntl
import json
import os
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from seekmath.core.files import BadInput, whole_file

FILE = "annotations.jsonl"
COLUMNS = ("prefix", "label", "who", "when", "round")
_LONGEST_PREFIX = 2000
# A cell that begins with one of = + - @ is a formula to a spreadsheet.
_WHO = re.compile(r"(?![=+@-])[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]{1,80}")


@dataclass(frozen=True)
class Decision:
    """One line of the file.

    Attributes:
        id: names the line, for undoing it.
        kind: ``decide``, ``undo`` (of the line ``undoes``) or ``finish`` (of the round).
        label: ``math`` or ``other``; "" unless a prefix is decided.
        when: UTC, ISO 8601.
        round: the first round in which the decision counts.
    """

    id: str
    kind: str
    prefix: str
    label: str
    who: str
    when: str
    round: int
    undoes: str = ""


class Annotations:
    """The decisions in ``RUN/annotations.jsonl``, whoever made them and wherever.

    Threads and processes may share it: a line is added under the file's lock.
    """

    def __init__(self, run: Path) -> None:
        self.path = run / FILE
        self._lines: list[Decision] = []
        self._end = 0
        self._lock = threading.RLock()

    def lines(self) -> list[Decision]:
        """Every line so far, in order. One cut by a crash was never confirmed and is left out."""
        with self._lock:
            if self.path.exists():
                with open(self.path, "rb") as file:
                    self._read(file)
            return list(self._lines)

    def standing(self, last_round: int | None = None) -> dict[str, Decision]:
        """The decision that holds for each prefix, up to and with round ``last_round``."""
        lines = [one for one in self.lines() if last_round is None or one.round <= last_round]
        undone = {one.undoes for one in lines}
        return {one.prefix: one for one in lines if one.kind == "decide" and one.id not in undone}

    def finished(self) -> int:
        """The last round whose annotation was finished; 0 for none."""
        return max((one.round for one in self.lines() if one.kind == "finish"), default=0)

    def decide(self, prefix: str, label: str, who: str, shown: int, when: str = "") -> Decision:
        """Note that ``who`` says ``label`` of ``prefix``, looking at round ``shown``.

        What comes after the round was finished counts from the next, so that a finished round
        stays as it was.
        """
        if label not in ("math", "other"):
            raise BadInput(f"label: found '{label}'; allowed: math, other")
        _check_prefix(prefix)
        with self._appending() as add:
            at = max(shown, self.finished() + 1)
            return add("decide", prefix=prefix, label=label, who=who, round=at, when=when)

    def undo(self, who: str, shown: int) -> Decision | None:
        """Take back the last decision of ``who`` that still can be; returns it, or None.

        Decisions of others stay, and so do those of finished rounds.
        """
        with self._appending() as add:
            undone = {one.undoes for one in self._lines}
            mine = [
                one
                for one in self._lines
                if one.kind == "decide" and one.who == who and one.id not in undone
            ]
            if not mine or mine[-1].round <= self.finished():
                return None
            add("undo", prefix=mine[-1].prefix, who=who, round=mine[-1].round, undoes=mine[-1].id)
            return mine[-1]

    def finish(self, number: int, who: str) -> None:
        """Note that round ``number`` needs no more annotation; once is enough."""
        with self._appending() as add:
            if self.finished() < number:
                add("finish", who=who, round=number)

    def export(self, path: Path) -> int:
        """Write the standing decisions as CSV, sorted by prefix; how many there are."""
        found = sorted(self.standing().values(), key=lambda one: one.prefix)
        with whole_file(path) as file:
            writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            writer.writerows(asdict(one) for one in found)
        return len(found)

    def take(self, rows: dict[str, dict[str, str]], who: str, shown: int) -> int:
        """Add decisions by prefix, each with ``label`` and perhaps ``who`` and ``when``.

        Those that hold already are left out, so that importing twice changes nothing.
        """
        holds = self.standing()
        new = 0
        for prefix, row in rows.items():
            name, there = row.get("who") or who, holds.get(prefix)
            if there and (there.label, there.who) == (row["label"], name):
                continue
            self.decide(prefix, row["label"], name, shown, row.get("when") or "")
            new += 1
        return new

    @contextmanager
    def _appending(self) -> Iterator[Any]:
        """The file locked and read to its end; yields what adds a line and makes it durable."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock, open(self.path, "a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self._read(file)

            def add(kind: str, *, who: str, when: str = "", **more: Any) -> Decision:
                if not _WHO.fullmatch(who):
                    raise BadInput("who: expected a name of 1 to 80 printable characters")
                given = {"prefix": "", "label": "", **more}
                when = when or datetime.now(UTC).isoformat(timespec="seconds")
                line = Decision(secrets.token_hex(8), kind, who=who, when=when, **given)
                self._write(file, line)
                return line

            yield add

    def _write(self, file: IO[bytes], line: Decision) -> None:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            # After half a line, cut by a crash, the next begins on its own.
            if file.read(1) != b"\n":
                file.write(b"\n")
        file.write(json.dumps(asdict(line), ensure_ascii=True).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
        self._read(file)

    def _read(self, file: IO[bytes]) -> None:
        file.seek(0, os.SEEK_END)
        if file.tell() < self._end:
            self._lines, self._end = [], 0
        file.seek(self._end)
        whole, newline, _ = file.read().rpartition(b"\n")
        for raw in whole.split(b"\n"):
            try:
                self._lines.append(Decision(**json.loads(raw)))
            except (ValueError, TypeError):
                continue
        self._end += len(whole) + len(newline)


def _check_prefix(prefix: str) -> None:
    host, slash, _ = prefix.partition("/")
    if not host or not slash or not prefix.endswith("/") or len(prefix) > _LONGEST_PREFIX:
        raise BadInput(f"prefix: found '{prefix[:80]}'; expected such as mathoverflow.net/q/")
