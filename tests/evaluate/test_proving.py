"""Formal benchmarks judged by a real Coq: models, recorded proofs, and automation beside them."""

import shutil
from pathlib import Path

import pytest

from seekmath.core.files import BadInput, read_json, read_jsonl, read_parquet, write_jsonl
from seekmath.core.job import Job
from seekmath.evaluate.benchmarks import load_benchmarks
from seekmath.evaluate.compare import compare
from seekmath.evaluate.prompts import Prompter, draw_shots
from seekmath.evaluate.published import read_published
from seekmath.evaluate.runner import evaluate
from seekmath.evaluate.settings import EvaluateSettings
from seekmath.verify.coq import Coq
from seekmath.verify.coq_tactics import PORTFOLIO
from tests.verify.test_isabelle import CLAIM, serving, takes

EXAMPLES = Path(__file__).parents[2] / "recipes/minif2f_coq_examples.jsonl"
SUM = """Require Import ZArith.
Open Scope Z_scope.
Theorem sum_is (a b : Z) (h0 : a + b = 7) (h1 : a - b = 1) : a = 4.
Proof.
"""
DIFFERS = "Theorem mathd_numbertheory_2 : exists n : nat, n * n = n + n /\\ n <> 0.\nProof.\n"
ABSENT = "Require Import not.There.\nTheorem absent : True.\nProof.\n"
STATEMENTS = [
    {"name": "sum_is", "split": "test", "statement": SUM},
    {"name": "mathd_numbertheory_2", "split": "test", "statement": DIFFERS},
    {"name": "absent", "split": "test", "statement": ABSENT},
    {"name": "elsewhere", "split": "valid", "statement": "Theorem elsewhere : True.\nProof."},
]
INFORMAL = [
    {"problem_name": "sum_is", "informal_statement": "Two numbers.", "informal_proof": "Add."},
    {"problem_name": "mathd_numbertheory_2", "informal_statement": "A number.",
     "informal_proof": "Take 2."},
]  # fmt: skip
#: Right, wrong, right in the form of a whole theory, and three ways of cheating.
PROOFS = {
    "sum_is": [
        "lia.",
        "reflexivity.",
        "```coq\nTheorem sum_is : True.\nProof.\n  assert (a + b + (a - b) = 8) by lia.\n  lia.\n"
        "Qed.\n```",
        "Axiom cheat : False. destruct cheat.",
        "admit. Admitted.",
        "Abort. Theorem sum_is : True. exact I.",
    ],
    "mathd_numbertheory_2": ["exists 2; auto.", "exists 0; auto.", "lia.", "exists 3.", "", "x."],
    "absent": ["exact I."] * 6,
}


@pytest.fixture(scope="module", autouse=True)
def _coq() -> None:
    for program, package in (("coqtop", "coq"), ("bwrap", "bubblewrap")):
        if not shutil.which(program):
            pytest.skip(f"{program} is absent (Debian: apt install {package})")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    write_jsonl(tmp_path / "statements.jsonl", STATEMENTS)
    write_jsonl(tmp_path / "informal.jsonl", INFORMAL)
    rows = [{"id": name, "completion": proofs} for name, proofs in PROOFS.items()]
    write_jsonl(tmp_path / "proofs.jsonl", rows)
    return tmp_path


def settings(folder: Path, **given) -> EvaluateSettings:
    return EvaluateSettings(
        benchmarks={"minif2f-test": str(folder / "statements.jsonl")},
        informal=str(folder / "informal.jsonl"),
        **given,
    )


def row_of(results: dict, model: str) -> str:
    """The one benchmark of a model's rows; it names the prover."""
    (title,) = {key.split("/")[1] for key in results if key.startswith(f"{model}/")}
    assert title.startswith("minif2f-test (Coq 8.") or title.startswith("minif2f-test (Coq 9.")
    return title


def test_recorded_proofs_are_judged_by_coq_beside_its_automation(files: Path) -> None:
    plan = settings(files, recorded={"m": str(files / "proofs.jsonl")})
    found = evaluate(plan, Job.open(files / "out"))
    title = row_of(found, "m")
    # Of six proofs of the one statement two are right, of the other one.
    assert found[f"m/{title}/pass@1"] == pytest.approx((2 / 6 + 1 / 6) / 2, abs=1e-4)
    assert not any("maj@" in key for key in found)
    assert found[f"automation/{title}/greedy"] == 0.5
    assert found["unreadable"] == {title: 1}
    rows = read_parquet(files / "out/samples" / f"m-{title}.parquet").to_pylist()
    judged = {(row["problem_id"].split("/")[1], row["k"]): row for row in rows}
    assert [judged["sum_is", k]["verdict"] for k in range(6)] == [1, 0, 1, 0, 0, 0]
    assert judged["sum_is", 0]["reason"] == "proved"
    assert judged["sum_is", 1]["reason"].startswith("wrong: sentence 1, reflexivity.: Error")
    assert judged["sum_is", 2]["extracted"].startswith("assert (a + b")
    for k in (3, 4, 5):
        assert judged["sum_is", k]["reason"].startswith("refused: ")
    assert judged["absent", 0]["verdict"] is None
    assert "not.There" in judged["absent", 0]["reason"]
    details = read_json(files / "out/details.json")["m"][title]
    assert details["programs"]["proof proved"] == 3
    assert details["programs"]["proof refused"] == 3
    proof = read_parquet(files / "out/samples" / f"automation-{title}.parquet").to_pylist()[0]
    assert proof["verdict"] is True
    assert proof["extracted"] in PORTFOLIO


