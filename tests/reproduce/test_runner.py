"""Experiments at a size of minutes: stages are shared, results whole, verdicts from seeds."""

import json
import math
import shutil
from dataclasses import replace

import pytest

from seekmath.core.files import BadInput, read_json
from seekmath.core.log import Display
from seekmath.core.recipe import load_recipe
from seekmath.reproduce.cost import cost
from seekmath.reproduce.experiments import EXPERIMENTS
from seekmath.reproduce.page import write_page
from seekmath.reproduce.runner import planned, reproduce
from seekmath.reproduce.sizes import SIZES
from seekmath.stages import STAGES

NANO = replace(SIZES["nano"], threads=1)
SMALL = replace(
    NANO,
    world={**NANO.world, "pages": 200, "training_problems": {"gsm8k": 20}},
    mine={**NANO.mine, "least_updates": 500},
)


def run(name, size, seeds, out):
    with Display(quiet=True) as display:
        return reproduce(name, EXPERIMENTS[name], size, seeds, out, display, "the command")


def test_figure_2_is_measured_over_seeds_and_resumes(tmp_path):
    path = run("figure-2", SMALL, [0, 1], tmp_path)
    result = read_json(path)
    assert [claim["verdict"] for claim in result["claims"]]
    assert len(result["arms"]["last round"]["recall"]["by_seed"]) == 2
    stages = {m: m.read_bytes() for m in tmp_path.glob("nano/seed-*/*/stage.json")}
    assert len(stages) == 4
    again = read_json(run("figure-2", SMALL, [0, 1], tmp_path))
    assert {m: m.read_bytes() for m in stages} == stages
    assert again["arms"] == result["arms"]


def test_cost_is_estimated_at_first_and_measured_once_a_stage_of_each_kind_ran(tmp_path):
    experiment = EXPERIMENTS["figure-2"]
    before = cost(experiment, SMALL, [0, 1], tmp_path)
    assert (before.finished, before.stages, before.measured) == (0, 4, False)
    assert before.left > 0
    run("figure-2", SMALL, [0], tmp_path)
    half = cost(experiment, SMALL, [0, 1], tmp_path)
    assert (half.finished, half.measured) == (2, True)
    assert half.left == pytest.approx(half.spent)
    assert not cost(EXPERIMENTS["figure-7"], SMALL, [0], tmp_path).measured


def test_larger_models_cost_what_no_rate_tells(tmp_path):
    for size in ("workstation", "gpu", "paper"):
        assert math.isnan(cost(EXPERIMENTS["figure-7"], SIZES[size], [0], tmp_path).left)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_laptop_size_is_within_an_hour_of_one_core_beside_what_figure_7_shares(name, tmp_path):
    size, experiment = SIZES["laptop"], EXPERIMENTS[name]
    shared = EXPERIMENTS["figure-7"].stages(size) if name != "figure-7" else {}

    def own(size):
        return {stage: b for stage, b in experiment.stages(size).items() if stage not in shared}

    seeds = list(range(size.seeds))
    assert 0 <= cost(replace(experiment, stages=own), size, seeds, tmp_path).left < 60


@pytest.mark.parametrize("size", SIZES.values(), ids=lambda size: size.name)
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_is_a_valid_recipe_and_shares_its_stages(name, size, tmp_path):
    experiment = EXPERIMENTS[name]
    path = tmp_path / "recipe.yaml"
    path.write_text(json.dumps({"stages": experiment.stages(size)}))
    stages = {stage.name: stage for stage in load_recipe(path, [], STAGES, size.embedded).stages}
    for other in EXPERIMENTS.values():
        for stage, body in other.stages(size).items():
            assert stage not in stages or body == experiment.stages(size)[stage]


@pytest.mark.parametrize("size", ["gpu", "paper"])
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_what_needs_a_gpu_is_planned_for_it(name, size, tmp_path):
    path, entries = planned(name, EXPERIMENTS[name], SIZES[size], tmp_path)
    assert path.is_file()
    assert all(entry["fits"] for entry in entries)
    assert entries or name in ("figure-2", "memory")


def test_a_size_that_cannot_fit_is_refused_before_any_work(tmp_path):
    paper = SIZES["paper"]
    seven = replace(paper, pretrain={**paper.pretrain, "size": "7b"})
    with pytest.raises(BadInput, match=r"stage 'grpo' needs .* GiB"):
        run("figure-7", seven, [0], tmp_path)
    assert not list(tmp_path.glob("paper/seed-0/*/stage.json"))


@pytest.mark.parametrize(("program", "named"), [("coqtop", "install coq"), ("bwrap", "bubblewrap")])
def test_formal_proving_without_its_prover_is_refused_before_any_work(
    program, named, tmp_path, monkeypatch
):
    there = shutil.which
    monkeypatch.setattr(
        "shutil.which", lambda one: None if one == program else there(one) or f"/usr/bin/{one}"
    )
    with pytest.raises(BadInput, match=named):
        run("table-9", NANO, [0], tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_proofs_of_each_arm_are_judged_beside_what_the_prover_does_alone(tmp_path):
    for program, package in (("coqtop", "coq"), ("bwrap", "bubblewrap")):
        if not shutil.which(program):
            pytest.skip(f"{program} is absent (Debian: apt install {package})")
    size = replace(SMALL, formal={**SMALL.formal, "formal_problems": 16, "formal_size": 8})
    result = read_json(run("table-9", size, [0], tmp_path))
    arms = result["arms"]
    assert list(arms) == ["none", "papers", "mined", "automation"]
    assert all({"mini-minif2f", "mini-minif2f pass@8"} == set(arms[arm]) for arm in list(arms)[:3])
    assert 0 < arms["automation"]["mini-minif2f"]["mean"] < 0.5
    assert [claim["verdict"] for claim in result["claims"]] == ["cannot be told"]  # one seed


@pytest.mark.timeout(600)
def test_figure_7_at_nano_size(tmp_path):
    path = run("figure-7", NANO, [0], tmp_path)
    result = read_json(path)
    assert {claim["verdict"] for claim in result["claims"]} == {"cannot be told"}  # one seed
    for model in ("sft", "grpo"):
        row = result["arms"][model]
        passed = [row[f"pass@{k}"]["mean"] for k in NANO.ks]
        assert passed == sorted(passed)
        assert row["maj@1"]["mean"] == pytest.approx(row["pass@1"]["mean"])
        assert all(row[f"maj@{k}"]["mean"] <= row[f"pass@{k}"]["mean"] + 1e-12 for k in NANO.ks)
    write_page([path], tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text()
    assert "RL raises Maj@8." in page
    assert "| pass@8 |" in page
    assert "97.3" in page  # the paper's own figure beside ours


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ppo_takes_more_memory_than_grpo_each_in_its_own_process(tmp_path):
    result = read_json(run("memory", SMALL, [0], tmp_path))
    peaks = {arm: row["peak of the process, MiB"]["mean"] for arm, row in result["arms"].items()}
    assert peaks["ppo"] > peaks["grpo"] + 100  # the critic's weights alone
    planned_gib = {arm: row["7B as planned, GiB"]["mean"] for arm, row in result["arms"].items()}
    assert planned_gib["ppo"] > planned_gib["grpo"]
