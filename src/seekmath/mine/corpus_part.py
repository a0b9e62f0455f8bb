"""One Parquet file of a corpus, written whole, and counts of what it holds."""

from collections import Counter
from contextlib import ExitStack
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from seekmath.core.places import writing
from seekmath.core.records import DOCUMENT
from seekmath.mine.word_kernels import count_words

#: A row group is written when its texts reach this size.
_GROUP_CHARACTERS = 16 << 20


class CorpusPart:
    """Takes documents one by one; as a context manager the file appears when it ends well."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._stack = ExitStack()
        self._group: list[dict[str, Any]] = []
        self._characters = 0
        self._counts: Counter[str] = Counter(documents=0, tokens=0, characters=0, formulas=0)
        self._languages: Counter[str] = Counter()

    def __enter__(self) -> "CorpusPart":
        file = self._stack.enter_context(writing(self._place))
        writer = pq.ParquetWriter(file, DOCUMENT, compression="zstd")
        self._writer = self._stack.enter_context(writer)
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: Any) -> None:
        if kind is None:
            self._flush()
        self._stack.__exit__(kind, *rest)

    def add(self, row: dict[str, Any]) -> None:
        """Take a row of ``core.records.DOCUMENT``."""
        self._group.append(row)
        self._characters += len(row["text"])
        if self._characters >= _GROUP_CHARACTERS:
            self._flush()
        self._counts["documents"] += 1
        self._counts["tokens"] += count_words(row["text"])
        self._counts["characters"] += len(row["text"])
        self._counts["formulas"] += row["formulas"] or 0
        self._counts["duplicates"] += len(row["stands_for"])
        self._languages[row["language"]] += 1

    def counts(self) -> dict[str, Any]:
        """Documents, tokens, characters, formulas, duplicates, and documents by language."""
        return {**self._counts, "languages": dict(sorted(self._languages.items()))}

    def _flush(self) -> None:
        if self._group:
            self._writer.write_table(pa.Table.from_pylist(self._group, schema=DOCUMENT))
        self._group, self._characters = [], 0
