"""What does isolation cost? A small program and a sympy solve, three ways, turn about.

    python benchmarks/sandbox.py --runs 40

``native`` is the warm worker (landlock, seccomp, one fork a program), ``bubblewrap`` a cold
interpreter in namespaces, ``cold`` a bare interpreter without any isolation. Each program is run in
all three before the next; wall time is what the caller waits, processor time that of the caller,
the worker and the program together. The figures go to benchmarks/results/.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psutil

from seekmath.core.artifact import machine, versions
from seekmath.core.files import write_json
from seekmath.verify.execution import Program
from seekmath.verify.sandbox import Sandbox

Run = Callable[[str], float]  # the processor time of all but the caller, seconds


def small(number: int) -> str:
    return f"answer = sum(range({number + 100}))\nprint(answer)"


def solve(number: int) -> str:
    # Other numbers each time: what sympy remembers does not help.
    return (
        "import sympy\nx = sympy.Symbol('x')\n"
        f"print(sympy.solve(x**2 - {2 * number + 7}*x + {number * (number + 7)}, x))"
    )


def native(sandbox: Sandbox) -> Run:
    """Runs in the warm worker; its own processor time is read from the kernel's clock."""
    (outer,) = psutil.Process().children()
    inner = outer.children()
    worker = inner[0] if inner[0].children() else outer  # the first process of its own namespace
    clock = (~worker.pid << 3) | 2

    def run(code: str) -> float:
        before_s = time.clock_gettime(clock)
        end = sandbox.run(Program(code))
        assert end.status == "ok", end
        return end.cpu_s + time.clock_gettime(clock) - before_s

    return run


def bubblewrap(sandbox: Sandbox) -> Run:
    def run(code: str) -> float:
        end = sandbox.run(Program(code))
        assert end.status == "ok", end
        return end.cpu_s

    return run


def cold(code: str) -> float:
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout as out:
        assert out.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    assert status == 0
    return usage.ru_utime + usage.ru_stime


def measured(ways: dict[str, Run], program: Callable[[int], str], runs: int) -> dict[str, object]:
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for number in range(runs):
        for name, run in ways.items():
            wall_s, cpu_s = time.perf_counter(), time.process_time()
            others_s = run(program(number))
            cpu_s = time.process_time() - cpu_s + others_s
            times[name].append((time.perf_counter() - wall_s, cpu_s))
    return {
        name: {
            "wall_ms_median": _ms(statistics.median(wall for wall, _ in pairs)),
            "wall_ms_least": _ms(min(wall for wall, _ in pairs)),
            "cpu_ms_median": _ms(statistics.median(cpu for _, cpu in pairs)),
            "cpu_ms_least": _ms(min(cpu for _, cpu in pairs)),
        }
        for name, pairs in times.items()
    }


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=40)
    given = parser.parse_args()
    with Sandbox(backend="native") as warm, Sandbox(backend="bubblewrap") as boxed:
        ways = {"native": native(warm), "bubblewrap": bubblewrap(boxed), "cold": cold}
        found = {
            "what": "milliseconds for one program; native and bubblewrap isolate it, cold does not",
            "small": measured(ways, small, given.runs),
            "solve": measured(ways, solve, given.runs),
            "layers": {"native": warm.layers, "bubblewrap": boxed.layers},
            "runs": given.runs,
            "load_1_minute": round(os.getloadavg()[0], 1),
            "real_time": os.sched_getscheduler(0) == os.SCHED_FIFO,
            "date": datetime.now(UTC).date().isoformat(),
            "machine": machine(),
            "versions": versions(),
            "command": "python " + " ".join(sys.argv),
        }
    results = Path(__file__).parent / "results"
    write_json(results / f"sandbox-{found['date']}.json", found)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
