"""Steps for the tests of the engine: small, and hostile where they are told to be."""

import os
import time
from typing import Any

from seekmath.core.files import write_json
from seekmath.mine.engine import Beat, Shard, Stage


def add(stage: Stage, shard: Shard, beat: Beat) -> dict[str, Any]:
    """Sums its records; some of them loop, allocate, crash or wait."""
    total = 0
    for number, record in enumerate(shard.parameters["records"]):
        if beat(number):
            total += _value(record)
    write_json(stage.place("sums", f"{shard.name}.json"), total)
    return {"total": total}


def _value(record: int | str) -> int:
    if record == "loop":
        while True:
            pass
    if record == "allocate":
        return len(bytearray(4 << 30))
    if record == "allocate a little":
        return len(bytearray(512 << 20))
    if record == "crash":
        os.abort()
    if record == "compile":
        return _compiled()
    if isinstance(record, str):
        time.sleep(float(record))
        return 0
    return record


def _compiled() -> int:
    import numba

    import seekmath.mine.compiled  # noqa: F401, it listens to numba

    value: int = numba.njit(lambda: 3)()
    time.sleep(1)  # so that the supervisor looks in between
    return value


def leave_a_line(stage: Stage, shard: Shard, beat: Beat) -> dict[str, Any]:
    """Notes who did it, so that repeated work can be seen."""
    time.sleep(float(stage.parameters.get("seconds", 0.05)))
    with open(stage.place("done.txt"), "a") as file:
        file.write(f"{shard.name} {os.getpid()}\n")
    return {}
