"""Which figures a run has: learning curves, accuracies, Maj@K and Pass@K (paper, Figure 7)."""

import math
from collections.abc import Sequence
from typing import Any

from seekmath.report.numbers import finite, percent, span
from seekmath.report.plot import Chart, Dot, Point, Series, dot_chart, line_chart, smooth
from seekmath.report.runs import Row, Stage
from seekmath.report.tables import ks


def points_of(rows: Sequence[Row], key: str) -> list[Point]:
    """(step, value) of every line that has the key; NaN where the value is not finite."""
    found = []
    for row in rows:
        step, value = finite(row["step"]), finite(row.get(key))
        if step is not None and key in row:
            found.append((step, math.nan if value is None else value))
    return found


def pretrain_charts(stage: Stage) -> list[Chart]:
    """Loss with the held-out loss, bits per byte of each corpus, learning rate."""
    rows = stage.metrics()
    losses = [
        Series("training", points_of(rows, "loss"), 0),
        Series("held out", points_of(rows, "heldout_loss"), 1, marks=True),
    ]
    return _some(
        line_chart("loss, nats per token", losses),
        line_chart("bits per byte of held-out text", _by_corpus(rows)),
        _learning_rate(rows),
    )


def _by_corpus(rows: Sequence[Row]) -> list[Series]:
    prefix = "bits_per_byte"
    keys = list(dict.fromkeys(key for row in rows for key in row if key.startswith(prefix)))
    parts = [key for key in keys if key != prefix]
    # With one corpus the mean over corpora is that corpus.
    shown = parts if len(parts) < 2 else [*parts, prefix]
    return [
        Series(key.partition("/")[2] or "mean", points_of(rows, key), colour, marks=True)
        for colour, key in enumerate(shown or keys)
    ]


def _learning_rate(rows: Sequence[Row]) -> Chart | None:
    series = [Series("", points_of(rows, "learning_rate"))]
    return line_chart("learning rate", series, from_zero=True)


def loss_charts(stage: Stage) -> list[Chart]:
    """Loss and learning rate of fine-tuning or of a reward model."""
    rows = stage.metrics()
    loss = line_chart("loss", [Series("", points_of(rows, "loss"), 0)])
    return _some(loss, _learning_rate(rows))


def reward_facts(stage: Stage) -> dict[str, float]:
    """Accuracy and area under the ROC curve of a reward model on questions kept out."""
    results = stage.json("results.json")
    results = results if isinstance(results, dict) else {}
    known = {key: finite(value) for key, value in results.items()}
    return {key: value for key, value in known.items() if value is not None}


def grpo_charts(stage: Stage) -> list[Chart]:
    """Reward, KL, entropy, length, groups without a gradient, and where the time went."""
    rows = stage.metrics()
    window = max(1, len(rows) // 12)
    rewards = _noisy(rows, "reward_mean", "mean reward", 0, window)
    # With the answer rule as the only reward the two are one line.
    if points_of(rows, "right") != points_of(rows, "reward_mean"):
        rewards += _noisy(rows, "right", "share right", 1, window)
    rewards += _noisy(rows, "step_reward_mean", "mean reward of a step", 2, window)
    cut = [Series("", smooth(_shares(rows, "truncated", "completions"), window), 0)]
    times = [
        Series(name, smooth(points_of(rows, f"{name}_s"), window), colour)
        for colour, name in enumerate(("rollout", "reward", "update"))
    ]
    return _some(
        line_chart("reward", rewards),
        _noisy_chart(rows, "kl", "KL to the reference, nats per token", window),
        _noisy_chart(rows, "entropy", "entropy of the policy, nats per token", window),
        _noisy_chart(rows, "completion_length", "completion length, tokens", window),
        _noisy_chart(rows, "zero_variance_groups", "groups of equal rewards, per step", window),
        line_chart("outputs without an end token, share", cut, percents=True, from_zero=True),
        line_chart("seconds per step", times, from_zero=True),
    )


def _shares(rows: Sequence[Row], part: str, whole: str) -> list[Point]:
    """(step, part / whole) of the lines that have both."""
    pairs = zip(points_of(rows, part), points_of(rows, whole), strict=False)
    return [(step, some / every) for (step, some), (_, every) in pairs if every]


def _noisy(rows: Sequence[Row], key: str, name: str, colour: int, window: int) -> list[Series]:
    raw = points_of(rows, key)
    if window < 2:
        return [Series(name, raw, colour)]
    return [Series("", raw, colour, faint=True), Series(name, smooth(raw, window), colour)]


def _noisy_chart(rows: Sequence[Row], key: str, title: str, window: int) -> Chart | None:
    series = [
        Series("", one.points, 0, faint=one.faint) for one in _noisy(rows, key, "", 0, window)
    ]
    return line_chart(title, series, from_zero=key != "completion_length")


def accuracy_chart(table: dict[str, Any]) -> Chart | None:
    """Greedy accuracy of every model on every benchmark, with its interval."""
    rows, models = table["benchmarks"], [row["model"] for row in table["rows"]]
    dots = []
    for colour, row in enumerate(table["rows"]):
        for place, benchmark in enumerate(rows):
            estimate = row["cells"].get(benchmark, {}).get("greedy")
            if estimate and None not in (estimate["value"], estimate["low"], estimate["high"]):
                value, low, high = estimate["value"], estimate["low"], estimate["high"]
                label = f"{row['model']} on {benchmark}: {percent(value)} ({span(low, high)})"
                dots.append(Dot(place, colour, value, low, high, label))
    return dot_chart("Greedy accuracy with 95% intervals", rows, models, dots) if dots else None


def k_charts(table: dict[str, Any]) -> list[tuple[str, list[Chart]]]:
    """For each sampled benchmark Maj@K and Pass@K of every model against K."""
    found = []
    for benchmark in table["benchmarks"]:
        charts = _some(
            *(
                line_chart(
                    f"{name}@K on {benchmark}",
                    _against_k(table, benchmark, metric),
                    "K samples of each question",
                    percents=True,
                    log2=True,
                    large=True,
                )
                for metric, name in (("maj", "Maj"), ("pass", "Pass"), ("best", "Best"))
            )
        )
        if charts:
            found.append((benchmark, charts))
    return found


def _against_k(table: dict[str, Any], benchmark: str, metric: str) -> list[Series]:
    series = []
    for colour, row in enumerate(table["rows"]):
        cells = row["cells"]
        points, band = [], []
        for k in ks(cells, benchmark, metric):
            value, low, high = (
                math.nan if part is None else part
                for part in map(cells[benchmark][f"{metric}@{k}"].get, ("value", "low", "high"))
            )
            points.append((float(k), value))
            band.append((float(k), low, high))
        series.append(Series(row["model"], points, colour, band, marks=True))
    return series


def _some(*charts: Chart | None) -> list[Chart]:
    return [chart for chart in charts if chart]
