"""Geometry of figures: values in, places on an SVG canvas out.

The mark-up stands in ``templates/chart.html``, which escapes every text. Figures are drawn this
way and not by a plotting library, so that they take their colours from the page (light, dark,
print), keep their text as text and stay small.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from seekmath.report.numbers import compact, minus, number, percent

Point = tuple[float, float]

_SIZE, _LARGE = (340.0, 210.0), (500.0, 300.0)
_LEFT, _TOP, _RIGHT, _BOTTOM = 52.0, 12.0, 14.0, 40.0
_MOST_POINTS = 300
COLOURS = 6


@dataclass(frozen=True)
class Series:
    """One line of a figure.

    Attributes:
        name: as the legend shows it; "" keeps it out of the legend.
        points: (x, y) in order of x; a y that is not finite leaves a gap.
        colour: place in the palette, which also decides dash pattern and mark.
        band: (x, low, high) around the line.
        faint: drawn thin, behind the others (raw values behind their mean).
        marks: whether each point has a mark of its own.
    """

    name: str
    points: Sequence[Point]
    colour: int = 0
    band: Sequence[tuple[float, float, float]] = ()
    faint: bool = False
    marks: bool = False


@dataclass(frozen=True)
class Tick:
    """A tick's place in pixels and its label."""

    at: float
    label: str


@dataclass(frozen=True)
class Mark:
    """A data point's outline and what a pointer over it shows."""

    path: str
    label: str


@dataclass(frozen=True)
class Line:
    """A drawn series: SVG path data of line and band, and its marks."""

    name: str
    css: str
    path: str
    band: str
    marks: list[Mark]
    sample: str


@dataclass(frozen=True)
class Chart:
    """A figure ready for the template; ``summary`` describes it to a reader who cannot see it."""

    title: str
    x_label: str
    width: float
    height: float
    left: float
    top: float
    right: float
    bottom: float
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    lines: list[Line]
    summary: str
    rows: list[Tick] = field(default_factory=list)


@dataclass(frozen=True)
class Axis:
    """Values from ``low`` to ``high`` on pixels from ``start`` to ``end``.

    ``base`` is that of a logarithmic axis; 0 on a linear one.
    """

    low: float
    high: float
    start: float
    end: float
    base: int = 0

    def at(self, value: float) -> float:
        """The place of ``value`` in pixels."""
        low, high = self.low, self.high
        if self.base:
            value, low, high = (math.log(one, self.base) for one in (value, low, high))
        share = (value - low) / (high - low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self, wanted: int = 5, percents: bool = False, whole: bool = False) -> list[Tick]:
        """Round values on the axis, about ``wanted`` of them; powers of the base on a log axis.

        Those of a ``whole`` axis are whole numbers (steps, rounds).
        """
        if self.base:
            first, last = (math.log(one, self.base) for one in (self.low, self.high))
            powers = range(math.ceil(first - 1e-9), math.floor(last + 1e-9) + 1)
            values = [float(self.base) ** power for power in powers]
            return [Tick(self.at(value), f"{value:,g}") for value in values]
        step = round_step((self.high - self.low) / wanted)
        step = max(1.0, step) if whole else step
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        values = [place * step for place in range(first, last + 1)]
        return [Tick(self.at(value), _label(value, step, percents)) for value in values]


def round_step(rough: float) -> float:
    """1, 2 or 5 times a power of ten, whichever is nearest to ``rough`` by ratio."""
    power = 10.0 ** math.floor(math.log10(rough))
    return min((power * m for m in (1, 2, 5, 10)), key=lambda step: abs(math.log(step / rough)))


def _label(value: float, step: float, percents: bool) -> str:
    if percents:
        return percent(value, max(0, -math.floor(math.log10(100 * step))))
    if abs(value) < step / 2:
        return "0"
    if abs(value) >= 10_000:
        return compact(value)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return number(value) if decimals > 5 else minus(f"{value:,.{decimals}f}")