def test_a_model_is_asked_with_the_informal_side_and_judged(
    files: Path, model_folder: Path
) -> None:
    shots = [
        {"name": f"{kind}{n}", "statement": f"Theorem {kind}{n} : {n} = {n}.\nProof.",
         "informal_statement": f"Show {n} = {n}.", "informal_proof": "Clear.",
         "formal_proof": "reflexivity.\nQed."}
        for kind in ("mathd_numbertheory_", "algebra_") for n in range(7)
    ]  # fmt: skip
    write_jsonl(files / "shots.jsonl", shots)
    plan = settings(
        files,
        models={"tiny": str(model_folder)},
        few_shot_models=["tiny"],
        shots_from=str(files / "shots.jsonl"),
        sampled=["minif2f-test"],
        samples=2,
        max_new_tokens=8,
        threads=1,
    )
    benchmark = load_benchmarks(plan.benchmarks, informal=plan.informal)["minif2f-test"]
    assert [problem.id.split("/")[1] for problem in benchmark.problems] == list(PROOFS)
    few = draw_shots(plan, benchmark, 0)
    prompts = [Prompter(benchmark, plan, few).prompt(one).text for one in benchmark.problems]
    assert [prompt.count("reflexivity.") for prompt in prompts] == [6, 7, 6]
    asked = "Informal:\n(*### Problem\n\nTwo numbers.\n\n### Solution\n\nAdd. *)\n\nFormal:\n"
    assert prompts[0].endswith(f"{asked}{SUM.strip()}\n")
    assert prompts[2].endswith(f"\n\n\nFormal:\n{ABSENT.strip()}\n")  # without an informal side
    short = plan.model_copy(update={"few_shot_models": [], "limit": 2})
    found = evaluate(short, Job.open(files / "out"))
    title = row_of(found, "tiny")
    assert found[f"tiny/{title}/greedy"] == found[f"tiny/{title}/pass@2"] == 0.0
    rows = read_parquet(files / "out/samples" / f"tiny-{title}.parquet").to_pylist()
    assert len(rows) == 6
    assert {row["reason"].split(":")[0] for row in rows} <= {"wrong", "refused"}
    compared = compare(f"{files}/out:automation", f"{files}/out:tiny")
    assert [(row["metric"], row["difference"]["value"]) for row in compared] == [("greedy", -0.5)]


def test_isabelles_file_is_judged_by_isabelle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"problem_name": "two", "informal_statement": "Show it.", "informal_proof": "Clear.",
           "formal_statement": CLAIM, "header": "theory two imports Main\nbegin\n\n"}  # fmt: skip
    write_jsonl(tmp_path / "statements.jsonl", [row])
    proofs = [
        "by (simp)",
        f"{CLAIM}\n  by (blast)",
        "sorry",
        "proof -\n  show ?thesis sledgehammer\nqed",
    ]
    write_jsonl(tmp_path / "proofs.jsonl", [{"id": "two", "completion": proofs}])
    server = serving(takes("simp"))
    monkeypatch.setenv("ISABELLE_SERVER", f"127.0.0.1:{server.server_address[1]}:secret")
    plan = EvaluateSettings(
        benchmarks={"minif2f-test": str(tmp_path / "statements.jsonl")},
        recorded={"m": str(tmp_path / "proofs.jsonl")},
    )
    found = evaluate(plan, Job.open(tmp_path / "out"))
    server.shutdown()
    server.server_close()
    assert found["m/minif2f-test (Isabelle2022)/pass@1"] == 0.5
    assert found["automation/minif2f-test (Isabelle2022)/greedy"] == 1.0
    rows = read_parquet(tmp_path / "out/samples/m-minif2f-test (Isabelle2022).parquet").to_pylist()
    assert [row["verdict"] for row in rows] == [True, False, False, True]
    assert rows[2]["reason"] == "refused: 'sorry' is not allowed"
    assert rows[3]["extracted"] == "proof -\n  show ?thesis by (simp)\nqed"


def test_the_worked_examples_that_come_with_coq_are_right() -> None:
    """Of just the paper's numbers, seven on number theory and six others, and Coq takes them."""
    rows = list(read_jsonl(EXAMPLES))
    benchmark = read_published("minif2f-test", rows, "x")
    plan = EvaluateSettings(
        recorded={"m": "x"}, benchmarks="x", shots_from=str(EXAMPLES), few_shot_models=["m"]
    )
    shots = draw_shots(plan, benchmark, 0)
    assert {group: len(found) for group, found in shots.items()} == {"numbertheory": 7, "other": 6}
    with Coq() as coq:
        for row in sorted(rows, key=lambda row: row["statement"]):
            found = coq.check(row["statement"], coq.extract(row["statement"], row["formal_proof"]))
            assert found.verdict == "proved", (row["name"], found)


def test_what_cannot_be_is_said_before_anything_runs(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = {"automation": str(files / "proofs.jsonl")}
    with pytest.raises(BadInput, match="'automation' is the row"):
        evaluate(settings(files, recorded=recorded), Job.open(files / "out"))
    write_jsonl(files / "informal.jsonl", [{**INFORMAL[0], "problem_name": "other"}])
    plan = settings(files, recorded={"m": str(files / "proofs.jsonl")})
    with pytest.raises(BadInput, match="none of its names is of 'minif2f-test'"):
        evaluate(plan, Job.open(files / "out"))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BadInput, match="Coq is not installed"):
        evaluate(plan.model_copy(update={"informal": ""}), Job.open(files / "out"))
