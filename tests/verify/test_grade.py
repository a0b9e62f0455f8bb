"""Grading: verdicts on solutions, rewards that cannot be hedged, and recorded answers of models."""

import gzip
import json
import time
from collections import Counter
from pathlib import Path

import pytest

from seekmath.core.files import BadInput, read_jsonl, write_jsonl
from seekmath.verify.grade import grade, grade_pairs


def test_a_solution_is_graded_against_a_worked_gold_solution():
    gold = "She sells 16 - 7 = <<16-7=9>>9 eggs\n#### 18"
    assert grade(gold, "so 9 * 2 = <<9*2=18>>18 dollars\nA: $18").verdict is True
    judged = grade(gold, "9 * 3 = 27, the answer is 27")
    assert (judged.verdict, judged.extracted) == (False, "27")
    assert grade("12 apples", "12").verdict is True
    assert grade(r"\frac{1}{2}", "no idea").verdict is False


def test_a_gold_answer_without_content_gives_no_verdict():
    assert grade("", "3").verdict is None
    assert grade(r"the answer is \boxed{}", "3").verdict is None


@pytest.mark.parametrize(
    "hedge",
    [
        r"\boxed{5} or \boxed{7}", r"\boxed{5 \text{ or } 7}", "#### 7\n#### 5", "#### 5 or 7",
        r"\boxed{7} hm, that is wrong, so let me try again \boxed{5}", r"\boxed{5, 7}",
    ],
)  # fmt: skip
def test_hedging_earns_no_reward(hedge: str):
    assert grade("5", hedge, strict=True).verdict is False


def test_one_answer_given_twice_is_no_hedge():
    assert grade("1/2", r"\boxed{0.5}, that is \boxed{\frac12}", strict=True).verdict is True
    assert grade("2 or 3", r"\boxed{2 \text{ or } 3}", strict=True).verdict is True


def test_choices_are_graded_by_letter():
    choices = ["4", "5", "6"]
    assert grade("B", "2 + 3 = 5, so (B)", choices=choices).verdict is True
    assert grade("B", r"\boxed{5}", choices=choices).verdict is True
    assert grade("AC", "答案是 C A", choices=choices).verdict is True
    assert grade("B", "A or B or C", choices=choices).verdict is False


def test_pairs_keep_their_lines_and_gain_the_verdict(tmp_path: Path):
    rows = [
        {"gold": "5", "prediction": "it is 5", "id": "a"},
        {"gold": "5", "prediction": "6"},
        {"gold": "(", "prediction": "6"},
        {"gold": 7, "prediction": 7},
    ]
    write_jsonl(tmp_path / "in.jsonl", rows)
    counts = grade_pairs(tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    assert counts == {"pairs": 4, "right": 2, "wrong": 1, "unreadable": 1}
    out = list(read_jsonl(tmp_path / "out.jsonl"))
    assert [row["verdict"] for row in out] == [True, False, None, True]
    assert out[0]["id"] == "a"
    assert all(row["reason"] for row in out)


def test_pairs_without_their_fields_are_refused(tmp_path: Path):
    write_jsonl(tmp_path / "in.jsonl", [{"gold": "1", "prediction": "1"}, {"gold": "1"}])
    with pytest.raises(BadInput, match=r"in\.jsonl:2.*prediction"):
        grade_pairs(tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.shared
def test_recorded_answers_of_four_models(shared: Path, tmp_path: Path):
    pairs = shared / "data/outputs/gsm8k_example_model_solutions.jsonl.gz"
    counts = grade_pairs(pairs, tmp_path / "graded.jsonl")
    assert sorted(counts["right_by_model"].values()) == [286, 458, 515, 742]
    rows = list(read_jsonl(tmp_path / "graded.jsonl"))
    assert len(rows) == 4 * 1319
    assert all(row["verdict"] == row["recorded"] for row in rows)


# The share of uncontested cases that must agree at least.
AGREEMENT = {
    "deepseek_math_gold_selfcheck": 1.0,
    "math_verify_tests": 0.955,
    "lighteval_extractive_tests": 0.95,
    "hostile_inputs": 0.97,
}


@pytest.mark.shared
@pytest.mark.parametrize("name", AGREEMENT)
def test_agreement_with_graders_cases(shared: Path, name: str):
    seen: Counter[bool] = Counter()
    for case in read_jsonl(shared / f"data/grader_cases/{name}.jsonl.gz"):
        choices = case["options"].get("choices") or [""] * 4 if case["kind"] == "choice" else None
        start = time.process_time()
        judged = grade(case["gold"], case["pred"], choices=choices)
        assert time.process_time() - start < 10, case["id"]
        if not case.get("contested"):
            seen[bool(judged.verdict) == bool(case["expected"])] += 1
            if name == "hostile_inputs" and not case["expected"]:
                assert not judged.verdict, case["id"]
    assert seen[True] / seen.total() >= AGREEMENT[name]


@pytest.mark.shared
def test_recorded_flags_of_sampled_answers(shared: Path):
    with gzip.open(shared / "data/outputs/math_cot_100x8.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    pairs = [
        (row["gt"], *pair) for row in rows for pair in zip(row["code"], row["score"], strict=True)
    ]
    agree = sum(grade(gold, answer).verdict == flag for gold, answer, flag in pairs)
    assert len(pairs) == 800
    assert agree >= 799  # the other: 10000 for 10{,}000, which the recorded flag calls wrong
