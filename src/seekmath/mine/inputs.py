"""What a mining run reads: files, folders, URLs, a snapshot's files, or its pages of some hosts."""

from collections.abc import Iterator
from pathlib import Path

from seekmath.core.files import BadInput
from seekmath.mine.fetch import is_url
from seekmath.mine.index_table import table_ranges
from seekmath.mine.page_ranges import SUFFIX, write_ranges
from seekmath.mine.settings import MineSettings
from seekmath.mine.snapshot import PageRange, index_ranges, snapshot_files

_CRAWL_FILES = (".warc", ".warc.gz", ".wet", ".wet.gz", SUFFIX)
_TABLES = (".parquet",)


def crawl_inputs(settings: MineSettings, folder: Path) -> list[str]:
    """Paths and URLs for ``crawl.read_pages``, one shard each, in an order that never changes.

    Args:
        settings: what is asked for.
        folder: where lists of pages out of a URL index are kept; those that are there are used
            again, so that a run which is resumed reads the same pages.

    Raises:
        BadInput: a folder holds no file of a crawl, or the snapshot or its index has none.
    """
    files = [file for source in settings.crawl for file in files_at(source)]
    if settings.snapshot and settings.hosts:
        files += _pages_of_hosts(settings, folder)
    elif settings.snapshot:
        files += snapshot_files(settings.snapshot, settings.files, settings.base_url, settings.form)
    return files


def holds_pages(place: str) -> bool:
    """Whether a path or URL is, by its name, a file or folder of pages rather than one page."""
    return place.endswith(_CRAWL_FILES + _TABLES) or (not is_url(place) and Path(place).is_dir())


def files_at(source: str) -> list[str]:
    """The file or URL itself, the files a URL with ``*`` means, or those below a folder.

    Raises:
        BadInput: a folder or pattern with no file of a crawl.
    """
    if is_url(source):
        return _matching(source) if "*" in source else [source]
    path = Path(source)
    if not path.is_dir():
        return [source]
    for endings in (_CRAWL_FILES, _TABLES):
        found = sorted(str(p) for p in path.rglob("*") if p.name.endswith(endings) and p.is_file())
        if found:
            return found
    raise BadInput(f"{source}: holds no *.warc, *.warc.gz, *.wet.gz or *.parquet file")


def _matching(pattern: str) -> list[str]:
    import fsspec

    system, path = fsspec.core.url_to_fs(pattern)
    found = sorted(system.unstrip_protocol(name) for name in system.glob(path))
    if not found:
        raise BadInput(f"{pattern}: no file matches")
    return found


def _pages_of_hosts(settings: MineSettings, folder: Path) -> list[str]:
    """Lists of the snapshot's pages of the chosen hosts, asked of its URL index once."""
    done = folder / "index.txt"
    if not done.exists():
        places = _lines(Path(settings.hosts))
        written = write_ranges(folder, _ranges(settings, places))
        if not written:
            raise BadInput(
                f"hosts: {settings.hosts}: the index of {settings.snapshot} has no page of them"
            )
        # Last, so that lists half written are asked for again.
        done.write_text("".join(f"{path.name}\n" for path in written))
    return [str(folder / name) for name in done.read_text().split()]


def _ranges(settings: MineSettings, places: list[str]) -> Iterator[PageRange]:
    if settings.index == "table":
        return table_ranges(settings.snapshot, places, settings.base_url)
    return index_ranges(settings.snapshot, places, settings.base_url, settings.index_url)


def _lines(path: Path) -> list[str]:
    lines = [line.split("#")[0].strip() for line in path.read_text("utf-8").splitlines()]
    if not any(lines):
        raise BadInput(f"hosts: {path}: names no host; one a line, such as example.org")
    return [line for line in lines if line]
