import io
from pathlib import Path

import pytest
from rich.console import Console

from seekmath.core.files import BadInput, write_json
from seekmath.report.runs import open_run
from seekmath.report.tables import accuracies, by_benchmark, final_table, ks, rich_table
from tests.report.run_files import manifest


def printed(run_dir: Path, width: int = 80) -> str:
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(rich_table(run_dir))
    return console.file.getvalue()


def test_rows_are_models_in_order_and_columns_benchmarks_in_the_papers_order(run_dir) -> None:
    table = final_table(run_dir)
    assert [row["model"] for row in table["rows"]] == ["pretrain", "sft", "grpo"]
    assert table["benchmarks"][:3] == ["mini-gsm8k", "mini-math", "mini-ocw"]
    assert len(table["benchmarks"]) == 8
    greedy = table["rows"][2]["cells"]["mini-gsm8k"]["greedy"]
    assert greedy["value"] == 0.64
    assert greedy["n"] == 500
    assert ks(table["rows"][0]["cells"], "mini-gsm8k", "maj") == [1, 2, 4, 8, 16]


def test_the_terminal_table_fits_80_columns_uncut_and_says_what_is_generated(run_dir) -> None:
    text = printed(run_dir)
    assert "…" not in text
    for shown in ("pretrain", "64.0", "pass@16", "maj@16", "generated counterparts"):
        assert shown in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_best_model_of_each_benchmark_is_known(run_dir) -> None:
    rows = by_benchmark(final_table(run_dir))
    assert rows[0].name == "mini-gsm8k"
    assert rows[0].best == 0.64
    assert rows[0].n == 500


def test_names_of_models_and_terminal_mark_up_are_kept_as_they_are(tmp_path) -> None:
    manifest(tmp_path / "evaluate", "evaluate", 1.0, {})
    estimate = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 100}
    write_json(tmp_path / "evaluate/results.json", {"org/[bold]model/test/greedy": estimate})
    assert final_table(tmp_path)["rows"][0]["model"] == "org/[bold]model"
    assert "org/[bold]model" in printed(tmp_path, 120)


def test_a_value_that_is_missing_or_not_finite_is_a_dash(tmp_path) -> None:
    manifest(tmp_path / "evaluate", "evaluate", 1.0, {})
    results = {
        "a/one/greedy": {"value": float("nan"), "low": None, "high": "x", "n": 3},
        "b/two/greedy": {"value": 0.5, "low": 0.4, "high": 0.6, "n": 100},
        "misshapen": 3,
    }
    write_json(tmp_path / "evaluate/results.json", results)
    table = accuracies(open_run(tmp_path))
    assert table["rows"][0]["cells"]["one"]["greedy"]["value"] is None
    assert by_benchmark(table)[0].best is None
    assert "–" in printed(tmp_path)


def test_two_evaluations_keep_their_models_apart(tmp_path) -> None:
    estimate = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 100}
    for name in ("before", "after"):
        manifest(tmp_path / name, name, 1.0, {}, type="evaluate")
        write_json(tmp_path / name / "results.json", {"model/test/greedy": estimate})
    rows = final_table(tmp_path)["rows"]
    assert sorted(row["model"] for row in rows) == ["after: model", "before: model"]


def test_a_run_without_an_evaluation_gives_an_empty_table(tmp_path) -> None:
    manifest(tmp_path / "sft", "sft", 1.0, {})
    assert final_table(tmp_path)["rows"] == []
    assert "model" in printed(tmp_path)


def test_a_folder_that_is_no_run_is_refused(tmp_path) -> None:
    with pytest.raises(BadInput, match="neither"):
        final_table(tmp_path)
    with pytest.raises(BadInput, match="no such"):
        final_table(tmp_path / "absent")
