"""A classifier of one's own instead of fastText: any function ``score(texts) -> numbers``."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from seekmath.core.files import BadInput
from seekmath.core.functions import load_function

_NAME = "score"


def user_scorer(path: str) -> Callable[[pa.Array], NDArray[np.float64]]:
    """The function ``score`` of a Python file, with its results checked.

    It is called on a list of texts and returns a number from 0 to 1 for each, in a list or array.

    Raises:
        BadInput: the file has no such function; when called: it fails or returns anything else.
    """
    function = load_function(path, _NAME)

    def score(texts: pa.Array) -> NDArray[np.float64]:
        try:
            found = function(texts.to_pylist())
        except Exception as error:
            raise BadInput(f"{path}: {_NAME} fails on {len(texts)} texts: {error!r}") from error
        return _checked(found, len(texts), path)

    return score


def _checked(found: Any, texts: int, path: str) -> NDArray[np.float64]:
    needed = f"{path}: {_NAME}: needed: {texts} numbers from 0 to 1, one for each text; found:"
    try:
        scores = np.asarray(found, np.float64)
    except (TypeError, ValueError) as error:
        raise BadInput(f"{needed} {type(found).__name__}") from error
    if scores.shape != (texts,):
        raise BadInput(f"{needed} an array of shape {scores.shape}")
    wrong = scores[~((scores >= 0) & (scores <= 1))]
    if len(wrong):
        raise BadInput(f"{needed} {wrong[0]} (a log-odds x becomes one with 1/(1 + exp(-x)))")
    return scores
