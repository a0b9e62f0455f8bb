"""How well a machine is used: MFU and memory, for the logged lines."""

import psutil
import torch

# Peaks of dense bf16 products, FLOP/s, by part of the device's name (makers' data sheets).
_PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "B200": 2250e12}


def peak_flops(device: torch.device) -> float:
    """The peak of a GPU in bf16, FLOP/s; 0 where it is not known, as for a CPU."""
    if device.type != "cuda":
        return 0.0
    name = torch.cuda.get_device_name(device)
    return next((peak for part, peak in _PEAKS.items() if part in name), 0.0)


def utilisation(tokens_per_s: float, flops_per_token: float, peak: float) -> float:
    """Model FLOPs utilisation, as a share.

    Raises:
        RuntimeError: it is over 1: a formula or the peak is wrong.
    """
    share = tokens_per_s * flops_per_token / peak
    if share > 1:
        raise RuntimeError(f"MFU {share:.0%}: over 100% is a wrong count of FLOPs or of the peak")
    return share


def memory_mib(device: torch.device) -> float:
    """Largest memory of the GPU so far, or what the process holds now, MiB."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return psutil.Process().memory_info().rss / 2**20