def line_chart(
    title: str,
    series: Sequence[Series],
    x_label: str = "step",
    *,
    percents: bool = False,
    from_zero: bool = False,
    log2: bool = False,
    log10_y: bool = False,
    whole_x: bool = True,
    large: bool = False,
) -> Chart | None:
    """Lines over a common x; None where no series has a finite point.

    Args:
        title: what the y axis shows, with its unit.
        series: the lines.
        x_label: name of the x axis.
        percents: y values are shares of 1 and are shown in per cent.
        from_zero: the y axis starts at 0.
        log2: x is logarithmic with powers of two (K samples).
        log10_y: y is logarithmic with powers of ten (counts); above 0 only.
        whole_x: x is labelled at whole numbers only (steps, rounds).
        large: half as large again as a learning curve.
    """
    series = [replace(one, points=thin(one.points)) for one in series]
    drawn = [one for one in series if any(_drawable(p, log2) for p in one.points)]
    if not drawn:
        return None
    width, height = _LARGE if large else _SIZE
    x = _x_axis(drawn, log2, width - _RIGHT)
    y = _y_axis(drawn, percents, from_zero, log2, height - _BOTTOM)
    if log10_y:
        low = min(p[1] for one in drawn for p in one.points)
        high = max(p[1] for one in drawn for p in one.points)
        y = Axis(low, 1.3 * max(high, 2 * low), height - _BOTTOM, _TOP, 10)
    return Chart(
        title,
        x_label,
        width,
        height,
        x.start,
        y.end,
        x.end,
        y.start,
        x.ticks(whole=whole_x),
        y.ticks(percents=percents),
        [_line(one, x, y, percents) for one in drawn],
        _summary(title, drawn, percents),
    )


def thin(points: Sequence[Point]) -> list[Point]:
    """At most 300 points: neighbours are averaged, so that a long run stays a small figure."""
    size = math.ceil(len(points) / _MOST_POINTS)
    if size <= 1:
        return list(points)
    return [_mean(points[at : at + size]) for at in range(0, len(points), size)]


def _mean(points: Sequence[Point]) -> Point:
    known = [y for _, y in points if math.isfinite(y)]
    x = math.fsum(x for x, _ in points) / len(points)
    return x, math.fsum(known) / len(known) if known else math.nan


def smooth(points: Sequence[Point], window: int) -> list[Point]:
    """A centred moving mean over ``window`` points; gaps are left out of the means."""
    half = window // 2
    return [
        (x, _mean(points[max(0, at - half) : at + half + 1])[1]) for at, (x, _) in enumerate(points)
    ]


def _drawable(point: Point, log2: bool) -> bool:
    x, y = point
    return math.isfinite(x) and math.isfinite(y) and (x > 0 or not log2)


def _x_axis(series: Sequence[Series], log2: bool, end: float) -> Axis:
    values = [p[0] for one in series for p in one.points if _drawable(p, log2)]
    low, high = min(values), max(values)
    if low == high:
        low, high = (low / 2, high * 2) if log2 else (low - 1, high + 1)
    return Axis(low, high, _LEFT, end, 2 if log2 else 0)


def _y_axis(
    series: Sequence[Series], percents: bool, from_zero: bool, log2: bool, start: float
) -> Axis:
    values = [p[1] for one in series for p in one.points if _drawable(p, log2)]
    ends = [end for one in series for _, *both in one.band for end in both if math.isfinite(end)]
    low, high = min(values + ends), max(values + ends)
    room = 0.06 * (high - low) or 0.1 * abs(high) or 0.1
    low, high = low - room, high + room
    if percents:
        low, high = max(0.0, low), min(1.0, high)
    if from_zero:
        low = 0.0
    return Axis(low, high if high > low else low + 0.1, start, _TOP)


def _line(one: Series, x: Axis, y: Axis, percents: bool) -> Line:
    colour = one.colour % COLOURS
    places = [
        (x.at(px), y.at(py)) if _drawable((px, py), x.base > 0) else None for px, py in one.points
    ]
    marks = [
        Mark(mark_path(colour, *place), _mark_label(one.name, point, percents))
        for place, point in zip(places, one.points, strict=True)
        if place and one.marks
    ]
    css = f"c{colour}" + (" faint" if one.faint else "")
    sample = mark_path(colour, 12, 6) if one.marks else ""
    return Line(one.name, css, " ".join(_segments(places)), _band(one, x, y), marks, sample)


def _segments(places: Sequence[Point | None]) -> Iterator[str]:
    command = "M"
    for place in places:
        if place is None:
            command = "M"
            continue
        # A lone point has no length; a round line cap makes it a dot.
        yield f"{command}{place[0]:g},{place[1]:g}" + ("h0" if command == "M" else "")
        command = "L"


