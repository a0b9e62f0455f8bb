"""Hostile programs get a clear verdict and leave the host unharmed; honest ones their result."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from seekmath.verify import landlock, seccomp
from seekmath.verify import sandbox as sandbox_module
from seekmath.verify.execution import Limits, Program, count_statuses
from seekmath.verify.sandbox import NoIsolation, Sandbox
from tests.conftest import ROOT
from tests.verify.hostile import LIMITS, PROGRAMS, SECRET

NOBODY = 65534
HAS_LAYERS = landlock.version() > 0 and seccomp.supported()
# Like a container: no capability, and no namespaces to be had.
_CONTAINER = ["bwrap", "--dev-bind", "/", "/", "--unshare-user", "--disable-userns", "--cap-drop"]
_CONTAINER = [*_CONTAINER, "ALL", "--"]
# A new mount namespace in which everybody can reach an interpreter that lies in a private home.
_OPENED = """
set -e
mount --rbind "$1" /mnt
mount -t tmpfs -o mode=755 tmpfs "$2"
mkdir -p "$1"
mount --rbind /mnt "$1"
shift 2
exec "$@"
"""


def _bubblewrap_works() -> bool:
    command = ["bwrap", "--unshare-user", "--unshare-all", "--ro-bind", "/", "/", "true"]
    return bool(shutil.which("bwrap")) and subprocess.run(command, check=False).returncode == 0


def _as_user(user: str) -> list[str]:
    """What to put before a command so that ``user`` runs it; skips where that cannot be had."""
    root = os.getuid() == 0
    if user == "contained":
        return _CONTAINER
    if user == "root":
        if not root:
            pytest.skip("needs root")
        return []
    if not root:
        return []
    if not shutil.which("setpriv"):
        pytest.skip("needs setpriv to become an ordinary user")
    become = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]
    # In a child, for setpriv itself may still execute what the user may not.
    code = (
        "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import sympy'], check=True)"
    )
    check = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    private = next(
        (str(one) for one in reversed(Path(sys.base_prefix).parents) if not one.stat().st_mode & 1),
        "",
    )
    opened = ["unshare", "-m", "sh", "-c", _OPENED, "sh", sys.base_prefix, private, *become]
    for way in [become, *([opened] if private and shutil.which("unshare") else [])]:
        if (
            subprocess.run(
                [*way, *check], env=environment, capture_output=True, check=False
            ).returncode
            == 0
        ):
            return way
    pytest.skip("an ordinary user cannot reach this Python")


SETTINGS = [
    ("native", "root"),
    ("native", "ordinary"),
    ("native", "contained"),
    ("bubblewrap", "root"),
    ("bubblewrap", "ordinary"),
]


@pytest.fixture(scope="module", params=SETTINGS, ids="-".join)
def setting(request: pytest.FixtureRequest) -> tuple[str, str]:
    """A back end, and who runs it: root, an ordinary user, root in a container without rights."""
    backend, user = request.param
    if backend == "native" and not HAS_LAYERS:
        pytest.skip("this kernel has no landlock or no seccomp")
    if (backend == "bubblewrap" or user == "contained") and not _bubblewrap_works():
        pytest.skip("bubblewrap is absent or may not make namespaces here")
    return backend, user


@pytest.fixture(scope="module")
def targets() -> Iterator[dict[str, object]]:
    """Things to attack: files that everybody may read and write, servers, a process."""
    # Not below pytest's own folder: other sessions close that to ordinary users.
    with tempfile.TemporaryDirectory(prefix="seekmath-targets-") as name:
        Path(name).chmod(0o777)
        with _attacked(Path(name) / "open") as open_ones:
            yield open_ones


@contextlib.contextmanager
def _attacked(folder: Path) -> Iterator[dict[str, object]]:
    folder.mkdir()
    folder.chmod(0o777)
    (folder / "secret.txt").write_text(SECRET)
    (folder / "victim.txt").write_text("whole")
    (folder / "link").symlink_to(folder / "secret.txt")
    for name in ("secret.txt", "victim.txt"):
        (folder / name).chmod(0o666)
    with contextlib.ExitStack() as open_ones:
        tcp = open_ones.enter_context(socket.create_server(("127.0.0.1", 0)))
        unix = open_ones.enter_context(socket.socket(socket.AF_UNIX))
        unix.bind(str(folder / "socket"))
        abstract = open_ones.enter_context(socket.socket(socket.AF_UNIX))
        abstract.bind(f"\0seekmath-{os.getpid()}")
        for server in (tcp, unix, abstract):
            server.listen()
            server.setblocking(False)
        victim = open_ones.enter_context(subprocess.Popen(["sleep", "600"]))
        open_ones.callback(victim.kill)
        yield {
            "folder": folder,
            "secret": folder / "secret.txt",
            "victim": victim.pid,
            "tcp": tcp.getsockname()[1],
            "unix": folder / "socket",
            "abstract": f"seekmath-{os.getpid()}",
            "servers": [tcp, unix, abstract],
            "process": victim,
        }


@pytest.fixture(scope="module")
def attack(setting: tuple[str, str], targets: dict[str, object]) -> dict:
    """Every hostile program, run by a process of this user under this back end."""
    backend, user = setting
    way = _as_user(user)
    folder = Path(str(targets["folder"]))
    named = {k: str(v) for k, v in targets.items() if k not in ("servers", "process")}
    listing = folder.parent / f"targets-{backend}-{user}.json"
    listing.write_text(json.dumps(named))
    listing.chmod(0o644)
    done = subprocess.run(
        [*way, sys.executable, "-m", "tests.verify.hostile", backend, str(listing)],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
            "SEEKMATH_TEST_SECRET": SECRET,
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", PROGRAMS)
def test_each_attack_gets_its_verdict(attack: dict, name: str) -> None:
    statuses, source = PROGRAMS[name]
    end = attack["ends"][name]
    assert end["status"] in statuses, end
    if end["status"] == "ok" and "able" in source:
        assert end["value"] in ("", "[]"), f"the program was able to: {end['value']}"
    assert bool(end["error"]) == (end["status"] != "ok")
    assert len(end["stdout"]) <= LIMITS.output_bytes
    assert SECRET not in json.dumps(end)


def test_the_host_is_unharmed(attack: dict, setting: tuple[str, str], targets: dict) -> None:
    user = setting[1]
    folder = Path(targets["folder"])
    assert (attack["uid"] == 0) == (user == "root" or (user == "contained" and os.getuid() == 0))
    assert ("namespaces" in attack["layers"]) == (user != "contained")
    assert sorted(one.name for one in folder.iterdir()) == [
        "link",
        "secret.txt",
        "socket",
        "victim.txt",
    ]
    assert (folder / "victim.txt").read_text() == "whole"
    assert targets["process"].poll() is None
    assert attack["left"] == []
    for server in targets["servers"]:
        with pytest.raises(BlockingIOError):
            server.accept()


def test_honest_programs_before_and_after_attacks_give_their_result(attack: dict) -> None:
    assert attack["ends"]["honest"]["stdout"] == "42\n"
    assert attack["ends"]["the next"]["stdout"] == "[3]\n"
    assert attack["ends"]["half a character"]["stdout"] == "?\n"


def test_the_layers_are_said(attack: dict, setting: tuple[str, str]) -> None:
    assert attack["layers"].startswith(f"{setting[0]}: ")
    assert "seccomp" in attack["layers"]


def test_a_container_without_namespaces_is_refused_to_bubblewrap() -> None:
    if not _bubblewrap_works():
        pytest.skip("bubblewrap is absent or may not make namespaces here")
    code = "from seekmath.verify.sandbox import Sandbox; Sandbox(backend='bubblewrap')"
    done = subprocess.run(
        [*_CONTAINER, sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "NoIsolation" in done.stderr
    assert "--unsafe" in done.stderr


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    if not HAS_LAYERS:
        pytest.skip("this kernel has no landlock or no seccomp")
    with Sandbox(Limits(cpu_s=2.0), backend="native", workers=2) as opened:
        yield opened


def test_value_and_output_come_back(sandbox: Sandbox) -> None:
    end = sandbox.run(
        Program("def solution():\n    print('hm')\n    return 7 / 2", value="solution()")
    )
    assert (end.status, end.value, end.stdout, end.error) == ("ok", "3.5", "hm\n", "")
    assert 0 < end.cpu_s < 1


def test_an_error_is_one_line_and_keeps_the_output(sandbox: Sandbox) -> None:
    end = sandbox.run(Program("print(1)\nprint(x)"))
    assert (end.status, end.stdout) == ("error", "1\n")
    assert end.error == "NameError: name 'x' is not defined"
    assert sandbox.run(Program("x = 1", value="answer")).status == "error"


def test_earlier_blocks_are_kept_without_what_they_print(sandbox: Sandbox) -> None:
    earlier = (
        "x = 20\nprint(1 / 0)\nfor i in range(2):\n    print(i)\nx += 1",
        "y = 2\nraise ValueError\ny = 3",
    )
    end = sandbox.run(Program("print(x * y)", before=earlier))
    assert (end.status, end.stdout) == ("ok", "42\n")


def test_results_come_in_order_and_timeouts_are_counted(sandbox: Sandbox) -> None:
    programs = [Program(f"answer = {n}", value="answer") for n in range(20)]
    programs.insert(3, Program("while True: pass"))
    ends = sandbox.run_all(programs)
    assert [end.value for end in ends if end.status == "ok"] == [str(n) for n in range(20)]
    assert count_statuses(ends) == {"ok": 20, "timeout": 1}


def test_chance_and_the_order_of_sets_are_the_same_every_time(sandbox: Sandbox) -> None:
    code = (
        "import random, numpy\n"
        "answer = random.random(), numpy.random.rand(), {'a', 'bc', 'd', 'efg'}, hash('x')"
    )
    ends = sandbox.run_all([Program(code, value="answer")] * 4)
    assert len({end.value for end in ends}) == 1


def test_numpy_can_be_used(sandbox: Sandbox) -> None:
    end = sandbox.run(Program("import numpy\nprint(numpy.linalg.inv([[2.0]])[0, 0])"))
    assert end.stdout == "0.5\n", end


def test_a_killed_worker_is_replaced(sandbox: Sandbox) -> None:
    for worker in psutil.Process().children():
        if "sandbox_worker" in " ".join(worker.cmdline()):
            worker.kill()
    ends = sandbox.run_all([Program("answer = 1", value="answer")] * 4)
    assert [end.value for end in ends] == ["1"] * 4


def test_a_fork_that_dies_while_it_waits_is_replaced(sandbox: Sandbox) -> None:
    for _ in range(4):
        workers = [
            one for one in psutil.Process().children() if "sandbox_worker" in str(one.cmdline())
        ]
        family = [one for worker in workers for one in worker.children(recursive=True)]
        for waiting in (one for one in family if not one.children()):
            waiting.kill()
        ends = sandbox.run_all([Program("answer = 1", value="answer")] * 4)
        assert [end.value for end in ends] == ["1"] * 4


def test_a_program_cannot_reach_the_fork_that_waits_for_the_next(sandbox: Sandbox) -> None:
    code = """
