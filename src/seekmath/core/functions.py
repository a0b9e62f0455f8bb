"""A user's own function, from a Python file that the user names."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seekmath.core.files import BadInput


def load_function(path: str, name: str, hint: str = "") -> Callable[..., Any]:
    """The function ``name`` of the Python file ``path``, which is run.

    ``hint`` ends the complaint about a missing function: how another name is given.

    Raises:
        BadInput: the file is not there, is not Python, fails, or has no such function.
    """
    if not Path(path).is_file():
        raise BadInput(f"{path}: no such file; needed: a Python file with a function '{name}'")
    spec = importlib.util.spec_from_file_location("seekmath_user_function", path)
    if spec is None or spec.loader is None:
        raise BadInput(f"{path}: is not a Python file (its name must end in .py)")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise BadInput(f"{path}: fails when it is loaded: {error!r}") from error
    if not callable(getattr(module, name, None)):
        raise BadInput(f"{path}: has no function '{name}'{hint}")
    return getattr(module, name)
