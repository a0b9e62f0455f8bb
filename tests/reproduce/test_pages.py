"""Results as pages: every claim and figure is shown, hostile text stays text, damage is named."""

import json
import re

import pytest

from seekmath.core.files import BadInput, read_json
from seekmath.reproduce.charts import dots, lines, paper_value
from seekmath.reproduce.html import write_html
from seekmath.reproduce.page import ours, write_page
from seekmath.reproduce.result import read_result
from tests.report.run_files import HOSTILE
from tests.report.test_page import outline


def value(mean, low=None, high=None):
    return {"mean": mean, "low": low, "high": high, "by_seed": [mean]}


def result(**changes):
    claim = {
        "text": "It rises.",
        "verdict": "holds",
        "arm": "grpo",
        "against": "sft",
        "measure": "pass@1",
        "by_seed": [0.1, 0.2],
        "mean": 0.15,
        "over_seeds": [0.05, 0.25],
        "over_problems": None,
    }
    return {
        "experiment": "figure-7",
        "title": "Samples",
        "place": "Figure 7",
        "size": "nano",
        "seeds": [0, 1],
        "claims": [claim],
        "arms": {
            arm: {
                **{f"{kind}@{k}": value(mean, mean - 0.1, mean + 0.1)
                   for kind in ("maj", "pass") for k in (1, 2, 4)},
                "bits per byte of solutions": value(0.61),
            }
            for arm, mean in (("sft", 0.4), ("grpo", 0.5))
        },
        "curves": {"share right": {"grpo": [(1, 0.2), (2, 0.3)]}},
        "paper": {"sft": {"pass@1": 0.829}},
        "differs": "It is small.",
        "minutes": 1.5,
        "date": "2026-11-24",
        "machine": "a machine",
        "versions": {"python": "3.11"},
        "command": "seekmath reproduce figure-7",
        **changes,
    }  # fmt: skip


def written(tmp_path, **changes):
    path = tmp_path / "reproduce-figure-7.json"
    path.write_text(json.dumps(result(**changes)))
    return path


def test_the_page_shows_verdicts_figures_and_the_papers_own(tmp_path):
    write_html([written(tmp_path)], tmp_path / "page.html")
    page = outline(tmp_path / "page.html")
    for shown in ("It rises.", "✓ holds", "+15.0", "+5.0 to +25.0", "paper 82.9", "0.610",
                  "Maj@K and Pass@K", "share right", "It is small.", "a machine", "2026-11-24",
                  "seekmath reproduce figure-7"):  # fmt: skip
        assert shown in page.text
    assert "script" not in page.tags
    names = dict(page.attributes)
    assert "default-src 'none'" in names["content"] or any(
        "default-src 'none'" in content for name, content in page.attributes if name == "content"
    )


def test_hostile_text_stays_text(tmp_path):
    arms = {HOSTILE: {HOSTILE: value(0.5)}}
    path = written(
        tmp_path, title=HOSTILE, differs=HOSTILE, command=HOSTILE, machine=HOSTILE, arms=arms
    )
    write_html([path], tmp_path / "page.html")
    page = outline(tmp_path / "page.html")
    assert not page.tags & {"script", "img", "iframe"}
    assert not [name for name, _ in page.attributes if name.startswith("on")]


def test_claimed_measures_have_dots_and_the_others_lines(tmp_path):
    found = read_result(written(tmp_path))
    assert [one.title for one in dots(found)] == ["pass@1", "bits per byte of solutions"]
    crossing, curve = lines(found)
    assert [line.name for line in crossing.lines] == [
        "sft, Maj@K", "sft, Pass@K", "grpo, Maj@K", "grpo, Pass@K",
    ]  # fmt: skip
    assert curve.title == "share right"


