import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seekmath.report.numbers import (
    compact,
    count,
    duration,
    finite,
    memory,
    number,
    percent,
    points,
    signed,
    span,
)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (percent(0.5432), "54.3%"),
        (percent(1, 0), "100%"),
        (percent(-0.05), "−5.0%"),
        (percent(-0.0001), "0.0%"),
        (span(-0.5, -0.25), "−50.0–−25.0"),
        (span(0.501, 0.584), "50.1–58.4"),
        (span(0.5, math.nan), "–"),
        (points(0.052), "+5.2"),
        (points(-0.052), "−5.2"),
        (signed(-0.377), "−0.38"),
        (signed(-0.001), "0.00"),
        (count(1234567.0), "1,234,567"),
        (number(0.0004), "4×10⁻⁴"),
        (number(1.5e-7), "1.5×10⁻⁷"),
        (number(0.12345), "0.123"),
        (number(-12.345), "−12.3"),
        (number(42), "42"),
        (number(12345.6), "12,346"),
        (number(0), "0"),
        (duration(4.24), "4.2 s"),
        (duration(59.6), "1 min 00 s"),
        (duration(187), "3 min 07 s"),
        (duration(7500), "2 h 05 min"),
        (memory(812.4), "812 MiB"),
        (memory(2457.6), "2.4 GiB"),
        (memory(0), "–"),
        (compact(12_000), "12k"),
        (compact(1_500_000), "1.5M"),
        (compact(5000), "5,000"),
    ],
)
def test_numbers_look_as_people_write_them(shown: str, expected: str) -> None:
    assert shown == expected


@pytest.mark.parametrize("show", [percent, points, signed, count, number, duration, memory])
@pytest.mark.parametrize("value", [None, math.nan, math.inf, "12", True, [1]])
def test_what_is_no_finite_number_is_a_dash(show, value) -> None:
    assert show(value) == "–"


@given(st.floats(allow_nan=True) | st.integers())
def test_any_number_can_be_shown(value) -> None:
    for show in (percent, points, count, number, duration, memory):
        assert show(value)
    given_back = finite(value)
    assert given_back is None or math.isfinite(given_back)
