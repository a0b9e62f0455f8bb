"""Undamaged records delivered from damaged WARC files: seekmath, fastwarc and warcio.

    python benchmarks/warc_damage.py crawl/part-*.warc.gz --copies 5

Each kind of damage is done to copies of each file at places drawn from a seed. A record is
undamaged when no byte of its WARC record was changed or lost: a broken gzip head, a wrong length
or bytes between members damage what stands around a record, not the record. It is delivered when
its URL and exactly its payload come out. ``reported``: every damaged or lost record that does not
come out lies in a loss that the reader reports with its offset (only seekmath reports any).
"""

import argparse
import gzip
import hashlib
import random
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import NamedTuple

from fastwarc.warc import ArchiveIterator, WarcRecordType
from warcio.archiveiterator import ArchiveIterator as WarcioIterator

from seekmath.core.artifact import machine, versions
from seekmath.core.files import write_json
from seekmath.mine.crawl import Damage, read_pages

_ERROR_PAGE = b"<?xml version='1.0' encoding='UTF-8'?><Error><Code>SlowDown</Code></Error>\n" * 4


class Part(NamedTuple):
    """One gzip member of the file: a record."""

    raw: bytes
    key: str  # of its page, "" when it is no page
    harmed: bool = False
    lost: bool = False


def members(path: Path) -> list[Part]:
    pages = {page.source.split(":", 1)[1]: key_of(page.url, page.body) for page in read_pages(path)}
    raw = path.read_bytes()
    heads = [found.start() for found in re.finditer(rb"\x1f\x8b\x08", raw)]
    spans = list(zip(heads, [*heads[1:], len(raw)], strict=True))
    assert all(gzip.decompress(raw[a:b]).startswith(b"WARC/1.") for a, b in spans)
    return [Part(raw[a:b], pages.get(f"{a}:{b - a}", "")) for a, b in spans]


def key_of(url: str, body: bytes) -> str:
    return f"{url} {hashlib.sha1(body).hexdigest()}"


Harm = Callable[[list[Part], random.Random, int], list[Part]]


def some(parts: list[Part], rng: random.Random, count: int) -> list[int]:
    return rng.sample(range(1, len(parts)), count)


def flipped_bytes(parts: list[Part], rng: random.Random, places: int) -> list[Part]:
    out = list(parts)
    for at in some(parts, rng, places):
        raw = bytearray(parts[at].raw)
        raw[rng.randrange(10, len(raw) - 8)] ^= rng.randrange(1, 256)
        out[at] = parts[at]._replace(raw=bytes(raw), harmed=True)
    return out


def broken_heads(parts: list[Part], rng: random.Random, places: int) -> list[Part]:
    out = list(parts)
    for at in some(parts, rng, places):
        raw = rng.randbytes(10) + parts[at].raw[10:]
        out[at] = parts[at]._replace(raw=raw)
    return out


def zero_padding(parts: list[Part], rng: random.Random, places: int) -> list[Part]:
    return between(parts, rng, places, lambda: bytes(rng.choice([1, 511, 4096, 70_000])))


def error_page(parts: list[Part], rng: random.Random, places: int) -> list[Part]:
    return between(parts, rng, places, lambda: _ERROR_PAGE)


def empty_members(parts: list[Part], rng: random.Random, places: int) -> list[Part]:
    return between(parts, rng, places, lambda: gzip.compress(b"", mtime=0))


def between(
    parts: list[Part], rng: random.Random, places: int, made: Callable[[], bytes]
) -> list[Part]:
    out = list(parts)
    for at in some(parts, rng, places):
        out[at] = out[at]._replace(raw=made() + out[at].raw)
    return out


def wrong_lengths(parts: list[Part], rng: random.Random, places: int) -> list[Part]:
    out = list(parts)
    for at in some(parts, rng, places):
        content = gzip.decompress(parts[at].raw)
        stated = rng.choice([b"0", b"17", b"99999999", b"-1", b"none", b""])
        line = b"Content-Length: " + stated if stated else b"X-Length: gone"
        content = re.sub(rb"Content-Length: \d+", lambda _: line, content, count=1)  # noqa: B023
        out[at] = parts[at]._replace(raw=gzip.compress(content, 6, mtime=0))
    return out


def truncation(parts: list[Part], rng: random.Random, places: int) -> list[Part]:
    """The file ends in the middle of a member."""
    at = rng.randrange(1, len(parts))
    cut = parts[at].raw[: rng.randrange(5, len(parts[at].raw) - 8)]
    gone = [part._replace(raw=b"", harmed=True, lost=True) for part in parts[at + 1 :]]
    return [*parts[:at], parts[at]._replace(raw=cut, harmed=True), *gone]


