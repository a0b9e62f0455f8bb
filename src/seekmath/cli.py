"""The command line: find the command, call it, turn every end into an exit code. Floor 7.

Exit codes: 0 done, 1 a fault of ours, 2 bad input; and, where the same command resumes, 3 waiting
for a person, 130 interrupted.
Only click is imported here; the rest waits until a command needs it.
"""

import importlib
import signal
import sys
import traceback
from typing import NamedTuple

import click


class _Entry(NamedTuple):
    """A line of the top help and the command's place; without one it is made of stage settings."""

    summary: str
    place: str = ""


_COMMANDS = {
    "run": _Entry("Run a recipe: every stage that is not finished yet.", "run:run"),
    "plan": _Entry("Say what the training of a recipe takes: memory, FLOPs, time.", "plan:plan"),
    "world": _Entry("Make a small web, problems and benchmarks to try the whole chain on."),
    "extract": _Entry("Print the text of pages, formulas kept as LaTeX.", "pages:extract"),
    "mine": _Entry("Mine a domain corpus from WARC files, round by round, from seed pages."),
    "mine cuts": _Entry("Write the best-ranked pages of a mining run as corpora of four sizes."),
    "mine plan": _Entry(
        "Say what mining a crawl of any size takes: core hours, storage, shuffles.",
        "pages:mine_plan",
    ),
    "annotate": _Entry("Mark URL prefixes of a mining run, in a web page.", "pages:annotate"),
    "decontaminate": _Entry("Drop the text of a corpus that quotes benchmark problems."),
    "tokenize": _Entry("Train or take a tokenizer and turn corpora into token shards."),
    "pretrain": _Entry("Pre-train a decoder on token shards, or continue from a model."),
    "sft": _Entry("Fine-tune a model on worked solutions."),
    "reward": _Entry("Train a reward model: outcome, preference or process."),
    "grpo": _Entry("Reinforce a model with GRPO."),
    "rollouts": _Entry("Show what a step of reinforcement sampled.", "rollouts:rollouts"),
    "evaluate": _Entry("Measure models on benchmarks: greedy accuracy, Maj@K, Pass@K."),
    "compare": _Entry("Compare two evaluated models problem by problem.", "answers:compare"),
    "grade": _Entry("Judge recorded answers against gold answers.", "answers:grade"),
    "run-programs": _Entry(
        "Run recorded programs in the sandbox, compare results.", "answers:run_programs"
    ),
    "prove": _Entry("Check formal proofs with Coq or Isabelle.", "prove:prove"),
    "export": _Entry("Write a Hugging Face folder of a model or checkpoint.", "export:export"),
    "report": _Entry("Write the HTML report of a run.", "report:report"),
    "reproduce": _Entry(
        "Run the paper's experiments; give each claim a verdict.", "reproduce:reproduce"
    ),
    "doctor": _Entry(
        "Say what this machine has: sandbox, provers, GPUs, packages.", "report:doctor"
    ),
}


class Commands(click.Group):
    """Lists every command at once and builds the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the work, ``run`` first."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command ``cmd_name``, or None."""
        entry = _COMMANDS.get(cmd_name)
        if entry is None:
            return None
        if entry.place:
            module, name = entry.place.split(":")
            command: click.Command = getattr(
                importlib.import_module(f"seekmath.commands.{module}"), name
            )
            return command
        from seekmath.commands.run import run_stage
        from seekmath.options import stage_command

        return stage_command(cmd_name.split()[-1], entry.summary, run_stage)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One line each, without building the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in _COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; a misspelt one is answered with the nearest name."""
        import difflib

        if (two := " ".join(args[:2])) in _COMMANDS and " " in two:
            return two, self.get_command(ctx, two), args[2:]
        if args and not args[0].startswith("-") and args[0] not in _COMMANDS:
            near = difflib.get_close_matches(args[0], _COMMANDS, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise click.UsageError(f"No such command '{args[0]}'.{hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="seekmath")
def commands() -> None:
    """Mine a mathematics corpus, train on it, reinforce with GRPO, measure (arXiv 2402.03300).

    Start with: seekmath run recipes/laptop.yaml

    Exit codes: 0 done, 1 a fault of ours, 2 bad input; and, where the same command goes on,
    3 waiting for a person, 130 interrupted.
    """


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
        from seekmath.core.extras import extra_with

        extra = extra_with(str(error.name)) or "all"
        click.echo(
            f"error: the package '{error.name}' is not installed;"
            f' pip install "seekmath[{extra}]"; seekmath doctor lists all extras',
            err=True,
        )
        return 2
    traceback.print_exception(error)
    return 1


if __name__ == "__main__":
    main()
