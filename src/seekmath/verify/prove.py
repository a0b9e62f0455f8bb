"""Files of statements and proofs, checked by a prover (``seekmath prove``)."""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from seekmath.core.files import BadInput, read_jsonl, write_jsonl
from seekmath.verify.prover import Checked, Prover, proof_prompt

Maker = Literal["model", "automation"]
_STATEMENT_FIELDS = ("statement", "formal_statement")
_NAME_FIELDS = ("name", "problem_name", "id")
_PROOF_FIELDS = ("proof", "completion", "generated")


class Job(NamedTuple):
    """A proof to check, or a statement whose proof the prover's automation is to seek."""

    name: str
    statement: str
    by: Maker
    proof: str
    sample: int


@dataclass(frozen=True)
class Work:
    """What there is to check.

    Attributes:
        jobs: each proof, and each statement for automation, in the order of the files.
        names: of the statements, those without any proof among them.
        title: of the benchmark, for the row's name.
        sources: the files and settings that it came from.
    """

    jobs: tuple[Job, ...]
    names: tuple[str, ...]
    title: str
    sources: dict[str, Any]


def read_work(
    statements: Path,
    proofs: Path | None = None,
    *,
    automation: bool = False,
    split: str = "",
    title: str = "",
) -> Work:
    """Read the files, before any prover is started.

    Args:
        statements: lines with name and statement (or miniF2F's fields).
        proofs: lines with name and proof, or a model's completion; several of a name are samples.
        automation: let the prover's own automation try each statement too.
        split: take the statements whose field split is this.
        title: of the benchmark; else the file's name.

    Raises:
        BadInput: a line lacks a field, or a proof names no statement.
    """
    known = _statements(statements, split)
    jobs = tuple(_jobs(known, proofs, automation))
    if not jobs:
        raise BadInput(f"{proofs or statements}: nothing to check; give proofs or automation")
    sources: dict[str, Any] = {
        "statements": str(statements),
        "proofs": str(proofs or ""),
        "split": split,
    }
    sources |= {"automation": automation, "jobs": len(jobs)}
    return Work(jobs, tuple(known), title or statements.name.partition(".")[0], sources)


