"""Who marks the prefixes of a round: what the run does before they are read (section 2.1)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from seekmath.core.files import BadInput
from seekmath.core.job import Waiting
from seekmath.core.places import is_url, put_json
from seekmath.mine.annotations import Annotations
from seekmath.mine.engine import digest_of
from seekmath.mine.settings import MineSettings

Step = Callable[..., list[dict[str, Any]]]


def annotate_round(
    settings: MineSettings, run: str, number: int, shards: int, step: Step
) -> dict[str, Any]:
    """Let the annotator work on round ``number``, whose prefixes are counted.

    Returns:
        the parameters of the step that writes the marks.

    Raises:
        Waiting: people are to annotate the round, and have not finished it.
    """
    policy = settings.model_dump(
        include={"annotator", "host_share", "prefix_share", "least_prefix_pages"}
    )
    # From here on the round can be shown.
    put_json(f"{run}/rounds/{number:02d}/counted.json", {"shards": shards, **policy})
    if settings.annotator in ("threshold", "file"):
        return policy
    if is_url(run):
        raise BadInput(f"annotator: {settings.annotator}: needs a run on a local disk, not {run}")
    if settings.annotator == "llm":
        asked = {
            "endpoint": settings.annotator_endpoint,
            "model": settings.annotator_model,
            "patience_s": settings.annotator_patience_s,
            "domain": settings.domain,
        }
        step("seekmath.mine.annotate_llm:ask_model", parameters=asked)
    decisions = Annotations(Path(run))
    if decisions.finished() < number:
        raise Waiting(
            f"round {number} is to be annotated: 'seekmath annotate {run}', press F there when it"
            " is done, then give this command again"
        )
    standing = decisions.standing(number)
    return {**policy, "decided": digest_of({p: one.label for p, one in standing.items()})}
