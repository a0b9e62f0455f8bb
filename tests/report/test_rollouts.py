import pytest

from seekmath.core.files import write_parquet
from seekmath.core.records import SAMPLE
from seekmath.report.rollouts import MOST_CHARACTERS, cut_text, read_rollouts, visible
from seekmath.report.runs import open_run
from tests.report.run_files import make_run


def kept_of(run_dir):
    return read_rollouts(open_run(run_dir).of_type("grpo")[0])


def test_first_middle_and_last_kept_steps_are_shown(run_dir) -> None:
    assert [one.step for one in kept_of(run_dir)] == [1, 70, 140]


def test_groups_with_a_gradient_come_first_and_one_without_is_shown(run_dir) -> None:
    one = kept_of(run_dir)[0]
    assert one.of == 4
    assert [group.zero_variance for group in one.groups] == [False, False, True]
    assert [(group.right, group.size) for group in one.groups] == [(4, 8), (1, 8), (8, 8)]


def test_both_ends_of_a_group_are_shown_and_the_rest_folded(run_dir) -> None:
    group = kept_of(run_dir)[0].groups[1]
    shown = [(output.k, output.verdict) for output in group.outputs]
    assert (7, "right") in shown
    assert len(shown) == 4
    assert shown == sorted(shown)
    assert sorted(o.k for o in group.outputs + group.folded) == list(range(8))
    assert max(output.tint for output in group.outputs) == 1.0
    assert all(output.tint < 0 for output in group.outputs if output.verdict == "wrong")


def test_the_same_question_twice_in_a_step_is_two_groups(tmp_path) -> None:
    row = {"problem_id": "a", "prompt": "Q", "completion": "C", "verdict": None, "gold": "1"}
    rows = [{**row, "k": k, "rewards": [], "advantages": []} for k in (0, 1, 0, 1)]
    run_dir = make_run(tmp_path / "run")
    write_parquet(run_dir / "grpo/rollouts/step-00001.parquet", rows, SAMPLE)
    one = kept_of(run_dir)[0]
    assert one.of == 2
    assert one.groups[0].zero_variance
    assert one.groups[0].outputs[0].verdict == "not told"
    assert one.groups[0].outputs[0].advantages is None


def test_a_damaged_file_costs_that_file(run_dir) -> None:
    (run_dir / "grpo/rollouts/step-00070.parquet").write_bytes(b"PAR1")
    assert [one.step for one in kept_of(run_dir)] == [1, 140]


def test_long_completions_are_cut_with_a_count() -> None:
    text, cut = cut_text("x" * (MOST_CHARACTERS + 25))
    assert (len(text), cut) == (MOST_CHARACTERS, 25)
    assert cut_text(None) == ("", 0)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x00b", "a␀b"),
        ("\x1b[31m", "␛[31m"),
        ("\u202eabc", "\ufffdabc"),
        ("a\n\tb", "a\n\tb"),
        ("数学 é", "数学 é"),
    ],
)
def test_control_characters_become_signs(text, shown) -> None:
    assert visible(text) == shown


def test_each_step_has_the_mean_advantage_of_its_tokens(tmp_path) -> None:
    row = {"problem_id": "a", "prompt": "Q", "verdict": None, "gold": "1", "rewards": [1.0]}
    process = {"completion": "x = 1\n\ny = 2\nend", "advantages": [2.0, 2.0, 2.0, -1.0, -1.0, -4.0],
               "step_ends": [2, 4, 5]}  # fmt: skip
    outcome = {**process, "advantages": [-0.5] * 6}
    other = {**process, "step_ends": [2, 5]}  # lines that are no steps by count
    rows = [{**row, "k": k, **one} for k, one in enumerate((process, outcome, other))]
    run_dir = make_run(tmp_path / "run")
    write_parquet(run_dir / "grpo/rollouts/step-00001.parquet", rows, SAMPLE)
    first, second, third = kept_of(run_dir)[0].groups[0].outputs
    assert [(s.text, s.advantage, s.tint) for s in first.steps] == [
        ("x = 1\n\n", 2.0, 0.5), ("y = 2\n", -1.0, -0.25), ("end", -4.0, -1.0),
    ]  # fmt: skip
    assert not second.steps
    assert not third.steps
