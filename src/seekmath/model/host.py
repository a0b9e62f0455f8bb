"""How tensor work uses this machine's processor and memory."""

import torch

from seekmath.core.memory import keep_freed


def use_cpu(threads: int) -> None:
    """Prepare this process for training or sampling; 0 threads leaves torch's choice."""
    if threads:
        torch.set_num_threads(threads)
    keep_freed()
