"""What earlier runs have kept, on disk: across snapshots and runs one of each page is kept.

A folder with one part for each run, named by the pages that the run chose from:

    FOLDER/<run>/part.json        how many pages, how they are compared, the parts it came after
    FOLDER/<run>/keys.npy         hashes of URL and text, 16 bytes a page
    FOLDER/<run>/signatures.npy   MinHash signatures, 4 bytes for each permutation
    FOLDER/<run>.after.json       the parts a run is compared with, from its start on

A part appears whole and never changes. A run killed and resumed, or done again on the same pages,
is compared with the parts that were there at its first start, and adds what is there already; so
neither changes the index nor the run. Two runs at once do not see each other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from seekmath.core.files import BadInput, read_json, whole_folder, write_json
from seekmath.mine.dedup import Keys, Pages

_PIECE = 1 << 16


@dataclass(frozen=True)
class Comparison:
    """How the pages of an index are compared; the same for all its runs."""

    shingle: int = 5
    bands: int = 14
    rows: int = 8


def identity(texts: Iterable[NDArray[np.uint64]]) -> str:
    """A run's name from the hashes of its pages' texts; their order makes no difference."""
    total, count = 0, 0
    for hashes in texts:
        mixed = (hashes ^ (hashes >> np.uint64(31))) * np.uint64(0x9E3779B97F4A7C15)
        total = (total + int(mixed.sum(dtype=np.uint64))) % 2**64
        count += len(hashes)
    return f"{count}-{total:016x}"


class DedupIndex:
    """The index in ``folder``; it is made at the first start of a run.

    Raises:
        BadInput: its pages are compared otherwise than this run compares.
    """

    def __init__(self, folder: Path, comparison: Comparison) -> None:
        if ":/" in str(folder):
            raise BadInput(f"dedup_index: {folder}: must be a folder of this machine")
        self.folder = folder
        self.comparison = comparison
        for part in self._parts():
            found = read_json(folder / part / "part.json")["comparison"]
            if found != asdict(comparison):
                raise BadInput(
                    f"dedup_index: {folder}: was made with {_named(found)}; this run has "
                    f"{_named(asdict(comparison))}; use the same, or another folder"
                )

    def start(self, run: str) -> list[str]:
        """The parts that ``run`` is compared with: those there at its first start."""
        path = self.folder / f"{run}.after.json"
        if not path.exists():
            write_json(path, [part for part in self._parts() if part != run])
        parts = read_json(path)
        lost = set(parts) - set(self._parts())
        if lost:
            raise BadInput(f"dedup_index: {self.folder}: lacks the part {min(lost)} of earlier use")
        return parts

    def pages(self, parts: Sequence[str]) -> list[Pages]:
        """The pages of these parts, in pieces of 65,536, which are read when they are used."""
        return [
            _Piece(self.folder / part, start, min(start + _PIECE, count))
            for part in parts
            for count in [read_json(self.folder / part / "part.json")["pages"]]
            for start in range(0, count, _PIECE)
        ]

    def add(self, run: str, kept: Iterable[tuple[Keys, NDArray[np.uint32]]], pages: int) -> None:
        """Add the ``pages`` pages that ``run`` has kept, shard by shard: keys and signatures."""
        if run in self._parts():
            return
        width = self.comparison.bands * self.comparison.rows
        with whole_folder(self.folder / run) as folder:
            with (
                _array_file(folder / "keys.npy", (pages, 2), "<u8") as keys_file,
                _array_file(folder / "signatures.npy", (pages, width), "<u4") as signatures_file,
            ):
                for keys, minima_NP in kept:
                    keys_file.write(np.stack([keys.url, keys.text], axis=1).tobytes())
                    signatures_file.write(minima_NP.tobytes())
            after = read_json(self.folder / f"{run}.after.json")
            facts = {"pages": pages, "comparison": asdict(self.comparison), "after": after}
            write_json(folder / "part.json", facts)

    def _parts(self) -> list[str]:
        return sorted(path.parent.name for path in self.folder.glob("[0-9]*/part.json"))


@dataclass(frozen=True)
class _Piece:
    """Rows of a part; implements ``dedup.Pages``."""

    part: Path
    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start

    def keys(self) -> Keys:
        rows = self._rows("keys")
        return Keys(np.zeros(len(rows), np.uint64), rows[:, 0].copy(), rows[:, 1].copy())

    def signatures(self) -> NDArray[np.uint32]:
        return np.array(self._rows("signatures"))

    def _rows(self, name: str) -> NDArray[Any]:
        whole = np.load(self.part / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        return whole[self.start : self.end]


def _array_file(path: Path, shape: tuple[int, int], kind: str) -> BinaryIO:
    """A ``.npy`` file whose rows are still to be written."""
    file = open(path, "wb")
    header = {"descr": kind, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file


def _named(comparison: dict[str, int]) -> str:
    return ", ".join(f"{name} {value}" for name, value in comparison.items())
