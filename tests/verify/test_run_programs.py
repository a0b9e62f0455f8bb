"""Recorded programs run again: what they gave comes back, and differences are counted."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from seekmath.cli import commands
from seekmath.core.files import BadInput, read_jsonl, write_jsonl
from seekmath.verify import landlock, seccomp
from seekmath.verify.execution import Limits
from seekmath.verify.run_programs import read_programs, run_programs
from seekmath.verify.sandbox import Sandbox

ROWS = [
    {"program": "ans = 6 * 7", "was": 42.0, "gold": "42"},
    {"generated": ["ans = 0.1 + 0.2"], "was": 0.3, "gold": "0.3"},
    {"code": "ans = 1 / 0", "was": None, "gold": "1"},
    {"code": "ans = 5", "was": None, "gold": "6"},
    {"prompt": "no program"},
    {"completion": "while True: pass", "was": None},
]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    if not landlock.version() or not seccomp.supported():
        pytest.skip("this kernel has no landlock or no seccomp")
    with Sandbox(Limits(cpu_s=3.0), workers=2) as opened:
        yield opened


def test_each_line_gains_what_its_program_gave(sandbox: Sandbox, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "in.jsonl.gz", ROWS)
    work = read_programs(tmp_path / "in.jsonl.gz", value="ans", recorded="was", gold="gold")
    counts = run_programs(work, tmp_path / "out.jsonl", sandbox)
    assert counts == {
        "programs": 5,
        "without_program": 1,
        "ok": 3,
        "error": 1,
        "timeout": 1,
        "reproduced": 4,
        "right": 2,
    }
    out = list(read_jsonl(tmp_path / "out.jsonl"))
    assert [{key: row[key] for key in given} for row, given in zip(out, ROWS, strict=True)] == ROWS
    assert out[3]["reproduced"] is False
    assert out[2]["error"] == "ZeroDivisionError: division by zero"


def test_completions_are_taken_apart(sandbox: Sandbox, tmp_path: Path) -> None:
    block = "```python\ndef solution():\n    return 3\n```\nSo it is three."
    write_jsonl(tmp_path / "in.jsonl", [{"completion": block}])
    work = read_programs(tmp_path / "in.jsonl", form="gsm8k")
    run_programs(work, tmp_path / "out.jsonl", sandbox)
    assert next(read_jsonl(tmp_path / "out.jsonl"))["value"] == "3"


@pytest.mark.parametrize(
    ("rows", "arguments", "why"),
    [
        ([{"question": "?"}], [], "no line has a program"),
        (ROWS, ["--gold", "god"], "no line has a field god; found code, completion"),
        (ROWS, ["--out", "in.jsonl"], "is the file that is read"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_before_a_sandbox_is_started(
    rows: list[dict[str, object]],
    arguments: list[str],
    why: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_jsonl(tmp_path / "in.jsonl", rows)
    monkeypatch.setattr("seekmath.verify.sandbox.Sandbox.__init__", pytest.fail)
    done = CliRunner().invoke(
        commands, ["run-programs", "in.jsonl", "--out", "out.jsonl", *arguments]
    )
    assert isinstance(done.exception, BadInput)
    assert why in str(done.exception)
    assert not (tmp_path / "out.jsonl").exists()
    assert list(read_jsonl(tmp_path / "in.jsonl")) == rows


def test_odd_recorded_results_and_values_that_are_no_text(sandbox: Sandbox, tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"program": "ans = 1", "was": "one"},
        {"program": "ans = 1", "was": [1]},
        {"program": "ans = 'one'", "was": "one"},
        {"program": "ans = 'one'", "was": None},
        {"program": "ans = '\\ud800'", "was": "?"},
    ]
    write_jsonl(tmp_path / "in.jsonl", rows)
    work = read_programs(tmp_path / "in.jsonl", value="ans", recorded="was")
    run_programs(work, tmp_path / "out.jsonl", sandbox)
    out = list(read_jsonl(tmp_path / "out.jsonl"))
    assert [row["reproduced"] for row in out] == [False, False, True, False, True]
    assert out[-1]["value"] == "?"


@pytest.mark.shared
def test_recorded_programs_give_their_recorded_results(
    sandbox: Sandbox, shared: Path, tmp_path: Path
) -> None:
    programs = shared / "data/outputs/gsm8k_programs.jsonl.gz"
    work = read_programs(programs, value="ans", recorded="executed", gold="answer")
    counts = run_programs(work, tmp_path / "out.jsonl", sandbox)
    assert counts["programs"] == 1318
    assert counts["reproduced"] >= 1316
    assert counts["right"] >= 941  # 942 with the ten seconds of the default


def test_the_command_says_the_sandbox_and_the_counts(sandbox: Sandbox, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "in.jsonl", ROWS[:2])
    arguments = ["run-programs", str(tmp_path / "in.jsonl"), "--value", "ans", "--json"]
    done = CliRunner().invoke(commands, [*arguments, "--out", str(tmp_path / "out.jsonl")])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"programs": 2, "ok": 2}
    assert "sandbox: native" in done.stderr
