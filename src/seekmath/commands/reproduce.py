"""``seekmath reproduce``: the paper's tables and figures at a chosen size. Floor 7."""

import math
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from seekmath.reproduce.sizes import Size


@click.command("reproduce")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--size", default="laptop", show_default=True, help="nano, laptop, workstation, gpu, paper."
)
@click.option("--seeds", type=int, help="Trainings of each arm.  [default: the size's]")
@click.option(
    "--first-seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Seed of the first training; another than 0 makes the experiment once more.",
)
@click.option(
    "--seed",
    "only",
    type=click.IntRange(0),
    multiple=True,
    help="Run the stages of this seed alone, without verdicts: a process a seed, then one for all.",
)
@click.option("--out", default="runs/reproduce", show_default=True, help="Folder of all runs.")
@click.option("--threads", type=int, help="CPU threads; 0 leaves torch's choice.")
@click.option("--plan", "planning", is_flag=True, help="Write NAME's recipe, plan it and stop.")
@click.option("--list", "listing", is_flag=True, help="Say what each claims, costs and has done.")
@click.option(
    "--page",
    metavar="FILE",
    help="Write the page of all results to FILE (.html, else Markdown) and stop.",
)
@click.option(
    "--results",
    default="benchmarks/results",
    show_default=True,
    help="Folder of the results (reproduce-*.json) that --page and --list show.",
)
@click.option("--quiet", is_flag=True, help="No progress display.")
def reproduce(
    names: tuple[str, ...],
    size: str,
    seeds: int | None,
    first_seed: int,
    only: tuple[int, ...],
    out: str,
    threads: int | None,
    planning: bool,
    listing: bool,
    page: str | None,
    results: str,
    quiet: bool,
) -> None:
    """Run the paper's experiments NAME…, and give each claim a verdict with its interval.

    Killed at any moment, the same command resumes. Example:

    \b
        seekmath reproduce --list
        seekmath reproduce figure-7 --size nano
        seekmath reproduce figure-5 --size paper --plan
        seekmath reproduce --page reproduction.html
    """
    from seekmath.core.complaints import unknown
    from seekmath.core.files import BadInput
    from seekmath.reproduce.experiments import ALSO, EXPERIMENTS
    from seekmath.reproduce.sizes import SIZES

    if page:
        _write_page(page, Path(results))
        return
    if size not in SIZES:
        raise BadInput(unknown("--size", size, list(SIZES)))
    chosen = _sized(SIZES[size], threads)
    numbers = list(range(first_seed, first_seed + (seeds or chosen.seeds)))
    if listing:
        _list(chosen, numbers, Path(out), Path(results))
        return
    names = tuple(ALSO.get(name, name) for name in names)
    for name in names:
        if name not in EXPERIMENTS:
            raise BadInput(unknown("NAME", name, [*EXPERIMENTS, *ALSO]))
    if not names:
        raise BadInput(f"name an experiment: {', '.join(EXPERIMENTS)}; --list says more")
    if planning:
        _plan(names, chosen, Path(out))
    elif only:
        _run_seeds(names, chosen, only, Path(out), quiet)
    else:
        _run(names, chosen, numbers, Path(out), quiet)


def _sized(size: "Size", threads: int | None) -> "Size":
    from dataclasses import replace

    return size if threads is None else replace(size, threads=threads)


def _run(names: tuple[str, ...], size: "Size", seeds: list[int], out: Path, quiet: bool) -> None:
    from rich.console import Console
    from rich.markdown import Markdown

    from seekmath.core.files import read_json
    from seekmath.core.log import Display
    from seekmath.reproduce.experiments import EXPERIMENTS
    from seekmath.reproduce.page import experiment_section
    from seekmath.reproduce.runner import reproduce as run_experiment

    command = shlex.join(["seekmath", *sys.argv[1:]])
    for name in names:
        with Display(quiet=quiet) as display:
            path = run_experiment(name, EXPERIMENTS[name], size, seeds, out, display, command)
        Console().print(Markdown(experiment_section(read_json(path), path.name)))
        click.echo(f"result: {path}")


def _plan(names: tuple[str, ...], size: "Size", out: Path) -> None:
    from seekmath.core.files import BadInput
    from seekmath.plan import Machines, table
    from seekmath.reproduce.experiments import EXPERIMENTS
    from seekmath.reproduce.runner import planned

    if not size.machines:
        raise BadInput(f"--plan: size {size.name} runs anywhere; gpu and paper have machines")
    on = Machines(**size.machines)
    for name in names:
        path, entries = planned(name, EXPERIMENTS[name], size, out)
        click.echo(f"{name}, one seed, on {on}\n{table(entries)}\nrecipe: {path}")


def _run_seeds(
    names: tuple[str, ...], size: "Size", seeds: tuple[int, ...], out: Path, quiet: bool
) -> None:
    from seekmath.core.log import Display
    from seekmath.reproduce.experiments import EXPERIMENTS
    from seekmath.reproduce.runner import run_seed

    for name in names:
        for seed in seeds:
            with Display(quiet=quiet) as display:
                run_seed(name, EXPERIMENTS[name], size, seed, out, display)


def _list(size: "Size", seeds: list[int], out: Path, results: Path) -> None:
    from seekmath.reproduce.cost import cost
    from seekmath.reproduce.experiments import ALSO, EXPERIMENTS
    from seekmath.reproduce.result import read_result

    click.echo(f"size {size.name}, {len(seeds)} seeds, runs in {out / size.name}")
    known = [read_result(path) for path in sorted(results.glob("reproduce-*.json"))]
    for name, experiment in EXPERIMENTS.items():
        done = cost(experiment, size, seeds, out)
        left = "unknown until a stage of each kind ran"
        left += "; --plan says what its training takes" if size.machines else ""
        if not math.isnan(done.left):
            basis = "" if done.measured else ", by what two cores take until this machine has run"
            left = f"about {done.left:.0f} min{basis}"
        also = "".join(f", {alias}" for alias, of in ALSO.items() if of == name)
        click.echo(f"\n{name}{also}: {experiment.title} ({experiment.place})")
        own = [result for result in known if result["experiment"] == name]
        for claim in experiment.claims(size):
            click.echo(f"  - {claim.text}{_verdicts(own, claim.text)}")
        for result in own:
            click.echo(
                f"  result of {result['date']}, {result['size']} size: {result['minutes']:.0f} min"
                f" for seeds {', '.join(map(str, result['seeds']))}"
            )
        click.echo(
            f"  {done.finished} of {done.stages} stages done in {done.spent:.0f} min; left: {left}"
        )


def _verdicts(results: list[dict[str, Any]], text: str) -> str:
    """What results say of a claim, in brackets."""
    said = [
        f"{claim['verdict']} at {result['size']} size"
        for result in results
        for claim in result["claims"]
        if claim["text"] == text
    ]
    return f" [{', '.join(said)}]" if said else ""


def _write_page(page: str, results: Path) -> None:
    from seekmath.core.files import BadInput
    from seekmath.reproduce.html import write_html
    from seekmath.reproduce.page import write_page

    files = sorted(results.glob("reproduce-*.json"))
    if not files:
        raise BadInput(f"--results: {results} holds no reproduce-*.json")
    write = write_html if Path(page).suffix in (".html", ".htm") else write_page
    write(files, Path(page))
    click.echo(f"written to {page}")
