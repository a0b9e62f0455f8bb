"""Commands under bubblewrap: what they see, and that their limits hold."""

import shutil
import subprocess
from pathlib import Path

import pytest

from seekmath.core.files import BadInput
from seekmath.verify.bubblewrap import bubblewrap_command, open_command
from seekmath.verify.execution import Limits

READABLE = ["/bin", "/usr/bin"]


def run(script: str, limits: Limits | None = None, **more) -> tuple[int, str]:
    """A shell script isolated, its status and what it printed."""
    command = ["/bin/sh", "-c", script]
    with open_command(command, readable=READABLE, limits=limits or Limits(), **more) as process:
        out, error = process.communicate(b"asked\n", timeout=60)
    if "Operation not permitted" in error.decode() and "bwrap" in error.decode():
        pytest.skip("bubblewrap may not make namespaces here")
    return process.returncode, out.decode()


@pytest.fixture(autouse=True)
def _bubblewrap() -> None:
    if not shutil.which("bwrap"):
        pytest.skip("bubblewrap is absent (Debian: apt install bubblewrap)")


def test_a_session_answers_over_its_pipes() -> None:
    assert run("read line; echo got $line") == (0, "got asked\n")


def test_only_what_is_named_can_be_seen(tmp_path: Path) -> None:
    tmp_path.joinpath("secret").write_text("seen")
    _code, out = run(f"cat {tmp_path}/secret /etc/passwd; ls /; env")
    assert "seen" not in out
    assert "root:" not in out
    assert set(out.split()) <= {"bin", "dev", "etc", "lib", "lib64", "usr", "PWD=/"}
    assert run("echo $GIVEN", environment={"GIVEN": "here"}) == (0, "here\n")


def test_nothing_can_be_written_but_a_bounded_scratch() -> None:
    assert run("echo x > /dev/shm/x || echo x > /bin/x || echo x > /x || echo none")[1] == "none\n"
    _code, out = run(
        "echo x > /tmp/x && cat /tmp/x; head -c 9000000 /dev/zero > /tmp/y || echo full",
        scratch_mib=4,
    )
    assert out == "x\nfull\n"


def test_no_network_and_no_other_process() -> None:
    _code, out = run("read line; ls /proc 2>/dev/null; kill -9 -1 2>/dev/null; echo $$")
    assert out == "1\n"


def test_processor_time_and_memory_are_bounded() -> None:
    assert run("while :; do :; done", Limits(cpu_s=0.5))[0] != 0
    assert run("head -c 2000000000 /dev/zero | tail", Limits(memory_mib=64))[1] == ""


def test_it_ends_when_the_started_process_is_killed() -> None:
    command = ["/bin/sh", "-c", "echo up; (while :; do echo; done) & wait"]
    with open_command(command, readable=READABLE, limits=Limits()) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
        process.stdout.read()  # ends only when nothing holds the pipe any more


def test_an_absent_bubblewrap_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BadInput, match="apt install bubblewrap"):
        bubblewrap_command(["/bin/true"], readable=[])


def test_options_are_known_to_the_installed_bubblewrap() -> None:
    known = subprocess.run(["bwrap", "--help"], capture_output=True, text=True, check=False)
    text = known.stdout + known.stderr
    options = [one for one in bubblewrap_command(["/bin/true"], readable=[]) if one[:2] == "--"]
    assert [one for one in options if one != "--" and one not in text] == []
