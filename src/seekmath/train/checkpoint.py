"""Checkpoints: all that a run needs to go on, whole or not at all, for any number of ranks.

::

    checkpoints/step-00000200/rank-00000.safetensors   the parts of tensors that this rank holds
    checkpoints/step-00000200/rank-00000.json          which part of which tensor; after it
    checkpoints/step-00000200/checkpoint.json          last; a folder without it is no checkpoint

Nothing is pickled, which is why this is not torch.distributed.checkpoint, whose metadata is. What
follows from the step (learning rate, data position) is computed, not kept.
"""

import re
import shutil
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from seekmath.core.files import BadInput, read_json, sync_folder, write_json
from seekmath.model.parallel import ALONE, Ranks
from seekmath.model.sizes import ModelConfig
from seekmath.train.parts import Part, PartReader, place_of, plain, write_tensors

MANIFEST = "checkpoint.json"
_NAME = re.compile(r"step-(\d+)")
_STATES = ("step", "exp_avg", "exp_avg_sq")
_CHUNK_BYTES = 1 << 22


def save_checkpoint(
    folder: Path, step: int, model: nn.Module, optimizer: torch.optim.Optimizer, keep: int = 2
) -> None:
    """Write ``folder/step-…`` after ``step`` finished steps; keep the last ``keep``."""
    target = folder_of(folder, step)
    write_rank(target, 0, snapshot(model, optimizer, ALONE))
    commit(target, 1, {"step": step, **facts_of(model)})
    forget_old(folder, keep)


def load_checkpoint(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, at: int | None = None
) -> int:
    """Restore the last checkpoint of ``folder``; the number of finished steps, 0 without one.

    With ``at``, the checkpoint after that many steps, which must be there unless it is zero.
    """
    if at is None:
        return int(restore(folder, model, optimizer)["step"])
    if at and folder_of(folder, at) not in checkpoints(folder):
        raise BadInput(f"{folder}: the checkpoint of step {at} is missing; start afresh")
    if at:
        if fault := fault_of(folder_of(folder, at)):
            raise BadInput(f"{fault}; start afresh")
        _load(folder_of(folder, at), model, optimizer, ALONE)
    return at


