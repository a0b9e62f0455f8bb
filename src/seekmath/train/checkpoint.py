"""Checkpoints: weights and optimizer state in one safetensors file, whole or absent.

Nothing is pickled. What else a run needs to go on follows from the step.
"""

import re
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from seekmath.core.files import BadInput, whole_file

_NAME = re.compile(r"step-(\d+)\.safetensors")


def save_checkpoint(
    folder: Path, step: int, model: nn.Module, optimizer: torch.optim.Optimizer, keep: int = 2
) -> None:
    """Write ``folder/step-….safetensors`` after ``step`` finished steps; keep the last ``keep``."""
    tensors = {f"model.{name}": p.detach() for name, p in model.named_parameters()}
    for name, parameter in model.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer.{key}.{name}"] = torch.as_tensor(value)
    plain = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    with whole_file(folder / f"step-{step:08d}.safetensors", "wb") as file:
        file.write(save(plain))
    for old in checkpoints(folder)[:-keep]:
        old.unlink()


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in ``folder``, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))


def load_checkpoint(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, at: int | None = None
) -> int:
    """Restore the last checkpoint of ``folder``; the number of finished steps, 0 without one.

    With ``at``, the checkpoint after that many steps, which must be there unless it is zero.
    """
    found = checkpoints(folder)
    if at is not None:
        found = [path for path in found if int(_NAME.fullmatch(path.name)[1]) == at]  # type: ignore[index]
        if at and not found:
            raise BadInput(f"{folder}: the checkpoint of step {at} is missing; start afresh")
    if not found:
        return 0
    with safe_open(found[-1], framework="pt") as file, torch.no_grad():
        names = set(file.keys())
        for name, parameter in model.named_parameters():
            parameter.copy_(file.get_tensor(f"model.{name}"))
            state: dict[str, Tensor] = {}
            for key in ("step", "exp_avg", "exp_avg_sq"):
                if f"optimizer.{key}.{name}" in names:
                    # The fused optimizer wants its step count on the device as well.
                    state[key] = file.get_tensor(f"optimizer.{key}.{name}").to(parameter.device)
            if state:
                optimizer.state[parameter] = state
    match = _NAME.fullmatch(found[-1].name)
    assert match is not None
    return int(match.group(1))
