"""The list of experiments shows what each is also called and what its results have said."""

import json

from click.testing import CliRunner

from seekmath.commands.reproduce import reproduce
from seekmath.reproduce.experiments import ALSO
from tests.reproduce.test_pages import result


def listed(folder, results):
    given = ["--list", "--out", str(folder / "runs"), "--results", str(results)]
    done = CliRunner().invoke(reproduce, given)
    assert done.exit_code == 0, done.output
    return done.output


def test_aliases_and_verdicts_of_results_are_listed(tmp_path):
    claim = {**result()["claims"][0], "text": "RL raises Maj@64."}
    for size, verdict in (("laptop", "holds"), ("nano", "cannot be told")):
        path = tmp_path / f"reproduce-figure-7-{size}.json"
        path.write_text(json.dumps(result(size=size, claims=[{**claim, "verdict": verdict}])))
    text = listed(tmp_path, tmp_path)
    assert "  - RL raises Maj@64. [holds at laptop size, cannot be told at nano size]\n" in text
    assert "  result of 2026-11-24, nano size: 2 min for seeds 0, 1\n" in text
    for alias, name in ALSO.items():
        heads = [line for line in text.splitlines() if line.startswith(f"{name}, ")]
        assert alias in heads[0]


def test_without_results_nothing_is_said_of_them(tmp_path):
    assert "[" not in listed(tmp_path, tmp_path / "absent")
