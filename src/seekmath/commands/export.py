"""``seekmath export``: a Hugging Face folder of a model or a checkpoint. Floor 6."""

import json
from pathlib import Path

import click


@click.command("export")
@click.argument("source", type=click.Path())
@click.option("--out", required=True, help="Folder to write.")
@click.option(
    "--precision",
    type=click.Choice(["fp32", "bf16"]),
    default="bf16",
    show_default=True,
    help="Of the weights.",
)
@click.option("--tokenizer", help="Its folder.  [default: that of the model or of its run]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def export(source: str, out: str, precision: str, tokenizer: str | None, as_json: bool) -> None:
    """Write a Hugging Face folder of SOURCE: a model folder or a checkpoint of a run.

    It holds safetensors, tokenizer, generation config and chat template; transformers and vLLM
    load it. What was written is loaded again and compared. Examples:

    \b
        seekmath export runs/laptop/grpo/model --out exported
        seekmath export runs/laptop/pretrain/checkpoints/step-00002400 --out base
    """
    from seekmath.commands.say import lines
    from seekmath.train import export as exporting

    folder = Path(tokenizer) if tokenizer else None
    found = exporting.export(Path(source), Path(out), precision, folder)
    if as_json:
        click.echo(json.dumps(found))
        return
    for line in lines(found):
        click.echo(line)
    click.echo(f"written to {out}")
