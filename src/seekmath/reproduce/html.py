"""All results as one HTML page in the style of the report: no scripts, nothing loaded."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seekmath.core.files import whole_file
from seekmath.report.page import environment
from seekmath.reproduce.again import once_more
from seekmath.reproduce.charts import dots, lines, paper_value
from seekmath.reproduce.page import ABOUT, SIGNS, cut, legend, ours, shown, span
from seekmath.reproduce.result import read_result


def write_html(results: Sequence[Path], out: Path) -> None:
    """Write the page of all ``results`` to ``out``, whole or not at all.

    Raises:
        BadInput: a file is no result of an experiment.
    """
    read = [{**read_result(path), "source": path.name} for path in results]
    for result, path in zip(read, results, strict=True):
        result["again"] = once_more(result, path)
    pages = environment()
    pages.filters.update(shown=shown, ours=ours, reach=span, legend=legend, cut=cut)
    page = pages.get_template("reproduction.html").render(
        results=[(result, (lines(result), dots(result)), _rows(result)) for result in read],
        about=ABOUT,
        signs=SIGNS,
    )
    with whole_file(out, "wb") as file:
        file.write(page.encode("utf-8", errors="replace"))


def _rows(result: dict[str, Any]) -> list[tuple[str, list[tuple[Any, float | None]]]]:
    """Measure → (our value, the paper's) of every arm."""
    measures = dict.fromkeys(measure for row in result["arms"].values() for measure in row)
    return [
        (
            measure,
            [
                (row.get(measure), paper_value(result, arm, measure))
                for arm, row in result["arms"].items()
            ],
        )
        for measure in measures
    ]
