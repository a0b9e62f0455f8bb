"""Recipes: a YAML file validated into typed, frozen settings before any work starts.

A recipe names its stages in order. Each has a type (its own name by default), its settings, and
the earlier stages or files it takes from::

    name: laptop
    seed: 0
    stages:
      world: {pages: 12000}
      mine: {crawl: [world/warc], seeds: world/seeds.txt}
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from seekmath.core.complaints import complain, unknown
from seekmath.core.files import BadInput


class SourceMark:
    """Marks a settings field as an input (see ``Source``)."""


#: An input of a stage: in a recipe an earlier stage (``mine``), something below it
#: (``mine/corpus``), or a path on disk; a path on disk by the time the stage runs.
Source = Annotated[str, SourceMark()]


class Settings(BaseModel):
    """Settings of one stage: frozen, complete, and strict about unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False)


@dataclass(frozen=True)
class StageType:
    """What a stage is: its settings and its function as ``module:name``.

    ``version`` goes up when the function's outputs change, so that older outputs are redone.
    ``shared`` says that several processes may work on one run of it, and that its own manifests
    tell which of its files still hold after a change, so that none is removed beforehand.
    ``command`` is its command where that is called otherwise.
    """

    settings: type[Settings]
    function: str
    version: int = 1
    shared: bool = False
    command: str = ""


@dataclass(frozen=True)
class PlannedStage:
    """One stage of a recipe, validated; its sources are still names of stages or paths."""

    name: str
    type_name: str
    type: StageType
    settings: Settings
    seed: int


@dataclass(frozen=True)
class Recipe:
    """A validated recipe: stages in order, each taking only from earlier ones or from disk."""

    path: Path
    name: str
    seed: int
    stages: tuple[PlannedStage, ...]

    def as_yaml(self) -> str:
        """The recipe with every override and default written out."""
        stages = {
            stage.name: {"type": stage.type_name, "seed": stage.seed, **stage.settings.model_dump()}
            for stage in self.stages
        }
        whole = {"name": self.name, "seed": self.seed, "stages": stages}
        return yaml.safe_dump(whole, sort_keys=False, allow_unicode=True)


