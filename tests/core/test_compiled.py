"""Kernels: what makes an array cannot leave references uncounted."""

import numba
import numpy as np
import pytest

from seekmath.core.compiled import leaf


def test_a_leaf_that_makes_an_array_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))

    @leaf
    def make(size):
        return np.zeros(size)[0]

    @leaf
    def take(values, at):
        return values[at]

    with pytest.raises(numba.TypingError):
        make(3)
    assert take(np.arange(3.0), 2) == 2
