"""What an annotator sees of a mining run: hosts by yield, their prefixes, sample pages."""

import getpass
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from seekmath.core.artifact import read_manifest
from seekmath.core.files import BadInput, read_json
from seekmath.mine.annotate import by_threshold, from_file
from seekmath.mine.annotations import Annotations
from seekmath.mine.domains import Share, outline, prefixes_of
from seekmath.mine.tables import load_array

_PREFIXES_A_HOST = 40
_SAMPLES = 8
#: A sample's search ends when it has seen this many pages under the prefix.
_ENOUGH = 400


@dataclass(frozen=True)
class Row:
    """A prefix to decide on: ``depth`` in its host's tree, 0 for the host itself.

    ``proposed`` tells whether the automatic policy would mark it.
    """

    prefix: str
    depth: int
    pages: int
    collected: int
    proposed: bool


@dataclass(frozen=True)
class Sample:
    """A page under a prefix: where it lies, and what the round made of it."""

    shard: str
    row: int
    url: str
    score: float
    collected: bool


class AnnotatedRun:
    """A folder of ``seekmath mine`` in which at least one round has counted its prefixes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.decisions = Annotations(folder)
        self._rows: tuple[int, list[list[Row]]] = (0, [])

    @classmethod
    def open(cls, folder: Path) -> "AnnotatedRun":
        """The run in ``folder``, or in its stage ``mine``.

        Raises:
            BadInput: neither holds a round of which prefixes are counted.
        """
        for place in (folder, folder / "mine"):
            if list(place.glob("rounds/*/counted.json")):
                return cls(place)
        raise BadInput(
            f"{folder}: holds no mining run that has finished counting a round; name the folder"
            " given to 'seekmath mine --out', or a run directory with a stage mine"
        )

    @property
    def number(self) -> int:
        """The round to annotate: the newest, or the one that a run waits for."""
        newest = max(int(path.parent.name) for path in self.folder.glob("rounds/*/counted.json"))
        waits = self._counted(newest)["annotator"] == "wait"
        return min(newest, self.decisions.finished() + 1) if waits else newest

    @property
    def waits(self) -> bool:
        """Whether a run waits for the round to be finished."""
        number = self.number
        return self._counted(number)["annotator"] == "wait" and (self.decisions.finished() < number)

    @property
    def domain(self) -> str:
        """What the corpus is about."""
        manifest = read_manifest(self.folder)
        settings = manifest.settings if manifest else {}
        return str(settings.get("domain", "mathematics"))

    def hosts(self) -> list[list[Row]]:
        """The candidate hosts in order of yield, each with its prefixes as a tree."""
        return self.hosts_of(self.number)

    def hosts_of(self, number: int) -> list[list[Row]]:
        """The same of round ``number``."""
        if self._rows[0] != number:
            self._rows = (number, list(self._outlined(number)))
        return self._rows[1]

    def samples(self, prefix: str, number: int = 0) -> list[Sample]:
        """Pages under ``prefix``: the best that were collected, and the best that were not.

        In round ``number``, or in the one to annotate.
        """
        number = number or self.number
        return list(_samples(self.folder, number, self._counted(number)["shards"], prefix))

    def text(self, sample: Sample) -> str:
        """The text of a sample page, as mining took it out of the crawl."""
        return _text(self.folder / "shards" / f"{sample.shard}.parquet", sample.row)

    def exchange(
        self, take: str | None, finish: bool, export: str | None, who: str
    ) -> Iterator[str]:
        """Import, finish the round, export, in this order; a line on each."""
        who, number = who or user_name(), self.number
        if take:
            new = self.decisions.take(from_file(Path(take)), who, number)
            yield f"{new} new decisions taken from {take}"
        if finish:
            self.decisions.finish(number, who)
            yield f"round {number} is finished"
        if export:
            yield f"{self.decisions.export(Path(export))} decisions written to {export}"

    def _counted(self, number: int) -> dict[str, Any]:
        found: dict[str, Any] = read_json(self.folder / f"rounds/{number:02d}/counted.json")
        return found

    def _outlined(self, number: int) -> Iterator[list[Row]]:
        plan = self._counted(number)
        shares: dict[str, list[Share]] = defaultdict(list)
        for share in _prefix_shares(self.folder / f"rounds/{number:02d}/prefixes", plan["shards"]):
            shares[share.name.partition("/")[0]].append(share)
        collected = {host: max(one.collected for one in many) for host, many in shares.items()}
        for host in sorted(shares, key=lambda host: (-collected[host], host)):
            least = plan["least_prefix_pages"]
            good = by_threshold(shares[host], plan["prefix_share"], least, plan["host_share"])
            tree = outline(shares[host], least, _PREFIXES_A_HOST)
            yield [
                Row(one.name, depth, one.pages, one.collected, one.name in good)
                for depth, one in tree
            ]


def user_name() -> str:
    """Who decides where nobody is named."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "somebody"


def as_rows(rows: list[Row]) -> list[dict[str, Any]]:
    """Rows as JSON values."""
    return [asdict(row) for row in rows]


def _prefix_shares(folder: Path, shards: int) -> list[Share]:
    files = [str(folder / "counted" / f"{at:05d}.parquet") for at in range(shards)]
    table = ds.dataset(files).to_table(columns=["prefix", "pages", "collected"])
    found = table.group_by("prefix").aggregate([("pages", "sum"), ("collected", "sum")])
    columns = [found[name].to_pylist() for name in ("prefix", "pages_sum", "collected_sum")]
    return [Share(*row) for row in zip(*columns, strict=True)]


@lru_cache(maxsize=1024)
def _samples(folder: Path, number: int, shards: int, prefix: str) -> tuple[Sample, ...]:
    host, found = prefix.partition("/")[0], list[Sample]()
    for at in range(shards):
        shard = f"{at:05d}"
        table = pq.read_table(
            folder / "kept" / f"{shard}.parquet", columns=["row", "url", "host", "path"]
        )
        rows = np.flatnonzero(pc.equal(table["host"], host).to_numpy())
        if not len(rows):
            continue
        round_folder = folder / f"rounds/{number:02d}"
        scores = load_array(str(round_folder / f"scores/{shard}.npy"))
        collected = load_array(str(round_folder / f"collected/{shard}.npy"))
        some = table.take(pa.array(rows)).to_pylist()
        for place, page in zip(rows.tolist(), some, strict=True):
            if prefix in prefixes_of(host, page["path"]):
                score, taken = float(scores[place]), bool(collected[place])
                found.append(Sample(shard, page["row"], page["url"], score, taken))
        if len(found) >= _ENOUGH:
            break
    # In turn, so that what was missed is seen beside what was found.
    best = sorted(found, key=lambda one: (-one.score, one.url))
    halves = [[one for one in best if one.collected is taken] for taken in (False, True)]
    few = min(len(halves[0]), _SAMPLES // 2)
    chosen = [*halves[1][: _SAMPLES - few], *halves[0][:_SAMPLES]][:_SAMPLES]
    return tuple(chosen)


@lru_cache(maxsize=256)
def _text(path: Path, row: int) -> str:
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if row < rows:
                column = file.read_row_group(group, columns=["text"]).column(0)
                return str(column[row].as_py())
            row -= rows
    raise BadInput(f"{path}: holds no page {row}")
