"""Marking URL prefixes as mathematics, where the paper has people do it (section 2.1).

Two annotators: ``threshold``, a stated automatic policy, and ``file``, prefixes that somebody
wrote down. Both return prefixes; pages under them that were not collected join the seeds.
"""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from seekmath.core.files import BadInput, read_jsonl
from seekmath.mine.domains import Share, prefixes_of

_YES = {"math", "yes", "true", "1", ""}
_NO = {"other", "no", "false", "0"}


def by_threshold(shares: Iterable[Share], least_share: float, least_pages: int) -> list[str]:
    """The automatic policy: mark the shortest prefixes most of whose pages were collected.

    A prefix is marked when at least ``least_share`` of at least ``least_pages`` pages below it
    were collected and no shorter prefix of it is marked; the host itself is the shortest.
    """
    good = {s.name for s in shares if s.share >= least_share and s.pages >= least_pages}
    return sorted(name for name in good if not any(up in good for up in _above(name)))


def from_file(path: Path) -> list[str]:
    """Prefixes of a CSV file (columns ``prefix`` and optional ``label``) or a JSON-lines file.

    A label is ``math`` or ``other``; only prefixes labelled math, or without a label, count.
    ``https://a.org/x/`` and ``a.org/x`` both mean ``a.org/x/``.

    Raises:
        BadInput: names the file and line of a row without a prefix or with another label.
    """
    if path.suffix == ".csv":
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows: list[dict[str, str | None]] = list(csv.DictReader(file))
    else:
        rows = [{key: str(row[key]) for key in row} for row in read_jsonl(path)]
    marked = [prefix for at, row in enumerate(rows) if (prefix := _marked(path, at, row))]
    return sorted(set(marked))


def match(marked: Sequence[str], host: str, path: str) -> str:
    """The longest marked prefix that a page stands under, or ``""``."""
    known = set(marked)
    return next((up for up in reversed(prefixes_of(host, path)) if up in known), "")


def _above(prefix: str) -> list[str]:
    host, _, path = prefix.partition("/")
    return prefixes_of(host, "/" + path)[:-1]


def _marked(path: Path, at: int, row: dict[str, str | None]) -> str:
    where = f"{path}: row {at + 1}"
    prefix = (row.get("prefix") or "").strip()
    label = (row.get("label") or "").strip().lower()
    if not prefix:
        raise BadInput(f"{where}: field 'prefix' is missing; expected such as mathoverflow.net/q/")
    if label not in _YES | _NO:
        raise BadInput(f"{where}: field 'label': found '{label}'; allowed: math, other")
    parts = urlsplit(prefix if "://" in prefix else f"//{prefix}")
    whole = f"{parts.netloc.lower()}{parts.path}"
    return "" if label in _NO else whole if whole.endswith("/") else f"{whole}/"
