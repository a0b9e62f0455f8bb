"""How commands print what they found. Floor 7."""

import json
from typing import Any


def short(value: Any) -> str:
    """A value on one line: four digits of a number, 300 characters of anything else."""
    if isinstance(value, float):
        return f"{value:.4g}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 300 else text[:300] + " …"
