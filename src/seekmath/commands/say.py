"""How commands print what they found. Floor 7."""

import json
from collections.abc import Iterator, Mapping
from typing import Any


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """A line for each value that is not empty; for a list of mappings, one for each of them."""
    for name, value in found.items():
        if value in ({}, [], ""):
            continue
        if isinstance(value, list) and all(isinstance(one, dict) for one in value):
            yield f"{name}:"
            yield from (f"  {short(one)}" for one in value)
        else:
            yield f"{name}: {short(value)}"


def short(value: Any) -> str:
    """A value on one line: four digits of a number, 300 characters of anything else.

    A mapping reads ``name value, name (name value)``; what is empty in it is left out.
    """
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, dict):
        parts = [
            f"{name} ({short(part)})" if isinstance(part, dict) else f"{name} {short(part)}"
            for name, part in value.items()
            if part not in ({}, [], "")
        ]
        text = ", ".join(parts)
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 300 else text[:300] + " …"