def restore(
    folder: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    ranks: Ranks = ALONE,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Load the newest checkpoint that is sound; its facts, ``{"step": 0}`` without any.

    Raises:
        BadInput: there are checkpoints and all are damaged, or they are of another model.
    """
    found = checkpoints(folder)
    for path in reversed(found):
        fault = fault_of(path, ranks)
        if ranks.lowest(0.0 if fault else 1.0):
            facts = read_json(path / MANIFEST)
            _load(path, model, optimizer, ranks)
            return facts["facts"]
        say(f"[yellow]![/] {fault or path}; it is left aside, the checkpoint before it is taken")
        if ranks.is_first:
            path.rename(path.with_name(path.name + ".damaged"))
    if found:
        raise BadInput(f"{folder}: every checkpoint is damaged; remove the folder to start afresh")
    return {"step": 0}


def facts_of(model: nn.Module) -> dict[str, Any]:
    """What ``seekmath export`` must know of a decoder."""
    config = getattr(model, "config", None)
    return {"config": asdict(config)} if isinstance(config, ModelConfig) else {}


def checkpoints(folder: Path) -> list[Path]:
    """The finished checkpoints in ``folder``, oldest first."""
    if not folder.is_dir():
        return []
    named = (path for path in folder.iterdir() if _NAME.fullmatch(path.name))
    return sorted(path for path in named if (path / MANIFEST).exists())


def folder_of(folder: Path, step: int) -> Path:
    """Where the checkpoint after ``step`` steps lies."""
    return folder / f"step-{step:08d}"


def snapshot(
    model: nn.Module, optimizer: torch.optim.Optimizer, ranks: Ranks
) -> dict[str, tuple[Tensor, Part]]:
    """Copies of all parts that this rank has to write, on the CPU."""
    found: dict[str, tuple[Tensor, Part]] = {}
    for name, tensor in _tensors(model, optimizer):
        part = place_of(tensor, ranks)
        if part.is_written:
            found[name] = (plain(tensor).to("cpu", copy=True), part)
    state = torch.get_rng_state()
    found[f"random.cpu.{ranks.rank}"] = (state, Part(tuple(state.shape)))
    if torch.cuda.is_available():
        state = torch.cuda.get_rng_state()
        found[f"random.cuda.{ranks.rank}"] = (state, Part(tuple(state.shape)))
    return found


def write_rank(target: Path, rank: int, parts: dict[str, tuple[Tensor, Part]]) -> None:
    """Write one rank's file, then what it holds."""
    target.mkdir(parents=True, exist_ok=True)
    if rank == 0:
        (target / MANIFEST).unlink(missing_ok=True)
    name = f"rank-{rank:05d}"
    tensors = {key: tensor for key, (tensor, _) in parts.items()}
    checksum = write_tensors(target / f"{name}.safetensors", tensors)
    shapes = {key: [part.shape, part.offset] for key, (_, part) in parts.items()}
    size = (target / f"{name}.safetensors").stat().st_size
    write_json(target / f"{name}.json", {"bytes": size, "crc32": checksum, "parts": shapes})


def commit(target: Path, world: int, facts: dict[str, Any]) -> None:
    """Make a checkpoint of what all ``world`` ranks have written."""
    sync_folder(target)
    write_json(target / MANIFEST, {"ranks": world, "facts": facts})


def forget_old(folder: Path, keep: int, keep_every: int = 0) -> None:
    """Remove all but the last ``keep`` checkpoints and those of every ``keep_every`` steps."""
    for path in checkpoints(folder)[:-keep]:
        match = _NAME.fullmatch(path.name)
        if not (keep_every and match and int(match[1]) % keep_every == 0):
            # The manifest first: what is half removed is no checkpoint.
            (path / MANIFEST).unlink()
            shutil.rmtree(path)


def remove_unfinished(folder: Path) -> None:
    """Remove what killed runs left without a manifest."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if _NAME.fullmatch(path.name) and path.is_dir() and not (path / MANIFEST).exists():
            shutil.rmtree(path)


def fault_of(path: Path, ranks: Ranks = ALONE) -> str:
    """What is wrong with a checkpoint's files, of which each rank reads its share; or nothing."""
    try:
        for number in range(ranks.rank, read_json(path / MANIFEST)["ranks"], ranks.world):
            name = path / f"rank-{number:05d}"
            wanted = read_json(name.with_suffix(".json"))
            file = name.with_suffix(".safetensors")
            if file.stat().st_size != wanted["bytes"] or _crc32(file) != wanted["crc32"]:
                return f"{file}: differs from what was written"
    except (OSError, ValueError, KeyError) as error:
        return f"{path}: {error}"
    return ""


def _crc32(path: Path) -> int:
    found = 0
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            found = zlib.crc32(chunk, found)
    return found


def _tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, Tensor]]:
    for name, parameter in model.named_parameters():
        yield f"model.{name}", parameter.detach()
        for key, value in optimizer.state.get(parameter, {}).items():
            yield f"optimizer.{key}.{name}", torch.as_tensor(value)


def _load(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, ranks: Ranks) -> None:
    with PartReader(path) as reader, torch.no_grad():
        learned = {id(p) for group in optimizer.param_groups for p in group["params"]}
        for name, parameter in model.named_parameters():
            reader.fill(f"model.{name}", parameter.detach(), ranks)
            state: dict[str, Tensor] = {}
            for key in _STATES:
                kept = f"optimizer.{key}.{name}"
                if id(parameter) in learned and kept in reader:
                    # The fused optimizer wants its step count on the device as well.
                    like = (
                        parameter.detach()
                        if key != "step"
                        else torch.zeros((), device=parameter.device)
                    )
                    state[key] = torch.zeros_like(like)
                    reader.fill(kept, state[key], ranks)
            if state:
                optimizer.state[parameter] = state
        if (name := f"random.cpu.{ranks.rank}") in reader:
            torch.set_rng_state(reader.whole(name))
        if torch.cuda.is_available() and (name := f"random.cuda.{ranks.rank}") in reader:
            torch.cuda.set_rng_state(reader.whole(name))
