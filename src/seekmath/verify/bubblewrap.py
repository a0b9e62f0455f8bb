"""bubblewrap: commands in namespaces of their own, for programs and for provers.

The second back end of the sandbox, and the one for what must execute other programs. A command
sees a file system that holds nothing but the paths it is given, read-only; it has no network, sees
no other process, and has no capability and no environment but what it is given.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from seekmath.core.files import BadInput
from seekmath.verify.confine import SYSTEM_FILES, readable_paths
from seekmath.verify.execution import Execution, Limits, Program
from seekmath.verify.sandbox_program import CONFINED
from seekmath.verify.sandbox_worker import SOURCE, WORKER_ENVIRONMENT, verdict, worker_command
from seekmath.verify.standby import RECORD_BYTES
from seekmath.verify.supervise import Ended, watch

_ISOLATION = (
    *("--unshare-user", "--unshare-all", "--disable-userns", "--as-pid-1"),
    *("--die-with-parent", "--new-session", "--clearenv"),
    *("--cap-drop", "ALL", "--dev", "/dev", "--remount-ro", "/dev"),
)
_SHELL = "/bin/sh"
_SIGNAL_BASE = 128  # bubblewrap reports signals as the shell does


def bubblewrap_command(
    command: Sequence[str],
    *,
    readable: Sequence[str],
    environment: Mapping[str, str] | None = None,
    scratch_mib: int = 0,
) -> list[str]:
    """The command line that runs ``command`` isolated; descriptors passed to it stay open.

    Args:
        command: a program by its full path, and its arguments.
        readable: files and folders it may read, beside the shared libraries; those absent are
            left out. The program itself must be among them.
        environment: its whole environment.
        scratch_mib: size of a /tmp in memory that it may write; none if 0.

    Raises:
        BadInput: bubblewrap is not installed.
    """
    program = shutil.which("bwrap")
    if program is None:
        raise BadInput("bubblewrap is not installed (Debian and Ubuntu: apt install bubblewrap)")
    arguments = [program, *_ISOLATION]
    for path in dict.fromkeys((*SYSTEM_FILES, *readable)):
        if path.startswith("/dev/"):
            continue  # --dev makes them
        if os.path.islink(path):
            arguments += ["--symlink", os.readlink(path), path]
        else:
            arguments += ["--ro-bind-try", path, path]
    if scratch_mib:
        arguments += ["--size", str(scratch_mib << 20), "--tmpfs", "/tmp"]
    for name, value in (environment or {}).items():
        arguments += ["--setenv", name, value]
    return [*arguments, "--remount-ro", "/", "--", *command]


def open_command(
    command: Sequence[str],
    *,
    readable: Sequence[str],
    limits: Limits,
    environment: Mapping[str, str] | None = None,
    scratch_mib: int = 0,
) -> subprocess.Popen[bytes]:
    """Start a command isolated, its standard streams pipes: for a session with a prover.

    The command and all it started end when this process ends or the returned one is killed. Of
    ``limits``, memory and processor time bound each of its processes; wall time and output are
    the caller's to bound. The other arguments are those of ``bubblewrap_command``.

    Raises:
        BadInput: bubblewrap is not installed.
    """
    isolated = bubblewrap_command(
        command, readable=readable, environment=environment, scratch_mib=scratch_mib
    )
    bounds = {
        "c": 0,  # core files
        "f": scratch_mib * 2048,  # files, in blocks of 512 bytes
        "v": limits.memory_mib * 1024,
        "t": int(limits.cpu_s) + 1,
    }
    script = " && ".join(f"ulimit -{name} {bound}" for name, bound in bounds.items())
    return subprocess.Popen(
        [_SHELL, "-c", f'{script} && exec "$@"', "sh", *isolated],
        env={},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


class BubblewrapRunner:
    """Runs each program in a cold interpreter of its own.

    Raises:
        BadInput: bubblewrap is not installed, or can make no namespaces here.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = asdict(limits)
        self.layers = {"namespaces": "user net pid ipc uts cgroup mount", **self._other_layers()}

    def run(self, program: Program) -> Execution:
        """Run one program to its end."""
        ended = self._end_of({**asdict(program), "limits": self._limits})
        return Execution(**verdict(ended, self._limits))

    def close(self) -> None:
        """Nothing is under way between two programs."""

    def _other_layers(self) -> dict[str, str]:
        """The layers that a process inside puts on, as it reports them itself."""
        ended = self._end_of({"code": None})
        if not ended.outputs[1].startswith(CONFINED):
            raise BadInput("bubblewrap can make no namespaces here (bwrap failed)")
        return json.loads(ended.outputs[1])["value"]

    def _end_of(self, request: dict[str, Any]) -> Ended:
        result_read, result_write = os.pipe()
        request_file = os.memfd_create("request")
        try:
            os.write(request_file, json.dumps(request).encode())
            os.lseek(request_file, 0, os.SEEK_SET)
            process = subprocess.Popen(
                bubblewrap_command(
                    worker_command(f"run_once({result_write})"),
                    readable=_python_paths(),
                    environment=WORKER_ENVIRONMENT,
                ),
                env={},
                cwd="/",
                stdin=request_file,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=[result_write],
                start_new_session=True,
            )
            os.close(result_write)
            return self._watched(process, result_read)
        finally:
            os.close(request_file)
            os.close(result_read)

    def _watched(self, process: subprocess.Popen[bytes], result: int) -> Ended:
        assert process.stdout is not None
        limits = self._limits
        with process.stdout as out:
            caps = {out.fileno(): limits["output_bytes"], result: RECORD_BYTES}
            ended = watch(
                process.pid, caps, cpu_s=limits["cpu_s"], wall_s=limits["wall_s"], own_clock=False
            )
        process.returncode = ended.code
        if ended.code > _SIGNAL_BASE:
            ended.code = _SIGNAL_BASE - ended.code
        if ended.code < 0 and ended.cpu_s >= limits["cpu_s"]:
            ended.stopped = ended.stopped or "cpu"
        return ended


def _python_paths() -> list[str]:
    """What a cold interpreter needs, beside what a program may read."""
    real = os.path.realpath(sys.executable)
    library = sysconfig.get_config_var("LIBDIR")
    prefix = sys.prefix
    chain = [sys.executable, real, f"{prefix}/pyvenv.cfg", f"{prefix}/bin", os.path.dirname(real)]
    return [*readable_paths(), *([library] if library else []), *chain, SOURCE]
