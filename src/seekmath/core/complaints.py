"""What a user reads when a recipe or an option is wrong: where, found, allowed, nearest name."""

import difflib
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ValidationError


def unknown(where: str, found: str, allowed: list[str]) -> str:
    """One line for a name that is not among those allowed, with the nearest right one."""
    return f"{where}: found '{found}'{_did_you_mean(found, allowed)}; allowed: {', '.join(allowed)}"


#: The name that a user knows a field by: of a class and ``field`` or ``field.key``.
Named = Callable[[type[BaseModel], str], str]


def complain(
    where: str, model: type[BaseModel], error: ValidationError, named: Named | None = None
) -> str:
    """One line for each mistake that pydantic found in settings of ``model``."""
    return "\n".join(_line(where, model, item, named) for item in error.errors())


def allowed_values(model: type[BaseModel], field: str) -> str:
    """What a field takes, in words: ``a whole number, at least 2``."""
    schema = model.model_json_schema()
    return _words(schema["properties"][field], schema.get("$defs", {}))


def _did_you_mean(found: str, allowed: list[str]) -> str:
    near = difflib.get_close_matches(found.split("/", 1)[0], allowed, n=1, cutoff=0.6)
    return f" (did you mean '{near[0]}'?)" if near else ""


def _line(where: str, model: type[BaseModel], item: Any, named: Named | None) -> str:
    path = ".".join(str(part) for part in item["loc"])
    field = str(item["loc"][0]) if item["loc"] else ""
    if item["type"] == "extra_forbidden":
        return unknown(f"{where}.{path}", field, sorted(model.model_fields))
    place = f"{where} {named(model, path)}" if named and path else f"{where}.{path}"
    if item["type"] == "missing":
        return f"{place}: missing; needed: {allowed_values(model, field)}"
    reason = item["msg"].removeprefix("Value error, ")
    if field not in model.model_fields:
        return f"{where}: {reason}"
    allowed = allowed_values(model, field)
    return f"{place}: found {item['input']!r}; allowed: {allowed} ({reason})"


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
