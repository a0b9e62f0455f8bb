import math

from seekmath.report.figures import (
    accuracy_chart,
    grpo_charts,
    k_charts,
    loss_charts,
    points_of,
    pretrain_charts,
    reward_facts,
)
from seekmath.report.runs import open_run
from seekmath.report.tables import accuracies
from tests.report.run_files import append_text


def stage_of(run_dir, type_name):
    return open_run(run_dir).of_type(type_name)[0]


def test_pretraining_shows_loss_bits_per_byte_by_corpus_and_the_learning_rate(run_dir) -> None:
    loss, bits, rate = pretrain_charts(stage_of(run_dir, "pretrain"))
    assert [line.name for line in loss.lines] == ["training", "held out"]
    assert [line.name for line in bits.lines] == ["web", "problems", "mean"]
    assert rate.title == "learning rate"


def test_fine_tuning_and_reward_model(run_dir) -> None:
    assert [chart.title for chart in loss_charts(stage_of(run_dir, "sft"))] == [
        "loss",
        "learning rate",
    ]
    facts = reward_facts(stage_of(run_dir, "reward"))
    assert facts["heldout_accuracy"] == 0.81


def test_grpo_draws_each_quantity_raw_and_smoothed(run_dir) -> None:
    charts = grpo_charts(stage_of(run_dir, "grpo"))
    assert [chart.title.split(",")[0] for chart in charts] == [
        "reward",
        "KL to the reference",
        "entropy of the policy",
        "completion length",
        "groups of equal rewards",
        "seconds per step",
    ]
    # The share of right answers is the reward itself here, so it is not drawn twice.
    assert [(line.name, "faint" in line.css) for line in charts[0].lines] == [
        ("", True),
        ("mean reward", False),
    ]


def test_a_short_or_partly_missing_log_still_gives_figures(run_dir) -> None:
    path = run_dir / "grpo/metrics.jsonl"
    path.write_text('{"step": 1, "reward_mean": null, "right": 0.5}\n')
    append_text(path, '{"step": 2, "reward_mean": 0.4, "right": 0.5, "kl": NaN}\n')
    charts = grpo_charts(stage_of(run_dir, "grpo"))
    assert [chart.title for chart in charts] == ["reward"]
    path.unlink()
    assert grpo_charts(stage_of(run_dir, "grpo")) == []


def test_values_that_are_not_finite_leave_gaps() -> None:
    rows = [{"step": 1, "loss": 1.0}, {"step": 2, "loss": None}, {"step": 3}, {"step": "x"}]
    points = points_of(rows, "loss")
    assert points[0] == (1.0, 1.0)
    assert len(points) == 2
    assert math.isnan(points[1][1])


def test_accuracies_have_a_dot_for_each_model_and_benchmark(run_dir) -> None:
    chart = accuracy_chart(accuracies(open_run(run_dir)))
    assert chart
    assert [line.name for line in chart.lines] == ["pretrain", "sft", "grpo"]
    assert [len(line.marks) for line in chart.lines] == [8, 8, 8]
    assert accuracy_chart({"benchmarks": [], "rows": []}) is None


def test_maj_and_pass_at_k_of_sampled_benchmarks_only(run_dir) -> None:
    ((benchmark, charts),) = k_charts(accuracies(open_run(run_dir)))
    assert benchmark == "mini-gsm8k"
    assert [chart.title for chart in charts] == ["Maj@K on mini-gsm8k", "Pass@K on mini-gsm8k"]
    assert [tick.label for tick in charts[0].x_ticks] == ["1", "2", "4", "8", "16"]
    assert all(line.band for line in charts[0].lines)
