"""What went wrong in reinforcement is said in the report."""

import json

from seekmath.report.figures import grpo_charts
from seekmath.report.page import write_report
from seekmath.report.runs import open_run
from seekmath.report.troubles import largest_gap, troubles


def log(run_dir, count: int = 9, **changes: dict[int, object]) -> None:
    """Calm lines but for ``changes``: of a key, by step."""
    calm = {"alarms": None, "skipped": None, "reward_errors": 0, "reward_timeouts": 0,
            "truncated": 2, "completions": 8, "logprob_gap": 1e-6}  # fmt: skip
    rows = [
        {"step": step, **calm, **{k: v[step] for k, v in changes.items() if step in v}}
        for step in range(1, count + 1)
    ]
    (run_dir / "grpo/metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def stage(run_dir):
    return next(one for one in open_run(run_dir).stages if one.name == "grpo")


def test_a_calm_run_has_none(run_dir):
    log(run_dir)
    assert troubles(stage(run_dir)) == []
    assert largest_gap(stage(run_dir)) == 1e-6
    (chart,) = grpo_charts(stage(run_dir))
    assert chart.title == "outputs without an end token, share"


def test_each_kind_of_trouble_is_counted_and_placed(run_dir):
    log(
        run_dir,
        alarms={5: "kl", 6: "kl entropy", 7: "kl"},
        skipped={8: "the loss is nan"},
        reward_errors={2: 3, 3: 1},
        reward_timeouts={3: 1},
        logprob_gap={4: 0.25, 5: None},
    )
    assert troubles(stage(run_dir)) == [
        "Alarm kl: KL to the reference blew up (3 steps, first 5, last 7).",
        "Alarm entropy: entropy collapsed: the policy hardly explores (step 6).",
        "No update was made in step 8: the loss is nan.",
        "4 outputs had no reward and so no gradient, 1 of them because the function was late.",
    ]
    assert largest_gap(stage(run_dir)) == 0.25


def test_the_page_says_them_and_escapes_what_it_is_told(run_dir):
    log(run_dir, alarms={5: "kl <script>"}, skipped={9: "<img src=x>"})
    page = write_report(run_dir).read_text()
    assert "KL to the reference blew up (step 5)" in page
    assert "&lt;img src=x&gt;" in page
    assert "<img" not in page
    assert "<script" not in page
