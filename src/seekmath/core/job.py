"""What a stage function is handed: its folder, its seed, and where to report."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from seekmath.core.files import whole_file
from seekmath.core.log import Display


class Waiting(Exception):
    """The stage cannot go on before a person has done something; the message says what.

    The same command resumes it.
    """


class Job:
    """One stage at work.

    Attributes:
        out: the stage's folder. Leftovers of an interrupted attempt with the same settings and
            inputs may lie in it: a stage resumes from them or overwrites them.
        seed: the seed from which every random choice of the stage derives.
        helper: whether another process runs the stage and this one only shares its work.
        mirrors: called with the step and metrics of each logged line.
    """

    def __init__(self, out: Path, seed: int, display: Display, helper: bool = False) -> None:
        self.out = out
        self.helper = helper
        self.seed = seed
        self._display = display
        self._file: IO[str] | None = None
        self.mirrors: list[Callable[[int, dict[str, Any]], None]] = []

    @classmethod
    def open(cls, out: str | Path, seed: int = 0, display: Display | None = None) -> "Job":
        """A job in ``out``, which is made; quiet unless a display is given."""
        Path(out).mkdir(parents=True, exist_ok=True)
        return cls(Path(out), seed, display or Display(quiet=True))

    def __enter__(self) -> "Job":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def log(self, step: int, **metrics: float | int | str | None) -> None:
        """Append one line to ``metrics.jsonl``; a repeated step drops what came after it.

        A helper writes none.
        """
        if self.helper:
            return
        if self._file is None:
            self.rewind(step - 1)
            self._file = open(self.out / "metrics.jsonl", "a", encoding="utf-8")
        line = {"step": step, "time": round(time.time(), 3), **metrics}
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
        for mirror in self.mirrors:
            mirror(step, metrics)

    def rewind(self, step: int) -> None:
        """Drop logged lines of steps after ``step`` and a half-written last line."""
        if self._file:
            self._file.close()
            self._file = None
        path = self.out / "metrics.jsonl"
        if not path.exists():
            return
        kept = []
        for line in path.read_text("utf-8").splitlines():
            try:
                logged = json.loads(line)["step"]
            except ValueError:
                continue
            if logged <= step:
                kept.append(line + "\n")
        with whole_file(path) as file:
            file.writelines(kept)

    def progress(self, done: float, total: float, unit: str = "", note: str = "") -> None:
        """Show that ``done`` of ``total`` units are finished; call as often as you like."""
        self._display.update(done, total, unit, note)

    def say(self, text: str) -> None:
        """Print one line above the progress display."""
        self._display.say(text)
