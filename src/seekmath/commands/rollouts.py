"""``seekmath rollouts``: what a step of reinforcement sampled, and that step once more. Floor 6."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from seekmath.report.runs import Stage


@click.command("rollouts")
@click.argument("run_dir", metavar="RUN", type=click.Path())
@click.option("--step", type=click.IntRange(1), help="Which kept step.  [default: the last]")
@click.option("--stage", default="", help="Which stage, where RUN holds several of type grpo.")
@click.option("--questions", type=click.IntRange(1), help="At most so many questions.")
@click.option("--replay", "again", is_flag=True, help="Measure the step again instead.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line per output, as it is stored.")
def rollouts(
    run_dir: str, step: int | None, stage: str, questions: int | None, again: bool, as_json: bool
) -> None:
    """Show the prompts, outputs, rewards and advantages of a step of reinforcement.

    RUN is a run directory or the folder of `seekmath grpo`. With --replay the loss, KL, entropy
    and gradient of the step are computed again from its checkpoint and its stored outputs, beside
    what was logged. Examples:

    \b
        seekmath rollouts runs/laptop --step 40
        seekmath rollouts grpo --step 1 --replay
    """
    from seekmath.core.files import read_parquet
    from seekmath.report.rollouts import groups_of, visible

    found = _stage(run_dir, stage)
    number = _step(found, step)
    if again:
        _replay(found.folder, number, as_json)
        return
    rows = read_parquet(found.folder / "rollouts" / f"step-{number:05d}.parquet").to_pylist()
    groups = list(groups_of(rows))
    if as_json:
        for row in (row for group in groups[:questions] for row in group):
            click.echo(json.dumps(row, ensure_ascii=False))
        return
    click.echo(f"{found.name}, step {number}: {len(groups)} questions, {len(rows)} outputs")
    for group in groups[:questions]:
        right = sum(row["verdict"] is True for row in group)
        name, gold = visible(group[0]["problem_id"]), visible(group[0]["gold"])
        click.echo(f"\n{name}: answer {gold}, {right} of {len(group)} right")
        click.echo(_indented(visible(group[0]["prompt"]), "  | "))
        for row in group:
            click.echo(f"  {_head(row)}")
            click.echo(_indented(visible(row["completion"]), "      "))


def _stage(run_dir: str, name: str) -> "Stage":
    from seekmath.core.complaints import unknown
    from seekmath.core.files import BadInput
    from seekmath.report.runs import open_run

    stages = open_run(Path(run_dir)).of_type("grpo")
    if not stages:
        raise BadInput(f"{run_dir}: holds no stage of type grpo that has started")
    named = {stage.name: stage for stage in stages}
    if not name and len(stages) > 1:
        raise BadInput(f"{run_dir}: holds several stages; name one: --stage {', '.join(named)}")
    if name and name not in named:
        raise BadInput(unknown("--stage", name, list(named)))
    return named[name] if name else stages[0]


def _step(stage: "Stage", wanted: int | None) -> int:
    from seekmath.core.files import BadInput

    kept = sorted(
        int(path.stem.removeprefix("step-"))
        for path in stage.folder.glob("rollouts/step-*.parquet")
        if path.stem.removeprefix("step-").isdecimal()
    )
    if not kept:
        raise BadInput(f"{stage.folder}: no rollouts are kept yet")
    if wanted is not None and wanted not in kept:
        shown = ", ".join(map(str, kept[:20])) + (" …" if len(kept) > 20 else "")
        raise BadInput(f"--step: {wanted} was not kept; kept: {shown} (rollout_every)")
    return kept[-1] if wanted is None else wanted


def _head(row: dict[str, Any]) -> str:
    """One line on an output: verdict, rewards, advantage, length, end."""
    from seekmath.report.rollouts import visible

    verdict = {True: "right", False: "wrong", None: "not told"}[row["verdict"]]
    rewards = ", ".join(f"{value:g}" for value in row["rewards"])
    advantages = row["advantages"] or [0.0]
    spread = {f"{value:+.3f}" for value in advantages}
    worth = f"{advantages[0]:+.3f}" + (f" … {advantages[-1]:+.3f}" if len(spread) > 1 else "")
    steps = ", ".join(f"{value:.2f}" for value in row["step_rewards"] or [])
    parts = [
        f"#{row['k']} {verdict} ({visible(row['reason'])})",
        f"reward {rewards}",
        *([f"steps {steps}"] if steps else []),
        f"advantage {worth}",
        f"{len(row['token_ids'])} tokens",
        visible(row["stop_reason"]),
    ]
    return "; ".join(parts)


def _replay(folder: Path, step: int, as_json: bool) -> None:
    from seekmath.rl.replay import replay

    found = replay(folder, step)
    if as_json:
        click.echo(json.dumps(found))
        return
    click.echo(f"{'':12} {'logged':>14} {'replayed':>14}")
    for name, pair in found.items():
        if name != "advantages":
            click.echo(f"{name:12} {_number(pair['logged'])} {_number(pair['replayed'])}")
    largest = found["advantages"]["largest_difference"]
    click.echo(f"advantages: largest difference to those stored {largest:.2g}")


def _number(value: float | None) -> str:
    return f"{'–':>14}" if value is None else f"{value:14.8g}"


def _indented(text: str, prefix: str) -> str:
    return "\n".join(prefix + line for line in text.splitlines())
