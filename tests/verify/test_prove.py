"""Files of proofs: verdicts come out in order, a killed run goes on, prompts hold both sides."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from seekmath.cli import commands
from seekmath.core.files import BadInput, read_jsonl, write_jsonl
from seekmath.verify.prove import prove_file, read_work, write_prompts
from seekmath.verify.prover import Checked


class Parity:
    """A prover for a calculus of its own: a proof is the statement written backwards."""

    title = "Parity"

    def __init__(self, checks: int = 1000) -> None:
        self.checks = checks

    def describe(self) -> str:
        return "Parity 1"

    def check(self, statement: str, proof: str) -> Checked:
        self.checks -= 1
        if self.checks < 0:
            raise KeyboardInterrupt
        return Checked("proved" if proof == statement[::-1] else "wrong", cpu_s=0.5)

    def search(self, statement: str) -> Checked:
        return self.check(statement, statement)

    def extract(self, statement: str, completion: str) -> str:
        return completion.strip()

    def close(self) -> None:
        pass


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Three statements, one of them in another split, and four proofs."""
    texts = {"a": "abc", "b": "xyx", "c": "zz"}
    statements, proofs = tmp_path / "s.jsonl", tmp_path / "p.jsonl"
    rows = [{"name": n, "statement": t, "split": "xy"[n == "c"]} for n, t in texts.items()]
    write_jsonl(statements, rows)
    given = [("a", "abc"), ("a", " cba\n"), ("b", "xyx"), ("b", "no")]
    write_jsonl(proofs, [{"name": name, "completion": proof} for name, proof in given])
    return statements, proofs


def test_the_row_carries_the_prover_and_automation_beside_the_model(files, tmp_path) -> None:
    statements, proofs = files
    out = tmp_path / "out.jsonl"
    work = read_work(statements, proofs, automation=True, title="T")
    row = prove_file(work, out, Parity())
    assert row["row"] == "T (Parity)"
    assert row["model"]["proved"] == row["model"]["statements_proved"] == 2
    assert row["model"]["accuracy"] == pytest.approx((1 / 2 + 1 / 2 + 0) / 3)
    assert (row["model"]["statements"], row["model"]["without_proof"]) == (3, 1)
    assert row["automation"]["proved"] == 2
    assert row["automation"]["statements"] == 3
    found = {(r["name"], r["by"], r["sample"]): r["verdict"] for r in read_jsonl(out)}
    assert list(found) == [(job.name, job.by, job.sample) for job in work.jobs]
    assert found["a", "model", 1] == "proved"
    assert found["a", "model", 0] == found["b", "model", 1] == "wrong"


@pytest.mark.parametrize("killed_after", range(4))
def test_a_killed_run_goes_on_where_it_was(files, tmp_path, killed_after: int) -> None:
    statements, proofs = files
    out = tmp_path / "out.jsonl"
    with pytest.raises(KeyboardInterrupt):
        prove_file(read_work(statements, proofs), out, Parity(killed_after))
    assert not out.exists()
    with open(tmp_path / "out.jsonl.unfinished", "a") as file:
        file.write('{"torn')
    rest = Parity(4 - killed_after)
    assert prove_file(read_work(statements, proofs), out, rest)["model"]["proofs"] == 4
    assert rest.checks == 0
    assert not (tmp_path / "out.jsonl.unfinished").exists()


def test_bad_files_say_what_is_wrong(files, tmp_path) -> None:
    statements, proofs = files
    with pytest.raises(BadInput, match="no statement is named 'a'"):
        read_work(statements, proofs, split="y")
    with pytest.raises(BadInput, match="needs a field statement"):
        read_work(proofs, proofs)
    with pytest.raises(BadInput, match="nothing to check"):
        read_work(statements)


def test_files_are_told_of_before_a_prover_is_missed(
    files, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    given = ["prove", str(tmp_path / "none.jsonl"), "--automation", "--out", str(tmp_path / "o")]
    assert "no such file" in str(CliRunner().invoke(commands, given).exception)
    given[1] = str(files[0])
    assert "Coq is not installed" in str(CliRunner().invoke(commands, given).exception)


def test_no_file_that_is_read_is_written_over(files, monkeypatch) -> None:
    statements, proofs = map(str, files)
    monkeypatch.setattr("seekmath.commands.prove._open", pytest.fail)
    before = [Path(path).read_bytes() for path in files]
    for given in (["--automation", "--out", statements], ["--proofs", proofs, "--out", proofs]):
        done = CliRunner().invoke(commands, ["prove", statements, *given])
        assert isinstance(done.exception, BadInput)
        assert "is the file that is read" in str(done.exception)
    informal = ["--informal", proofs, "--out", proofs]
    assert CliRunner().invoke(commands, ["prove", statements, *informal]).exit_code
    assert [Path(path).read_bytes() for path in files] == before


def test_prompts_hold_both_sides(files, tmp_path) -> None:
    informal, out = tmp_path / "i.jsonl", tmp_path / "prompts.jsonl"
    line = {"problem_name": "a", "informal_statement": "Say it.", "informal_proof": "So."}
    write_jsonl(informal, [line, {**line, "problem_name": "unknown"}])
    assert write_prompts(files[0], informal, out) == 1
    prompt = next(iter(read_jsonl(out)))["prompt"]
    assert prompt.index("Say it.") < prompt.index("So.") < prompt.index("abc")
    done = CliRunner().invoke(
        commands,
        ["prove", str(files[0]), "--informal", str(informal), "--out", str(out), "--json"],
    )
    assert json.loads(done.stdout) == {"prompts": 1}
