"""The share of a host of which one can be sure."""

import numpy as np
import pytest
from scipy.stats import binomtest

from seekmath.mine.domains import least_share


def test_it_is_wilsons_interval():
    pages, collected = np.array([8, 178, 30, 5]), np.array([1, 26, 30, 0])
    one_error = 0.6826894921370859
    expected = [
        binomtest(int(k), int(n)).proportion_ci(one_error, "wilson").low
        for k, n in zip(collected, pages, strict=True)
    ]
    assert least_share(collected, pages) == pytest.approx(expected, abs=1e-12)


def test_few_pages_are_little_evidence():
    same_share = least_share(np.array([1, 10, 100]), np.array([8, 80, 800]))
    assert (np.diff(same_share) > 0).all()
    assert same_share[0] < 0.1 < same_share[2] < 1 / 8
