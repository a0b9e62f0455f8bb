"""The command line: parse, call, print. Floor 6.

Exit codes: 0 done, 1 a fault of ours, 2 bad input; and, where the same command resumes, 3 waiting
for a person, 130 interrupted.
Only click is imported here; everything else waits until a command needs it.
"""

import json
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from seekmath.core.recipe import PlannedStage

_HELP = {
    "world": "Make a small web, problems and benchmarks to try the whole chain on.",
    "extract": "Print the text of pages, formulas kept as LaTeX.",
    "mine": "Mine a domain corpus from WARC files, round by round, from seed pages.",
    "mine plan": "Say what mining a crawl of any size takes: core hours, storage, shuffles.",
    "annotate": "Mark URL prefixes of a mining run, in a web page.",
    "decontaminate": "Drop the text of a corpus that quotes benchmark problems.",
    "tokenize": "Train or take a tokenizer and turn corpora into token shards.",
    "pretrain": "Pre-train a decoder on token shards, or continue from a model.",
    "sft": "Fine-tune a model on worked solutions.",
    "reward": "Train an outcome reward model on graded samples.",
    "grpo": "Reinforce a model with GRPO.",
    "evaluate": "Measure models on benchmarks: greedy accuracy, Maj@K, Pass@K.",
    "compare": "Compare two evaluated models problem by problem.",
    "grade": "Judge recorded answers against gold answers.",
    "run-programs": "Run recorded programs in the sandbox, compare results.",
    "prove": "Check formal proofs with Coq or Isabelle.",
    "report": "Write the HTML report of a run.",
    "doctor": "Say what this machine has: sandbox, provers, GPUs, packages.",
    "run": "Run a recipe: every stage that is not finished yet.",
}
_NOT_STAGES = (
    "annotate",
    "mine plan",
    "compare",
    "extract",
    "grade",
    "run-programs",
    "prove",
    "report",
    "doctor",
    "run",
)


