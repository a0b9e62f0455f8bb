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
from seekmath.rl import step
from seekmath.rl.alarms import Diverged
from seekmath.rl.settings import GrpoSettings
from seekmath.rl.trainer import grpo
from seekmath.train.checkpoint import load_checkpoint
from seekmath.train.optimizer import make_adamw
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
    assert kept == [f"step-{step:05d}.parquet" for step in (1, 3, 4, 5, 6)]
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
from seekmath.rl import step
from seekmath.rl.alarms import Diverged
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


def test_a_reference_in_a_file_is_the_same_reference(settings, tmp_path):
    curves = []
    for place in ("memory", "file"):
        run(settings.model_copy(update={"reference_in": place, "steps": 3}), tmp_path / place)
        curves.append([(line["kl"], line["loss"]) for line in lines(tmp_path / place)])
    assert curves[0] == curves[1]
    assert curves[0][-1][0] > 0


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


def test_a_function_that_hangs_does_not_hold_the_run(settings, tmp_path):
    Path(settings.reward).write_text(
        "import time\n"
        "def reward(completions, answer):\n"
        "    if 2 in answer:\n"
        "        time.sleep(600)\n"
        "    return [float(len(text)) for text in completions]\n"
    )
    changes = {"steps": 1, "questions_per_step": 7, "group_size": 2, "reward_timeout_s": 3.0}
    counts = run(settings.model_copy(update=changes), tmp_path / "out")
    (line,) = lines(tmp_path / "out")
    assert line["reward_timeouts"] == line["reward_errors"] == counts["reward_timeouts"] == 2
    assert line["grad_norm"] > 0
    rows = read_parquet(tmp_path / "out" / "rollouts" / "step-00001.parquet").to_pylist()
    late = [row for row in rows if row["reason"].endswith("; timeout")]
    assert {row["gold"] for row in late} == {"2"}
    assert not any(any(row["advantages"]) for row in late)


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_what_is_not_finite_changes_nothing_and_ends_the_run(settings, tmp_path, monkeypatch, what):
    settings = settings.model_copy(update={"most_skipped": 2, "checkpoint_every": 1})
    real, calls = step.accumulate, iter(range(99))

    def broken(policy, *rest):
        meter = real(policy, *rest)
        if next(calls) >= 2:
            if what == "loss":
                meter.loss = math.inf
            else:
                next(policy.parameters()).grad[0, 0] = math.nan
        return meter

    monkeypatch.setattr(step, "accumulate", broken)
    with pytest.raises(Diverged, match=r"made no update.*the last checkpoint is .*step-0000000"):
        run(settings, tmp_path / "out")
    logged = lines(tmp_path / "out")
    assert [bool(line["skipped"]) for line in logged] == [False, False, True, True]
    assert what in logged[-1]["skipped"]
    # The policy is as the last good step left it: in stopped/ and in that step's checkpoint.
    kept = load_model(settings.model)
    load_checkpoint(tmp_path / "out" / "checkpoints", kept, make_adamw(kept, settings), at=2)
    stopped = dict(load_model(tmp_path / "out" / "stopped").named_parameters())
    assert all(torch.equal(stopped[name], p) for name, p in kept.named_parameters())


def test_an_alarm_is_logged_told_and_may_end_the_run(settings, tmp_path, capsys):
    settings = settings.model_copy(update={"most_kl": 1e-12, "most_truncated": 1.0, "steps": 4})
    counts = run(settings, tmp_path / "out")
    logged = [line["alarms"] for line in lines(tmp_path / "out")]
    assert logged[0] is None
    assert "kl" in logged[-1].split()
    assert counts["alarms"]["kl"] == sum("kl" in (names or "") for names in logged)
    with pytest.raises(Diverged, match="KL to the reference"):
        run(settings.model_copy(update={"stop_on": ["kl"]}), tmp_path / "ends")
    assert (tmp_path / "ends" / "stopped" / "config.json").exists()
    assert not (tmp_path / "ends" / "model").exists()


@pytest.mark.parametrize("changes", [{"method": "rft"}, {"top_p": 0.8}, {"kl_weight": 0.0}])
def test_sampler_and_trainer_are_compared_in_every_run(settings, tmp_path, changes):
    run(settings.model_copy(update={"steps": 3, **changes}), tmp_path / "out")
    gaps = [line["logprob_gap"] for line in lines(tmp_path / "out")]
    assert all(0 <= gap < 1e-5 for gap in gaps)


def test_files_of_problems_are_mixed_by_weight(settings, problems, tmp_path):
    (tmp_path / "more.jsonl").write_text(
        "".join(f'{{"question": "What is {n} plus 5?", "answer": {n + 5}}}\n' for n in range(5))
    )
    changes = {
        "problems": {"train": str(problems), "more": str(tmp_path / "more.jsonl")},
        "weights": {"train": 0.25, "more": 0.75},
        "questions_per_step": 16,
        "steps": 1,
    }
    run(settings.model_copy(update=changes), tmp_path / "out")
    rows = read_parquet(tmp_path / "out" / "rollouts" / "step-00001.parquet").to_pylist()
    asked = [row["prompt"] for row in rows if row["k"] == 0]
    assert sum("plus 5" in prompt for prompt in asked) == 12


@pytest.mark.parametrize("method", ["grpo", "ppo"])
def test_with_lora_the_base_is_the_reference_and_stays(settings, tmp_path, method):
    changes = {"lora_rank": 2, "steps": 3, "peak_lr": 1e-2, "method": method}
    run(settings.model_copy(update=changes), tmp_path / "out")
    logged = lines(tmp_path / "out")
    assert max(line["logprob_gap"] for line in logged) < 1e-5
    if method == "grpo":
        assert logged[0]["kl"] == 0.0 < logged[-1]["kl"]
    before, after = dict(load_model(settings.model).named_parameters()), weights(tmp_path / "out")
    changed = {name for name in after if not torch.equal(before[name], after[name])}
    assert changed == {name for name in after if "_proj" in name}
