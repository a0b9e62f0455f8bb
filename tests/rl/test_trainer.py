"""The stage: what it logs and leaves, killed and resumed, and on folders of Hugging Face."""

import json
import math
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file

from seekmath.core.files import read_parquet
from seekmath.core.job import Job
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.model.folder import load_model
from seekmath.rl.settings import GrpoSettings
from seekmath.rl.trainer import grpo
from seekmath.train.reward_model import RewardModel, save_reward_model

KEYS = {
    "step",
    "reward_mean",
    "kl",
    "entropy",
    "completion_length",
    "zero_variance_groups",
    "rollout_s",
    "reward_s",
    "update_s",
    "step_s",
    "completions",
    "completion_tokens",
}
# Any text has a reward, and groups differ: a random policy answers nothing right.
REWARD = """
def reward(completions, **columns):
    return [sum(map(ord, text)) % 5 for text in completions]
"""


@pytest.fixture(autouse=True)
def one_thread():
    """The stage sets torch's threads; bits depend on their number."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def settings(policy_folder, problems, tmp_path) -> GrpoSettings:
    (tmp_path / "reward.py").write_text(REWARD)
    return GrpoSettings(
        model=str(policy_folder),
        problems=str(problems),
        reward=str(tmp_path / "reward.py"),
        group_size=4,
        questions_per_step=3,
        steps=6,
        max_new_tokens=12,
        peak_lr=1e-3,
        micro_batch_tokens=40,
        checkpoint_every=2,
        rollout_every=4,
        threads=1,
        device="cpu",
    )


def run(settings: GrpoSettings, out: Path, seed: int = 0) -> dict:
    with Job.open(out, seed) as job:
        return grpo(settings, job)


def lines(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def without_times(out: Path) -> list[dict]:
    return [
        {key: value for key, value in line.items() if key != "time" and not key.endswith("_s")}
        for line in lines(out)
    ]


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load_file(out / "model" / "model.safetensors")


def test_a_run_logs_every_step_and_keeps_rollouts(settings, tmp_path):
    counts = run(settings, tmp_path / "out", seed=1)
    logged = lines(tmp_path / "out")
    assert [line["step"] for line in logged] == [1, 2, 3, 4, 5, 6]
    assert all(set(line) >= KEYS for line in logged)
    assert all(line["completions"] == 12 for line in logged)
    # The sampler's log-probabilities are the trainer's.
    assert max(line["logprob_gap"] for line in logged) < 1e-5
    assert logged[0]["kl"] == 0.0 < logged[-1]["kl"]
    assert counts["dropped"] == {"same_question": 1}
    kept = sorted(path.name for path in (tmp_path / "out" / "rollouts").iterdir())
    assert kept == ["step-00001.parquet", "step-00004.parquet", "step-00006.parquet"]
    rows = read_parquet(tmp_path / "out" / "rollouts" / "step-00004.parquet").to_pylist()
    for start in range(0, 12, 4):
        group = rows[start : start + 4]
        assert len({row["prompt"] for row in group}) == 1
        assert [row["k"] for row in group] == [0, 1, 2, 3]
        assert all(len(row["advantages"]) == len(row["token_ids"]) for row in group)
        assert sum(row["advantages"][0] for row in group) == pytest.approx(0, abs=1e-5)
    before, after = load_model(settings.model), load_model(tmp_path / "out" / "model")
    assert not torch.equal(before.model.embed_tokens.weight, after.model.embed_tokens.weight)


def test_killed_and_resumed_is_never_killed(settings, tmp_path):
    settings = settings.model_copy(update={"updates_per_batch": 2})
    run(settings, tmp_path / "whole", seed=2)
    command = [sys.executable, "-c", _RUN, settings.model_dump_json(), str(tmp_path / "cut")]
    killed = subprocess.Popen(command)
    log = tmp_path / "cut" / "metrics.jsonl"
    while not (log.exists() and log.read_text().count("\n") >= 3):
        assert killed.poll() is None, "it ended before it could be killed"
        time.sleep(0.002)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not (tmp_path / "cut" / "model").exists()
    subprocess.run(command, check=True)
    assert without_times(tmp_path / "cut") == without_times(tmp_path / "whole")
    whole, cut = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert all(torch.equal(whole[name], cut[name]) for name in whole)
    for name in ("step-00004", "step-00006"):
        kept = [tmp_path / run / "rollouts" / f"{name}.parquet" for run in ("whole", "cut")]
        assert kept[0].read_bytes() == kept[1].read_bytes()


_RUN = """
import sys
from seekmath.core.job import Job
from seekmath.rl.settings import GrpoSettings
from seekmath.rl.trainer import grpo
with Job.open(sys.argv[2], seed=2) as job:
    grpo(GrpoSettings.model_validate_json(sys.argv[1]), job)
