"""First step of mining: WARC files to shards of pages, with what later steps need beside the text.

Each file makes one Parquet shard: the page, its words as the classifier reads them, and its
MinHash signature, so that no later step tokenises again.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from seekmath.core.files import whole_file
from seekmath.core.records import PAGE
from seekmath.mine.crawl import Damage, Loss, RawPage, read_pages
from seekmath.mine.engine import Beat, Task, run_shards
from seekmath.mine.extract import extract_page
from seekmath.mine.html import HostilePage
from seekmath.mine.minhash import signatures
from seekmath.mine.settings import MineSettings
from seekmath.mine.words import count_words, scored_words

#: A page in a shard: ``words`` are joined by spaces, ``signature`` is little-endian uint32.
SHARD = pa.schema(
    [*PAGE, ("tokens", pa.int32()), ("words", pa.string()), ("signature", pa.binary())]
)
#: A page that was dropped, so that every drop can be read back.
DROPPED = pa.schema([("url", pa.string()), ("source", pa.string()), ("reason", pa.string())])
_BATCH = 256


@dataclass(frozen=True)
class PageSettings:
    """The part of the settings on which shards depend."""

    least_words: int
    scored_words: int
    shingle: int
    permutations: int


def extract_shards(
    settings: MineSettings,
    inputs: Sequence[str],
    out: Path,
    progress: Callable[[int], None] = lambda done: None,
) -> list[dict[str, Any]]:
    """Extract every file of ``inputs`` into ``out/NNNNN.parquet``; the manifests in file order."""
    plan = PageSettings(
        settings.least_words,
        settings.scored_words,
        settings.shingle,
        settings.bands * settings.rows,
    )
    tasks = [
        Task(out, f"{number:05d}", (file, plan), settings.page_cpu_s)
        for number, file in enumerate(inputs)
    ]
    return run_shards(extract_shard, tasks, settings.workers, progress)


def extract_shard(task: Task, beat: Beat) -> dict[str, Any]:
    """One WARC file to ``NNNNN.parquet`` and ``NNNNN.dropped.parquet``; a ``engine.Step``."""
    path, plan = task.arguments
    damage = Damage()
    dropped: list[dict[str, Any]] = []
    records = 0
    with ExitStack() as stack:
        file = stack.enter_context(whole_file(task.out / f"{task.name}.parquet", "wb"))
        drops = stack.enter_context(whole_file(task.out / f"{task.name}.dropped.parquet", "wb"))
        writer = stack.enter_context(pq.ParquetWriter(file, SHARD, compression="zstd"))
        batch: list[dict[str, Any]] = []
        for records, page in enumerate(read_pages(path, damage), 1):
            beat(records - 1)
            if records - 1 in task.quarantined:
                row = dropped_row(page, "quarantined")
            else:
                row = page_row(page, plan)
            (dropped if "reason" in row else batch).append(row)
            if len(batch) == _BATCH:
                writer.write_table(pa.Table.from_pylist(batch, schema=SHARD))
                batch = []
        writer.write_table(pa.Table.from_pylist(batch, schema=SHARD))
        lost = [lost_row(loss, path) for loss in damage.losses]
        pq.write_table(pa.Table.from_pylist(dropped + lost, schema=DROPPED), drops)
    reasons = Counter(row["reason"] for row in dropped)
    return {
        "file": path,
        "pages": records,
        "kept": records - len(dropped),
        "dropped": dict(sorted(reasons.items())),
        "skipped": dict(sorted(damage.skipped.items())),
    }


def page_row(page: RawPage, plan: PageSettings) -> dict[str, Any]:
    """A row of ``SHARD``, or a row of ``DROPPED`` with the reason."""
    try:
        found = extract_page(page)
        tokens = count_words(found["text"])
        if tokens < plan.least_words:
            return dropped_row(page, "short")
        minima = signatures([found["text"]], plan.shingle, plan.permutations)[0]
        return {
            **found,
            "tokens": tokens,
            "words": " ".join(scored_words(found["text"], plan.scored_words)),
            "signature": minima.astype("<u4").tobytes(),
        }
    except HostilePage as error:
        return dropped_row(page, str(error))
    except (
        ValueError,
        ArithmeticError,
        LookupError,
        TypeError,
        RuntimeError,
        MemoryError,
    ) as error:
        # Pages are hostile: whatever one breaks costs that page and is reported.
        return dropped_row(page, f"error: {type(error).__name__}")


def dropped_row(page: RawPage, reason: str) -> dict[str, Any]:
    """A row of ``DROPPED``."""
    return {"url": page.url, "source": page.source, "reason": reason}


def lost_row(loss: Loss, file: str) -> dict[str, Any]:
    """A row of ``DROPPED`` for bytes of ``file`` that gave no record."""
    source = f"{file.rsplit('/', 1)[-1]}:{loss.offset}:{loss.length}"
    return {"url": loss.url, "source": source, "reason": loss.reason}