class _Loader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice, where YAML would keep the last in silence."""


_MERGE = "tag:yaml.org,2002:merge"  # `<<: *anchor`, whose keys those beside it replace


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        if key_node.tag == _MERGE:
            continue
        key = loader.construct_object(key_node, deep=True)
        if key in seen:
            line = key_node.start_mark.line + 1
            raise BadInput(f"{loader.name}:{line}: key '{key}' is given twice; keep one")
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping; BadInput names the file and the line."""
    try:
        with open(path, encoding="utf-8") as file:
            value = yaml.load(file, Loader=_Loader)
    except FileNotFoundError:
        raise BadInput(f"{path}: no such recipe file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise BadInput(f"{path}: not valid YAML: {error}") from None
    if not isinstance(value, dict):
        raise BadInput(f"{path}: expected a mapping with the keys name, seed and stages")
    return value


def load_recipe(
    path: Path, overrides: list[str], types: Mapping[str, StageType], inputs: bool = True
) -> Recipe:
    """Read, override and validate a recipe.

    Args:
        path: the YAML file.
        overrides: ``stage.field=value`` or ``seed=1``; values are YAML.
        types: every stage type by name.
        inputs: whether the inputs must be there.

    Raises:
        BadInput: names the file, the field's path, what was found, what is allowed and, for a
            misspelt name, the nearest right one.
    """
    raw = read_yaml(path)
    _check_top(path, raw)
    for override in overrides:
        _apply_override(path, raw, override)
    seed = _whole_number(f"{path}: seed", raw.get("seed", 0))
    stages: list[PlannedStage] = []
    for name, body in raw["stages"].items():
        stage = _plan_stage(path, name, dict(body or {}), seed, types)
        if inputs:
            _check_sources(f"{path}: stages.{name}", stage.settings, [s.name for s in stages])
        stages.append(stage)
    return Recipe(path, str(raw.get("name", path.stem)), seed, tuple(stages))


def _check_top(path: Path, raw: dict[str, Any]) -> None:
    for key in raw:
        if key not in ("name", "seed", "stages"):
            raise BadInput(unknown(f"{path}: {key}", str(key), ["name", "seed", "stages"]))
    stages = raw.get("stages")
    if not isinstance(stages, dict) or not stages:
        raise BadInput(f"{path}: stages: expected a mapping of stage names to their settings")
    for name, body in stages.items():
        if not isinstance(body, dict | None):
            raise BadInput(f"{path}: stages.{name}: expected a mapping of settings, found {body!r}")
        if not isinstance(name, str) or not name.replace("-", "").replace("_", "").isalnum():
            raise BadInput(f"{path}: stages.{name}: a stage's name is letters, digits, - and _")


def _apply_override(path: Path, raw: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals:
        raise BadInput(f"override '{override}': expected key=value, such as grpo.group_size=8")
    value = yaml.safe_load(text)
    stage, dot, field = key.partition(".")
    if not dot:
        if key not in ("name", "seed"):
            raise BadInput(unknown(f"override '{override}'", key, ["name", "seed", "STAGE.FIELD"]))
        raw[key] = value
        return
    if stage not in raw["stages"]:
        raise BadInput(unknown(f"{path}: override '{override}'", stage, list(raw["stages"])))
    body = raw["stages"][stage] = dict(raw["stages"][stage] or {})
    *parents, last = field.split(".")
    for parent in parents:
        body[parent] = dict(body.get(parent) or {})
        body = body[parent]
    body[last] = value


def _plan_stage(
    path: Path, name: str, body: dict[str, Any], seed: int, types: Mapping[str, StageType]
) -> PlannedStage:
    where = f"{path}: stages.{name}"
    type_name = body.pop("type", name)
    if type_name not in types:
        raise BadInput(unknown(f"{where}.type", str(type_name), list(types)))
    stage_seed = _whole_number(f"{where}.seed", body.pop("seed", seed))
    listed = f"seekmath {types[type_name].command or type_name} --help"
    settings = validate(where, types[type_name].settings, body, listed)
    return PlannedStage(name, type_name, types[type_name], settings, stage_seed)


def _whole_number(where: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise BadInput(f"{where}: found {value!r}; allowed: a whole number from 0")
    return value


def validate(
    where: str,
    model: type[Settings],
    body: Mapping[str, Any],
    listed: str = "",
    *,
    options: bool = False,
) -> Settings:
    """Make settings of a mapping, or raise BadInput with one line for each mistake.

    With ``options`` the mistakes name options of the command line instead of fields; ``listed`` is
    the command that names all settings.
    """
    try:
        return model.model_validate(body)
    except ValidationError as error:
        named = option_of if options else None
        raise BadInput(complain(where, model, error, named, listed)) from None


def option_of(model: type[BaseModel], label: str) -> str:
    """The option of a field, as a user types it; ``label`` is ``field`` or ``field.key``.

    A field may have an option of another name, given as ``option`` in its ``json_schema_extra``.
    """
    field, _, key = label.partition(".")
    extra = model.model_fields[field].json_schema_extra
    named = extra.get("option") if isinstance(extra, dict) else None
    option = str(named or "--" + field.replace("_", "-"))
    return f"{option} {key}" if key and not key.isdecimal() else option


def sources(settings: Settings) -> Iterator[tuple[str, str]]:
    """The inputs of a stage as (label, value); labels are ``field``, ``field.0``, ``field.key``.

    A URL in a list is none of them: it stays in the settings as it is.
    """
    for field, info in type(settings).model_fields.items():
        value = getattr(settings, field)
        if any(isinstance(mark, SourceMark) for mark in info.metadata):
            if value:
                yield field, value
        elif _holds_source(info.annotation):
            pairs = value.items() if isinstance(value, dict) else enumerate(value)
            yield from ((f"{field}.{key}", item) for key, item in pairs if "://" not in item)


def with_sources(settings: Settings, resolved: Mapping[str, str]) -> Settings:
    """The same settings with the inputs replaced by ``resolved`` (label → path on disk)."""
    update: dict[str, Any] = {}
    for label, path in resolved.items():
        field, dot, key = label.partition(".")
        value = getattr(settings, field)
        if not dot:
            update[field] = path
        elif isinstance(value, dict):
            update.setdefault(field, dict(value))[key] = path
        else:
            update.setdefault(field, list(value))[int(key)] = path
    return settings.model_copy(update=update)


def _holds_source(annotation: Any) -> bool:
    arguments = get_args(annotation)
    return any(isinstance(a, SourceMark) or _holds_source(a) for a in arguments)


def _check_sources(where: str, settings: Settings, earlier: list[str]) -> None:
    for label, value in sources(settings):
        stage = value.split("/", 1)[0]
        if stage not in earlier and not Path(value).exists():
            allowed = [*earlier, "a path that exists"]
            raise BadInput(unknown(f"{where}.{label}", value, allowed))
