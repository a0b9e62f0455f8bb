"""Theorems: the same for the same place, disjoint splits, proofs that a real Coq takes."""

import re
import shutil
from itertools import pairwise

import pytest

from seekmath.core.files import read_jsonl
from seekmath.core.job import Job
from seekmath.verify.coq import Coq
from seekmath.world.formal import SHAPES, formal_benchmark, formal_problems, theorem
from seekmath.world.settings import WorldSettings
from seekmath.world.web import make_world

SMALL = {"pages": 100, "training_problems": {}, "benchmark_size": 1, "gsm8k_size": 1}


@pytest.mark.parametrize("shape", SHAPES)
def test_train_and_test_never_share_a_theorem(shape):
    train = {theorem(shape, "train", 0, index).numbers for index in range(200)}
    test = {theorem(shape, "test", 0, index).numbers for index in range(100)}
    assert len(test) >= 10
    assert not train & test


def test_a_theorem_is_a_function_of_its_place_and_none_is_tested_twice():
    assert list(formal_problems(30, 0))[:20] == list(formal_problems(20, 0))
    assert list(formal_problems(20, 0)) != list(formal_problems(20, 1))
    rows = formal_benchmark(240, 0)
    assert len({row["statement"] for row in rows}) == len(rows) == 240
    assert {row["subject"] for row in rows} == set(SHAPES)


def test_a_proof_names_a_number_that_must_be_worked_out():
    for index in range(10):
        made = theorem("between", "train", 0, index)
        divisor, number = made.numbers
        told = re.findall(r"\d+", f"{made.informal} {made.sketch} {made.claim}")
        assert set(told) == {str(divisor), str(number), "1"}
        assert made.proof[0] == f"exists {number // divisor}."


def test_only_a_world_that_is_asked_for_theorems_holds_them(tmp_path):
    plain = make_world(WorldSettings(**SMALL), Job.open(tmp_path / "plain", 0))
    asked = WorldSettings(**SMALL, formal_problems=5, formal_size=3)
    counts = make_world(asked, Job.open(tmp_path / "asked", 0))
    assert counts == {**plain, "training_theorems": 5, "test_theorems": 3}
    assert len(list(read_jsonl(tmp_path / "asked/problems/formal.jsonl"))) == 5
    assert len(list(read_jsonl(tmp_path / "asked/benchmarks/mini-minif2f.jsonl"))) == 3
    files = {path.relative_to(tmp_path / "plain") for path in (tmp_path / "plain").rglob("*.*")}
    for path in files:
        if (tmp_path / "plain" / path).is_file():
            assert (tmp_path / "plain" / path).read_bytes() == (
                tmp_path / "asked" / path
            ).read_bytes()
    assert not any("formal" in path.name or "minif2f" in path.name for path in files)


@pytest.fixture(scope="module")
def coq():
    for program, package in (("coqtop", "coq"), ("bwrap", "bubblewrap")):
        if not shutil.which(program):
            pytest.skip(f"{program} is absent (Debian: apt install {package})")
    with Coq() as prover:
        yield prover


def test_coq_takes_each_proof(coq):
    rows = [*formal_benchmark(6 * len(SHAPES), 0), *formal_problems(4 * len(SHAPES), 1)]
    for row in sorted(rows, key=lambda row: row["header"]):
        found = coq.check(row["header"] + row["statement"], row["formal_proof"])
        assert found.verdict == "proved", (row, found)


def test_a_proof_of_one_theorem_seldom_proves_another_of_its_shape(coq):
    """The numbers matter."""
    rows = formal_benchmark(6 * len(SHAPES), 0)
    for shape in SHAPES:
        made = [row for row in rows if row["subject"] == shape]
        verdicts = [
            coq.check(row["header"] + row["statement"], other["formal_proof"]).verdict
            for row, other in pairwise(made)
            if row["formal_proof"] != other["formal_proof"]
        ]
        assert verdicts.count("proved") <= len(verdicts) / 2, shape


def test_coqs_own_tactics_prove_some_theorems_and_not_most(coq):
    rows = sorted(formal_benchmark(2 * len(SHAPES), 0), key=lambda row: row["header"])
    done = [coq.search(row["header"] + row["statement"]).verdict for row in rows]
    assert set(done) == {"proved", "wrong"}
    assert done.count("proved") < len(rows) / 2
