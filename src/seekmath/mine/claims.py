"""Which process works on which shard: claims that several processes on one run respect.

A claim is a file made with ``O_EXCL`` in a folder that all share. Its holder touches it while it
works; one that was not touched for a lease, or whose process on this machine is gone, is taken
over. A claim only saves work: shards are pure and their files whole, so two processes that
nevertheless do the same shard write the same bytes.
"""

import contextlib
import os
import socket
import threading
import uuid
from pathlib import Path

LEASE_S = 60.0


class Claims:
    """The claims of this process in ``folder``; a thread keeps them alive while the block runs."""

    def __init__(self, folder: Path, lease_s: float = LEASE_S) -> None:
        self._folder = folder
        self._lease_s = lease_s
        self._held: set[Path] = set()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._keep_alive, daemon=True)

    def __enter__(self) -> "Claims":
        self._folder.mkdir(parents=True, exist_ok=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for name in [path.name for path in self._held]:
            self.release(name)
        # What killed processes held of work that was finished before it was asked for again.
        for path in self._folder.iterdir():
            if self._is_stale(path):
                path.unlink(missing_ok=True)

    def take(self, name: str) -> bool:
        """Claim ``name``; False while another living process holds it."""
        path = self._folder / name
        if not _make(path):
            if not self._is_stale(path):
                return False
            # Of several that find it stale the rename lets one through.
            aside = path.with_name(f".{name}-{uuid.uuid4().hex}")
            with contextlib.suppress(FileNotFoundError):
                os.rename(path, aside)
                aside.unlink()
            if not _make(path):
                return False
        with self._lock:
            self._held.add(path)
        return True

    def release(self, name: str) -> None:
        """Give ``name`` back."""
        path = self._folder / name
        with self._lock:
            self._held.discard(path)
        # A claim that was taken over in the meantime is somebody else's.
        with contextlib.suppress(FileNotFoundError):
            if path.read_text() == _me():
                path.unlink()

    def _keep_alive(self) -> None:
        while not self._stop.wait(self._lease_s / 4):
            with self._lock:
                held = list(self._held)
            for path in held:
                with contextlib.suppress(FileNotFoundError):
                    os.utime(path)

    def _is_stale(self, path: Path) -> bool:
        try:
            machine, _, rest = path.read_text().partition(" ")
            age_s = self._now() - path.stat().st_mtime
        except FileNotFoundError:
            return True
        if age_s > self._lease_s:
            return True
        process, _, started = rest.partition(" ")
        return machine == socket.gethostname() and started != _started(process)

    def _now(self) -> float:
        """The time by the clock that stamps the claims, which may be a file server's."""
        probe = self._folder / f".now-{uuid.uuid4().hex}"
        probe.touch()
        try:
            return probe.stat().st_mtime
        finally:
            probe.unlink()


def _make(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w") as file:
        file.write(_me())
    return True


def _me() -> str:
    process = str(os.getpid())
    return f"{socket.gethostname()} {process} {_started(process)}"


def _started(process: str) -> str:
    """When a process of this machine started, in ticks since boot; "" where there is none."""
    try:
        # The name in brackets may hold spaces; the start is the 20th field after it.
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    except (FileNotFoundError, ProcessLookupError, NotADirectoryError):
        return ""
