"""The browser of single answers, and the export for other tools."""

import re
from pathlib import Path

import pytest

from seekmath.core.files import BadInput, read_json, write_json, write_parquet
from seekmath.core.records import ANSWER
from seekmath.report.answers import read_answers
from seekmath.report.lm_eval import write_lm_eval
from seekmath.report.page import render
from seekmath.report.runs import open_run
from tests.report.run_files import HOSTILE, manifest


def answer(problem: int, model: str, k: int, right: bool, text: str = "It is $x^2$.") -> dict:
    return {
        "problem_id": f"p{problem}", "benchmark": "test", "k": k, "question": f"Question {problem}",
        "completion": f"{model}: {text}", "extracted": "4", "verdict": right, "reason": "equal",
        "gold": "worked\n#### 4", "stop_reason": "stop", "tokens": 7,
        "overlap": float(problem == 1),
    }  # fmt: skip


def evaluation(folder: Path, text: str = "It is $x^2$.") -> Path:
    """Two models that differ on odd problems; the first also has two samples of each."""
    settings = {"models": {"one": "x"}, "recorded": {"two": "y"}, "few_shot_models": ["one"]}
    manifest(folder, "evaluate", 9.0, {}, type="evaluate", settings=settings)
    for model in ("two", "one"):
        rows = [answer(n, model, -1, n % 2 == 0 or model == "one", text) for n in range(40)]
        if model == "one":
            rows += [answer(n, model, k, k == 0, text) for n in range(40) for k in (0, 1)]
        write_parquet(folder / f"samples/{model}-test.parquet", rows, ANSWER)
    share = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 40}
    results = {f"{m}/test/{k}": share for m in ("one", "two") for k in ("greedy", "pass@2")}
    write_json(folder / "results.json", results)
    counts = {"answers": 40, "flagged": {"p1": 1.0}, "by_level": {"1": {"greedy": share}, "2": {}}}
    vote = {"bins": [{"share": 0.5, "accuracy": 0.25, "n": 40}], "error": 0.25}
    details = {m: {"test": {**counts, "shots": 0}} for m in ("one", "two")}
    details["one"]["test"] |= {"shots": 4, "vote_calibration": vote}
    write_json(folder / "details.json", details)
    return folder


def test_the_same_problems_of_every_model_stand_together(tmp_path: Path):
    stage = open_run(evaluation(tmp_path / "e")).of_type("evaluate")[0]
    found = read_answers(stage, most=10)
    assert found
    assert (found.models, found.of, len(found.problems)) == (["one", "two"], 40, 10)
    assert all([a.model for a in p.answers] == ["one", "two"] for p in found.problems)
    differing = [p for p in found.problems if len({a.verdict for a in p.answers}) > 1]
    assert len(differing) >= 5
    assert found.problems[0].answers[0].votes == "1 of 2 samples right"
    assert found.problems[0].gold == "#### 4"
    assert found == read_answers(stage, most=10)
    assert len(read_answers(stage, most=100).problems) == 40


def test_the_page_filters_without_a_script_and_hostile_text_is_dead(tmp_path: Path):
    text = f"{HOSTILE} $\\text{{{HOSTILE}}}$ $\\frac{{1}}{{2}}$"
    page = render(open_run(evaluation(tmp_path / "e", text)), 5)
    assert "<script" not in page
    assert "<img" not in page
    assert "<mfrac>" in page
    chosen = re.findall(r'<input type="radio" name="(\w+)" id="([\w-]+)"', page)
    assert {name for name, _ in chosen} == {"s0v", "s0b", "s0m"}
    styled = set(re.findall(r":has\(#([\w-]+):checked\)", page))
    assert styled == {one for _, one in chosen if not one.endswith("-all")}


def test_a_formal_problem_shows_its_statement_and_no_gold_answer(tmp_path: Path):
    folder = tmp_path / "e"
    manifest(folder, "evaluate", 9.0, {}, type="evaluate", settings={"recorded": {"one": "y"}})
    title = "minif2f-test (Coq 8.16.1)"
    row = answer(1, "one", -1, False, HOSTILE) | {
        "benchmark": title, "question": "",
        "gold": f"Theorem t : 1 < {HOSTILE}.\nProof.\nAdmitted.\n",
        "programs": ["proof wrong"], "extracted": f"one: {HOSTILE}",
    }  # fmt: skip
    write_parquet(folder / f"samples/one-{title}.parquet", [row], ANSWER)
    share = {"value": 0.0, "low": 0.0, "high": 0.4, "n": 1}
    write_json(folder / "results.json", {f"one/{title}/greedy": share})
    write_json(folder / "details.json", {"one": {title: {"answers": 1}}})
    page = render(open_run(folder), 5)
    assert "Theorem t : 1 &lt; " in page
    assert "proofs by the prover" in page
    for absent in ("Gold answer", "answer read", "proof read", "Admitted", "<img", "<script"):
        assert absent not in page


def test_an_evaluation_of_an_older_form_or_damaged_is_passed_over(tmp_path: Path):
    folder = evaluation(tmp_path / "e")
    for file in (folder / "samples").iterdir():
        file.write_bytes(b"nonsense")
    (folder / "details.json").write_text("[1]")
    page = render(open_run(folder))
    assert "has kept answers" in page


def test_the_vote_is_calibrated_and_recorded_answers_are_not_called_greedy(tmp_path: Path):
    folder = evaluation(tmp_path / "e")
    page = render(open_run(folder))
    assert "Calibration of the vote" in page
    assert '<td class="n">50.0%</td><td class="n">25.0%</td>' in page
    assert "by greedy decoding or as it was recorded" in page
    manifest(folder, "evaluate", 9.0, {}, type="evaluate", settings={"recorded": {"two": "y"}})
    assert "<p>Recorded answers, judged" in render(open_run(folder))


def test_results_in_the_form_of_the_harness(tmp_path: Path):
    folder = evaluation(tmp_path / "e")
    paths = write_lm_eval(folder, tmp_path / "out")
    assert [path.parent.name for path in paths] == ["one", "two"]
    found = read_json(paths[0])
    task = found["results"]["test"]
    assert task["exact_match,none"] == 0.5
    assert task["exact_match_stderr,none"] == pytest.approx((0.25 / 39) ** 0.5)
    assert task["pass_at_2,none"] == 0.5
    assert found["n-shot"] == {"test": 4}
    assert found["n-samples"]["test"] == {"original": 40, "effective": 40}
    recorded = read_json(paths[1])
    assert recorded["n-shot"] == {"test": 0}
    assert "generation_kwargs" in found["configs"]["test"]
    assert "generation_kwargs" not in recorded["configs"]["test"]
    assert recorded["config"]["model_args"] == "recorded=y"
    (folder / "results.json").unlink()
    with pytest.raises(BadInput, match="no finished evaluation"):
        write_lm_eval(folder, tmp_path / "none")
