"""Programs that attack the sandbox, each with the verdict it must get; and the process that runs
them, a stand-in for a trainer with secrets, as whatever user the tests start it.

    python -m tests.verify.hostile BACKEND TARGETS.json > verdicts.json
"""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

import psutil

from seekmath.verify.execution import Limits, Program
from seekmath.verify.sandbox import Sandbox

LIMITS = Limits(cpu_s=1.0, wall_s=8.0, memory_mib=192)
SECRET = "SECRET-7f3a"

# A program that tries things and names those that it was able to do.
_TRY = """
import ctypes, os, signal, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
able = []
def attempt(name, act):
    try:
        done = act()
    except BaseException:
        return
    if not (isinstance(done, int) and not isinstance(done, bool) and done < 0):
        able.append(name)
"""

# name: statuses that are right, source. In it {secret}, {folder}, {victim}, {tcp}, {unix},
# {abstract} and {trainer} stand for what is attacked.
PROGRAMS: dict[str, tuple[set[str], str]] = {
    "honest": ({"ok"}, "able = ''\nprint(6 * 7)"),
    "fork bomb": ({"error"}, "import os\nwhile True:\n    os.fork()"),
    "thread bomb": (
        {"error"},
        "import threading\nwhile True:\n    threading.Thread(target=input).start()",
    ),
    "infinite loop": ({"timeout"}, "while True:\n    pass"),
    "loop that ignores signals": (
        {"timeout"},
        "import signal\n"
        "for one in (signal.SIGXCPU, signal.SIGTERM, signal.SIGALRM):\n"
        "    signal.signal(one, signal.SIG_IGN)\n"
        "while True:\n    pass",
    ),
    "loop in C": ({"timeout"}, "9 ** 9 ** 9"),
    "loop at the end": (
        {"timeout"},
        "class Able:\n    def __str__(self):\n        while True:\n            pass\nable = Able()",
    ),
    "sleep": ({"timeout"}, "import time\ntime.sleep(1000)"),
    "memory bomb": ({"memory"}, "x = []\nwhile True:\n    x.append(bytearray(10 ** 7))"),
    "memory in one piece": ({"memory"}, "x = bytearray(10 ** 12)"),
    "a gigabyte of output": ({"output"}, "for _ in range(10 ** 6):\n    print('x' * 1000)"),
    "a gigabyte of raw output": (
        {"output"},
        "import os\nwhile True:\n    os.write(1, b'x' * 10 ** 6)",
    ),
    "disk filling": (
        {"ok"},
        _TRY
        + """
for place in ("/tmp", "/var/tmp", "/dev/shm", ".", "{folder}", os.path.dirname(os.__file__)):
    attempt(place, lambda: open(place + "/filling", "wb").write(b"x" * 10 ** 9))
attempt("memfd", lambda: os.memfd_create("filling"))
import tempfile
attempt("tempfile", lambda: tempfile.TemporaryFile())
""",
    ),
    "writing outside": (
        {"ok"},
        _TRY
        + """
victim = "{folder}/victim.txt"
attempt("write", lambda: open(victim, "w"))
attempt("append", lambda: open(victim, "a"))
attempt("open for writing", lambda: os.open(victim, os.O_RDWR))
attempt("create", lambda: os.open("{folder}/new", os.O_CREAT | os.O_RDONLY))
attempt("truncate", lambda: os.truncate(victim, 0))
attempt("unlink", lambda: os.unlink(victim))
attempt("rename", lambda: os.rename(victim, victim + "2"))
attempt("mkdir", lambda: os.mkdir("{folder}/made"))
attempt("chmod", lambda: os.chmod(victim, 0o777))
attempt("chown", lambda: os.chown(victim, 0, 0))
attempt("utime", lambda: os.utime(victim, (0, 0)))
attempt("mknod", lambda: os.mkfifo("{folder}/fifo"))
attempt("xattr", lambda: os.setxattr(victim, "user.a", b"1"))
attempt("sysctl", lambda: open("/proc/sys/kernel/core_pattern", "w"))
""",
    ),
    "secrets in the environment": (
        {"ok"},
        "import os\nable = 'environment' if '" + SECRET + "' in str(os.environ) else ''",
    ),
    "secrets in files": (
        {"ok"},
        _TRY
        + """
def holds(text):
    if "SECRET" + "-7f3a" not in str(text):
        raise OSError
attempt("open", lambda: holds(open("{secret}").read()))
attempt("os.open", lambda: holds(os.read(os.open("{secret}", os.O_RDONLY), 99)))
attempt("climb", lambda: holds(open(os.path.dirname(os.__file__) + "/.." * 20 + "{secret}").read()))
attempt("list", lambda: os.listdir("{folder}"))
attempt("home", lambda: os.listdir(os.path.expanduser("~")))
attempt("passwd", lambda: open("/etc/passwd"))
attempt("shadow", lambda: open("/etc/shadow"))
attempt("disk", lambda: open("/dev/sda", "rb"))
attempt("chdir", lambda: os.chdir("{folder}"))
attempt("handle", lambda: libc.open_by_handle_at(-100, b"x" * 64, 0))
""",
    ),
    "secrets in /proc": (
        {"ok"},
        _TRY
        + """
for one in ("self", "1", os.getppid(), "{trainer}", "{victim}"):
    for what in ("environ", "mem", "maps", "cmdline", "status", "fd", "root", "cwd/.."):
        path = f"/proc/{one}/{what}"
        attempt(path, lambda: os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(1))
for path in ("/proc", "/proc/kcore", "/proc/kallsyms", "/proc/mounts", "/sys", "/dev/mem"):
    attempt(path, lambda: os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(1))
""",
    ),
    "symlink tricks": (
        {"ok"},
        _TRY
        + """
here = os.path.dirname(os.__file__)
attempt("symlink", lambda: os.symlink("{secret}", here + "/link"))
attempt("hard link", lambda: os.link("{secret}", here + "/link"))
attempt("link at {folder}", lambda: open("{folder}/link").read())
attempt("own root", lambda: open("/proc/self/root{secret}").read())
def reopen():
    handle = os.open("{secret}", os.O_PATH)
    return open(f"/proc/self/fd/{handle}").read()
attempt("reopen", reopen)
""",
    ),
    "sockets": (
        {"ok"},
        _TRY
        + """
attempt("tcp", lambda: socket.create_connection(("127.0.0.1", {tcp}), 2))
attempt("tcp 6", lambda: socket.socket(socket.AF_INET6))
attempt("udp", lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", {tcp})))
attempt("unix", lambda: socket.socket(socket.AF_UNIX).connect("{unix}"))
attempt("abstract", lambda: socket.socket(socket.AF_UNIX).connect("\\0{abstract}"))
attempt("dns", lambda: socket.getaddrinfo("example.org", 80))
attempt("raw", lambda: socket.socket(type=socket.SOCK_RAW))
attempt("netlink", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW))
attempt("pair", lambda: socket.socketpair())
attempt("listen", lambda: socket.create_server(("", 0)))
""",
    ),
    "signals to others": (
        {"ok"},
        _TRY
        + """
import fcntl
for one in ({victim}, {trainer}, os.getppid(), 1, -1, 0):
    attempt(f"kill {one}", lambda: os.kill(one, signal.SIGKILL))
attempt("group", lambda: os.killpg({victim}, signal.SIGKILL))
attempt("pidfd", lambda: signal.pidfd_send_signal(os.pidfd_open({victim}), signal.SIGKILL))
attempt("owner", lambda: fcntl.fcntl(1, fcntl.F_SETOWN, {victim}))
attempt("priority", lambda: os.setpriority(os.PRIO_PROCESS, {victim}, 19))
attempt("limits", lambda: __import__("resource").prlimit({victim}, 0, (1, 1)))
attempt("affinity", lambda: os.sched_setaffinity({victim}, [0]))
""",
    ),
    "ptrace": (
        {"ok"},
        _TRY
        + """
for one in ({victim}, {trainer}, os.getppid()):
    attempt(f"attach {one}", lambda: libc.ptrace(16, one, 0, 0))
    attempt(f"seize {one}", lambda: libc.ptrace(0x4206, one, 0, 0))
    buffer = ctypes.create_string_buffer(64)
    vector = (ctypes.c_uint64 * 2)(ctypes.addressof(buffer), 64)
    attempt(f"read {one}", lambda: libc.process_vm_readv(one, vector, 1, vector, 1, 0))
attempt("trace me", lambda: libc.ptrace(0, 0, 0, 0))
""",
    ),
    "new rights": (
        {"ok"},
        _TRY
        + """
import resource
attempt("memory", lambda: resource.setrlimit(resource.RLIMIT_AS, (-1, -1)))
attempt("files", lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10 ** 9, 10 ** 9)))
attempt("uid", lambda: os.setuid(12345))
attempt("gid", lambda: os.setgid(12345))
attempt("chroot", lambda: os.chroot("/"))
attempt("mount", lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, None))
attempt("unshare", lambda: libc.unshare(0x10000000))
attempt("setns", lambda: libc.setns(0, 0))
attempt("host name", lambda: socket.sethostname("x"))
attempt("keys", lambda: libc.syscall(250, 0, -3, 1, 0, 0))
attempt("dumpable", lambda: libc.prctl(4, 1, 0, 0, 0))
attempt("io_uring", lambda: libc.syscall(425, 8, ctypes.create_string_buffer(120)))
attempt("bpf", lambda: libc.syscall(321, 0, ctypes.create_string_buffer(128), 128))
attempt("userfaultfd", lambda: libc.syscall(323, 0))
attempt("perf", lambda: libc.syscall(298, ctypes.create_string_buffer(128), 0, -1, -1, 0))
attempt("pipe", lambda: os.pipe())
attempt("shared memory", lambda: libc.shmget(0, 4096, 0o1600))
""",
    ),
    "exec": ({"error"}, "import os\nos.execv('/bin/sh', ['sh', '-c', 'id'])"),
    "subprocess": ({"error"}, "import subprocess\nsubprocess.run(['/bin/id'])"),
    "daemon": (
        {"error"},
        "import os\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        "        while True:\n            pass\n    os._exit(0)",
    ),
    "spawn": ({"error"}, "import os\nos.posix_spawn('/bin/true', ['true'], {})"),
    "os._exit": ({"error"}, "import os\nos._exit(0)"),
    "os._exit with a status": ({"error"}, "import os\nos._exit(1)"),
    "sys.exit": ({"error"}, "import sys\nsys.exit(3)"),
    "closed channels": ({"error"}, "import os\nos.closerange(0, 1000)\nable = ''"),
    "flooded channel": ({"output"}, "import os\nwhile True:\n    os.write(3, b'x' * 65536)"),
    "forged status": (
        {"error"},
        'import os\nos.write(3, b\'{"status": "unrun"}\')\nos._exit(0)',
    ),
    "forged types": (
        {"error"},
        'import os\nos.write(3, b\'{"status": "ok", "value": [1]}\')\nos._exit(0)',
    ),
    "forged twice": (
        {"error"},
        'import os\nos.write(3, b\'{"status": "ok", "value": "1"}\')\nable = \'\'',
    ),
    "nested forgery": ({"error"}, "import os\nos.write(3, b'[' * 60000)\nos._exit(0)"),
    "forged after a crash": (
        {"crash"},
        'import ctypes, os\nos.write(3, b\'{"status": "ok", "value": "1"}\')\nctypes.string_at(0)',
    ),
    "waiting on stdin": ({"error"}, "input()"),
    "reading stdin": ({"ok"}, "import sys\nable = sys.stdin.read()"),
    "deep recursion": ({"error"}, "def f():\n    f()\nf()"),
    "unbounded recursion": (
        {"error", "crash", "memory"},
        "import sys\nsys.setrecursionlimit(10 ** 9)\n"
        "class A:\n    def __repr__(self):\n        return repr(self)\nrepr(A())",
    ),
    "deep nesting": ({"error", "memory"}, "x = " + "(" * 5000 + ")" * 5000),
    "segfault": ({"crash"}, "import ctypes\nctypes.string_at(0)"),
    "abort": ({"crash"}, "import os\nos.abort()"),
    "hostile exception": (
        {"error"},
        "class E(Exception):\n    def __str__(self):\n        raise SystemExit\nraise E",
    ),
    "zero bytes": ({"error"}, "x = 1\0"),
    "half a character": ({"ok"}, "print('\\ud800')\nable = ''"),
    "spoilt for the next": (
        {"ok"},
        "import builtins, sympy\nbuiltins.print = None\nsympy.solve = None\nable = ''",
    ),
    "the next": ({"ok"}, "import sympy\nprint(sympy.solve('x - 3'))\nable = ''"),
}


def attacked(source: str, targets: dict[str, object]) -> str:
    """The source with what it attacks filled in."""
    for name, value in targets.items():
        source = source.replace("{" + name + "}", str(value))
    return source


def main() -> None:
    """Run every program and print the verdicts, the layers and what is left running."""
    backend, targets_file = sys.argv[1:]
    targets = {**json.loads(Path(targets_file).read_text()), "trainer": os.getpid()}
    assert SECRET in os.environ["SEEKMATH_TEST_SECRET"]
    with Sandbox(LIMITS, backend=backend, workers=2) as sandbox:  # type: ignore[arg-type]
        programs = [
            Program(attacked(source, targets), value="str(able)" if "able" in source else "")
            for _, source in PROGRAMS.values()
        ]
        ends = [asdict(end) for end in sandbox.run_all(programs)]
        layers = sandbox.describe()
    left = [str(one) for one in psutil.Process().children(recursive=True)]
    print(
        json.dumps(
            {
                "uid": os.getuid(),
                "layers": layers,
                "left": left,
                "ends": dict(zip(PROGRAMS, ends, strict=True)),
            }
        )
    )


if __name__ == "__main__":
    main()
