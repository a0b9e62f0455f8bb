"""Figures of a classifier's scores: how many pages have which, and how far they can be believed."""

from collections.abc import Sequence
from typing import Any

from seekmath.report.numbers import finite
from seekmath.report.plot import Chart, Point, Series, line_chart
from seekmath.report.runs import Row

#: Where an empty bin stands on a logarithmic axis of counts.
_NONE = 0.5


def score_charts(rounds: Sequence[Row]) -> list[Chart]:
    """Histogram of scores in the first and last round, and the last one's reliability."""
    charts = (_histogram(rounds), _reliability(rounds[-1])) if rounds else ()
    return [chart for chart in charts if chart]


def _histogram(rounds: Sequence[Row]) -> Chart | None:
    """Pages by score, on a logarithmic axis, and where the collection ends."""
    known = [(number, _bins(row)) for number, row in enumerate(rounds, 1)]
    known = [(number, bins) for number, bins in known if bins]
    if not known:
        return None
    last, bins = known[-1]
    series = [Series(f"round {last}", _steps(bins), 0, [(x, _NONE, y) for x, y in _steps(bins)])]
    if len(known) > 1:
        series.append(Series(f"round {known[0][0]}", _steps(known[0][1]), 1))
    cut = finite(rounds[last - 1].get("cut_score"))
    if cut is not None:
        top = max(y for one in series for _, y in one.points)
        series.append(Series(f"cut of round {last}", [(cut, _NONE), (cut, top)], 2))
    return line_chart("pages by score", series, "score", log10_y=True, whole_x=False)


def _bins(row: Row) -> list[Point]:
    """(lower edge, pages) of each bin, all of equal width."""
    bins = row.get("histogram")
    pairs = [(finite(one.get("from")), finite(one.get("pages"))) for one in _rows(bins)]
    return [(edge, pages) for edge, pages in pairs if edge is not None and pages is not None]


def _steps(bins: Sequence[Point]) -> list[Point]:
    """The outline of the bins."""
    edges = [edge for edge, _ in bins] + [1.0]
    return [
        (x, max(pages, _NONE))
        for at, (_, pages) in enumerate(bins)
        for x in (edges[at], edges[at + 1])
    ]


def _reliability(row: Row) -> Chart | None:
    """Share of seeds among pages of about the same score, held out; the diagonal is ideal."""
    found = row.get("calibration")
    found = found if isinstance(found, dict) else {}
    series = [
        Series(name, _shares(found.get(key)), colour, marks=True)
        for colour, (key, name) in enumerate((("raw", "as scored"), ("calibrated", "calibrated")))
    ]
    if not any(one.points for one in series):
        return None
    ideal = Series("", [(0.0, 0.0), (1.0, 1.0)], 3, faint=True)
    return line_chart(
        "seeds among held-out pages", [*series, ideal], "score", percents=True, whole_x=False
    )


def _shares(part: Any) -> list[Point]:
    bins = _rows(part.get("bins")) if isinstance(part, dict) else []
    pairs = [(finite(one.get("mean_score")), finite(one.get("positives"))) for one in bins]
    return [(score, share) for score, share in pairs if score is not None and share is not None]


def _rows(value: Any) -> list[Row]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
