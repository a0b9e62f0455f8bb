"""Commands on pages and mining runs: ``extract``, ``mine plan``, ``annotate``. Floor 7."""

import json
import sys
from pathlib import Path
from typing import Any

import click


@click.command("extract")
@click.argument("inputs", nargs=-1, required=True, metavar="FILE|URL|WARC...")
@click.option("--json", "as_json", is_flag=True, help="One JSON line per page: url, title, text.")
@click.option("--out", help="Write to this file instead of the terminal.")
def extract(inputs: tuple[str, ...], as_json: bool, out: str | None) -> None:
    """Print the main text of HTML files, URLs or every page of WARC files.

    Formulas stand in it as LaTeX between $…$ or $$…$$, whatever form they had. A file without a
    single tag is plain text, which is printed as it stands. Example:

    \b
        seekmath extract page.html --json
    """
    from contextlib import nullcontext

    from seekmath.core.files import refuse_overwriting, whole_file
    from seekmath.mine.extract import extract_inputs
    from seekmath.mine.limits import COMPILING

    COMPILING.begun = _tell_compiling
    if out:
        refuse_overwriting(out, *inputs)
    with whole_file(out) if out else nullcontext(sys.stdout) as file:
        for page in extract_inputs(list(inputs)):
            if as_json:
                line = json.dumps(page, ensure_ascii=False)
            else:
                line = f"{_head(page['title'], page['text'])}{page['text']}\n"
            file.write(line + "\n")


def _head(title: str, text: str) -> str:
    """The title as a heading, unless the text begins with it."""
    first = text.partition("\n")[0].lstrip("# ")
    return f"# {title}\n\n" if title and title != first else ""


def _tell_compiling() -> None:
    from seekmath.mine.limits import COMPILES, COMPILING

    click.echo(COMPILES, err=True)
    COMPILING.begun = lambda: None  # said once


@click.command("mine plan")
@click.argument("run_dirs", metavar="[RUN [SMALLER]]", nargs=-1, type=click.Path())
@click.option("--pages", type=float, required=True, help="Pages to come, such as 40e9.")
@click.option(
    "--page-kib", type=float, default=0, help="Mean HTML of a page.  [default: as in RUN]"
)
@click.option("--nodes", type=int, default=100, show_default=True, help="Machines.")
@click.option("--cores", type=int, default=64, show_default=True, help="Cores of each.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def mine_plan(
    run_dirs: tuple[str, ...],
    pages: float,
    page_kib: float,
    nodes: int,
    cores: int,
    as_json: bool,
) -> None:
    """Say what mining so many pages takes, from what RUN (a finished mine run) has taken.

    With a second run on fewer pages the line through both is taken, which leaves out what does not
    depend on pages. Without RUN 2,000 and 12,000 pages of the embedded world are mined first, to
    measure this machine. Example:

    \b
        seekmath mine plan mined --pages 40e9 --page-kib 60 --nodes 100 --cores 64
    """
    from tempfile import TemporaryDirectory

    from seekmath.mine.plan import plan, table

    if len(run_dirs) > 2:
        raise click.UsageError("name one run, or two of different sizes")
    with TemporaryDirectory(prefix="seekmath-plan-") as folder:
        runs = [Path(run) for run in run_dirs] or _sample_runs(Path(folder))
        found = plan(runs, pages, page_kib, nodes, cores)
    click.echo(json.dumps(found) if as_json else table(found))


def _sample_runs(folder: Path) -> list[Path]:
    """A short run on a small world, and a shorter one."""
    from seekmath.core.log import Display
    from seekmath.core.recipe import PlannedStage, validate
    from seekmath.core.run import run_single
    from seekmath.mine.plan import sample_settings
    from seekmath.stages import STAGES

    def run(kind: str, name: str, body: dict[str, Any]) -> Path:
        settings = validate("measuring", STAGES[kind].settings, body)
        stage = PlannedStage(name, kind, STAGES[kind], settings, 0)
        run_single(stage, folder / name, Display(quiet=True))
        return folder / name

    world = run("world", "world", {"pages": 12_000, "pages_per_file": 2_000})
    sizes = (("small", 1), ("large", 6))
    return [run("mine", name, sample_settings(world, files)) for name, files in sizes]


@click.command("annotate")
@click.argument("run_dir", metavar="RUN", type=click.Path())
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8377,
    show_default=True,
    help="Port to listen at; 0: any that is free.",
)
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

    \b
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
