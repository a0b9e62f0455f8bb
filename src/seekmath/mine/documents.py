"""Parquet of earlier runs (or of anyone) as pages: ``url`` and ``text``, and what else is there."""

from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from seekmath.core.files import BadInput
from seekmath.mine.raw_page import PageText, RawPage

_NEEDED = ("url", "text")
_TAKEN = (*_NEEDED, "title", "formulas", "source")
_BATCH = 256


def read_documents(name: str, file: BinaryIO) -> Iterator[RawPage]:
    """Yield the rows of a Parquet file as pages whose text is known.

    A row without ``source`` is named by the file and its number.

    Raises:
        BadInput: it is no Parquet file, or has no ``url`` or ``text``.
    """
    try:
        parquet = pq.ParquetFile(file)
        present = parquet.schema_arrow.names
        missing = [column for column in _NEEDED if column not in present]
        if missing:
            raise BadInput(f"{name}: has no column {', '.join(missing)}")
        columns = [column for column in _TAKEN if column in present]
        number = 0
        for batch in parquet.iter_batches(_BATCH, columns=columns):
            for row in batch.to_pylist():
                yield _page(row, f"{name.rsplit('/', 1)[-1]}:{number}:1")
                number += 1
    except pa.ArrowInvalid as error:
        raise BadInput(f"{name}: not readable as Parquet: {error}") from None


def _page(row: dict[str, object], place: str) -> RawPage:
    formulas = row.get("formulas")
    text = PageText(
        str(row.get("title") or ""),
        str(row["text"] or ""),
        formulas if isinstance(formulas, int) else 0,
    )
    return RawPage(str(row["url"] or ""), str(row.get("source") or place), b"", None, text)
