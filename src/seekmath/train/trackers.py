"""The logged lines of a run in TensorBoard and Weights & Biases too, where a user asks for it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seekmath.core.files import BadInput
from seekmath.core.job import Job
from seekmath.core.seeds import digest
from seekmath.train.settings import LanguageSettings


@contextlib.contextmanager
def tracked(settings: LanguageSettings, job: Job) -> Iterator[None]:
    """Send what ``job`` logs to the trackers of ``settings`` while the block runs.

    Raises:
        BadInput: a tracker's package is not installed.
    """
    with contextlib.ExitStack() as stack:
        if settings.tensorboard and not job.helper:
            job.mirrors.append(_tensorboard(job.out / "tensorboard", stack))
        if settings.wandb and not job.helper:
            job.mirrors.append(_wandb(settings, job, stack))
        try:
            yield
        finally:
            job.mirrors.clear()


def _tensorboard(folder: Path, stack: contextlib.ExitStack) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise BadInput("tensorboard: pip install tensorboard, or leave it off") from None
    writer = stack.enter_context(SummaryWriter(str(folder)))

    def mirror(step: int, metrics: dict[str, Any]) -> None:
        for name, value in metrics.items():
            if isinstance(value, int | float):
                writer.add_scalar(name, value, step)

    return mirror


def _wandb(settings: LanguageSettings, job: Job, stack: contextlib.ExitStack) -> Any:
    try:
        import wandb
    except ImportError:
        raise BadInput("wandb: pip install wandb, or leave it off") from None
    run = wandb.init(
        project=settings.wandb,
        # The same folder is the same run, however often it is resumed.
        id=digest(str(job.out.resolve())),
        resume="allow",
        dir=str(job.out),
        config=settings.model_dump(),
    )
    stack.callback(run.finish)
    return lambda step, metrics: run.log(metrics, step=step)