class Commands(click.Group):
    """Lists every command at once and builds the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the work, ``run`` first."""
        return ["run", *(name for name in _HELP if name != "run")]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command ``cmd_name``, or None."""
        if cmd_name in _HELP and cmd_name not in _NOT_STAGES:
            from seekmath.options import stage_command

            return stage_command(cmd_name, _HELP[cmd_name], run_stage)
        if cmd_name == "prove":
            from seekmath.prove_command import prove

            return prove
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One line each, without building the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, _HELP[name]) for name in self.list_commands(ctx)])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; a misspelt one is answered with the nearest name."""
        import difflib

        if (two := " ".join(args[:2])) in _HELP and " " in two:
            return two, self.get_command(ctx, two), args[2:]
        if args and not args[0].startswith("-") and args[0] not in _HELP:
            near = difflib.get_close_matches(args[0], _HELP, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise click.UsageError(f"No such command '{args[0]}'.{hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="seekmath")
def commands() -> None:
    """Mine a mathematics corpus, train on it, reinforce with GRPO, measure (arXiv 2402.03300).

    Start with: seekmath run recipes/laptop.yaml
    """


def run_stage(
    stage: "PlannedStage | None", out: str, overwrite: bool, quiet: bool, as_json: bool
) -> None:
    """Run one stage on files of one's own, or join a run, and print what it measured."""
    from seekmath.core.log import Display
    from seekmath.core.run import join_run, run_single
    from seekmath.stages import STAGES

    with Display(quiet=quiet) as display:
        if stage:
            manifest = run_single(stage, Path(out), display, overwrite)
        else:
            manifest = join_run(Path(out), STAGES, display)
    if as_json:
        click.echo(json.dumps(manifest.metrics, ensure_ascii=False))
    elif not quiet:
        for key, value in manifest.metrics.items():
            click.echo(f"{key}: {_short(value)}")
        click.echo(f"written to {out}")


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 300 else text[:300] + " …"


@commands.command(short_help=_HELP["run"])
@click.argument("recipe", type=click.Path())
@click.argument("overrides", nargs=-1, metavar="[STAGE.FIELD=VALUE]...")
@click.option("--out", help="Run directory.  [default: runs/NAME]")
@click.option("--quiet", is_flag=True, help="No progress display.")
@click.option("--json", "as_json", is_flag=True, help="Print the evaluation as JSON.")
def run(
    recipe: str, overrides: tuple[str, ...], out: str | None, quiet: bool, as_json: bool
) -> None:
    """Run every stage of RECIPE that is not finished yet, then write the report.

    Killed at any moment, the same command resumes. Example:

        seekmath run recipes/laptop.yaml grpo.group_size=16 seed=1 --out runs/wide
    """
    from rich.console import Console

    from seekmath.core.log import Display
    from seekmath.core.recipe import load_recipe
    from seekmath.core.run import run_recipe
    from seekmath.report.page import write_report
    from seekmath.report.tables import rich_table
    from seekmath.stages import STAGES

    loaded = load_recipe(Path(recipe), list(overrides), STAGES)
    folder = Path(out or f"runs/{loaded.name}")
    with Display(quiet=quiet) as display:
        run_recipe(loaded, folder, display)
    page = write_report(folder)
    if as_json:
        from seekmath.report.tables import final_table

        click.echo(json.dumps(final_table(folder), ensure_ascii=False))
        return
    Console().print(rich_table(folder))
    click.echo(f"report: {page}")


@commands.command("mine plan", short_help=_HELP["mine plan"])
@click.argument("run_dir", metavar="[RUN]", required=False, type=click.Path())
@click.option("--pages", type=float, required=True, help="Pages to come, such as 40e9.")
@click.option(
    "--page-kib", type=float, default=0, help="Mean HTML of a page.  [default: as in RUN]"
)
@click.option("--nodes", type=int, default=100, show_default=True, help="Machines.")
@click.option("--cores", type=int, default=64, show_default=True, help="Cores of each.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def mine_plan(
    run_dir: str | None, pages: float, page_kib: float, nodes: int, cores: int, as_json: bool
) -> None:
    """Say what mining so many pages takes, from what RUN (a finished mine run) has taken.

    Without RUN 3,000 pages of the embedded world are mined first, to measure this machine.
    Example:

        seekmath mine plan mined --pages 40e9 --page-kib 60 --nodes 100 --cores 64
    """
    from tempfile import TemporaryDirectory

    from seekmath.mine.plan import plan, table

    with TemporaryDirectory(prefix="seekmath-plan-") as folder:
        run = Path(run_dir) if run_dir else _sample_run(Path(folder))
        found = plan(run, pages, page_kib, nodes, cores)
    click.echo(json.dumps(found) if as_json else table(found))


def _sample_run(folder: Path) -> Path:
    """A short run on a small world."""
    from seekmath.core.log import Display
    from seekmath.core.recipe import PlannedStage, validate
    from seekmath.core.run import run_single
    from seekmath.mine.plan import sample_settings
    from seekmath.stages import STAGES

    world, run = folder / "world", folder / "mined"
    bodies = {"world": {"pages": 3000}, "mine": sample_settings(world)}
    for name, out in (("world", world), ("mine", run)):
        settings = validate("measuring", STAGES[name].settings, bodies[name])
        run_single(PlannedStage(name, name, STAGES[name], settings, 0), out, Display(quiet=True))
    return run


@commands.command(short_help=_HELP["extract"])
@click.argument("inputs", nargs=-1, required=True, metavar="FILE|URL|WARC...")
@click.option("--json", "as_json", is_flag=True, help="One JSON line per page: url, title, text.")
@click.option("--out", help="Write to this file instead of the terminal.")
def extract(inputs: tuple[str, ...], as_json: bool, out: str | None) -> None:
    """Print the main text of HTML files, URLs or every page of WARC files.

    Formulas stand in it as LaTeX between $…$ or $$…$$, whatever form they had. Example:

        seekmath extract page.html --json
    """
    from contextlib import nullcontext

    from seekmath.core.files import whole_file
    from seekmath.mine.extract import extract_inputs

    with whole_file(out) if out else nullcontext(sys.stdout) as file:
        for page in extract_inputs(list(inputs)):
            if as_json:
                line = json.dumps(page, ensure_ascii=False)
            else:
                head = f"# {page['title']}\n\n" if page["title"] else ""
                line = f"{head}{page['text']}\n"
            file.write(line + "\n")


@commands.command(short_help=_HELP["annotate"])
@click.argument("run_dir", metavar="RUN", type=click.Path())
@click.option("--port", type=click.IntRange(0, 65535), default=8377, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--name", "names", multiple=True, help="Host name that browsers may use; repeat.")
@click.option("--who", default="", help="Who decides.  [default: the user's name]")
@click.option("--export", "export", help="Write the decisions to this CSV file and stop.")
@click.option("--import", "take", help="Add the decisions of this CSV or JSON-lines file and stop.")
@click.option("--finish", is_flag=True, help="Finish the round, for which a run waits, and stop.")
def annotate(
    run_dir: str,
    port: int,
    host: str,
    names: tuple[str, ...],
    who: str,
    export: str | None,
    take: str | None,
    finish: bool,
) -> None:
    """Mark URL prefixes of the mining run RUN as mathematics or not, in a web page.

    RUN is the folder of `seekmath mine`, or a run directory with a stage mine. Decisions are kept
    in RUN/annotations.jsonl as they are made. Examples:

        seekmath annotate mined

        seekmath annotate mined --import decisions.csv --finish
    """
    from seekmath.mine.annotated_run import AnnotatedRun

    run = AnnotatedRun.open(Path(run_dir))
    if not (take or finish or export):
        from seekmath.mine.annotate_server import serve

        serve(run, host, port, names, who, click.echo)
        return
    for line in run.exchange(take, finish, export, who):
        click.echo(line)


@commands.command(short_help=_HELP["grade"])
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
    r"""Judge an answer, or a file of recorded answers, against the gold answer.

    ANSWER is a full solution or a bare answer; so are the predictions of a file. GOLD may be a
    worked solution. A negative answer goes after "--".

    Examples:

        seekmath grade '\frac{1}{2}' 'The answer is 0.5.' --explain

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
    for name, value in counts.items():
        click.echo(f"{name}: {_short(value)}")
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


@commands.command(short_help=_HELP["compare"])
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON, problems named.")
def compare(a: str, b: str, as_json: bool) -> None:
    """Compare two models on the problems that both answered.

    A and B are folders that `seekmath evaluate` left, or FOLDER:MODEL where one holds several
    models. The difference is B less A in percentage points, with a 95% interval (paired bootstrap
    over problems); p is McNemar's exact test on greedy answers, adjusted for the number of
    benchmarks (Holm). Example:

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


@commands.command("run-programs", short_help=_HELP["run-programs"])
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
    "--cpu-s",
    type=click.FloatRange(0.1),
    default=10.0,
    show_default=True,
    help="Processor time of a program, seconds.",
)
@click.option(
    "--memory-mib",
    type=click.IntRange(1),
    default=1024,
    show_default=True,
    help="Memory of a program.",
)
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
@click.option("--unsafe", is_flag=True, help="Run them even where they cannot be isolated.")
@click.option("--quiet", is_flag=True, help="No progress display.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
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

        seekmath run-programs programs.jsonl --value ans --recorded executed --out ran.jsonl
    """
    from seekmath.core.log import Display
    from seekmath.verify import run_programs as work
    from seekmath.verify.execution import Limits
    from seekmath.verify.sandbox import Sandbox

    limits = Limits(cpu_s=cpu_s, wall_s=max(60.0, 6 * cpu_s), memory_mib=memory_mib)
    with (
        Display(quiet=quiet) as display,
        Sandbox(limits, backend=backend, workers=workers, unsafe=unsafe) as sandbox,
    ):
        display.say(f"sandbox: {sandbox.describe()}")
        display.start("run-programs")
        counts = work.run_programs(
            Path(programs),
            Path(out),
            sandbox,
            form=form,
            value=value,
            recorded=recorded,
            gold=gold,
            progress=lambda done, total: display.update(done, total, "programs"),
        )
    if as_json:
        click.echo(json.dumps(counts))
        return
    for name, count in counts.items():
        click.echo(f"{name}: {count}")
    click.echo(f"written to {out}")


@commands.command(short_help=_HELP["doctor"])
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(as_json: bool) -> None:
    """Say what this machine has; the sandbox is tried, nothing is installed.

    Example:

        seekmath doctor
    """
    from seekmath.doctor import examine

    found = examine()
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    width = max(map(len, found))
    for part, words in found.items():
        click.echo(f"{part:{width}}  {words if isinstance(words, str) else '; '.join(words)}")


@commands.command(short_help=_HELP["report"])
@click.argument("run_dir", metavar="RUN", type=click.Path())
@click.option("--out", help="The HTML file, or the export's folder.  [default: RUN/report.html]")
@click.option(
    "--answers",
    type=int,
    default=12,
    show_default=True,
    help="Problems of each benchmark whose single answers are shown.",
)
@click.option(
    "--export",
    type=click.Choice(["lm-eval"]),
    help="Write results as the LM evaluation harness does, instead of the page.",
)
def report(run_dir: str, out: str | None, answers: int, export: str | None) -> None:
    """Write the self-contained HTML report of the run directory RUN.

    RUN is a run, or the folder of one stage, such as that of `seekmath evaluate`. Example:

        seekmath report runs/laptop
        seekmath report results --export lm-eval --out exported
    """
    if export:
        from seekmath.report.lm_eval import write_lm_eval

        for path in write_lm_eval(Path(run_dir), Path(out or Path(run_dir) / "lm-eval")):
            click.echo(path)
        return
    from seekmath.report.page import write_report

    click.echo(write_report(Path(run_dir), Path(out) if out else None, answers))


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Entry point; turns every end into an exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        commands.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted; the same command resumes", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except Exception as error:
        sys.exit(_explain(error))


def _explain(error: Exception) -> int:
    from seekmath.core.files import BadInput
    from seekmath.core.job import Waiting

    if isinstance(error, Waiting):
        click.echo(f"waiting: {error}", err=True)
        return 3
    if isinstance(error, BadInput):
        click.echo(f"error: {error}", err=True)
        return 2
    if isinstance(error, ModuleNotFoundError) and not str(error.name).startswith("seekmath"):
        click.echo(
            f"error: the package '{error.name}' is not installed; "
            'pip install "seekmath[all]" (or [mine], [train], [report])',
            err=True,
        )
        return 2
    traceback.print_exception(error)
    return 1


if __name__ == "__main__":
    main()
