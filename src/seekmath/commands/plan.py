"""``seekmath plan``: what the training of a recipe takes. Floor 6."""

import json
from pathlib import Path

import click


@click.command("plan")
@click.argument("recipe", type=click.Path())
@click.argument("overrides", nargs=-1, metavar="[STAGE.FIELD=VALUE]...")
@click.option("--gpus", type=click.IntRange(1), default=8, show_default=True, help="How many.")
@click.option(
    "--memory-gib", type=float, default=80.0, show_default=True, help="Memory of each, GiB."
)
@click.option(
    "--peak-tflops",
    type=float,
    default=989.0,
    show_default=True,
    help="Peak of each, TFLOP/s (H100, H200: 989 in bf16).",
)
@click.option(
    "--mfu",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.4,
    show_default=True,
    help="Share of the peak that training reaches.",
)
@click.option(
    "--vocab-size",
    type=click.IntRange(2),
    default=102_400,
    show_default=True,
    help="Of a fresh model whose tokenizer is not there yet.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plan(
    recipe: str,
    overrides: tuple[str, ...],
    gpus: int,
    memory_gib: float,
    peak_tflops: float,
    mfu: float,
    vocab_size: int,
    as_json: bool,
) -> None:
    """Say what the training stages of RECIPE take: parameters, FLOPs, memory, tokens, time.

    Parameters are counted with and without embeddings; names such as 1.3b are round numbers.

    Inputs need not be there yet; a model can be named by its size. A stage that cannot fit is
    refused (exit code 2), with what would. Examples:

    \b
        seekmath plan recipes/deepseekmath-7b.yaml --gpus 64 --memory-gib 80
        seekmath plan recipes/grpo-gsm8k.yaml grpo.model=1.3b
    """
    from seekmath import plan as planning
    from seekmath.core.files import BadInput
    from seekmath.core.recipe import load_recipe
    from seekmath.stages import STAGES

    loaded = load_recipe(Path(recipe), list(overrides), STAGES, inputs=False)
    machines = planning.Machines(gpus, memory_gib, peak_tflops, mfu)
    entries = planning.plan(loaded, machines, vocab_size)
    shown = f"on {machines}\n\n{planning.table(entries)}"
    click.echo(json.dumps(entries) if as_json else shown)
    if refused := planning.refusals(entries):
        raise BadInput("\n".join(refused))
