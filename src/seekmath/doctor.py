"""What this machine has: sandbox, provers, GPUs, optional packages (``seekmath doctor``)."""

import importlib.util
import os
import platform
import shutil
import subprocess
from typing import Any

import psutil

from seekmath.core.extras import EXTRAS, missing_of
from seekmath.core.files import BadInput
from seekmath.verify.coq import coq_libraries, coq_version
from seekmath.verify.execution import Program
from seekmath.verify.sandbox import Backend, Sandbox

_PROVERS = {"isabelle": (("isabelle", "version"), "isabelle.in.tum.de")}
_ASK_S = 20.0


def examine() -> dict[str, Any]:
    """Each part of this machine with what was found, in words; nothing is installed or changed."""
    return {
        "machine": _machine(),
        "gpus": _gpus(),
        "sandbox native": _sandbox("native"),
        "sandbox bubblewrap": _sandbox("bubblewrap"),
        "prover coq": _coq(),
        **{f"prover {name}": _prover(*how) for name, how in _PROVERS.items()},
        "sampler vllm": _vllm(),
        **{f"extra {name}": _extra(name) for name in EXTRAS},
    }


def _machine() -> str:
    memory_gib = psutil.virtual_memory().total / 2**30
    cores = len(os.sched_getaffinity(0))
    return (
        f"Python {platform.python_version()}, {platform.system()} {platform.release()}, "
        f"{platform.machine()}, {cores} cores, {memory_gib:.0f} GiB of memory"
    )


def _gpus() -> list[str] | str:
    if importlib.util.find_spec("torch") is None:
        return "not examined: torch is not installed"
    import torch

    if not torch.cuda.is_available():
        return f"none that torch {torch.__version__} can use"
    found = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    return [f"{one.name}, {one.total_memory / 2**30:.0f} GiB" for one in found]


def _sandbox(backend: Backend) -> str:
    """The layers that are on, after a program has tried to get past them."""
    try:
        with Sandbox(backend=backend) as sandbox:
            end = sandbox.run(Program("print(6 * 7)"))
            layers = sandbox.describe().removeprefix(f"{backend}: ")
    except (BadInput, RuntimeError) as error:
        return f"not usable: {error}"
    return f"holds: {layers}" if end.stdout == "42\n" else f"not usable: {end.error}"


def _coq() -> str:
    """Its version, what it can load, and what its hammer needs."""
    path = shutil.which("coqtop")
    if path is None:
        return "not found (Debian: apt install coq)"
    found = ", ".join(coq_libraries()) or "no contributed libraries"
    eprover = "eprover found" if shutil.which("eprover") else "no eprover"
    return f"Coq {coq_version()}, {found}, {eprover} ({path})"


def _prover(command: tuple[str, ...], where: str) -> str:
    path = shutil.which(command[0])
    if path is None:
        return f"not found ({where})"
    try:
        asked = subprocess.run(
            command, capture_output=True, text=True, timeout=_ASK_S, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{path} does not answer: {error}"
    return f"{(asked.strip().splitlines() or ['?'])[0]} ({path})"


def _vllm() -> str:
    found = importlib.util.find_spec("vllm") is not None
    return "installed" if found else "not installed: rollouts on a GPU; pip install vllm"


def _extra(name: str) -> str:
    """Whether all of an extra is there, what it is for, and how it is had."""
    missing = missing_of(name)
    if not missing:
        return f"installed: {EXTRAS[name]}"
    return f'lacks {", ".join(missing)}: {EXTRAS[name]}; pip install "seekmath[{name}]"'
