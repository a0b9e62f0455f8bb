"""Reading a run directory as it stands: whole, half-done or damaged.

A report is most wanted when something went wrong, so nothing here fails on a file that is absent,
cut short or damaged; the page says what is missing.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import yaml

from seekmath.core.artifact import MANIFEST, Manifest, read_manifest
from seekmath.core.files import BadInput, read_json, read_parquet

Row = dict[str, Any]


@dataclass(frozen=True)
class Stage:
    """One stage of a run: ``manifest`` is None until it has started.

    ``complaint`` says why a manifest that is there could not be read.
    """

    name: str
    type: str
    folder: Path
    manifest: Manifest | None
    complaint: str = ""

    @property
    def state(self) -> str:
        """Finished, running, failed, interrupted, not started or unreadable."""
        if self.manifest:
            return self.manifest.state
        return "unreadable" if self.complaint else "not started"

    def metrics(self) -> list[Row]:
        """The lines of ``metrics.jsonl``; a line that is cut or damaged is left out."""
        try:
            lines = (self.folder / "metrics.jsonl").read_bytes().splitlines()
        except OSError:
            return []
        rows = (_object(line) for line in lines)
        return [row for row in rows if row and "step" in row]

    def json(self, name: str) -> Any:
        """The JSON file ``name`` of the stage, or None."""
        try:
            return read_json(self.folder / name)
        except (BadInput, OSError):
            return None

    def table(self, name: str, columns: list[str], problems: list[str] | None = None) -> list[Row]:
        """Rows of a Parquet file of the stage; none where it is absent or damaged.

        Args:
            name: the file, below the stage's folder.
            columns: which columns to read.
            problems: only rows with these in ``problem_id``.
        """
        try:
            table = read_parquet(self.folder / name, columns)
            if problems is not None:
                table = table.filter(pc.is_in(table["problem_id"], pa.array(problems)))
            rows: list[Row] = table.to_pylist()
        except (BadInput, OSError, pa.ArrowException):
            return []
        return rows


@dataclass(frozen=True)
class Run:
    """A run directory: its recipe's name and seed, and its stages in the recipe's order."""

    folder: Path
    name: str
    seed: int | None
    stages: tuple[Stage, ...]

    def of_type(self, type_name: str) -> list[Stage]:
        """The stages of this type that have started."""
        return [stage for stage in self.stages if stage.type == type_name and stage.manifest]


def open_run(folder: str | Path) -> Run:
    """Open a run directory, or the folder of a single stage.

    Raises:
        BadInput: it is neither.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BadInput(f"{folder}: no such run directory")
    if (folder / MANIFEST).exists():
        stage = _stage(folder.resolve().name, "", folder)
        seed = stage.manifest.seed if stage.manifest else None
        return Run(folder, stage.name, seed, (stage,))
    recipe = _recipe(folder / "recipe.yaml")
    planned = recipe.get("stages")
    planned = planned if isinstance(planned, dict) else {}
    found = sorted(path.parent for path in folder.glob(f"*/{MANIFEST}"))
    if not planned and not found:
        raise BadInput(f"{folder}: is no run directory: it holds neither recipe.yaml nor stages")
    types = {str(name): _type(name, body) for name, body in planned.items()}
    stages = [_stage(name, type_name, folder / name) for name, type_name in types.items()]
    stages += [_stage(path.name, "", path) for path in found if path.name not in types]
    seed = recipe.get("seed")
    name = str(recipe.get("name") or folder.resolve().name)
    return Run(folder, name, seed if isinstance(seed, int) else None, tuple(stages))


def _recipe(path: Path) -> Row:
    try:
        value = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return value if isinstance(value, dict) else {}


def _type(name: Any, body: Any) -> str:
    return str(body.get("type", name)) if isinstance(body, dict) else str(name)


def _stage(name: str, type_name: str, folder: Path) -> Stage:
    try:
        manifest = read_manifest(folder)
    except BadInput as error:
        return Stage(name, type_name or name, folder, None, str(error))
    if manifest:
        return Stage(name, manifest.type, folder, manifest)
    return Stage(name, type_name or name, folder, None)


def _object(line: bytes) -> Row | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
