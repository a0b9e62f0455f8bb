"""The seccomp filter as the kernel would run it, on both architectures."""

import errno
import re
import struct
from pathlib import Path

import pytest

from seekmath.verify import seccomp

KILL, ALLOW, ERRNO = 0x80000000, 0x7FFF0000, 0x00050000
EPERM = ERRNO | errno.EPERM
AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
#: Of the generic table, what the kernel calls otherwise than the C library.
OTHER_NAMES = {"newfstatat": "fstatat"}


def verdict(code: bytes, audit: int, number: int, arguments: tuple[int, ...] = ()) -> int:
    """What classic BPF returns for a system call: the instructions that the filter uses."""
    data = struct.pack("=iIQ6Q", number, audit, 0, *(*arguments, *[0] * 6)[:6])
    steps = list(struct.iter_unpack("=HBBI", code))
    place = accumulator = 0
    while True:
        operation, if_true, if_false, value = steps[place]
        place += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, value)
        elif operation == 0x06:
            return value
        else:
            tests = {0x15: accumulator == value, 0x35: accumulator >= value}
            true = tests.get(operation, bool(accumulator & value))
            assert operation in (0x15, 0x35, 0x45)
            place += if_true if true else if_false


@pytest.fixture(params=["x86_64", "aarch64"])
def architecture(request: pytest.FixtureRequest) -> str:
    return request.param


def numbers(architecture: str) -> dict[str, int]:
    which = 0 if architecture == "x86_64" else 1
    table = {name: pair[which] for name, pair in seccomp.ALLOWED.items()}
    return {name: number for name, number in table.items() if number is not None}


def test_what_is_listed_is_allowed_and_all_else_refused(architecture: str) -> None:
    code = seccomp.program(architecture)
    allowed = set(numbers(architecture).values())
    by_argument = {"x86_64": {257, 2, 72, 302}, "aarch64": {56, 25, 261}}[architecture]
    for number in range(700):
        given = verdict(code, AUDIT[architecture], number, (1, 1, 1))
        if number not in by_argument:
            assert (given == ALLOW) == (number in allowed), number
        assert given == ALLOW or given & 0xFFFF0000 == ERRNO, number


def test_another_architecture_is_killed(architecture: str) -> None:
    code = seccomp.program(architecture)
    for audit in (0x40000003, 0x40000028, *AUDIT.values()):
        if audit != AUDIT[architecture]:
            assert verdict(code, audit, 1) == KILL


def test_the_32_bit_calls_of_x86_64_are_killed() -> None:
    code = seccomp.program("x86_64")
    assert verdict(code, AUDIT["x86_64"], 0x40000000 | 1) == KILL
    assert verdict(code, AUDIT["x86_64"], -1) == KILL


@pytest.mark.parametrize("flags", [0o0, 0o2000000, 0o100000])
def test_files_open_for_reading(architecture: str, flags: int) -> None:
    code = seccomp.program(architecture)
    openat = {"x86_64": 257, "aarch64": 56}[architecture]
    assert verdict(code, AUDIT[architecture], openat, (0, 0, flags)) == ALLOW
    for writing in (0o1, 0o2, 0o3, 0o100, 0o1000, 0o2000102):
        assert verdict(code, AUDIT[architecture], openat, (0, 0, flags | writing)) == EPERM


def test_only_harmless_descriptor_commands(architecture: str) -> None:
    code = seccomp.program(architecture)
    fcntl = {"x86_64": 72, "aarch64": 25}[architecture]
    allowed = [
        command
        for command in range(2000)
        if verdict(code, AUDIT[architecture], fcntl, (1, command)) == ALLOW
    ]
    assert allowed == [0, 1, 2, 3, 1030]


def test_limits_of_other_processes_are_out_of_reach(architecture: str) -> None:
    code = seccomp.program(architecture)
    prlimit = {"x86_64": 302, "aarch64": 261}[architecture]
    assert verdict(code, AUDIT[architecture], prlimit, (0, 7)) == ALLOW
    assert verdict(code, AUDIT[architecture], prlimit, (1, 7)) == EPERM


def test_the_c_library_is_told_to_take_another_way(architecture: str) -> None:
    code = seccomp.program(architecture)
    clone3 = 435
    assert verdict(code, AUDIT[architecture], clone3) == ERRNO | errno.ENOSYS


def test_numbers_are_those_of_the_kernel_headers(architecture: str) -> None:
    header = HEADERS[architecture]
    if not header.exists():
        pytest.skip(f"{header} is absent (Debian: linux-libc-dev)")
    found = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)\s*$", header.read_text(), re.MULTILINE)
    of_kernel = {name: int(number) for name, number in found}
    for name, number in numbers(architecture).items():
        name = OTHER_NAMES.get(name, name) if architecture == "aarch64" else name
        assert of_kernel[name] == number, name