def test_the_papers_number_of_the_benchmark_that_ours_stands_for():
    known = {"paper": {"sft": {"GSM8K": 0.1, "GSM8K cot": 0.2, "MATH+Python": 0.3}}}
    assert paper_value(known, "sft", "mini-gsm8k") == 0.1
    assert paper_value(known, "sft", "mini-gsm8k cot") == 0.2
    assert paper_value(known, "sft", "mini-math tool") == 0.3
    assert paper_value(known, "grpo", "mini-gsm8k") is None


@pytest.mark.parametrize("write", [write_html, write_page])
def test_a_damaged_result_is_named_with_its_field(write, tmp_path):
    path = written(tmp_path, minutes="long")
    with pytest.raises(BadInput, match=f"{re.escape(str(path))}.*minutes"):
        write([path], tmp_path / "page")
    assert not (tmp_path / "page").exists()


FOUR = {"low": -0.059, "high": 1.2, "by_seed": [0.1, 0.2, 0.3, 0.4]}


@pytest.mark.parametrize(
    ("value", "measure", "words"),
    [
        ({"by_seed": [0.25]}, "pass@1", "25.0"),
        ({"by_seed": [0.1, 0.4]}, "pass@1", "25.0 (10.0 · 40.0)"),
        (FOUR, "pass@1", "25.0 (0.0 to 100.0)"),
        (FOUR, "bits per byte", "0.250 (−0.059 to 1.200)"),
    ],
)
def test_few_seeds_are_named_and_intervals_of_shares_are_cut(value, measure, words):
    assert ours({"mean": 0.25, "low": None, "high": None, **value}, measure) == words


@pytest.mark.parametrize("write", [write_html, write_page])
def test_that_intervals_are_cut_is_said_where_they_are_shown(write, tmp_path):
    many = {"sft": {"pass@1": {"mean": 0.25, **FOUR}}}
    for arms, said in ((many, True), (result()["arms"], False)):
        write([written(tmp_path, arms=arms, seeds=[0, 1, 2, 3])], tmp_path / "page")
        assert ("cut at 0 and 100%" in (tmp_path / "page").read_text()) == said


def test_differences_below_zero_have_a_minus_sign(tmp_path):
    claim = {**result()["claims"][0], "mean": -0.05, "over_seeds": [-0.1, 0.0]}
    write_page([written(tmp_path, claims=[claim])], tmp_path / "page.md")
    assert "| −5.0 | −10.0 to 0.0 |" in (tmp_path / "page.md").read_text()


def test_a_result_without_curves_is_read(tmp_path):
    path = written(tmp_path)
    old = read_json(path)
    del old["curves"]
    path.write_text(json.dumps(old))
    assert read_result(path)["curves"] == {}


def test_intervals_of_shares_stay_on_the_figure(tmp_path):
    arms = {f"round {n}": {"recall": value(0.9, -0.5, 1.7)} for n in (1, 2)}
    (chart,) = lines({**read_result(written(tmp_path, arms=arms)), "curves": {}})
    heights = [float(y) for y in re.findall(r",([\d.-]+)", chart.lines[0].band)]
    assert heights
    assert all(chart.top <= y <= chart.bottom for y in heights)


def test_a_second_result_is_held_against_the_first(tmp_path):
    path = written(tmp_path)
    arms = result()["arms"]
    arms["sft"]["pass@1"] = value(0.55, 0.5, 0.6)
    second = {**result(), "arms": arms, "seeds": [2, 3]}
    second["claims"] = [{**second["claims"][0], "verdict": "cannot be told"}]
    (tmp_path / "again-figure-7.json").write_text(json.dumps(second))
    write_page([path], tmp_path / "page.md")
    write_html([path], tmp_path / "page.html")
    for page in ((tmp_path / name).read_text() for name in ("page.md", "page.html")):
        assert "with seeds 2, 3" in page
        # Twelve of Maj@K and Pass@K; bits have no interval.
        assert "11 of 12 means lie" in page
        assert "all but sft, pass@1" in page
        assert "Verdicts: “It rises.” cannot be told." in page
