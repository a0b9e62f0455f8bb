"""Figures of a result: dots with intervals for each measure, lines over rounds, steps and K."""

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from seekmath.report.numbers import number, percent
from seekmath.report.plot import Chart, Dot, Point, Series, dot_chart, line_chart

_OVER_K = re.compile(r"(maj|pass)@(\d+)")
_OVER_ROUNDS = re.compile(r"(round|iteration)[ -](\d+)")
_HERE, _THERE = "here, mean over seeds with its 95% interval", "the paper"


def is_share(measure: str) -> bool:
    """Whether a measure is a share, shown in per cent; bits and bytes are shown as they are."""
    return not (measure.startswith("bits") or measure.endswith("iB"))


def clipped(low: float, high: float, measure: str) -> tuple[float, float]:
    """An interval's ends, of a share within 0 and 1, which Student's t of few seeds overruns."""
    return (max(0.0, low), min(1.0, high)) if is_share(measure) else (low, high)


def paper_value(result: dict[str, Any], arm: str, measure: str) -> float | None:
    """The paper's own number of an arm, on the benchmark that ours stands for."""
    row = result["paper"].get(arm, {})
    plain = measure.removeprefix("mini-")
    name, _, mode = plain.partition(" ")
    real = f"{name.upper()} {mode}".strip()
    known = (row.get(one) for one in (measure, real, f"{name.upper()}+Python" if mode else real))
    return next((value for value in known if value is not None), None)


def lines(result: dict[str, Any]) -> list[Chart]:
    """What an experiment has over K, over rounds and over steps."""
    drawn = (_over_k(result), *_over_rounds(result), *_curves(result))
    return [one for one in drawn if one]


def dots(result: dict[str, Any]) -> list[Chart]:
    """A figure for each other measure and each that a claim speaks of: the arms, the paper's."""
    return [_dots(result, measure) for measure in _shown_as_dots(result)]


def _over_k(result: dict[str, Any]) -> Chart | None:
    """Maj@K and Pass@K of every arm in one figure, as in the paper's Figure 7."""
    series: list[Series] = []
    for arm, row in result["arms"].items():
        for kind in ("maj", "pass"):
            found = {
                int(match[2]): value
                for measure, value in row.items()
                if (match := _OVER_K.fullmatch(measure)) and match[1] == kind
            }
            if found:
                series.append(_series(f"{arm}, {kind.capitalize()}@K", found, len(series)))
    label = "K samples of each question"
    return line_chart("Maj@K and Pass@K", series, label, percents=True, log2=True, large=True)


def _over_rounds(result: dict[str, Any]) -> list[Chart | None]:
    """Each measure by round of mining or by outer iteration of reinforcement."""
    places = {
        arm: int(match[2]) for arm in result["arms"] if (match := _OVER_ROUNDS.fullmatch(arm))
    }
    if len(places) < 2:
        return []
    word = next(iter(places)).replace("-", " ").split()[0]
    if word == "iteration" and "sft" in result["arms"]:
        places = {"sft": 0, **places}
    measures = list(dict.fromkeys(m for arm in places for m in result["arms"][arm]))
    series = [
        _series(
            measure,
            {x: result["arms"][arm][measure] for arm, x in places.items()
             if measure in result["arms"][arm]},
            colour,
        )
        for colour, measure in enumerate(measures)
    ]  # fmt: skip
    return [line_chart(f"by {word}", series, word, percents=True, large=True)]


def _series(name: str, found: dict[int, dict[str, Any]], colour: int) -> Series:
    points: list[Point] = [(float(x), value["mean"]) for x, value in sorted(found.items())]
    # All that has lines is a share.
    band = [(float(x), *_ends(value, "share")) for x, value in sorted(found.items())]
    return Series(name, points, colour, band, marks=True)


def _curves(result: dict[str, Any]) -> list[Chart | None]:
    return [
        line_chart(
            title,
            [Series(arm, points, colour) for colour, (arm, points) in enumerate(arms.items())],
            percents=is_share(title),
            large=True,
        )
        for title, arms in result["curves"].items()
    ]


def _shown_as_dots(result: dict[str, Any]) -> list[str]:
    """The measures of arms that lie on no line, or that a claim speaks of."""
    claimed = {claim["measure"] for claim in result["claims"]}
    every = dict.fromkeys(measure for row in result["arms"].values() for measure in row)
    on_lines = any(_OVER_ROUNDS.fullmatch(arm) for arm in result["arms"])
    return [
        measure
        for measure in every
        if measure in claimed or not (on_lines or _OVER_K.fullmatch(measure))
    ]


def _dots(result: dict[str, Any], measure: str) -> Chart:
    arms = [arm for arm, row in result["arms"].items() if measure in row]
    drawn: list[Dot] = []
    show: Callable[[Any], str] = percent if is_share(measure) else number
    for row, arm in enumerate(arms):
        value = result["arms"][arm][measure]
        low, high = _ends(value, measure)
        label = f"{arm}: {show(value['mean'])} ({show(low)} to {show(high)})"
        drawn.append(Dot(row, 0, value["mean"], low, high, label))
        there = paper_value(result, arm, measure)
        if there is not None:
            drawn.append(Dot(row, 1, there, there, there, f"{arm} in the paper: {show(there)}"))
    names = [_HERE, _THERE] if any(dot.colour for dot in drawn) else [_HERE]
    return dot_chart(
        measure,
        arms,
        names,
        drawn,
        x_label="per cent" if is_share(measure) else "",
        span=_span(drawn, is_share(measure)),
        percents=is_share(measure),
        width=500.0,
    )


def _span(dots: Sequence[Dot], share: bool) -> tuple[float, float]:
    """Shares and bytes from zero; bits about their values."""
    low, high = min(dot.low for dot in dots), max(dot.high for dot in dots)
    room = 0.06 * (high - low) or 0.1 * abs(high) or 0.1
    if share:
        return 0.0, min(1.0, high + room)
    return (low - room if low < 100 else 0.0), high + room


def _ends(value: dict[str, Any], measure: str) -> tuple[float, float]:
    """An interval as it is drawn: the mean twice where a single seed gives none."""
    if value["low"] is None or math.isnan(value["low"]):
        return value["mean"], value["mean"]
    return clipped(value["low"], value["high"], measure)
