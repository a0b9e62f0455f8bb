"""The file of a result: what ``reproduce`` writes and the pages read."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from seekmath.core.files import BadInput, read_json

#: An interval's end: none, or NaN, where there is a single seed.
End = float | None


class _Claim(BaseModel):
    text: str
    verdict: Literal["holds", "does not hold", "cannot be told"]
    arm: str
    against: str
    measure: str
    by_seed: list[float]
    mean: float
    over_seeds: tuple[End, End]
    over_problems: tuple[End, End] | None


class _Value(BaseModel):
    mean: float
    low: End
    high: End
    by_seed: list[float]


class _Result(BaseModel):
    experiment: str
    title: str
    place: str
    size: str
    seeds: list[int]
    claims: list[_Claim]
    arms: dict[str, dict[str, _Value]]
    #: Title → arm → (step, mean over seeds).
    curves: dict[str, dict[str, list[tuple[float, float]]]] = {}
    paper: dict[str, dict[str, float]]
    differs: str
    minutes: float
    date: str
    machine: str
    versions: dict[str, str]
    command: str


def read_result(path: Path) -> dict[str, Any]:
    """A result, checked.

    Raises:
        BadInput: the file is no result of an experiment; names the field.
    """
    try:
        return _Result.model_validate(read_json(path)).model_dump()
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise BadInput(
            f"{path}: not the result of an experiment: {place}: {first['msg']}"
        ) from None
