import math
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seekmath.report.plot import (
    Axis,
    Dot,
    Series,
    dot_chart,
    line_chart,
    mark_path,
    round_step,
    smooth,
    thin,
)

values = st.floats(-1e6, 1e6)
steps = st.lists(st.integers(0, 10**6), unique=True, min_size=1, max_size=40).map(sorted)


@given(steps, st.data())
def test_every_point_is_drawn_inside_its_axes(xs, data) -> None:
    ys = data.draw(st.lists(values, min_size=len(xs), max_size=len(xs)))
    chart = line_chart("y", [Series("", list(zip(xs, ys, strict=True)))])
    assert chart
    places = re.findall(r"(-?[\d.]+),(-?[\d.]+)", chart.lines[0].path)
    assert len(places) == len(xs)
    for x, y in places:
        assert chart.left - 0.2 <= float(x) <= chart.right + 0.2
        assert chart.top - 0.2 <= float(y) <= chart.bottom + 0.2


@given(values, st.floats(1e-6, 1e6))
def test_ticks_are_few_evenly_spaced_and_within_the_axis(low, length) -> None:
    ticks = Axis(low, low + length, 0, 300).ticks()
    assert len(ticks) <= 11
    assert all(-0.2 <= tick.at <= 300.2 for tick in ticks)
    gaps = [b.at - a.at for a, b in pairwise(ticks)]
    assert max(gaps, default=0) - min(gaps, default=0) <= 0.3


@given(st.floats(1e-12, 1e12))
def test_a_round_step_is_one_two_or_five_and_near(rough) -> None:
    step = round_step(rough)
    mantissa = step / 10 ** math.floor(math.log10(step) + 1e-9)
    assert min(abs(mantissa - wanted) for wanted in (1, 2, 5)) < 1e-6
    assert 0.6 < step / rough < 1.7


def test_labels_follow_the_step_of_the_axis() -> None:
    assert [t.label for t in Axis(0, 0.003, 0, 1).ticks(3)] == ["0", "0.001", "0.002", "0.003"]
    assert [t.label for t in Axis(0, 1, 0, 1).ticks(2, percents=True)] == ["0%", "50%", "100%"]
    assert [t.label for t in Axis(1, 3, 0, 1).ticks(whole=True)] == ["1", "2", "3"]
    assert [t.label for t in Axis(1, 16, 0, 1, base=2).ticks()] == ["1", "2", "4", "8", "16"]
    assert Axis(0, 2e-6, 0, 1).ticks()[-1].label == "2×10⁻⁶"
    assert Axis(0, 5e5, 0, 1).ticks()[1].label == "100k"


def test_powers_of_two_are_evenly_spaced() -> None:
    places = [tick.at for tick in Axis(1, 16, 0, 100, base=2).ticks()]
    assert places == [0, 25, 50, 75, 100]


def test_a_gap_stays_a_gap_and_no_point_no_figure() -> None:
    chart = line_chart("y", [Series("", [(1, 0.0), (2, math.nan), (3, 1.0)])])
    assert chart
    assert chart.lines[0].path.count("M") == 2
    assert line_chart("y", [Series("", [(1, math.nan)]), Series("", [])]) is None


def test_the_band_widens_the_axis_and_the_summary_tells_the_ends() -> None:
    series = Series("sft", [(1, 0.5), (2, 0.6)], band=[(1, 0.1, 0.9), (2, 0.2, 0.95)], marks=True)
    chart = line_chart("Maj@K", [series], percents=True, log2=True)
    assert chart
    assert chart.summary == "Maj@K. sft: from 50.0% to 60.0%."
    labels = [int(tick.label.rstrip("%")) for tick in chart.y_ticks]
    assert min(labels) <= 20
    assert max(labels) >= 80
    assert chart.lines[0].band
    assert chart.lines[0].marks[1].label == "sft, 2: 60.0%"


@given(st.lists(values, min_size=1, max_size=2000))
def test_thinning_keeps_the_number_of_points_small_and_the_mean(ys) -> None:
    points = [(float(at), y) for at, y in enumerate(ys)]
    few = thin(points)
    assert len(few) <= 300
    if len(ys) <= 300:
        assert few == points
    assert min(ys) - 1e-6 <= min(y for _, y in few) <= max(y for _, y in few) <= max(ys) + 1e-6


def test_smoothing_leaves_gaps_out_and_a_constant_alone() -> None:
    assert smooth([(0, 3.0), (1, 3.0), (2, 3.0)], 3) == [(0, 3.0), (1, 3.0), (2, 3.0)]
    assert smooth([(0, 1.0), (1, math.nan), (2, 5.0)], 3)[1] == (1, 3.0)
    assert math.isnan(smooth([(0, math.nan)], 3)[0][1])


def test_marks_differ_so_that_colour_is_not_needed() -> None:
    assert len({mark_path(colour, 0, 0) for colour in range(6)}) == 6


def test_dots_stand_on_their_rows_in_their_places() -> None:
    dots = [Dot(0, 0, 0.25, 0.2, 0.3, "a on x"), Dot(1, 1, 0.75, 0.7, 0.8, "b on y")]
    chart = dot_chart("accuracy", ["x", "y"], ["a", "b"], dots)
    assert [row.label for row in chart.rows] == ["x", "y"]
    first, second = chart.lines
    quarter = chart.left + 0.25 * (chart.right - chart.left)
    assert first.marks[0].path.startswith(mark_path(0, quarter, 25)[:6])
    low, high = map(float, re.findall(r"[MH]([\d.]+)", second.path))
    middle = (low + high) / 2
    assert middle == pytest.approx(chart.left + 0.75 * (chart.right - chart.left))
