"""Marking URL prefixes as mathematics, where the paper has people do it (section 2.1).

Annotators: ``threshold``, a stated automatic policy; ``file``, prefixes that somebody wrote down;
``wait``, people at the page of ``seekmath annotate``; ``llm``, a language model. All give a label
to prefixes; pages under those labelled math that were not collected join the seeds.
"""

import csv
from collections.abc import Collection, Iterable
from pathlib import Path
from urllib.parse import urlsplit

from seekmath.core.files import BadInput, read_jsonl
from seekmath.mine.domains import Share, above, prefixes_of

_YES = {"math", "yes", "true", "1", ""}
_NO = {"other", "no", "false", "0"}
#: Before a prefix that was labelled other: pages under it stay out of what stands above it.
NOT = "!"


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
    mixed = {above(s.name)[-1] for s in large if s.share < folder_share and above(s.name)}
    good = {s.name for s in large if s.share >= least_share} - mixed
    return sorted(name for name in good if not good.intersection(above(name)))


def from_file(path: Path) -> dict[str, dict[str, str]]:
    """Prefixes of a CSV file (columns ``prefix`` and optional ``label``) or a JSON-lines file.

    A label is ``math`` or ``other``; a prefix without one is math. ``https://a.org/x/`` and
    ``a.org/x`` both mean ``a.org/x/``. Other columns (``who``, ``when``) are kept.

    Raises:
        BadInput: names the file and line of a row without a prefix or with another label.
    """
    if path.suffix == ".csv":
        try:
            with open(path, encoding="utf-8-sig", newline="") as file:
                rows: list[dict[str, str | None]] = list(csv.DictReader(file))
        except FileNotFoundError:
            raise BadInput(f"{path}: no such file") from None
        except (UnicodeDecodeError, csv.Error) as error:
            raise BadInput(f"{path}: not readable as CSV in UTF-8: {error}") from None
    else:
        rows = [{key: str(row[key]) for key in row} for row in read_jsonl(path)]
    found: dict[str, dict[str, str]] = {}
    for at, row in enumerate(rows):
        prefix, label = _labelled(path, at, row)
        more = {key: row.get(key) or "" for key in ("who", "when")}
        found[prefix] = {**more, "label": label}
    return found


def as_marks(labels: dict[str, str]) -> list[str]:
    """Labels by prefix as marks: the prefix itself for math, with ``NOT`` before it for other."""
    return sorted(prefix if label == "math" else NOT + prefix for prefix, label in labels.items())


def match(marks: Collection[str], host: str, path: str) -> str:
    """The longest prefix with a mark that a page stands under, if it is math; or ``""``."""
    for up in reversed(prefixes_of(host, path)):
        if up in marks:
            return up
        if NOT + up in marks:
            return ""
    return ""


def _labelled(path: Path, at: int, row: dict[str, str | None]) -> tuple[str, str]:
    where = f"{path}: row {at + 1}"
    prefix = (row.get("prefix") or "").strip()
    label = (row.get("label") or "").strip().lower()
    if not prefix:
        raise BadInput(f"{where}: field 'prefix' is missing; expected such as mathoverflow.net/q/")
    if label not in _YES | _NO:
        raise BadInput(f"{where}: field 'label': found '{label}'; allowed: math, other")
    try:
        parts = urlsplit(prefix if "://" in prefix else f"//{prefix}")
    except ValueError:
        raise BadInput(f"{where}: field 'prefix': '{prefix}' is no address") from None
    whole = f"{parts.netloc.lower()}{parts.path}"
    return whole if whole.endswith("/") else f"{whole}/", "other" if label in _NO else "math"
