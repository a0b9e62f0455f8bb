"""First step of mining: WARC files to shards of pages, with what later steps need beside the text.

Each file makes one Parquet shard: the page, its words as the classifier reads them, and its
MinHash signature, so that no later step tokenises again.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from seekmath.core.places import name_of, writing
from seekmath.core.records import PAGE
from seekmath.core.seeds import digest
from seekmath.mine.crawl import Damage, Loss, RawPage, read_pages
from seekmath.mine.engine import Beat, Shard, Stage
from seekmath.mine.executors import Engine, Progress
from seekmath.mine.extract import extract_page
from seekmath.mine.minhash import signatures
from seekmath.mine.page_tokens import HostilePage
from seekmath.mine.settings import MineSettings
from seekmath.mine.urls import url_key
from seekmath.mine.word_kernels import count_and_score

#: A page in a shard: ``words`` are joined by spaces, ``signature`` is little-endian uint32,
#: ``url_key`` is the hash of the normalised URL, ``page_key`` one of all that the page is.
SHARD = pa.schema(
    [
        *PAGE,
        ("tokens", pa.int32()),
        ("words", pa.string()),
        ("signature", pa.binary()),
        ("url_key", pa.uint64()),
        ("page_key", pa.uint64()),
    ]
)
#: A page that was dropped, or bytes that gave none (their ``url`` where it can be read, or ""), so
#: that every drop can be read back.
DROPPED = pa.schema([("url", pa.string()), ("source", pa.string()), ("reason", pa.string())])
FOLDER = "shards"
_BATCH = 256


def extract_shards(
    engine: Engine, settings: MineSettings, inputs: Sequence[str], progress: Progress
) -> list[dict[str, Any]]:
    """Extract every file of ``inputs`` into ``shards/NNNNN.parquet``; manifests in their order."""
    stage = Stage(
        "extract",
        "seekmath.mine.pages:extract_shard",
        engine.run,
        {
            "least_words": settings.least_words,
            "scored_words": settings.scored_words,
            "shingle": settings.shingle,
            "permutations": settings.bands * settings.rows,
        },
        record_cpu_s=settings.page_cpu_s,
        record_mib=settings.page_memory_mib,
    )
    shards = [Shard(f"{number:05d}", (file,)) for number, file in enumerate(inputs)]
    return engine.map(stage, shards, progress)


def extract_shard(stage: Stage, shard: Shard, beat: Beat) -> dict[str, Any]:
    """One WARC file to ``NNNNN.parquet`` and ``NNNNN.dropped.parquet``; a ``engine.Step``."""
    [path] = shard.inputs
    damage = Damage()
    dropped: list[dict[str, Any]] = []
    pages = tokens = read = 0
    with ExitStack() as stack:
        file = stack.enter_context(writing(stage.place(FOLDER, f"{shard.name}.parquet")))
        drops = stack.enter_context(writing(stage.place(FOLDER, f"{shard.name}.dropped.parquet")))
        writer = stack.enter_context(pq.ParquetWriter(file, SHARD, compression="zstd"))
        batch: list[dict[str, Any]] = []
        for pages, page in enumerate(read_pages(path, damage), 1):
            read += len(page.body)
            if beat(pages - 1):
                row = page_row(page, stage.parameters)
            else:
                row = dropped_row(page, "quarantined")
            (dropped if "reason" in row else batch).append(row)
            if len(batch) == _BATCH:
                tokens += _write(writer, batch, stage.parameters)
                batch = []
        tokens += _write(writer, batch, stage.parameters)
        lost = [_lost_row(path, loss) for loss in damage.losses]
        pq.write_table(pa.Table.from_pylist(dropped + lost, schema=DROPPED), drops)
    return {
        "file": path,
        "pages": pages,
        "kept": pages - len(dropped),
        "tokens": tokens,
        "html_bytes": read,
        "dropped": dict(sorted(Counter(row["reason"] for row in dropped).items())),
        "skipped": dict(sorted(damage.skipped.items())),
        "mended": dict(sorted(damage.mended.items())),
        "quarantined_at": [row["source"] for row in dropped if row["reason"] == "quarantined"],
    }


def page_row(page: RawPage, plan: Mapping[str, Any]) -> dict[str, Any]:
    """A row of ``SHARD`` without its signature, or a row of ``DROPPED`` with the reason."""
    try:
        found = extract_page(page)
        tokens, words = count_and_score(found["text"], plan["scored_words"])
        if tokens < plan["least_words"]:
            return dropped_row(page, "short")
        return {
            **found,
            "tokens": tokens,
            "words": words,
            "url_key": url_key(page.url),
            "page_key": int(digest(page.url, found["digest"], page.source), 16),
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


def _lost_row(path: str, loss: Loss) -> dict[str, Any]:
    source = f"{name_of(path)}:{loss.offset}:{loss.length}"
    return {"url": loss.url, "source": source, "reason": f"lost: {loss.reason}"}


def _write(writer: pq.ParquetWriter, rows: list[dict[str, Any]], plan: Mapping[str, Any]) -> int:
    """Append rows with their signatures; the sum of their tokens."""
    texts = [row["text"] for row in rows]
    minima = signatures(texts, plan["shingle"], plan["permutations"]).astype("<u4")
    for row, own in zip(rows, minima, strict=True):
        row["signature"] = own.tobytes()
    writer.write_table(pa.Table.from_pylist(rows, schema=SHARD))
    return sum(row["tokens"] for row in rows)
