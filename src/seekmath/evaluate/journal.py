"""Answers under way: one line for each finished one, so that a crash loses none of them."""

import json
from pathlib import Path
from typing import Any

from seekmath.core.files import BadInput, text_line


class Journal:
    """An append-only file of finished answers, read again after a crash.

    A line that was cut while it was written is dropped. The file goes when its answers stand in
    Parquet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.rows: dict[tuple[str, int], dict[str, Any]] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = self._read() if path.exists() else 0
        self._file = open(path, "ab")
        self._file.truncate(whole)

    def _read(self) -> int:
        """Take the whole lines; the length of what they fill."""
        length = 0
        with open(self._path, "rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    break
                try:
                    row = json.loads(line)
                    self.rows[row["problem_id"], row["k"]] = row
                except (ValueError, KeyError, TypeError):
                    raise BadInput(f"{self._path}:{number}: damaged; remove this file") from None
                length += len(line)
        return length

    def add(self, row: dict[str, Any]) -> None:
        """Note one finished answer; it is in the file when this returns."""
        line = text_line(row)
        self.rows[row["problem_id"], row["k"]] = json.loads(line)  # as a resumed run reads it
        self._file.write(line)
        self._file.flush()

    def close(self) -> None:
        """Close the file, which stays."""
        self._file.close()

    def remove(self) -> None:
        """Close the file and remove it."""
        self._file.close()
        self._path.unlink()
