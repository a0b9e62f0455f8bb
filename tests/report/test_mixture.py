from dataclasses import replace

from seekmath.report.mixture import read_mixture
from seekmath.report.runs import open_run


def test_schedule_mixture_and_phases_are_said(run_dir) -> None:
    stage = open_run(run_dir).of_type("pretrain")[0]
    assert stage.manifest
    settings = {
        "schedule": "multistep", "peak_lr": 3e-3, "warmup_steps": 100, "steps": 2400,
        "phases": [{"name": "code", "steps": 400, "weights": {"code": 1.0}}],
    }  # fmt: skip
    metrics = {"weights": {"math": 0.75, "code": 0.25, "none": 0.0}, "share/math": 0.74,
               "epochs/math": 1.5}  # fmt: skip
    manifest = stage.manifest.model_copy(update={"settings": settings, "metrics": metrics})
    found = read_mixture(replace(stage, manifest=manifest))
    assert found
    assert found.schedule == "schedule multistep, peak 0.00300, 100 steps of warm-up, 2,400 steps"
    assert [(s.name, s.weight, s.share, s.epochs) for s in found.sources] == [
        ("math", 0.75, 0.74, 1.5), ("code", 0.25, None, None),
    ]  # fmt: skip
    assert found.phases == [("code", 400.0, "code 100%")]


def test_a_stage_that_has_not_started_has_none(run_dir) -> None:
    stage = open_run(run_dir).of_type("pretrain")[0]
    assert read_mixture(replace(stage, manifest=None)) is None
