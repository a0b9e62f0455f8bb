"""``seekmath prove``: formal proofs checked by a prover. Floor 7."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seekmath.commands.bounds import bounds

if TYPE_CHECKING:
    from seekmath.verify.prover import Prover


@click.command("prove")
@click.argument("statements", type=click.Path(), metavar="STATEMENTS")
@click.option("--proofs", type=click.Path(), help="JSON lines: name and proof or completion.")
@click.option("--automation", is_flag=True, help="Let the prover's own tactics try each.")
@click.option(
    "--informal",
    type=click.Path(),
    help="JSON lines: name, informal_statement, informal_proof. Write prompts, check nothing.",
)
@click.option("--out", required=True, help="JSON lines with verdict, reason and assumptions.")
@click.option("--split", default="", help="Only statements with this split.")
@click.option("--title", default="", help="Of the benchmark, as in miniF2F.")
@click.option(
    "--prover",
    "which",
    type=click.Choice(["coq", "isabelle"]),
    default="coq",
    show_default=True,
    help="What checks them.",
)
@click.option(
    "--server",
    default="",
    metavar="HOST:PORT:PASSWORD",
    help="A running Isabelle server, else ISABELLE_SERVER, else one is started.",
)
@click.option("--axioms", is_flag=True, help="List what each accepted proof rests on; slower.")
@bounds(
    cpu_of="one tactic",
    memory_of="Coq",
    memory_mib=4096,
    least_mib=512,
    unsafe="Run Coq even where it cannot be isolated.",
)
def prove(
    statements: str,
    proofs: str | None,
    automation: bool,
    informal: str | None,
    out: str,
    split: str,
    title: str,
    which: str,
    server: str,
    axioms: bool,
    cpu_s: float,
    memory_mib: int,
    unsafe: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Check proofs of the formal STATEMENTS (JSON lines with name and statement; .gz too).

    A proof is only what stands between "Proof." and "Qed."; it cannot change its statement, add
    an axiom or leave a gap. Interrupted, the same command resumes. To ask a model for proofs and
    judge them, see seekmath evaluate. Example:

    \b
        seekmath prove statements.jsonl --proofs proofs.jsonl --automation --out checked.jsonl
    """
    from seekmath.core.files import BadInput, refuse_overwriting
    from seekmath.core.log import Display
    from seekmath.verify.prove import prove_file, read_work, write_prompts

    refuse_overwriting(out, statements, *filter(None, (proofs, informal)))
    if informal:
        count = write_prompts(Path(statements), Path(informal), Path(out), split)
        click.echo(json.dumps({"prompts": count}) if as_json else f"{count} prompts: {out}")
        return
    if not proofs and not automation:
        raise BadInput("prove: give --proofs FILE, --automation or both; or --informal FILE")
    given = Path(proofs) if proofs else None
    work = read_work(Path(statements), given, automation=automation, split=split, title=title)
    prover = _open(which, server, axioms, cpu_s, memory_mib, unsafe)
    try:
        with Display(quiet=quiet) as display:
            display.say(f"prover: {prover.describe()}")
            display.start("prove")
            row = prove_file(
                work,
                Path(out),
                prover,
                progress=lambda done, total: display.update(done, total, "proofs"),
            )
    finally:
        prover.close()
    click.echo(json.dumps(row, ensure_ascii=False) if as_json else _told(row, out))


def _open(
    which: str, server: str, axioms: bool, cpu_s: float, memory_mib: int, unsafe: bool
) -> "Prover":
    if which == "isabelle":
        from seekmath.verify.isabelle import Isabelle

        return Isabelle(server)
    from seekmath.verify.coq import Coq

    return Coq(cpu_s, memory_mib, unsafe=unsafe, list_axioms=axioms)


def _told(row: dict[str, Any], out: str) -> str:
    lines = [row["row"]]
    for by in ("model", "automation"):
        if found := row.get(by):
            verdicts = ", ".join(f"{count} {name}" for name, count in found["verdicts"].items())
            lines.append(
                f"{by}: {found['statements_proved']} of {found['statements']} statements proved; "
                f"{found['proved']} of {found['proofs']} proofs, mean {found['accuracy']:.1%}; "
                f"{verdicts}"
            )
            if found["without_proof"]:
                lines.append(f"  {found['without_proof']} without a proof count as unproved")
    return "\n".join([*lines, f"written to {out}"])
