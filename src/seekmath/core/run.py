"""Running stages: skip what is finished, redo what has changed, resume what was cut.

A stage works in its own folder. ``stage.json`` there says "running" before the first byte of
output and "finished" after the last, so whatever kills the process in between is noticed.
"""

import contextlib
import fcntl
import os
import pkgutil
import shutil
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from seekmath.core.artifact import (
    MANIFEST,
    Manifest,
    machine,
    path_fingerprint,
    read_manifest,
    stage_fingerprint,
    versions,
)
from seekmath.core.files import BadInput, clean_scratch, whole_file
from seekmath.core.job import Job, Waiting
from seekmath.core.log import Display
from seekmath.core.memory import MemoryMeter, give_back
from seekmath.core.recipe import (
    PlannedStage,
    Recipe,
    StageType,
    option_of,
    sources,
    with_sources,
)


class Busy(BadInput):
    """Another process works in the folder."""


@dataclass(frozen=True)
class Input:
    """An input that was found: where it lies and the fingerprint of what it holds."""

    path: Path
    fingerprint: str


def run_recipe(recipe: Recipe, out: Path, display: Display) -> None:
    """Run every stage of ``recipe`` that is not finished already, in order, below ``out``.

    Raises:
        BadInput: another process works in ``out``, or a stage's input is wrong.
        KeyboardInterrupt: interrupted; the same call resumes.
    """
    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise BadInput(
            "seekmath run is one process; under torchrun start the stage itself, such as"
            " `torchrun --no-python … seekmath pretrain --recipe FILE --tokens DIR --out DIR`"
        )
    out.mkdir(parents=True, exist_ok=True)
    with _locked(out):
        with whole_file(out / "recipe.yaml") as file:
            file.write(recipe.as_yaml())
        for number, stage in enumerate(recipe.stages, 1):
            inputs = {
                label: _recipe_input(recipe, out, value) for label, value in sources(stage.settings)
            }
            label = f"{stage.name} ({number}/{len(recipe.stages)})"
            _run_stage(stage, inputs, out / stage.name, label, display, redo=True)


def run_single(
    stage: PlannedStage, out: Path, display: Display, overwrite: bool = False
) -> Manifest:
    """Run one stage on files of one's own in the folder ``out``.

    Raises:
        BadInput: an input is absent or wrong, or ``out`` holds something else and ``overwrite`` is
            off. What was not begun leaves no folder.
    """
    inputs: dict[str, Input] = {}
    for label, value in sources(stage.settings):
        if not Path(value).exists():
            option = option_of(stage.type.settings, label)
            raise BadInput(f"{option}: {value}: no such file or folder")
        inputs[label] = Input(Path(value), path_fingerprint(Path(value)))
    if out.exists() and not overwrite and not (out / MANIFEST).exists() and any(out.iterdir()):
        raise BadInput(f"--out: {out} is not empty and holds no {MANIFEST}; name another folder")
    if is_follower():
        return _follow(stage, inputs, out)
    out.mkdir(parents=True, exist_ok=True)
    with _locked(out):
        try:
            return _run_stage(stage, inputs, out, stage.name, display, redo=overwrite)
        except BadInput:
            if not _has_outputs(out):
                shutil.rmtree(out)
            raise


def is_follower() -> bool:
    """Whether torchrun started this process beside a first one, which keeps the folder."""
    return os.environ.get("RANK", "0") != "0"


def _follow(stage: PlannedStage, inputs: dict[str, Input], out: Path) -> Manifest:
    """Do this rank's part of a stage; nothing is written but what the stage shares out."""
    manifest, before = _new_manifest(stage, inputs), read_manifest(out)
    if before and (before.fingerprint, before.state) == (manifest.fingerprint, "finished"):
        return before
    settings = with_sources(stage.settings, {key: str(i.path) for key, i in inputs.items()})
    job = Job(out, stage.seed, Display(quiet=True), helper=True)
    manifest.metrics = pkgutil.resolve_name(stage.type.function)(settings, job) or {}
    return manifest


def join_run(out: Path, types: Mapping[str, StageType], display: Display) -> Manifest:
    """Share the work of the stage that runs in ``out``, and finish it should its process die.

    Raises:
        BadInput: nothing was started in ``out``, or its stage cannot be shared.
    """
    manifest = read_manifest(out)
    if manifest is None:
        raise BadInput(f"--join: {out} holds no {MANIFEST}; start the run without --join first")
    stage_type = types[manifest.type]
    if not stage_type.shared:
        raise BadInput(f"--join: {out} holds a '{manifest.type}', which one process does alone")
    settings = stage_type.settings.model_validate(manifest.settings)
    stage = PlannedStage(manifest.stage, manifest.type, stage_type, settings, manifest.seed)
    inputs = {k: Input(Path(i["path"]), i["fingerprint"]) for k, i in manifest.inputs.items()}
    display.start(f"{manifest.stage} (joined)")
    resolved = with_sources(settings, {key: str(i.path) for key, i in inputs.items()})
    if manifest.state != "finished":
        pkgutil.resolve_name(stage_type.function)(resolved, Job(out, stage.seed, display, True))
    while True:
        try:
            with _locked(out):
                # Whoever started the run has finished it or is gone; then this only closes it.
                return _run_stage(stage, inputs, out, manifest.stage, display, redo=False)
        except Busy:
            time.sleep(_POLL_S)


