"""Marking URL prefixes as mathematics, where the paper has people do it (section 2.1).

Two annotators: ``threshold``, a stated automatic policy, and ``file``, prefixes that somebody
wrote down. Both return prefixes; pages under them that were not collected join the seeds.
"""

import csv
from collections.abc import Collection, Iterable
from pathlib import Path
from urllib.parse import urlsplit

from seekmath.core.files import BadInput, read_jsonl
from seekmath.mine.domains import Share, prefixes_of

_YES = {"math", "yes", "true", "1", ""}
_NO = {"other", "no", "false", "0"}


def by_threshold(
    shares: Iterable[Share], least_share: float, least_pages: int, folder_share: float
) -> list[str]:
    """The automatic policy: mark the shortest prefixes that hold mathematics throughout.

    A prefix is good when at least ``least_share`` of at least ``least_pages`` pages below it were
    collected, and of no folder just below it (with at least ``least_pages``) less than
    ``folder_share``: a host of news with one folder of mathematics is not good, the folder is.
    Good prefixes are marked, but for those below another.
    """
    large = [share for share in shares if share.pages >= least_pages]
    mixed = {_above(s.name)[-1] for s in large if s.share < folder_share and _above(s.name)}
    good = {s.name for s in large if s.share >= least_share} - mixed
    return sorted(name for name in good if not good.intersection(_above(name)))


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


def match(marked: Collection[str], host: str, path: str) -> str:
    """The longest marked prefix that a page stands under, or ``""``."""
    return next((up for up in reversed(prefixes_of(host, path)) if up in marked), "")


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
