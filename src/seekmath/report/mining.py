"""The mining funnel: steps with drop reasons, scores, hosts, benchmark text (section 2.1)."""

from dataclasses import dataclass
from typing import Any

from seekmath.report.numbers import finite
from seekmath.report.plot import Chart, Series, line_chart
from seekmath.report.runs import Row, Stage
from seekmath.report.scores import score_charts

_MOST_HOSTS = 25
_MOST_PREFIXES = 40
_MOST_ITEMS = 15


@dataclass(frozen=True)
class Step:
    """One step of the funnel; ``share`` is what it kept of all that came in at the top."""

    name: str
    kept: float
    share: float
    dropped: list[tuple[str, float]]


@dataclass(frozen=True)
class Host:
    """A host: its pages, and the share of them collected in each round (None: not reported)."""

    name: str
    pages: float | None
    collected: float | None
    shares: list[float | None]
    candidate: bool


@dataclass(frozen=True)
class Passage:
    """What one round made of a host: its pages, those collected, and those that join the seeds.

    ``left`` are uncollected pages under the prefixes marked in this round; None: none was.
    """

    host: str
    pages: float | None
    collected: float | None
    share: float
    candidate: bool
    prefixes: int
    left: float | None


@dataclass(frozen=True)
class Mining:
    """What a ``mine`` or ``decontaminate`` stage has to show."""

    stage: Stage
    steps: list[Step]
    entered: float
    rounds: list[Row]
    charts: list[Chart]
    scores: list[Chart]
    calibration: Row
    passages: list[tuple[int, list[Passage]]]
    hosts: list[Host]
    more_hosts: int
    prefixes: list[Row]
    more_prefixes: int
    contamination: Row
    items: list[Row]
    more_items: int

    @property
    def has_truth(self) -> bool:
        """Whether labels were there to measure rounds against."""
        return any(row["truth"] for row in self.rounds)


def read_mining(stage: Stage) -> Mining:
    """Read what the stage left so far."""
    rounds = _rounds(stage)
    entered, steps = _steps(_rows(stage.json("funnel.json")))
    hosts = _hosts(rounds)
    prefixes = _rows(rounds[-1].get("prefixes")) if rounds else []
    contamination = stage.json("contamination.json")
    contamination = contamination if isinstance(contamination, dict) else {}
    items = _rows(contamination.get("items"))
    return Mining(
        stage,
        steps,
        entered,
        rounds,
        _charts(rounds),
        score_charts(rounds),
        _calibration(rounds),
        [(at, found) for at, row in enumerate(rounds, 1) if (found := _passages(row))],
        hosts[:_MOST_HOSTS],
        len(hosts[_MOST_HOSTS:]),
        prefixes[:_MOST_PREFIXES],
        len(prefixes[_MOST_PREFIXES:]),
        contamination,
        items[:_MOST_ITEMS],
        len(items[_MOST_ITEMS:]),
    )


def _rows(value: Any) -> list[Row]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _rounds(stage: Stage) -> list[Row]:
    """``rounds.json``, or of a run in progress the reports of the rounds that are finished."""
    rounds = _rows(stage.json("rounds.json"))
    if not rounds:
        paths = sorted(stage.folder.glob("rounds/*/round.json"))
        rounds = _rows([stage.json(str(path.relative_to(stage.folder))) for path in paths])
    for row in rounds:
        row["truth"] = row["truth"] if isinstance(row.get("truth"), dict) else {}
    return rounds


def _steps(rows: list[Row]) -> tuple[float, list[Step]]:
    steps = []
    entered = 0.0
    for row in rows:
        kept, given = finite(row.get("kept")) or 0.0, row.get("dropped")
        reasons = given.items() if isinstance(given, dict) else []
        dropped = [(str(name).replace("_", " "), finite(n) or 0.0) for name, n in reasons]
        entered = entered or kept + sum(n for _, n in dropped)
        some = sorted((pair for pair in dropped if pair[1]), key=lambda pair: -pair[1])
        steps.append(Step(str(row.get("step", "")), kept, kept / max(entered, 1.0), some))
    return entered, steps


def _charts(rounds: list[Row]) -> list[Chart]:
    measures = ("precision", "recall", "average_precision")
    quality = [
        Series(name.replace("_", " "), _by_round([row["truth"] for row in rounds], name), colour,
               marks=True)
        for colour, name in enumerate(measures)
    ]  # fmt: skip
    known = Series("", _by_round(rounds, "share_already_collected"), 0, marks=True)
    charts = (
        line_chart("against the truth", quality, "round", percents=True),
        line_chart("collected in the round before", [known], "round", percents=True),
    )
    return [chart for chart in charts if chart]


def _by_round(rows: list[Row], key: str) -> list[tuple[float, float]]:
    values = [(float(number), finite(row.get(key))) for number, row in enumerate(rows, 1)]
    return [(number, value) for number, value in values if value is not None]


def _calibration(rounds: list[Row]) -> Row:
    """Of the last round: pages held out, and the error before and after calibration."""
    found = rounds[-1].get("calibration") if rounds else None
    parts = [found.get(key) if isinstance(found, dict) else None for key in ("raw", "calibrated")]
    if not isinstance(found, dict) or not all(isinstance(part, dict) for part in parts):
        return {}
    return found


def _passages(row: Row) -> list[Passage]:
    """The hosts of one round, most collected first."""
    candidates = {one.get("host") for one in _rows(row.get("candidates"))}
    marked: dict[str, list[float]] = {}
    for one in _rows(row.get("prefixes")):
        host = str(one.get("prefix")).partition("/")[0]
        pages, collected = finite(one.get("pages")) or 0.0, finite(one.get("collected")) or 0.0
        marked.setdefault(host, []).append(pages - collected)
    return [
        Passage(
            str(one.get("host")),
            finite(one.get("pages")),
            finite(one.get("collected")),
            finite(one.get("share")) or 0.0,
            one.get("host") in candidates,
            len(marked.get(str(one.get("host")), [])),
            sum(marked[str(one.get("host"))]) if one.get("host") in marked else None,
        )
        for one in _rows(row.get("hosts"))[:_MOST_HOSTS]
        if finite(one.get("collected"))
    ]


def _hosts(rounds: list[Row]) -> list[Host]:
    """Hosts by pages collected in the last round, with their share in every round."""
    if not rounds:
        return []
    shares = [{row.get("host"): finite(row.get("share")) for row in _rows(one.get("hosts"))}
              for one in rounds]  # fmt: skip
    candidates = {row.get("host") for row in _rows(rounds[-1].get("candidates"))}
    return [
        Host(
            str(row.get("host")),
            finite(row.get("pages")),
            finite(row.get("collected")),
            [share.get(row.get("host")) for share in shares],
            row.get("host") in candidates,
        )
        for row in _rows(rounds[-1].get("hosts"))
        if finite(row.get("collected"))
    ]
