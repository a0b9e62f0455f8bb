from pathlib import Path

from seekmath.report.runs import open_run
from tests.report.run_files import STAGES, append_text, manifest


def test_stages_come_in_the_recipes_order_with_their_types(run_dir) -> None:
    run = open_run(run_dir)
    assert (run.name, run.seed) == ("laptop", 3)
    assert [stage.name for stage in run.stages] == list(STAGES)
    assert [stage.name for stage in run.of_type("grpo")] == ["grpo"]


def test_half_a_line_and_damage_in_the_log_are_left_out(run_dir) -> None:
    stage = open_run(run_dir).of_type("sft")[0]
    whole = stage.metrics()
    append_text(stage.folder / "metrics.jsonl", '[1]\n{"loss": 2}\n\xff\n{"step": 31, "lo')
    assert stage.metrics() == whole
    assert len(whole) == 30


def test_the_state_of_each_stage_is_told(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("stages: {mine: {}, sft: {}, second: {type: sft}}")
    manifest(tmp_path / "mine", "mine", 1.0, {}, state="interrupted")
    manifest(tmp_path / "extra", "extra", 1.0, {})
    (tmp_path / "sft").mkdir()
    (tmp_path / "sft/stage.json").write_text('{"stage": ')
    run = open_run(tmp_path)
    states = {stage.name: stage.state for stage in run.stages}
    assert states == {
        "mine": "interrupted",
        "sft": "unreadable",
        "second": "not started",
        "extra": "finished",
    }
    assert run.name == tmp_path.name
    assert "stage.json" in run.stages[1].complaint
    assert run.stages[2].type == "sft"


def test_the_folder_of_a_single_stage_is_a_run_of_one(run_dir) -> None:
    run = open_run(run_dir / "grpo")
    assert [stage.type for stage in run.stages] == ["grpo"]
    assert run.seed == 3


def test_files_that_are_absent_or_damaged_read_as_nothing(run_dir) -> None:
    stage = open_run(run_dir).of_type("mine")[0]
    (stage.folder / "broken.json").write_text("{")
    (stage.folder / "broken.parquet").write_text("no parquet")
    assert stage.json("absent.json") is None
    assert stage.json("broken.json") is None
    assert stage.table("broken.parquet", ["url"]) == []
    assert stage.table("absent.parquet", ["url"]) == []
    assert stage.metrics() == []
