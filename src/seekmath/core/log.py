"""The live display: which stage runs, at what rate, how long it will take; lines without a tty."""

import time

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

_LINE_EVERY_S = 15.0


class Display:
    """Shows progress on stderr: bars on a terminal, a line every 15 s elsewhere, or nothing."""

    def __init__(self, quiet: bool = False, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        self.quiet = quiet
        self._bars = self._make_bars() if self.console.is_terminal and not quiet else None
        self._task: TaskID | None = None
        self._label = ""
        self._first: tuple[float, float] | None = None
        self._last_line = 0.0

    def __enter__(self) -> "Display":
        if self._bars:
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars:
            self._bars.stop()

    def say(self, text: str) -> None:
        """Print one line above the bars."""
        if not self.quiet:
            console = self._bars.console if self._bars else self.console
            console.print(text, highlight=False, soft_wrap=True)

    def start(self, label: str) -> None:
        """Begin a stage; ``label`` such as ``mine (2/8)``."""
        self._label, self._first, self._last_line = label, None, time.monotonic()
        if self._bars:
            self._task = self._bars.add_task(escape(label), total=None, note="", rate="")

    def update(self, done: float, total: float, unit: str = "", note: str = "") -> None:
        """Show that ``done`` of ``total`` units are finished; cheap enough to call often."""
        if self.quiet:
            return
        now = time.monotonic()
        # A smaller count means that the stage has entered its next part.
        if self._first is None or done < self._first[1]:
            self._first = (now, done)
        rate = (done - self._first[1]) / max(now - self._first[0], 1e-9)
        left_s = (total - done) / rate if rate > 0 else float("inf")
        words = f"{_number(rate)} {unit}/s, {_clock(left_s)} left"
        if self._bars and self._task is not None:
            self._bars.update(
                self._task, completed=done, total=total, note=escape(note), rate=words
            )
        elif now - self._last_line > _LINE_EVERY_S:
            self._last_line = now
            share = done / total if total else 0.0
            self.say(
                f"  {escape(self._label)}: {share:.0%}, {_number(done)} of {_number(total)} {unit},"
                f" {words} {escape(note)}"
            )

    def end(self, text: str) -> None:
        """Finish the stage's bar and leave ``text`` in its place."""
        if self._bars and self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None
        self.say(text)

    def _make_bars(self) -> Progress:
        columns = (
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[rate]}"),
            TextColumn("[dim]{task.fields[note]}"),
        )
        return Progress(*columns, console=self.console, transient=True)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _clock(seconds: float) -> str:
    if seconds > 360_000:
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