import os, signal, ctypes
able = []
for pid in range(1, 200):
    for name, act in {
        "signal": lambda: os.kill(pid, signal.SIGKILL),
        "memory": lambda: open(f"/proc/{pid}/mem"),
        "limits": lambda: __import__("resource").prlimit(pid, 0),
    }.items():
        try:
            act()
        except (OSError, PermissionError):
            continue
        if pid != os.getpid():
            able.append((pid, name))
"""
    ends = sandbox.run_all([Program(code, value="able"), Program("x = 2", value="x")] * 3)
    assert [end.value for end in ends] == ["[]", "2"] * 3


def test_memory_that_a_program_will_write_can_be_copied_beforehand() -> None:
    """A fork that copied pages meets fewer faults on them, and finds the same in them."""
    code = """
import os, resource, sys
from seekmath.verify import kernel
block = bytearray(b"x" * (400 * 4096))
def child(before):
    read, write = os.pipe()
    if os.fork() == 0:
        before()
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for place in range(0, len(block), 4096):
            block[place] += 1
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
        told = kernel.own_pages() if before is nothing else b""
        os.write(write, faults.to_bytes(4, "big") + bytes([set(block[::4096]) == {ord("y")}]))
        while told:
            told = told[os.write(write, told):]
        os._exit(0)
    os.close(write)
    with open(read, "rb") as file:
        told = file.read()
    os.wait()
    assert told[4] == 1
    return int.from_bytes(told[:4], "big"), told[5:]
