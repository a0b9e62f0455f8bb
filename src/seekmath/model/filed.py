"""Weights in a file: a frozen model that takes memory only while it is read."""

import mmap
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

_ALIGNED = 64  # bytes: a line of a processor's cache


def put_in_file(model: nn.Module, folder: Path) -> Callable[[], None]:
    """Move the weights of ``model`` (on the CPU) into a nameless file in ``folder``.

    They stay usable, and what is written to them goes to the file. The system reads pages when
    they are asked for and keeps them as long as nobody needs the memory.

    Returns:
        Lets go of the memory that the weights take; they can be read again afterwards.
    """
    every = list(model.parameters())
    starts, size = [], 0
    for parameter in every:
        starts.append(size)
        size += -(-parameter.nbytes // _ALIGNED) * _ALIGNED
    with tempfile.TemporaryFile(dir=folder) as file:
        file.truncate(size)
        pages = mmap.mmap(file.fileno(), size)  # keeps the file open for itself
    for parameter, start in zip(every, starts, strict=True):
        flat = torch.frombuffer(pages, dtype=parameter.dtype, count=parameter.numel(), offset=start)
        parameter.data = flat.view(parameter.shape).copy_(parameter.data)

    def let_go() -> None:
        pages.flush()
        pages.madvise(mmap.MADV_DONTNEED)

    let_go()
    return let_go
