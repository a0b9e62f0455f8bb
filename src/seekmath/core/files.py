"""Files that appear whole or not at all, and readers whose errors name the file and the line."""

import contextlib
import gzip
import json
import os
import shutil
import socket
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:  # pyarrow takes 0.4 s to import, which --help must not pay
    import pyarrow as pa

SCRATCH_PREFIX = ".scratch-"
_ABANDONED_AFTER_S = 86_400


class BadInput(ValueError):
    """Input that a user can mend; the message names the file, the field and the fix."""


def sync_folder(folder: Path) -> None:
    """Make a rename inside ``folder`` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def whole_file(path: str | Path, mode: str = "w") -> Iterator[IO[Any]]:
    """Write ``path`` under a scratch name; it takes its place only when the block succeeds."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = scratch_beside(path)
    try:
        with open(scratch, mode, encoding=None if "b" in mode else "utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(scratch, path)
        sync_folder(path.parent)
    finally:
        scratch.unlink(missing_ok=True)


def refuse_overwriting(out: str | Path, *inputs: str | Path) -> None:
    """Raise BadInput where the output ``out`` is one of the files that are read."""
    for path in inputs:
        if Path(out).exists() and Path(path).exists() and os.path.samefile(out, path):
            raise BadInput(f"--out: {out} is the file that is read; name another one")


@contextlib.contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """Yield a scratch folder that takes the place of ``path`` only when the block succeeds."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = scratch_beside(path)
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    try:
        yield scratch
        if path.exists():
            shutil.rmtree(path)
        os.replace(scratch, path)
        sync_folder(path.parent)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def clean_scratch(folder: Path) -> None:
    """Remove what killed processes left half-written anywhere below ``folder``.

    What belongs to a living process of this machine stays, and for a day what another machine
    wrote: they may be working on the same run.
    """
    for left in list(folder.rglob(f"{SCRATCH_PREFIX}*")):
        if _is_abandoned(left):
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)


def scratch_beside(path: Path) -> Path:
    """A name beside ``path`` for this process's work on it; ``clean_scratch`` knows it."""
    return path.parent / f"{SCRATCH_PREFIX}{socket.gethostname()}+{os.getpid()}+{path.name}"


def _is_abandoned(scratch: Path) -> bool:
    machine, _, rest = scratch.name.removeprefix(SCRATCH_PREFIX).partition("+")
    process = rest.partition("+")[0]
    if machine == socket.gethostname() and process.isdigit():
        return int(process) == os.getpid() or not _is_alive(process)
    try:
        return time.time() - scratch.stat().st_mtime > _ABANDONED_AFTER_S
    except FileNotFoundError:
        return False


def _is_alive(process: str) -> bool:
    """Whether a process of this machine runs; one that is dead but not yet waited for does not."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def write_json(path: str | Path, value: Any) -> None:
    """Write one JSON value, indented, whole or not at all."""
    with whole_file(path) as file:
        json.dump(value, file, indent=2, ensure_ascii=False)
        file.write("\n")


def read_json(path: str | Path) -> Any:
    """Read one JSON value; BadInput names the file when it is absent or broken."""
    try:
        return json.loads(Path(path).read_text("utf-8"))
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: not valid JSON: {error}") from None


def write_jsonl(path: str | Path, rows: Iterable[dict[str, Any]]) -> int:
    """Write one JSON object per line, whole or not at all; the count of lines is returned."""
    count = 0
    with whole_file(path, "wb") as raw:
        gzipped = str(path).endswith(".gz")
        # mtime 0 and no name in the header: the same rows give the same bytes.
        file = gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if gzipped else raw
        for row in rows:
            file.write(text_line(row))
            count += 1
        if gzipped:
            file.close()
    return count


def read_jsonl(path: str | Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON-lines file (.gz by suffix); BadInput names file and line."""
    opener = gzip.open if str(path).endswith(".gz") else open
    try:
        with opener(path, "rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _json_object(path, number, line)
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file") from None
    except IsADirectoryError:
        raise BadInput(f"{path}: is a folder; name a .jsonl file in it") from None
    except (gzip.BadGzipFile, EOFError) as error:
        raise BadInput(f"{path}: damaged gzip file: {error}") from None


def _json_object(path: str | Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        # Its own text counts the lines of this one line.
        reason = f"{error.msg}, at character {error.pos + 1}"
        raise BadInput(f"{path}:{number}: not valid JSON: {reason}") from None
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}:{number}: not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadInput(f"{path}:{number}: expected an object {{…}}, found {type(value).__name__}")
    # Half a surrogate pair is valid JSON and no text: nothing could write it again.
    return json.loads(text_line(value)) if b"\\ud" in line.lower() else value


def text_of(value: Any, where: str) -> str:
    """Text or a number as text; anything else (null, true, a list) is BadInput."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        shown = json.dumps(value, ensure_ascii=False, default=str)
        raise BadInput(f"{where}: needs text or a number; found {shown[:60]}")
    return str(value)


def texts_of(value: Any, where: str) -> list[str]:
    """A list of texts; none where there is no value."""
    if value is not None and not isinstance(value, list):
        raise BadInput(f"{where}: needs a list of texts; found {str(value)[:60]!r}")
    return [text_of(one, where) for one in value or []]


def text_line(value: dict[str, Any]) -> bytes:
    """One JSON line in UTF-8; what is no Unicode text (half a surrogate pair) becomes ``?``."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def write_parquet(path: str | Path, rows: list[dict[str, Any]], schema: "pa.Schema") -> None:
    """Write rows with the given schema, zstd-compressed, whole or not at all."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with whole_file(path, "wb") as file:
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), file, compression="zstd")


def read_parquet(path: str | Path, columns: list[str] | None = None) -> "pa.Table":
    """Read a Parquet file, or the ``*.parquet`` files of a folder in name order, as one table."""
    import pyarrow as pa

    with _opened_parquet(path, columns) as files:
        return pa.concat_tables([file.read(columns=columns) for file in files])


def stream_parquet(path: str | Path, column: str, rows: int) -> Iterator[list[Any]]:
    """The values of one column, at most ``rows`` at a time; else as ``read_parquet``."""
    with _opened_parquet(path, [column]) as files:
        for file in files:
            for batch in file.iter_batches(rows, columns=[column]):
                yield batch.column(0).to_pylist()


def rows_of_parquet(path: str | Path) -> int:
    """How many rows a file, or a folder's files, hold."""
    with _opened_parquet(path, None) as files:
        return sum(file.metadata.num_rows for file in files)


@contextlib.contextmanager
def _opened_parquet(path: str | Path, columns: list[str] | None) -> Iterator[Iterator[Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(path)
    paths = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not paths:
        raise BadInput(f"{path}: holds no *.parquet file")

    def each() -> Iterator[Any]:
        for one in paths:
            with pq.ParquetFile(one) as file:
                missing = [n for n in columns or [] if n not in file.schema_arrow.names]
                if missing:
                    raise BadInput(f"{path}: has no column {', '.join(missing)}")
                yield file

    try:
        yield each()
    except FileNotFoundError as error:
        raise BadInput(f"{error.filename or path}: no such file") from None
    except pa.ArrowInvalid as error:
        raise BadInput(f"{path}: not readable as Parquet: {error}") from None