nothing = lambda: None
faults, own = child(nothing)
pages = kernel.Pages.of(own)
if pages is None:
    sys.exit("this kernel does not tell which pages are a process's own")
try:
    pidfd = os.pidfd_open(os.getpid())
    kernel.syscall(440, pidfd, pages.vector, 1, 23, 0)
except OSError:
    sys.exit("this kernel copies no pages on demand")
print(faults, child(lambda: kernel.copy_now(pages))[0])
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 1 and "this kernel" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    before, after = map(int, done.stdout.split())
    assert before >= 400
    assert after < before / 4


def test_an_interrupted_program_does_not_answer_for_the_next(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(channel: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        for _ in range(2):
            sandbox.run(Program(""))
        patched.setattr(sandbox_module, "receive", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sandbox.run(Program("answer = 'first'", value="answer"))
    ends = sandbox.run_all([Program("answer = 'second'", value="answer")] * 4)
    assert [end.value for end in ends] == ["second"] * 4


def test_workers_and_programs_end_with_the_trainer(tmp_path: Path) -> None:
    if not HAS_LAYERS:
        pytest.skip("this kernel has no landlock or no seccomp")
    code = (
        "import threading, time\n"
        "from seekmath.verify.sandbox import Sandbox\n"
        "from seekmath.verify.execution import Program\n"
        "sandbox = Sandbox(backend='native')\n"
        "threading.Thread(target=sandbox.run, args=[Program('while True: pass')]).start()\n"
        "time.sleep(0.3)\nprint('running', flush=True)\ntime.sleep(100)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    with subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE
    ) as trainer:
        assert trainer.stdout is not None
        assert trainer.stdout.readline() == b"running\n"
        family = psutil.Process(trainer.pid).children(recursive=True)
        assert len(family) >= 2
        trainer.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []


def test_without_its_layers_nothing_runs_unless_unsafe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox_module, "REQUIRED", ("an absent layer",))
    with pytest.raises(NoIsolation, match=r"an absent layer.*--unsafe"):
        Sandbox(backend="native")
    with Sandbox(backend="native", unsafe=True) as unsafe:
        assert unsafe.backend == "unsafe"
        assert unsafe.run(Program("print(1)")).stdout == "1\n"


def test_a_sandbox_that_does_not_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox_module, "_PROBE", "able = ['fly']")
    with pytest.raises(NoIsolation, match="can fly"):
        Sandbox(backend="auto")


def test_limits_hold_whatever_the_load(sandbox: Sandbox) -> None:
    """Two seconds of work pass under a limit of processor time, however long they take."""
    start = time.process_time()
    end = sandbox.run(Program("import time\nwhile time.process_time() < 1.2:\n    pass"))
    assert end.status == "ok", end
    assert time.process_time() - start < 1
