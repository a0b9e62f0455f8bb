"""A command for each stage, made from its settings: one option per field. Floor 7, beside cli."""

import string
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import click
import yaml
from pydantic.fields import FieldInfo

from seekmath.core.complaints import allowed_values, in_options, unknown
from seekmath.core.files import BadInput
from seekmath.core.recipe import PlannedStage, Settings, StageType, option_of, read_yaml, validate
from seekmath.stages import STAGES

#: Called with None instead of a stage to join the run in the folder.
Run = Callable[[PlannedStage | None, str, bool, bool, bool], None]

# The field that takes a command's plain arguments, with their name and number.
_ARGUMENTS = {"mine": ("crawl", "WARC...", -1), "cuts": ("mined", "RUN", 1)}
# Options that take so many values at once.
_VALUES = {(STAGES["cuts"].settings, "tokens"): 4}
_EXAMPLES = {
    "world": "seekmath world --pages 2000 --out world",
    "mine": "seekmath mine --recipe recipes/mine.yaml *.warc.gz --seeds seeds.txt --out mined",
    "cuts": "seekmath mine cuts mined --tokens 40000 80000 120000 160000 --out cuts",
    "decontaminate": "seekmath decontaminate --corpus mined/corpus --benchmarks test.jsonl"
    " --out clean",
    "tokenize": "seekmath tokenize --corpus mined/corpus --out tokens",
    "pretrain": "seekmath pretrain --tokens tokens --out base",
    "sft": "seekmath sft --model base/model --problems train.jsonl --out sft",
    "reward": "seekmath reward --model sft/model --problems train.jsonl --out reward",
    "grpo": "seekmath grpo --model sft/model --problems train.jsonl --out grpo --steps 100",
    "evaluate": "seekmath evaluate --model grpo/model --benchmark test.jsonl --out results",
}


def stage_command(name: str, summary: str, run: Run) -> click.Command:
    """The click command of the stage ``name``; it validates and then calls ``run``."""
    stage = STAGES[name]
    argument, metavar, values = _ARGUMENTS.get(name, ("", "", 0))
    # What must be given stands first.
    fields = sorted(stage.settings.model_fields.items(), key=lambda pair: not pair[1].is_required())
    parameters: list[click.Parameter] = [
        _option(field, info, stage) for field, info in fields if field != argument
    ]
    if argument:
        required = stage.settings.model_fields[argument].is_required()
        named = click.Argument([argument], nargs=values, metavar=metavar, required=required)
        parameters.append(named)
    parameters += _common_options()
    if stage.shared:
        help_text = "Share the work of the run in --out, on this or another machine."
        parameters.append(click.Option(["--join"], is_flag=True, help=help_text))

    def callback(join: bool = False, **given: Any) -> None:
        common = {key: given.pop(key) for key in ("out", "recipe", "overwrite", "quiet", "as_json")}
        seed = given.pop("seed")
        if join:
            run(None, common["out"], False, common["quiet"], common["as_json"])
            return
        planned = _plan(name, stage, given, common["recipe"], seed)
        try:
            run(planned, common["out"], common["overwrite"], common["quiet"], common["as_json"])
        except BadInput as error:
            raise BadInput(in_options(str(error), stage.settings, option_of)) from None

    # \b: the line is not wrapped, so that it can be copied.
    text = f"{summary}\n\nExample:\n\n\b\n    {_EXAMPLES[name]}"
    return click.Command(name, params=parameters, callback=callback, help=text, short_help=summary)


def _common_options() -> list[click.Parameter]:
    return [
        click.Option(["--out"], required=True, help="Folder for the outputs."),
        click.Option(["--recipe"], help="Take settings from this recipe's stage of the same type."),
        click.Option(["--seed"], type=int, help="Seed of every random choice.  [default: 0]"),
        click.Option(["--overwrite"], is_flag=True, help="Redo a folder made with other settings."),
        click.Option(["--quiet"], is_flag=True, help="No progress display."),
        click.Option(["--json", "as_json"], is_flag=True, help="Print the metrics as JSON."),
    ]


