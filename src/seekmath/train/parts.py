"""Parts of tensors: which part of a sharded tensor a rank holds, and files of such parts.

A tensor that was written in some parts is read in any others, so a checkpoint does not depend on
the number of ranks.
"""

import json
import math
import os
import zlib
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from torch.distributed.tensor import DTensor, Replicate
from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

from seekmath.core.files import BadInput, read_json
from seekmath.model.parallel import Ranks

_NAMES = {
    torch.float32: "F32",
    torch.float64: "F64",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
_CHUNK_BYTES = 1 << 22


@dataclass(frozen=True)
class Part:
    """A box inside a tensor: the whole tensor's shape and where the box begins."""

    shape: tuple[int, ...]
    offset: tuple[int, ...] = ()
    is_written: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "offset", self.offset or (0,) * len(self.shape))


def plain(tensor: Tensor) -> Tensor:
    """The values that this rank holds, as a plain tensor that shares their memory."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def place_of(tensor: Tensor, ranks: Ranks) -> Part:
    """Which part of the whole this rank holds, and whether it is the one to write it."""
    if not isinstance(tensor, DTensor):
        return Part(tuple(tensor.shape), is_written=ranks.is_first)
    mesh, placements = tensor.device_mesh, tensor.placements
    shape, offset = compute_local_shape_and_global_offset(tensor.shape, mesh, placements)
    # Of equal copies the first rank's is written: along replicated dimensions of the tensor's own
    # mesh, and along the tensor dimension of all ranks where the tensor does not know of it.
    first = all(
        coordinate == 0
        for coordinate, placement in zip(mesh.get_coordinate() or [], placements, strict=True)
        if isinstance(placement, Replicate)
    )
    knows = "tensor" in (mesh.mesh_dim_names or ())
    first = first and (knows or ranks.rank % ranks.tensor == 0)
    return Part(tuple(tensor.shape), tuple(offset), first and math.prod(shape) > 0)


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> int:
    """Write a safetensors file, synced; its CRC-32.

    Written here and not by the library because its writer keeps Python's lock, which training
    needs, and wants all bytes at once.
    """
    header: dict[str, Any] = {}
    end = 0
    for name, tensor in tensors.items():
        start, end = end, end + tensor.nbytes
        header[name] = {
            "dtype": _NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    checksum = 0
    with open(path, "wb", buffering=0) as file:
        blocks = [len(text).to_bytes(8, "little") + text]
        for block in [*blocks, *(_bytes_of(tensor) for tensor in tensors.values())]:
            view = memoryview(block)
            for start in range(0, len(view), _CHUNK_BYTES):
                chunk = view[start : start + _CHUNK_BYTES]
                checksum = zlib.crc32(chunk, checksum)
                while chunk:
                    chunk = chunk[file.write(chunk) :]
        os.fsync(file.fileno())
    return checksum


def _bytes_of(tensor: Tensor) -> Any:
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy()


class PartReader:
    """Reads any box of the tensors that the ranks of a checkpoint wrote."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = ExitStack()
        self._parts: dict[str, list[tuple[Any, tuple[int, ...], tuple[int, ...]]]] = {}

    def __enter__(self) -> "PartReader":
        for path in sorted(self._folder.glob("rank-*.json")):
            try:
                opened = safe_open(path.with_suffix(".safetensors"), framework="pt")
                file = self._files.enter_context(opened)
            except (OSError, SafetensorError) as error:
                raise BadInput(f"{path.with_suffix('.safetensors')}: damaged: {error}") from None
            for name, (shape, offset) in read_json(path)["parts"].items():
                self._parts.setdefault(name, []).append((file, tuple(shape), tuple(offset)))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._files.close()

    def __contains__(self, name: str) -> bool:
        return name in self._parts

    def names(self) -> list[str]:
        """Every tensor."""
        return list(self._parts)

    def whole(self, name: str) -> Tensor:
        """A tensor, put together."""
        file, shape, _ = self._parts[name][0]
        target = torch.empty(shape, dtype=file.get_slice(name)[...].dtype)
        self._fill(name, target, (0,) * len(shape))
        return target

    def fill(self, name: str, target: Tensor, ranks: Ranks) -> None:
        """Fill ``target``, or the part of it that this rank holds.

        Raises:
            BadInput: there is no such tensor, or it has another shape.
        """
        if name not in self._parts:
            raise BadInput(f"{self._folder}: lacks '{name}'; it is of another model")
        shape = self._parts[name][0][1]
        if shape != tuple(target.shape):
            raise BadInput(
                f"{self._folder}: '{name}' has shape {shape}, the model {tuple(target.shape)}"
            )
        self._fill(name, plain(target), place_of(target, ranks).offset)

    def _fill(self, name: str, target: Tensor, offset: tuple[int, ...]) -> None:
        for file, _, its_offset in self._parts[name]:
            piece = file.get_slice(name)
            size = piece.get_shape()
            # The overlap of two boxes, in the coordinates of the whole.
            low = [max(a, b) for a, b in zip(offset, its_offset, strict=True)]
            ends = zip(offset, target.shape, its_offset, size, strict=True)
            high = [min(a + n, b + m) for a, n, b, m in ends]
            if not all(a < b for a, b in zip(low, high, strict=True)):
                continue
            if not size:
                target.copy_(file.get_tensor(name))
                continue
            theirs = _box(low, high, its_offset)
            target[_box(low, high, offset)] = piece[theirs].to(target.device, target.dtype)


def _box(low: list[int], high: list[int], origin: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(slice(a - o, b - o) for a, b, o in zip(low, high, origin, strict=True))
