"""A kept step is shown as it was and gives again what was logged."""

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from seekmath.commands.rollouts import rollouts
from seekmath.core.files import BadInput, read_parquet, write_parquet
from seekmath.core.log import Display
from seekmath.core.recipe import PlannedStage
from seekmath.core.records import SAMPLE
from seekmath.core.run import run_single
from seekmath.model.folder import load_model
from seekmath.rl.replay import MEASURES, replay
from seekmath.rl.settings import GrpoSettings
from seekmath.stages import STAGES
from seekmath.train.reward_model import RewardModel, save_reward_model

CASES = {
    "grpo": {"updates_per_batch": 2},
    "ppo": {"method": "ppo"},
    "dpo": {"method": "dpo"},
    "iterative": {"iterations": 2, "reward_model": "judge"},
}


def made(name: str, policy_folder: Path, problems: Path, tmp_path: Path) -> Path:
    case = dict(CASES[name])
    if "reward_model" in case:
        judge = RewardModel(load_model(policy_folder))
        torch.manual_seed(0)
        torch.nn.init.normal_(judge.score.weight)
        save_reward_model(judge, tmp_path / "judge", policy_folder)
        case["reward_model"] = str(tmp_path / "judge")
    settings = GrpoSettings(
        **{
            "model": str(policy_folder),
            "problems": str(problems),
            "group_size": 6,
            "questions_per_step": 3,
            "steps": 4,
            "max_new_tokens": 10,
            "peak_lr": 1e-3,
            "micro_batch_tokens": 90,
            "checkpoint_every": 1,
            "threads": 1,
            "device": "cpu",
            **case,
        }
    )
    planned = PlannedStage("grpo", "grpo", STAGES["grpo"], settings, 1)
    run_single(planned, tmp_path / "out", Display(quiet=True))
    return tmp_path / "out"


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", list(CASES))
def test_a_replayed_step_is_the_logged_one(name, taught_folder, problems, tmp_path):
    out = made(name, taught_folder, problems, tmp_path)
    for step in (1, 4):
        again = replay(out, step)
        assert again["grad_norm"]["logged"] > 0
        for measure in MEASURES:
            logged, found = again[measure]["logged"], again[measure]["replayed"]
            if measure == "logprob_gap" and name == "dpo":
                continue  # the sampler there is the reference, which the replay does not compare
            assert found == (None if logged is None else pytest.approx(logged, rel=1e-5, abs=1e-9))
        assert again["advantages"]["largest_difference"] < 1e-6
    with pytest.raises(BadInput, match="can be replayed: 1, 4, 5"):
        replay(out, 3)


def shown(*arguments: object) -> str:
    result = CliRunner().invoke(rollouts, [str(one) for one in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


@pytest.mark.usefixtures("one_thread")
def test_the_command_shows_a_step(taught_folder, problems, tmp_path):
    out = made("grpo", taught_folder, problems, tmp_path)
    path = out / "rollouts" / "step-00002.parquet"
    rows = read_parquet(path).to_pylist()
    rows[0]["completion"] = "\x1b[2J[bold]hostile[/] ####\n1"
    write_parquet(path, rows, SAMPLE)
    text = shown(out, "--step", 2)
    assert "step 2: 3 questions, 18 outputs" in text
    assert "\x1b" not in text
    assert "␛[2J[bold]hostile[/] ####\n      1" in text
    assert text.count("; advantage ") == 18
    assert shown(out, "--step", 2, "--questions", 1).count("; advantage ") == 6
    lines = [json.loads(x) for x in shown(out, "--step", 2, "--json").splitlines()]
    assert [line["token_ids"] for line in lines] == [row["token_ids"] for row in rows]
    table = shown(out, "--step", 1, "--replay").splitlines()
    assert [line.split()[0] for line in table[1:6]] == list(MEASURES)
    with pytest.raises(BadInput, match="9 was not kept; kept: 1, 2, 3, 4"):
        shown(out, "--step", 9)
    with pytest.raises(BadInput, match="no such run directory"):
        shown(tmp_path / "nothing")
