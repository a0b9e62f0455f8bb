import math

import pytest

from seekmath.core.files import write_json
from seekmath.report.gain import read_gain, t_interval


def test_the_interval_is_students_t() -> None:
    # Two degrees of freedom: 4.303 standard errors, which are 1/sqrt(3) here.
    mean, low, high = t_interval([1.0, 2.0, 3.0])
    assert mean == 2.0
    assert high - mean == pytest.approx(4.303 / math.sqrt(3), rel=1e-6)
    assert mean - low == pytest.approx(high - mean)


def test_many_values_fall_back_to_the_normal_quantile_and_one_has_no_interval() -> None:
    mean, low, high = t_interval([0.0, 1.0] * 20)
    assert high - low == pytest.approx(2 * 1.96 * math.sqrt(40 * 0.25 / 39 / 40))
    assert mean == 0.5
    assert math.isnan(t_interval([0.1])[1])


def test_seeds_without_both_figures_are_left_out(tmp_path) -> None:
    seeds = [
        {"seed": 0, "before": 0.5, "after": 0.6},
        {"seed": 1, "before": 0.5, "after": 0.7},
        {"seed": 2, "before": 0.5},
        {"seed": 3, "before": float("nan"), "after": 0.7},
    ]
    write_json(tmp_path / "gain.json", {"benchmark": "mini-gsm8k", "seeds": seeds})
    gain = read_gain(tmp_path / "gain.json")
    assert gain
    assert [seed for seed, _, _ in gain.rows] == ["0", "1"]
    assert gain.mean == pytest.approx(0.15)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"seeds": []}', '{"seeds": [1]}'])
def test_a_file_that_tells_nothing_is_none(tmp_path, text) -> None:
    (tmp_path / "gain.json").write_text(text)
    assert read_gain(tmp_path / "gain.json") is None
    assert read_gain(tmp_path / "absent.json") is None
