"""What a user reads when a recipe or an option is wrong: where, found, allowed, nearest name."""

import difflib
import re
from collections.abc import Callable
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

# More names than these nobody reads.
_MOST_NAMED = 20


def unknown(where: str, found: str, allowed: list[str], listed: str = "") -> str:
    """One line for a name that is not among those allowed, with the nearest right ones.

    ``listed`` is the command that names all, for when they are many.
    """
    many = bool(listed) and len(allowed) > _MOST_NAMED
    names = f"{len(allowed)} names, listed by: {listed}" if many else ", ".join(allowed)
    near = _did_you_mean(found, allowed, 0.5 if many else 0.6)
    return f"{where}: found '{found}'{near}; allowed: {names}"


#: The name that a user knows a field by: of a class and ``field`` or ``field.key``.
Named = Callable[[type[BaseModel], str], str]


def complain(
    where: str,
    model: type[BaseModel],
    error: ValidationError,
    named: Named | None = None,
    listed: str = "",
) -> str:
    """One line for each mistake that pydantic found in settings of ``model``.

    ``listed`` is the command that names all settings.
    """
    return "\n".join(_line(where, model, item, named, listed) for item in error.errors())


def in_options(text: str, model: type[BaseModel], named: Named) -> str:
    """A complaint that names fields of ``model``, with the options that a user knows them by.

    Fields are told from words by an underscore, or by a colon behind them where they begin the
    text or a value follows: ``annotator: llm needs annotator_model`` becomes ``--annotator llm
    needs --annotator-model``.
    """
    fields = "|".join(sorted(model.model_fields, key=len, reverse=True))

    def option(match: re.Match[str]) -> str:
        field, colon, value = match[1], match[2] or "", match[3] or ""
        choices = map(str, get_args(model.model_fields[field].annotation))
        is_value = value.isupper() or value in choices
        if "_" not in field and not is_value and not (colon and match.start() == 0):
            return match[0]
        return named(model, field) + (" " if is_value else colon) + value

    return re.sub(rf"(?<![\w./-])({fields})(?![\w/-]|\.\w)(?:(: )(\w+))?", option, text)


def allowed_values(model: type[BaseModel], field: str) -> str:
    """What a field takes, in words: ``a whole number, at least 2``."""
    schema = model.model_json_schema()
    return _words(schema["properties"][field], schema.get("$defs", {}))


def _did_you_mean(found: str, allowed: list[str], likeness: float) -> str:
    near = difflib.get_close_matches(found.split("/", 1)[0], allowed, n=3, cutoff=likeness)
    return f" (did you mean {' or '.join(map(repr, near))}?)" if near else ""


def _line(where: str, model: type[BaseModel], item: Any, named: Named | None, listed: str) -> str:
    path = ".".join(str(part) for part in item["loc"])
    field = str(item["loc"][0]) if item["loc"] else ""
    *parents, last = item["loc"] or [""]
    if item["type"] == "extra_forbidden":
        fields = sorted(_model_at(model, parents).model_fields)
        return unknown(f"{where}{': ' if named else '.'}{path}", str(last), fields, listed)
    place = f"{where} {named(model, path)}" if named and path else f"{where}.{path}"
    if item["type"] == "missing":
        inner = _model_at(model, parents)
        said = inner.model_fields[str(last)].description
        return f"{place}: missing; needed: {said or allowed_values(inner, str(last))}"
    reason = item["msg"].removeprefix("Value error, ")
    if named:
        reason = in_options(reason, model, named)
    if field not in model.model_fields:
        return f"{where}: {reason}"
    # Of a whole field pydantic's own reasons say again what is allowed.
    why = f" ({reason})" if item["type"] == "value_error" or len(item["loc"]) > 1 else ""
    return f"{place}: found {item['input']!r}; allowed: {allowed_values(model, field)}{why}"


def _model_at(model: type[BaseModel], place: list[Any]) -> type[BaseModel]:
    """The settings within ``model`` at ``place``, such as ``["phases", 0]``."""
    for part in place:
        if part in model.model_fields:
            inner = get_args(model.model_fields[part].annotation)
            model = next((a for a in inner if issubclass(a, BaseModel)), model)
    return model


_NAMES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}
_BOUNDS = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "greater than",
    "exclusiveMaximum": "less than",
}


def _words(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    if "$ref" in schema:
        return _words(definitions[schema["$ref"].rsplit("/", 1)[-1]], definitions)
    if "enum" in schema:
        return "one of " + ", ".join(str(value) for value in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if "anyOf" in schema:
        return " or ".join(_words(option, definitions) for option in schema["anyOf"])
    parts = [_NAMES.get(schema.get("type", ""), "a value")]
    if isinstance(schema.get("items"), dict):
        parts[0] += " of " + _words(schema["items"], definitions)
    if isinstance(schema.get("additionalProperties"), dict):
        parts[0] += " from names to " + _words(schema["additionalProperties"], definitions)
    parts += [f"{words} {schema[key]}" for key, words in _BOUNDS.items() if key in schema]
    return ", ".join(parts)
