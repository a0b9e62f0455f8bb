"""Files by path or by URL (``s3://…``, ``gs://…``, ``memory://…``), written whole or not at all.

A place without ``://`` is a local path and is written as ``core.files`` does. Any other goes
through fsspec: the file is made on local disk and put in one piece, which object stores do whole.
"""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from seekmath.core.files import BadInput, read_json, whole_file, write_json
from seekmath.core.seeds import digest

_DIGEST_BELOW = 1 << 20


def is_url(place: str) -> bool:
    """Whether ``place`` is read and written through fsspec."""
    return "://" in place


def join(place: str, *names: str) -> str:
    """``place/name/…`` for paths and URLs."""
    return "/".join([place.rstrip("/"), *names])


def name_of(place: str) -> str:
    """The last part of a path or URL."""
    return place.rstrip("/").rsplit("/", 1)[-1]


@contextlib.contextmanager
def writing(place: str) -> Iterator[IO[bytes]]:
    """Write bytes to ``place``, which appears when the block succeeds."""
    if not is_url(place):
        with whole_file(place, "wb") as file:
            yield file
        return
    with tempfile.NamedTemporaryFile() as local:
        yield local
        local.flush()
        system, path = _resolved(place)
        system.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
        system.put_file(local.name, path)


@contextlib.contextmanager
def reading(place: str) -> Iterator[IO[bytes]]:
    """Open ``place`` for reading with random access.

    Raises:
        BadInput: there is no such file.
    """
    try:
        if is_url(place):
            system, path = _resolved(place)
            file = system.open(path, "rb")
        else:
            file = open(place, "rb")
    except FileNotFoundError:
        raise BadInput(f"{place}: no such file") from None
    with file:
        yield file


def exists(place: str) -> bool:
    """Whether a file or folder lies at ``place``."""
    if not is_url(place):
        return Path(place).exists()
    system, path = _resolved(place)
    return bool(system.exists(path))


def identity(place: str) -> tuple[str, int, str]:
    """Name, size, and what changes when the content does.

    That is a digest of a small file, the time of change of a large one, an object's etag; a web
    address is taken at its word.
    """
    if place.startswith(("http://", "https://")):
        return place, 0, ""
    if not is_url(place):
        status = Path(place).stat()
        small = status.st_size <= _DIGEST_BELOW
        mark = digest(Path(place).read_bytes()) if small else str(status.st_mtime_ns)
        return name_of(place), status.st_size, mark
    system, path = _resolved(place)
    about = system.info(path)
    tag = about.get("ETag") or about.get("etag") or about.get("mtime") or about.get("created")
    return name_of(place), int(about.get("size") or 0), str(tag)


def put_json(place: str, value: Any) -> None:
    """Write one JSON value, whole or not at all."""
    if not is_url(place):
        write_json(place, value)
        return
    with writing(place) as file:
        file.write(json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n")


def get_json(place: str) -> Any:
    """Read one JSON value; BadInput names the place when it is absent or broken."""
    if not is_url(place):
        return read_json(place)
    with reading(place) as file:
        try:
            return json.loads(file.read())
        except ValueError as error:
            raise BadInput(f"{place}: not valid JSON: {error}") from None


def names_in(place: str) -> list[str]:
    """Names of the files and folders in the folder ``place``, sorted; none where it is absent."""
    if not is_url(place):
        folder = Path(place)
        return sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    system, path = _resolved(place)
    if not system.isdir(path):
        return []
    return sorted(name_of(found) for found in system.ls(path, detail=False))


def remove(place: str) -> None:
    """Remove a file or a folder with all below it; nothing happens where there is none."""
    if is_url(place):
        system, path = _resolved(place)
        if system.exists(path):
            system.rm(path, recursive=True)
    elif Path(place).is_dir():
        shutil.rmtree(place)
    else:
        Path(place).unlink(missing_ok=True)


def _resolved(place: str) -> tuple[Any, str]:
    import fsspec

    return fsspec.core.url_to_fs(place)