def _band(one: Series, x: Axis, y: Axis) -> str:
    known = [(px, low, high) for px, low, high in one.band if math.isfinite(low + high)]
    if len(known) < 2:
        return ""
    upper = [f"{x.at(px):g},{y.at(high):g}" for px, _, high in known]
    lower = [f"{x.at(px):g},{y.at(low):g}" for px, low, _ in reversed(known)]
    return f"M{'L'.join(upper + lower)}Z"


def mark_path(colour: int, x: float, y: float, size: float = 3.6) -> str:
    """A circle, square, triangle, diamond, cross or lower triangle around (x, y)."""
    a = size
    shapes = (
        f"M{x - a:g},{y:g}a{a},{a} 0 1,0 {2 * a},0a{a},{a} 0 1,0 {-2 * a},0Z",
        f"M{x - a:g},{y - a:g}h{2 * a}v{2 * a}h{-2 * a}Z",
        f"M{x:g},{y - 1.2 * a:g}l{1.2 * a:g},{2.2 * a:g}h{-2.4 * a:g}Z",
        f"M{x:g},{y - 1.3 * a:g}l{1.3 * a:g},{1.3 * a:g}l{-1.3 * a:g},{1.3 * a:g}"
        f"l{-1.3 * a:g},{-1.3 * a:g}Z",
        f"M{x - a:g},{y - a:g}l{2 * a:g},{2 * a:g}m0,{-2 * a:g}l{-2 * a:g},{2 * a:g}",
        f"M{x:g},{y + 1.2 * a:g}l{1.2 * a:g},{-2.2 * a:g}h{-2.4 * a:g}Z",
    )
    return shapes[colour % COLOURS]


def _mark_label(name: str, point: Point, percents: bool) -> str:
    value = percent(point[1]) if percents else number(point[1])
    return f"{name}, {number(point[0])}: {value}"


def _summary(title: str, series: Sequence[Series], percents: bool) -> str:
    show = percent if percents else number
    parts = []
    for one in series:
        known = [y for _, y in one.points if math.isfinite(y)]
        if one.name or len(series) == 1:
            parts.append(f"{one.name or title}: from {show(known[0])} to {show(known[-1])}")
    return f"{title}. {'; '.join(parts)}."


_CHARACTER = 7.2  # pixels of a row's label, about


@dataclass(frozen=True)
class Dot:
    """A value with its interval, to be drawn on the row ``row`` as series ``colour``."""

    row: int
    colour: int
    value: float
    low: float
    high: float
    label: str


def dot_chart(
    title: str,
    rows: Sequence[str],
    names: Sequence[str],
    dots: Sequence[Dot],
    *,
    x_label: str = "accuracy",
    span: tuple[float, float] = (0.0, 1.0),
    percents: bool = True,
    width: float = 760.0,
) -> Chart:
    """Dots with whiskers on labelled rows; ``names`` are series, ``span`` the ends of x."""
    row_height = 12.0 * len(names) + 18
    left = min(260.0, max(150.0, 20 + _CHARACTER * max(map(len, rows), default=0)))
    bottom = 10 + row_height * len(rows)
    x = Axis(*span, left, width - 20)
    lines = []
    for colour, name in enumerate(names):
        path, marks = [], []
        for dot in (dot for dot in dots if dot.colour == colour):
            y = 10 + row_height * dot.row + 15 + 12 * colour
            path.append(f"M{x.at(dot.low):g},{y:g}H{x.at(dot.high):g}")
            marks.append(Mark(mark_path(colour, x.at(dot.value), y), dot.label))
        sample = mark_path(colour, 12, 6)
        lines.append(Line(name, f"c{colour % COLOURS} solid", " ".join(path), "", marks, sample))
    labels = [Tick(10 + row_height * (at + 0.5), name) for at, name in enumerate(rows)]
    summary = f"{title}. {'; '.join(dot.label for dot in dots)}."
    return Chart(
        title, x_label, width, bottom + 40, left, 10, x.end, bottom,
        x.ticks(10 if width > 600 else 5, percents=percents), [], lines, summary, rows=labels,
    )  # fmt: skip
