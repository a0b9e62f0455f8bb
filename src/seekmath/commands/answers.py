"""Commands on answers: ``grade``, ``compare``, ``run-programs``. Floor 7."""

import json
import re
from pathlib import Path
from typing import Any

import click

from seekmath.commands.bounds import bounds
from seekmath.commands.say import lines


class _TakesNegatives(click.Command):
    """A command whose arguments may begin with a minus sign: ``-5`` is an answer."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put a space, which means nothing in an answer, before what spells no option."""
        valued = {
            name
            for option in self.get_params(ctx)
            if isinstance(option, click.Option) and not option.is_flag
            for name in option.opts
        }
        marked = [
            f" {word}" if re.match(r"-[^-]", word) and word != "-h" and before not in valued
            else word
            for before, word in zip(["", *args], args, strict=False)
        ]  # fmt: skip
        return super().parse_args(ctx, marked)


@click.command("grade", cls=_TakesNegatives)
@click.argument("gold", required=False)
@click.argument("answer", required=False)
@click.option("--explain", is_flag=True, help="Show how both answers were read.")
@click.option("--choice", "choices", multiple=True, help="Text of a choice, A first; repeat.")
@click.option("--strict", is_flag=True, help="As a reward: nothing hedged is right.")
@click.option("--pairs", help="JSON lines with gold and prediction (.gz too).")
@click.option("--out", help="The same lines with verdict, extracted and reason.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def grade(
    gold: str | None,
    answer: str | None,
    explain: bool,
    choices: tuple[str, ...],
    strict: bool,
    pairs: str | None,
    out: str | None,
    as_json: bool,
) -> None:
    """Judge an answer, or a file of recorded answers, against the gold answer.

    ANSWER is a full solution or a bare answer; so are the predictions of a file. GOLD may be a
    worked solution.

    Examples:

    \b
        seekmath grade '\\frac{1}{2}' 'The answer is 0.5.' --explain
        seekmath grade --pairs answers.jsonl --out graded.jsonl
    """
    from seekmath.core.files import BadInput
    from seekmath.verify.grade import grade_pairs

    if (gold is None or answer is None) == (pairs is None or out is None):
        raise BadInput("grade: give GOLD and ANSWER, or --pairs FILE and --out FILE")
    if gold is not None and answer is not None:
        _grade_one(gold, answer, list(choices), strict, explain, as_json)
        return
    counts = grade_pairs(Path(pairs or ""), Path(out or ""), strict=strict)
    if as_json:
        click.echo(json.dumps(counts, ensure_ascii=False))
        return
    for line in lines(counts):
        click.echo(line)
    click.echo(f"written to {out}")


def _grade_one(
    gold: str, answer: str, choices: list[str], strict: bool, explained: bool, as_json: bool
) -> None:
    from seekmath.verify.explain import explain

    found = explain(gold, answer, choices=choices, strict=strict)
    lines = {
        "verdict": {True: "right", False: "wrong", None: "none"}[found.grade.verdict],
        "reason": found.grade.reason,
        "extracted": found.grade.extracted,
    }
    if explained:
        lines |= {"gold": found.gold, "answer": found.answer}
    if as_json:
        click.echo(json.dumps({**lines, "verdict": found.grade.verdict}, ensure_ascii=False))
        return
    for name, value in lines.items():
        click.echo(f"{name}: {value}")


@click.command("compare")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON, problems named.")
def compare(a: str, b: str, as_json: bool) -> None:
    """Compare two models on the problems that both answered.

    A and B are folders that `seekmath evaluate` left, or FOLDER:MODEL where one holds several
    models. The difference is B less A in percentage points, with a 95% interval (paired bootstrap
    over problems); p is McNemar's exact test on greedy answers, adjusted for the number of
    benchmarks (Holm). Example:

    \b
        seekmath compare runs/laptop/evaluate:sft runs/laptop/evaluate:grpo
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from seekmath.evaluate.compare import as_lines
    from seekmath.evaluate.compare import compare as compared

    rows = compared(a, b)
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False))
        return
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("benchmark", overflow="fold", min_width=12)
    table.add_column("metric", no_wrap=True)
    for head in ("n", "A %", "B %", "B-A", "95%", "only A/B", "p"):
        table.add_column(head, justify="right", no_wrap=True)
    for line in as_lines(rows):
        table.add_row(*line)
    Console().print(table)


@click.command("run-programs")
@click.argument("programs", type=click.Path(), metavar="FILE")
@click.option("--out", required=True, help="The same lines with status, value, stdout and error.")
@click.option(
    "--form",
    type=click.Choice(["code", "gsm8k", "math"]),
    default="code",
    show_default=True,
    help="A program as it stands, or a completion in the form of GSM8K or MATH.",
)
@click.option("--value", default="", help="Expression that is a program's answer, such as ans.")
@click.option("--recorded", default="", help="Field with the result of an earlier run.")
@click.option("--gold", default="", help="Field with the right answer, to grade against.")
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Programs under way at once.",
)
@click.option(
    "--sandbox",
    "backend",
    type=click.Choice(["auto", "native", "bubblewrap"]),
    default="auto",
    show_default=True,
    help="How programs are isolated.",
)
@bounds(
    cpu_of="a program",
    memory_of="a program",
    memory_mib=1024,
    least_mib=1,
    unsafe="Run them even where they cannot be isolated.",
)
def run_programs(
    programs: str,
    out: str,
    form: Any,
    value: str,
    recorded: str,
    gold: str,
    cpu_s: float,
    memory_mib: int,
    workers: int,
    backend: Any,
    unsafe: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Run the programs of a JSON-lines FILE in the sandbox (.gz too).

    A line has a field program, code, completion or generated. Example:

    \b
        seekmath run-programs programs.jsonl --value ans --recorded executed --out ran.jsonl
    """
    from seekmath.core.files import refuse_overwriting
    from seekmath.core.log import Display
    from seekmath.verify import run_programs as programs_file
    from seekmath.verify.execution import Limits
    from seekmath.verify.sandbox import Sandbox

    refuse_overwriting(out, programs)
    work = programs_file.read_programs(
        Path(programs), form=form, value=value, recorded=recorded, gold=gold
    )
    limits = Limits(cpu_s=cpu_s, wall_s=max(60.0, 6 * cpu_s), memory_mib=memory_mib)
    with (
        Display(quiet=quiet) as display,
        Sandbox(limits, backend=backend, workers=workers, unsafe=unsafe) as sandbox,
    ):
        display.say(f"sandbox: {sandbox.describe()}")
        display.start("run-programs")
        counts = programs_file.run_programs(
            work,
            Path(out),
            sandbox,
            progress=lambda done, total: display.update(done, total, "programs"),
        )
    if as_json:
        click.echo(json.dumps(counts))
        return
    for line in lines(counts):
        click.echo(line)
    click.echo(f"written to {out}")
