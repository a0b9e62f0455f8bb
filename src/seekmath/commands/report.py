"""What there is to look at: ``report`` and ``doctor``. Floor 7."""

import json
from pathlib import Path

import click


@click.command("report")
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

    \b
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


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(as_json: bool) -> None:
    """Say what this machine has; the sandbox is tried, nothing is installed.

    Example:

    \b
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
