"""Whole recipes and single stages: ``seekmath run`` and what each stage command calls. Floor 7."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seekmath.commands.say import lines

if TYPE_CHECKING:
    from seekmath.core.recipe import PlannedStage


@click.command("run")
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

    \b
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


def run_stage(
    stage: "PlannedStage | None", out: str, overwrite: bool, quiet: bool, as_json: bool
) -> None:
    """Run one stage on files of one's own, or join a run, and print what it measured."""
    from seekmath.core.log import Display
    from seekmath.core.run import is_follower, join_run, run_single
    from seekmath.stages import STAGES

    with Display(quiet=quiet or is_follower()) as display:
        if stage:
            manifest = run_single(stage, Path(out), display, overwrite)
        else:
            manifest = join_run(Path(out), STAGES, display)
    if is_follower():
        return
    if as_json:
        click.echo(json.dumps(manifest.metrics, ensure_ascii=False))
    elif not quiet:
        for line in lines(manifest.metrics):
            click.echo(line)
        click.echo(f"written to {out}")