def _option(field: str, info: FieldInfo, stage: StageType) -> click.Option:
    kind = get_origin(info.annotation) or info.annotation
    flag = option_of(stage.settings, field)
    text = in_options(info.description or "", stage.settings, option_of)
    if info.is_required():
        text += "  [required]"
    elif info.default not in ("", None):
        default = info.get_default(call_default_factory=True)
        text += f"  [default: {_shown(default)}]" if default not in ([], {}) else ""
    if kind is bool:
        return click.Option([f"{flag}/--no-{flag[2:]}", field], default=None, help=text)
    if kind is Literal:
        choice = click.Choice([str(value) for value in get_args(info.annotation)])
        return click.Option([flag, field], type=choice, help=text)
    metavars: dict[Any, str] = {int: "INTEGER", float: "NUMBER", dict: "NAME=VALUE"}
    metavar = metavars.get(kind, "TEXT")
    if values := _VALUES.get((stage.settings, field)):
        metavar = " ".join(string.ascii_uppercase[:values])
        return click.Option([flag, field], nargs=values, metavar=metavar, help=text)
    many = kind in (list, tuple, dict)
    text += "  [may be repeated]" if many else ""
    return click.Option([flag, field], multiple=many, metavar=metavar, help=text)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, dict):
        return ", ".join(f"{key}={item}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    return str(value)


def _plan(
    name: str, stage: StageType, given: dict[str, Any], recipe: str | None, seed: int | None
) -> PlannedStage:
    body = _from_recipe(recipe, name) if recipe else {}
    recipe_seed = body.pop("seed", 0)
    for field, value in given.items():
        if value not in (None, ()):
            body[field] = _typed(stage.settings, field, value)
    command = f"seekmath {stage.command or name}"
    where = f"{command} with {recipe}" if recipe else command
    settings = validate(where, stage.settings, body, f"{command} --help", options=True)
    return PlannedStage(name, name, stage, settings, recipe_seed if seed is None else seed)


def _from_recipe(recipe: str, name: str) -> dict[str, Any]:
    path = Path(recipe)
    raw = read_yaml(path)
    stages = raw.get("stages") or {}
    bodies = {key: dict(body or {}) for key, body in stages.items()}
    of_type = [body for key, body in bodies.items() if body.pop("type", key) == name]
    if len(of_type) != 1:
        raise BadInput(
            unknown(f"{path}: stages: needs one stage of type '{name}'", name, list(bodies))
        )
    return {"seed": raw.get("seed", 0), **of_type[0]}


def _typed(model: type[Settings], field: str, value: Any) -> Any:
    annotation = model.model_fields[field].annotation
    kind = get_origin(annotation) or annotation
    if kind is dict:
        return dict(_pair(field, item, model) for item in value)
    if any(isinstance(part, type) and issubclass(part, Settings) for part in get_args(annotation)):
        return [yaml.safe_load(item) for item in value]
    if kind in (list, tuple):
        return list(value)
    if kind in (int, float, str, bool, Literal):
        return value
    return yaml.safe_load(value)


def _pair(field: str, item: str, model: type[Settings]) -> tuple[str, Any]:
    key, equals, value = item.partition("=")
    if equals:
        return key, yaml.safe_load(value)
    if "Source" in str(model.model_fields[field].annotation):
        folder = item.rstrip("/").split("/")
        # ``runs/x/grpo/model`` is known by the stage that made it.
        name = folder[-2] if folder[-1] == "model" and len(folder) > 1 else folder[-1]
        return name.split(".jsonl")[0], item
    raise BadInput(
        f"{option_of(model, field)}: found '{item}'; allowed: NAME=VALUE,"
        f" {allowed_values(model, field)}"
    )
