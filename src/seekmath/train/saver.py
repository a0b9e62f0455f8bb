"""Checkpoints written in the background, while training goes on.

A step waits only for the copy of the weights. A write that fails (a full disk) costs that
checkpoint and no more: the ones before it stay, training goes on, the next one is tried.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from seekmath.model.parallel import Ranks
from seekmath.train.checkpoint import (
    commit,
    folder_of,
    forget_old,
    remove_unfinished,
    snapshot,
    write_rank,
)
from seekmath.train.parts import Part

# How long the first rank waits for the files of the others after it has written its own.
_PATIENCE_S = 600.0
_POLL_S = 0.02


class Saver:
    """Writes the checkpoints of one folder, one at a time."""

    def __init__(
        self,
        folder: Path,
        ranks: Ranks,
        keep: int,
        keep_every: int,
        say: Callable[[str], None],
    ) -> None:
        self._folder, self._ranks, self._say = folder, ranks, say
        self._keep, self._keep_every = keep, keep_every
        self._writing: threading.Thread | None = None
        if ranks.is_first:
            remove_unfinished(folder)
        ranks.wait()

    def save(
        self,
        step: int,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        facts: dict[str, Any],
    ) -> None:
        """Begin to write the checkpoint after ``step`` steps; the one before is finished first."""
        self.finish()
        parts = snapshot(model, optimizer, self._ranks)
        arguments = (step, parts, {"step": step, **facts})
        self._writing = threading.Thread(target=self._write, args=arguments, daemon=True)
        self._writing.start()

    def finish(self) -> None:
        """Wait until what was begun is written."""
        if self._writing:
            self._writing.join()
            self._writing = None

    def _write(
        self, step: int, parts: dict[str, tuple[Tensor, Part]], facts: dict[str, Any]
    ) -> None:
        target = folder_of(self._folder, step)
        try:
            write_rank(target, self._ranks.rank, parts)
            if self._ranks.is_first:
                self._await_others(target)
                commit(target, self._ranks.world, facts)
                forget_old(self._folder, self._keep, self._keep_every)
        except OSError as error:
            self._say(f"[yellow]![/] {target}: not written: {error}; training goes on without it")
            # What was written of it takes the room that the next one needs.
            for name in ("json", "safetensors"):
                (target / f"rank-{self._ranks.rank:05d}.{name}").unlink(missing_ok=True)

    def _await_others(self, target: Path) -> None:
        names = [target / f"rank-{number:05d}.json" for number in range(self._ranks.world)]
        deadline = time.monotonic() + _PATIENCE_S
        while missing := [path for path in names if not path.exists()]:
            if time.monotonic() > deadline:
                raise OSError(f"{missing[0].name} did not appear")
            time.sleep(_POLL_S)