"""


def test_a_reward_model_rewards(settings, policy_folder, tmp_path):
    model = RewardModel(load_model(policy_folder))
    torch.manual_seed(0)
    torch.nn.init.normal_(model.score.weight)
    save_reward_model(model, tmp_path / "judge", policy_folder)
    changes = {"reward_model": str(tmp_path / "judge"), "reward": "", "steps": 2}
    run(settings.model_copy(update=changes), tmp_path / "out")
    assert all(0 < line["reward_mean"] < 1 for line in lines(tmp_path / "out"))


def test_a_sample_without_a_reward_gets_no_gradient_and_is_counted(settings, tmp_path):
    Path(settings.reward).write_text(
        "def reward(completions):\n    return [None, *(float(len(c)) for c in completions[1:])]\n"
    )
    run(settings.model_copy(update={"steps": 1}), tmp_path / "out")
    (line,) = lines(tmp_path / "out")
    assert line["reward_errors"] == 1
    row = read_parquet(tmp_path / "out" / "rollouts" / "step-00001.parquet").to_pylist()[0]
    assert math.isnan(row["rewards"][0])
    assert not any(row["advantages"])


def test_equal_rewards_teach_nothing_but_the_distance_from_the_reference(settings, tmp_path):
    Path(settings.reward).write_text(
        "def reward(completions):\n    return [1] * len(completions)\n"
    )
    run(settings.model_copy(update={"steps": 2}), tmp_path / "out")
    assert [line["zero_variance_groups"] for line in lines(tmp_path / "out")] == [3, 3]
    before = dict(load_model(settings.model).named_parameters())
    assert all(torch.equal(before[n], w) for n, w in weights(tmp_path / "out").items())


def test_without_kl_there_is_no_reference(settings, tmp_path):
    run(settings.model_copy(update={"kl_weight": 0.0, "steps": 2}), tmp_path / "out")
    assert [line["kl"] for line in lines(tmp_path / "out")] == [None, None]


@pytest.mark.parametrize("family", ["Llama", "Qwen2"])
def test_a_folder_of_hugging_face_trains(settings, family, policy_folder, tmp_path):
    own = Tokenizer.load(policy_folder)
    config = getattr(transformers, f"{family}Config")(
        vocab_size=own.vocab_size,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        eos_token_id=own.eos_id,
    )
    torch.manual_seed(0)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "theirs")
    # No pad token: lengths tell what is padding.
    transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(policy_folder / "tokenizer.json"), eos_token="<|end|>"
    ).save_pretrained(tmp_path / "theirs")
    changes = {"model": str(tmp_path / "theirs"), "steps": 2}
    run(settings.model_copy(update=changes), tmp_path / "out")
    assert max(line["logprob_gap"] for line in lines(tmp_path / "out")) < 1e-5
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out" / "model").eval()
    tokens = torch.arange(20)[None]
    with torch.no_grad():
        torch.testing.assert_close(
            theirs(tokens).logits,
            load_model(tmp_path / "out" / "model")(tokens),
            atol=1e-4,
            rtol=1e-4,
        )
