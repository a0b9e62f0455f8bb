"""What an experiment is: stages to run, what is measured of them, and the claims under test."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seekmath.reproduce.claims import Claim, Measured
from seekmath.reproduce.sizes import Size

#: A stage's body as a recipe has it: its type and settings.
Stages = dict[str, dict[str, Any]]
#: Title → arm → (step, value).
Curves = dict[str, dict[str, list[tuple[float, float]]]]


@dataclass(frozen=True)
class Experiment:
    """One of the paper's tables or figures.

    Attributes:
        title: what the table or figure shows.
        place: where it stands in the paper.
        stages: size → stages in order; stages of one name are the same in every experiment, so
            that experiments share their runs.
        measure: run directory of one seed, size → values of every arm.
        claims: size → the claims under test.
        paper: rows of the paper's own table: arm → measure → value as printed.
        differs: how this differs from the paper's own experiment.
        curves: run directory of one seed → title → arm → (step, value).
        needs: raises BadInput before any work where something is missing on this machine.
    """

    title: str
    place: str
    stages: Callable[[Size], Stages]
    measure: Callable[[Path, Size], Measured]
    claims: Callable[[Size], list[Claim]]
    paper: dict[str, dict[str, float]]
    differs: str
    curves: Callable[[Path], Curves] = field(default=lambda _: {})
    needs: Callable[[Size], None] = field(default=lambda _: None)
