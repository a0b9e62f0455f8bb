"""Asking servers with patience and manners: spaced requests, growing pauses, a stated name.

A busy public bucket answers 403, 429 or 503, or cuts the connection: the request is made again
after a growing pause. Requests to a host are spaced, over all processes of this machine and user.

The environment says how: ``SEEKMATH_USER_AGENT``, ``SEEKMATH_REQUESTS_PER_S`` (4),
``SEEKMATH_ATTEMPTS`` (8), ``SEEKMATH_FIRST_PAUSE_S`` (1).
"""

import fcntl
import os
import re
import struct
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from seekmath.core.files import BadInput

_MOST_PAUSE_S = 60.0
# Answers that no patience changes.
_FINAL = {400, 401, 404, 405, 410, 416, 501}
_SLOT = struct.Struct("<d")
_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Manners:
    """How often a server is asked, by what name, and how often again when it is busy."""

    user_agent: str
    requests_per_s: float
    attempts: int
    first_pause_s: float

    @classmethod
    def of_environment(cls) -> "Manners":
        """As the environment says, or polite defaults."""
        ours = f"seekmath/{version('seekmath')} (+https://arxiv.org/abs/2402.03300)"
        return cls(
            os.environ.get("SEEKMATH_USER_AGENT", ours),
            _number("SEEKMATH_REQUESTS_PER_S", 4.0),
            max(1, int(_number("SEEKMATH_ATTEMPTS", 8))),
            _number("SEEKMATH_FIRST_PAUSE_S", 1.0),
        )


def _number(name: str, default: float) -> float:
    text = os.environ.get(name, str(default))
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1e6:
        raise BadInput(f"{name}: found '{text}' in the environment; expected a number above 0")
    return value


def ask(url: str, manners: Manners, request: Callable[[], _Answer]) -> _Answer:
    """The answer to ``request``, asked again with growing pauses while the server is busy.

    Raises:
        BadInput: it never answered, or answered that there is no such file.
    """
    from tenacity import Retrying, retry_if_exception, stop_after_attempt

    def polite() -> _Answer:
        _wait_for_slot(urlsplit(url).netloc, manners.requests_per_s)
        return request()

    retrying = Retrying(
        stop=stop_after_attempt(manners.attempts),
        retry=retry_if_exception(_passes),
        wait=_Pause(manners.first_pause_s),
        reraise=True,
    )
    try:
        return retrying(polite)
    except FileNotFoundError:
        raise BadInput(f"{url}: no such file") from None
    except Exception as error:
        if not _is_network_error(error):
            raise
        times = f" after {manners.attempts} attempts" if _passes(error) else ""
        raise BadInput(f"{url}: cannot be read{times}: {_shown(error)}") from None


class _Pause:
    """Pauses that double, with jitter, and are no shorter than the server asks for."""

    def __init__(self, first_s: float) -> None:
        from tenacity import wait_exponential, wait_random

        growing = wait_exponential(multiplier=first_s, max=_MOST_PAUSE_S)
        self._growing = growing + wait_random(0, first_s)

    def __call__(self, state: Any) -> float:
        error = state.outcome.exception()
        asked = (getattr(error, "headers", None) or {}).get("Retry-After", "")
        least = float(asked) if re.fullmatch(r"\d{1,5}", asked) else 0.0
        return max(min(least, 10 * _MOST_PAUSE_S), self._growing(state))


def _is_network_error(error: BaseException) -> bool:
    import aiohttp

    if isinstance(error, OSError | TimeoutError | aiohttp.ClientError):
        return True
    # botocore is there only with S3.
    return type(error).__module__.startswith("botocore")


def _passes(error: BaseException) -> bool:
    """Whether asking again may help."""
    if isinstance(error, FileNotFoundError | IsADirectoryError | NotADirectoryError):
        return False
    return _is_network_error(error) and getattr(error, "status", None) not in _FINAL


def _shown(error: BaseException) -> str:
    status = getattr(error, "status", None)
    if status is None:
        return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    hint = "; it may not exist, or the server is busy" if status == 403 else ""
    return f"answer {status} {getattr(error, 'message', '')}".rstrip() + hint


def _wait_for_slot(host: str, requests_per_s: float) -> None:
    """Sleep until this host may be asked; every process of this user shares the queue."""
    name = re.sub(r"[^\w.-]", "_", host)[:100]
    path = Path(tempfile.gettempdir()) / f"seekmath-{os.getuid()}-{name}.slot"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        now = time.clock_gettime(time.CLOCK_MONOTONIC)
        raw = os.pread(descriptor, _SLOT.size, 0)
        free = _SLOT.unpack(raw)[0] if len(raw) == _SLOT.size else 0.0
        # A time far ahead was written before the machine was started anew.
        slot = max(now, free) if free < now + 3600 else now
        os.pwrite(descriptor, _SLOT.pack(slot + 1 / requests_per_s), 0)
    finally:
        os.close(descriptor)
    time.sleep(max(0.0, slot - now))