def missing_stretch(parts: list[Part], rng: random.Random, places: int) -> list[Part]:
    """Bytes from the middle of one member to the middle of a later one are not there."""
    at = rng.randrange(1, len(parts) - 6)
    last = at + rng.randrange(1, 5)
    out = list(parts)
    out[at] = parts[at]._replace(raw=parts[at].raw[: len(parts[at].raw) // 2], harmed=True)
    for gone in range(at + 1, last):
        out[gone] = parts[gone]._replace(raw=b"", harmed=True, lost=True)
    tail = parts[last].raw[len(parts[last].raw) // 2 :]
    out[last] = parts[last]._replace(raw=tail, harmed=True)
    return out


HARMS: list[Harm] = [
    flipped_bytes,
    broken_heads,
    zero_padding,
    error_page,
    empty_members,
    wrong_lengths,
    truncation,
    missing_stretch,
]


def fastwarc(path: str) -> Iterator[str]:
    kind = WarcRecordType.response
    for record in ArchiveIterator(path, record_types=kind, parse_http=True, auto_decode="all"):
        yield key_of(record.headers.get("WARC-Target-URI") or "", record.reader.read())


def fastwarc_lenient(path: str) -> Iterator[str]:
    kind = WarcRecordType.response
    for record in ArchiveIterator(
        path, record_types=kind, parse_http=True, auto_decode="all", strict_mode=False
    ):
        yield key_of(record.headers.get("WARC-Target-URI") or "", record.reader.read())


def warcio(path: str) -> Iterator[str]:
    with open(path, "rb") as file:
        for record in WarcioIterator(file):
            if record.rec_type == "response":
                url = record.rec_headers.get_header("WARC-Target-URI") or ""
                yield key_of(url, record.content_stream().read())


def keys_until_error(pages: Iterator[str]) -> tuple[set[str], str]:
    """What a reader gives before it raises, and what it raised."""
    found: set[str] = set()
    try:
        found.update(pages)
    except Exception as error:
        return found, type(error).__name__
    return found, ""


def one_file(
    path: Path, parts: list[Part], harm: Harm, places: int, seed: int
) -> dict[str, dict[str, int]]:
    harmed = harm(parts, random.Random(seed), places)
    path.write_bytes(b"".join(part.raw for part in harmed))
    wanted = {part.key for part in harmed if part.key and not part.harmed}
    damage = Damage()
    found = {key_of(page.url, page.body) for page in read_pages(path, damage)}
    covered = unreported = offset = 0
    for part in harmed:
        missing = part.key and part.key not in found and not part.lost
        if missing:
            inside = any(o <= offset < o + max(1, n) for o, n, _, _ in damage.losses)
            covered += inside
            unreported += not inside
        offset += len(part.raw)
    results = {"seekmath": {"delivered": len(wanted & found), "errors": 0}}
    results["seekmath"] |= {"losses_reported": covered, "losses_unreported": unreported}
    # Pages that are not in the file as it was written: none may come out.
    known = {part.key for part in parts}
    results["seekmath"]["altered"] = len(found - known)
    for name, reader in {
        "fastwarc": fastwarc,
        "fastwarc, strict_mode=False": fastwarc_lenient,
        "warcio": warcio,
    }.items():
        got, error = keys_until_error(reader(str(path)))
        results[name] = {"delivered": len(wanted & got), "errors": int(bool(error))}
        results[name]["altered"] = len(got - known)
    for counts in results.values():
        counts["undamaged"] = len(wanted)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("warc", nargs="+", type=Path)
    parser.add_argument("--copies", type=int, default=5, help="damaged copies of each file, a kind")
    parser.add_argument("--places", type=int, nargs="+", default=[1, 8], help="damages in a copy")
    given = parser.parse_args()
    kinds: dict[str, dict[str, dict[str, float]]] = {}
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        for number, source in enumerate(given.warc):
            parts = members(source)
            for harm, places in product(HARMS, given.places):
                totals = kinds.setdefault(f"{harm.__name__}, {places}", {})
                for copy in range(given.copies):
                    seed = 1000 * number + copy
                    made = one_file(Path(folder) / "x.warc.gz", parts, harm, places, seed)
                    for reader, counts in made.items():
                        total = totals.setdefault(reader, dict.fromkeys(counts, 0))
                        for key, count in counts.items():
                            total[key] += count
    overall: dict[str, float] = {}
    for reader in next(iter(kinds.values())):
        rows = [totals[reader] for totals in kinds.values()]
        undamaged = sum(row["undamaged"] for row in rows)
        overall[reader] = round(sum(row["delivered"] for row in rows) / undamaged, 5)
    for name, totals in kinds.items():
        shown = {r: round(c["delivered"] / c["undamaged"], 4) for r, c in totals.items()}
        print(name, shown, totals["seekmath"])
    print("all", overall, f"{time.process_time() - start:.0f} CPU s")
    date = datetime.now(UTC).date().isoformat()
    peers = {name: version(name) for name in ("fastwarc", "warcio", "deflate", "isal")}
    write_json(
        Path(__file__).parent / "results" / f"warc-damage-{date}.json",
        {
            "benchmark": "share of undamaged records delivered from damaged WARC files",
            "target": 0.998,
            "delivered": overall,
            "kinds": kinds,
            "files": len(given.warc),
            "copies": given.copies,
            "places": given.places,
            "date": date,
            "machine": machine(),
            "versions": {**versions(), **peers},
            "command": "python " + " ".join(sys.argv),
        },
    )


if __name__ == "__main__":
    main()