def prove_file(
    work: Work,
    out: Path,
    prover: Prover,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Check proofs against statements that a model cannot touch.

    Killed, the same call goes on after the last proof that was judged.

    Args:
        work: what to check.
        out: JSON lines with name, by, sample, verdict, reason, assumptions, cpu_s and proof, in
            the order of the work.
        prover: what checks them.
        progress: told how many are done, of how many.

    Returns:
        The row: its name carries the prover; statements, proofs, each verdict, proved, and beside
        it what automation alone proved.
    """
    jobs = sorted(work.jobs, key=lambda job: job.statement)  # same heads together cost the least
    kept = out.with_name(out.name + ".unfinished")
    identity = {**work.sources, "prover": prover.describe()}
    rows = _resumed(kept, identity)
    kept.parent.mkdir(parents=True, exist_ok=True)
    with open(kept, "a", encoding="utf-8") as file:
        if not rows and not file.tell():
            _append(file, identity)
        for job in jobs[len(rows) :]:
            progress(len(rows), len(jobs))
            rows.append(_row(job, prover))
            _append(file, rows[-1])
    progress(len(rows), len(jobs))
    places = {(job.name, job.by, job.sample): place for place, job in enumerate(work.jobs)}
    rows.sort(key=lambda row: places[row["name"], row["by"], row["sample"]])
    write_jsonl(out, rows)
    kept.unlink()
    return summary(rows, f"{work.title} ({prover.title})", len(work.names))


def write_prompts(statements: Path, informal: Path, out: Path, split: str = "") -> int:
    """Write a prompt for each statement of which ``informal`` has the informal side.

    Args:
        statements: as for ``prove_file``.
        informal: lines with name (or problem_name), informal_statement and informal_proof.
        out: JSON lines with name and prompt; a completion beside the name can be checked.
        split: take the statements whose field split is this.

    Returns:
        The number of prompts.

    Raises:
        BadInput: a line lacks a field, or no name stands in both files.
    """
    known = _statements(statements, split)
    rows = []
    for number, line in enumerate(read_jsonl(informal), 1):
        name = _field(line, _NAME_FIELDS, f"{informal}:{number}")
        if name in known:
            asked = _field(line, ("informal_statement",), f"{informal}:{number}")
            proof = str(line.get("informal_proof") or "")
            rows.append({"name": name, "prompt": proof_prompt(asked, proof, known[name])})
    if not rows:
        raise BadInput(f"{informal}: none of its names is among those of {statements}")
    return write_jsonl(out, rows)


def summary(rows: list[dict[str, Any]], title: str, statements: int) -> dict[str, Any]:
    """The row of a table: verdicts of the model's proofs, automation's beside them.

    ``accuracy`` is the mean over all statements of the share of their proofs that hold; of one
    without any proof it is 0.
    """
    row: dict[str, Any] = {"row": title}
    for by in ("model", "automation"):
        own = [one for one in rows if one["by"] == by]
        if not own:
            continue
        shares: dict[str, list[bool]] = {}
        for one in own:
            shares.setdefault(one["name"], []).append(one["verdict"] == "proved")
        row[by] = {
            "statements": statements,
            "without_proof": statements - len(shares),
            "statements_proved": sum(any(share) for share in shares.values()),
            "accuracy": sum(sum(share) / len(share) for share in shares.values()) / statements,
            "proofs": len(own),
            "proved": sum(sum(share) for share in shares.values()),
            "verdicts": dict(Counter(one["verdict"] for one in own).most_common()),
            "cpu_s": round(sum(one["cpu_s"] for one in own), 1),
        }
    return row


def _row(job: Job, prover: Prover) -> dict[str, Any]:
    if job.by == "automation":
        done = prover.search(job.statement)
    else:
        proof = prover.extract(job.statement, job.proof)
        done = prover.check(job.statement, proof)
        done = Checked(done.verdict, done.reason, done.assumptions, done.cpu_s, proof)
    return {"name": job.name, "by": job.by, "sample": job.sample, **asdict(done)}


def _statements(path: Path, split: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(read_jsonl(path), 1):
        name = _field(line, _NAME_FIELDS, f"{path}:{number}")
        text = _field(line, _STATEMENT_FIELDS, f"{path}:{number}")
        if name in found:
            raise BadInput(f"{path}:{number}: the name '{name}' stands twice")
        if not split or line.get("split") == split:
            found[name] = str(line.get("header") or "") + text
    if not found:
        raise BadInput(f"{path}: no statement" + (f" with split '{split}'" if split else ""))
    return found


def _jobs(known: dict[str, str], proofs: Path | None, automation: bool) -> Iterator[Job]:
    if automation:
        for name, statement in known.items():
            yield Job(name, statement, "automation", "", 0)
    seen: Counter[str] = Counter()
    for number, line in enumerate(read_jsonl(proofs) if proofs else (), 1):
        name = _field(line, _NAME_FIELDS, f"{proofs}:{number}")
        proof = _field(line, _PROOF_FIELDS, f"{proofs}:{number}")
        if name not in known:
            raise BadInput(f"{proofs}:{number}: no statement is named '{name}'")
        yield Job(name, known[name], "model", proof, seen[name])
        seen[name] += 1


def _field(line: dict[str, Any], names: tuple[str, ...], where: str) -> str:
    for name in names:
        value = line.get(name)
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, str):
            return value
    raise BadInput(f"{where}: needs a field {' or '.join(names)}; found {', '.join(line)}")


def _resumed(kept: Path, identity: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows that a killed call has left, if it was asked the same; a torn last line is dropped."""
    try:
        text = kept.read_text("utf-8")
    except FileNotFoundError:
        return []
    whole, _, _torn = text.rpartition("\n")
    lines = [json.loads(line) for line in whole.splitlines()]
    if not lines or lines[0] != identity:
        kept.unlink()
        return []
    if _torn:
        os.truncate(kept, len(whole.encode()) + 1)
    return lines[1:]


def _append(file: Any, row: dict[str, Any]) -> None:
    file.write(json.dumps(row, ensure_ascii=False) + "\n")
    file.flush()
