"""Options that every command has which runs what a model wrote. Floor 6."""

from collections.abc import Callable
from typing import Any

import click

Command = Callable[..., Any]


def bounds(
    *, cpu_of: str, memory_of: str, memory_mib: int, least_mib: int, unsafe: str
) -> Callable[[Command], Command]:
    """Options for processor time, memory and isolation, and --quiet and --json after them.

    Args:
        cpu_of: what the processor time bounds.
        memory_of: what the memory bounds.
        memory_mib: the memory's default.
        least_mib: the least memory that will do.
        unsafe: what --unsafe allows.
    """
    options = [
        click.option(
            "--cpu-s",
            type=click.FloatRange(0.1),
            default=10.0,
            show_default=True,
            help=f"Processor time of {cpu_of}, seconds.",
        ),
        click.option(
            "--memory-mib",
            type=click.IntRange(least_mib),
            default=memory_mib,
            show_default=True,
            help=f"Memory of {memory_of}.",
        ),
        click.option("--unsafe", is_flag=True, help=unsafe),
        click.option("--quiet", is_flag=True, help="No progress display."),
        click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON."),
    ]

    def decorated(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorated
