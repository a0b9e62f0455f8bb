"""Fingerprints and manifests: what a stage's folder was made from, and whether it is finished."""

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from seekmath.core.files import BadInput, read_json, write_json

MANIFEST = "stage.json"
State = Literal["running", "finished", "failed", "interrupted"]
# Larger files are known by size and modification time: hashing 100 GB before each run is no help.
_HASH_WHOLE_BELOW = 256 << 20
_OWN = {MANIFEST, "metrics.jsonl", "checkpoints"}
_PACKAGES = ("seekmath", "numpy", "pyarrow", "torch", "tokenizers", "numba")


class Manifest(BaseModel):
    """What ``stage.json`` holds. Times in seconds, memory in MiB, sources as label → path."""

    stage: str
    type: str
    state: State
    fingerprint: str
    settings: dict[str, Any]
    inputs: dict[str, dict[str, str]]
    seed: int
    versions: dict[str, str]
    machine: str
    started: str
    wall_s: float = 0.0
    attempts: int = 1
    peak_memory_mib: float = 0.0
    metrics: dict[str, Any] = {}
    error: str = ""

    def write(self, folder: Path) -> None:
        """Write ``stage.json`` into ``folder``, whole or not at all."""
        write_json(folder / MANIFEST, self.model_dump())


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest in ``folder``, or None where there is none."""
    path = folder / MANIFEST
    if not path.exists():
        return None
    try:
        return Manifest.model_validate(read_json(path))
    except ValueError as error:
        raise BadInput(f"{path}: not a stage manifest; remove its folder ({error})") from None


def stage_fingerprint(
    type_name: str, version: int, settings: Mapping[str, Any], seed: int, inputs: Mapping[str, str]
) -> str:
    """A digest of all that decides a stage's outputs; ``inputs`` maps labels to fingerprints."""
    whole = [type_name, version, dict(settings), seed, dict(inputs)]
    text = json.dumps(whole, sort_keys=True, ensure_ascii=False)
    return blake2b(text.encode(), digest_size=12).hexdigest()


def path_fingerprint(path: Path) -> str:
    """A digest of a file's content, or of the names and contents below a folder.

    What a stage keeps for itself (manifest, metrics with their times, checkpoints, hidden files)
    does not count: a stage that was run again and left the same outputs changes nothing.
    """
    hasher = blake2b(digest_size=12)
    if path.is_dir():
        names = sorted(file.relative_to(path) for file in path.rglob("*") if file.is_file())
        for name in names:
            if not any(part in _OWN or part.startswith(".") for part in name.parts):
                hasher.update(f"{name}\0{_file_fingerprint(path / name)}\n".encode())
    else:
        hasher.update(_file_fingerprint(path).encode())
    return hasher.hexdigest()


def _file_fingerprint(path: Path) -> str:
    status = path.stat()
    if status.st_size > _HASH_WHOLE_BELOW:
        return f"{status.st_size}:{status.st_mtime_ns}"
    with open(path, "rb") as file:
        hasher = blake2b(digest_size=12)
        while chunk := file.read(1 << 20):
            hasher.update(chunk)
    return hasher.hexdigest()


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that can change a result; in a checkout its commit."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {**found, "commit": commit} if (commit := _commit()) else found


@cache
def _commit() -> str:
    """The commit of the checkout that this process runs from; empty where it runs from none."""
    root = Path(__file__).parents[3]
    if not (root / ".git").exists():
        return ""
    asked = ["git", "-C", str(root), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def machine() -> str:
    """This machine in a line: processor, cores, memory, system."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, {memory_gib:.0f} GiB, "
        f"{platform.system()} {platform.release()}, {sys.implementation.name}"
    )
