"""Published benchmarks: each real format, and rows that will not do."""

import json
from collections import Counter
from pathlib import Path

import pytest

from seekmath.core.files import BadInput, read_jsonl, write_jsonl
from seekmath.evaluate.benchmarks import load_benchmarks
from seekmath.evaluate.published import PUBLISHED, read_published
from seekmath.verify.grade import grade

FILES = {
    "gsm8k": ("gsm8k/test", 1319, 8, "en"),
    "math": ("math/test", 5000, 4, "en"),
    "ocw": ("ocw/test", 272, 4, "en"),
    "sat": ("sat/test", 32, 4, "en"),
    "mmlu-stem": ("mmlu_stem/test", 3018, 4, "en"),
    "cmath": ("cmath/test", 1098, 6, "zh"),
    "mgsm-zh": ("mgsm_zh/mgsm_zh", 250, 8, "zh"),
    "gaokao-mathcloze": ("agieval/gaokao-mathcloze", 118, 5, "zh"),
    "gaokao-mathqa": ("agieval/gaokao-mathqa", 351, 5, "zh"),
    "gsm8k-python": ("gsm8k/test", 1319, 8, "en"),
    "math-python": ("math/test", 5000, 4, "en"),
    "minif2f-valid": ("minif2f/validation", 244, 7, "en"),
    "minif2f-test": ("minif2f/test", 244, 7, "en"),
}


@pytest.mark.shared
@pytest.mark.parametrize("name", FILES)
def test_every_published_file_is_read_whole(shared: Path, name: str):
    file, n, shots, language = FILES[name]
    benchmark = load_benchmarks({name: str(shared / "data" / f"{file}.jsonl.gz")})[name]
    assert len(benchmark.problems) == n
    assert benchmark.published == name
    assert max(PUBLISHED[name].shots.values()) == shots
    assert {problem.language for problem in benchmark.problems} == {language}
    assert all(problem.id.startswith(f"{name}/") for problem in benchmark.problems)
    if benchmark.kind != "proof":
        for problem in benchmark.problems[:200]:
            answer = f"\\boxed{{{problem.answer}}}" if problem.choices else problem.answer
            assert grade(problem.answer, answer, choices=problem.choices or None).verdict


@pytest.mark.shared
def test_choices_are_told_apart(shared: Path):
    for name, n in (("sat", {4}), ("gaokao-mathqa", {4}), ("mmlu-stem", {4})):
        file = shared / "data" / f"{FILES[name][0]}.jsonl.gz"
        problems = read_published(name, read_jsonl(file), name).problems
        assert {len(problem.choices) for problem in problems} == n
        assert all(choice for problem in problems for choice in problem.choices)
        letters = Counter(letter for problem in problems for letter in problem.answer)
        assert set(letters) == set("ABCD")
    several = [p.answer for p in problems if len(p.answer) > 1]
    assert not several  # of MMLU; Gaokao-MathQA has questions with several right letters


def test_a_file_of_another_split_is_named():
    rows = [{"name": "a", "split": "valid", "statement": "Theorem a : True."}]
    with pytest.raises(BadInput, match="no problem of the split 'test', only of valid"):
        read_published("minif2f-test", rows, "statements.jsonl")


def test_levels_and_subjects_are_kept():
    row = {"problem": "?", "solution": "\\boxed{1}", "level": "Level 5", "type": "Algebra"}
    problem = read_published("math", [row], "x").problems[0]
    assert (problem.level, problem.subject, problem.id) == ("5", "Algebra", "math/1")
    hub = {"problem": "?", "solution": "s", "answer": "1", "subject": "Algebra", "level": 2,
           "unique_id": "test/algebra/1.json"}  # fmt: skip
    problem = read_published("math-500", [hub], "x").problems[0]
    assert (problem.level, problem.answer, problem.id) == ("2", "1", "math-500/test/algebra/1.json")


def test_copies_on_a_hub_are_read_too():
    row = {"question": "?", "choices": ["a", "b", "c", "d"], "answer": 2, "subject": "physics"}
    problem = read_published("mmlu-stem", [row], "x").problems[0]
    assert (problem.answer, problem.subject) == ("C", "physics")
    row = {"question": "多少？", "answer": None, "answer_number": 18}
    assert read_published("mgsm-zh", [row], "x").problems[0].answer == "18"
    row = {"question": "?", "options": ["(A)$1$", "(B)$2$"], "label": "A B"}
    problem = read_published("gaokao-mathqa", [row], "x").problems[0]
    assert (problem.choices, problem.answer) == (["$1$", "$2$"], "AB")


@pytest.mark.parametrize(
    ("name", "row", "message"),
    [
        ("gsm8k", {"question": "?"}, r"x:1: needs the field 'answer'; found question"),
        ("math", {"problem": "?"}, "'solution'"),
        ("sat", {"question": "?", "options": "none", "Answer": "A"}, r"expected 'A\) … B\) …'"),
        ("mmlu-stem", {"question": "?", "answer": "A"}, "'options'"),
        ("gaokao-mathqa", {"question": "?", "options": None, "label": "A"}, "'options', a list"),
        ("mgsm-zh", {"messages": [], "answer": "1"}, "user's message"),
        ("cmath", {"question": "?"}, "'golden'"),
        ("minif2f-test", {"problem_name": "x"}, "'formal_statement'"),
        ("minif2f-test", {"name": "x", "statement": ""}, "'statement'"),
    ],
)
def test_a_row_that_will_not_do_is_named(name: str, row: dict, message: str):
    with pytest.raises(BadInput, match=message):
        read_published(name, [row], "x")


def test_a_published_file_under_no_name_is_pointed_to_one(tmp_path: Path):
    write_jsonl(tmp_path / "test.jsonl", [{"problem": "?", "solution": "1"}])
    with pytest.raises(BadInput, match="write --benchmark NAME=FILE with its name"):
        load_benchmarks({"test.jsonl": str(tmp_path / "test.jsonl")})


def test_two_benchmarks_need_two_names(tmp_path: Path):
    for folder in ("a", "b"):
        write_jsonl(tmp_path / folder / "x.jsonl", [{"question": "?", "answer": 1}])
    with pytest.raises(BadInput, match="two are called 'x'"):
        load_benchmarks({"a": str(tmp_path / "a"), "b": str(tmp_path / "b")})


def test_a_hub_that_cannot_be_reached_is_said_at_once(monkeypatch):
    pytest.importorskip("datasets")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HUB_OFFLINE", "")
    with pytest.raises(BadInput, match=r"127\.0\.0\.1:9 cannot be reached.*NAME=FILE"):
        load_benchmarks({}, ["gsm8k"])


def test_a_data_set_is_loaded_through_datasets(tmp_path: Path, monkeypatch):
    pytest.importorskip("datasets")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "set"
    folder.mkdir()
    rows = [{"question": f"{n}?", "answer": f"#### {n}"} for n in range(3)]
    (folder / "test.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    found = load_benchmarks({}, [f"gsm8k={folder}"])["gsm8k"]
    assert [problem.answer for problem in found.problems] == ["#### 0", "#### 1", "#### 2"]
    own = load_benchmarks({}, [f"mine={folder}::test"], limit=2)["mine"]
    assert len(own.problems) == 2
    with pytest.raises(BadInput, match="cannot be loaded"):
        load_benchmarks({}, [f"mine={tmp_path / 'none'}"])
    with pytest.raises(BadInput, match=r"hub: found 'gsm'.*mean 'gsm8k'"):
        load_benchmarks({}, ["gsm"])