def _recipe_input(recipe: Recipe, out: Path, value: str) -> Input:
    stage, _, rest = value.partition("/")
    if stage not in {planned.name for planned in recipe.stages}:
        return Input(Path(value), path_fingerprint(Path(value)))
    manifest = read_manifest(out / stage)
    assert manifest is not None, stage
    path = out / stage / rest if rest else out / stage
    if not path.exists():
        there = ", ".join(sorted(p.name for p in (out / stage).iterdir()))
        raise BadInput(f"{value}: stage '{stage}' left no '{rest}'; it left: {there}")
    return Input(path, path_fingerprint(path))


def _run_stage(
    stage: PlannedStage,
    inputs: dict[str, Input],
    out: Path,
    label: str,
    display: Display,
    redo: bool,
) -> Manifest:
    manifest = _new_manifest(stage, inputs)
    before = read_manifest(out)
    if before and before.fingerprint != manifest.fingerprint:
        _refuse_or_clear(out, before, manifest, redo, stage.type)
        before = None
    if before and before.state == "finished":
        display.say(f"[green]✓[/] {label}: finished before ({before.wall_s:.0f} s), reused")
        return before
    if before:
        manifest.wall_s, manifest.attempts = before.wall_s, before.attempts + 1
        manifest.peak_memory_mib = before.peak_memory_mib
        display.say(f"[yellow]↻[/] {label}: resuming (attempt {manifest.attempts})")
    out.mkdir(parents=True, exist_ok=True)
    clean_scratch(out)
    manifest.write(out)
    settings = with_sources(stage.settings, {key: str(i.path) for key, i in inputs.items()})
    display.start(label)
    with _recorded(manifest, out), Job.open(out, stage.seed, display) as job:
        function = pkgutil.resolve_name(stage.type.function)
        manifest.metrics = function(settings, job) or {}
    # What was still dying when this attempt began.
    clean_scratch(out)
    display.end(
        f"[green]✓[/] {label}: {manifest.wall_s:.0f} s, {manifest.peak_memory_mib:,.0f} MiB"
    )
    return manifest


def _new_manifest(stage: PlannedStage, inputs: dict[str, Input]) -> Manifest:
    # The paths of inputs are no part of the fingerprint: moved files are still the same files.
    plain = with_sources(stage.settings, dict.fromkeys(inputs, "")).model_dump(mode="json")
    prints = {label: found.fingerprint for label, found in inputs.items()}
    return Manifest(
        stage=stage.name,
        type=stage.type_name,
        state="running",
        fingerprint=stage_fingerprint(
            stage.type_name, stage.type.version, plain, stage.seed, prints
        ),
        settings=stage.settings.model_dump(mode="json"),
        inputs={
            key: {"path": str(i.path), "fingerprint": i.fingerprint} for key, i in inputs.items()
        },
        seed=stage.seed,
        versions=versions(),
        machine=machine(),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _refuse_or_clear(
    out: Path, before: Manifest, manifest: Manifest, redo: bool, stage_type: StageType
) -> None:
    # A first try that ended before it made anything stands in nobody's way.
    if not redo and (before.state == "finished" or _has_outputs(out)):
        old, new = before.settings, manifest.settings
        changed = [option_of(stage_type.settings, key) for key in new if old.get(key) != new[key]]
        changed = changed or ["inputs or --seed"]
        raise BadInput(
            f"--out: {out} holds a {before.state} '{before.type}' with other settings"
            f" ({', '.join(changed)}); name another folder or pass --overwrite"
        )
    # A stage with manifests of its own redoes what the change reaches, and no more.
    for entry in () if stage_type.shared and before.type == manifest.type else out.iterdir():
        if entry.name != _LOCK:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def _has_outputs(out: Path) -> bool:
    """Whether anything but the manifest was written below ``out``."""
    own = {out / MANIFEST, out / _LOCK}
    files = (path for path in out.rglob("*") if path not in own and path.is_file())
    return any(path.stat().st_size for path in files)


@contextlib.contextmanager
def _recorded(manifest: Manifest, out: Path) -> Iterator[None]:
    """Write how the stage ended, its time and its peak memory into the manifest."""
    started, earlier_s = time.monotonic(), manifest.wall_s
    meter = MemoryMeter()
    try:
        with meter:
            yield
        manifest.state = "finished"
    except (KeyboardInterrupt, Waiting):
        manifest.state = "interrupted"
        raise
    except BaseException as error:
        manifest.state = "failed"
        manifest.error = "".join(traceback.format_exception_only(error)).strip()
        raise
    finally:
        give_back()
        manifest.wall_s = round(earlier_s + time.monotonic() - started, 3)
        manifest.peak_memory_mib = max(manifest.peak_memory_mib, round(meter.peak_mib, 1))
        manifest.write(out)


_LOCK = ".lock"
_POLL_S = 0.5


@contextlib.contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Hold the folder for this process; the kernel lets go when the process ends, however."""
    with open(out / _LOCK, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(f"{out}: another seekmath process is working in this folder") from None
        yield
