"""Two and four ranks learn what one does: the same draws, the same gradients, the same curve."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from seekmath.core.files import read_parquet
from seekmath.core.job import Job
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.model.decoder import Decoder
from seekmath.model.folder import save_model
from seekmath.model.sizes import sized
from seekmath.rl.settings import GrpoSettings
from seekmath.rl.shares import gathered, share, summed
from seekmath.rl.trainer import grpo

pytestmark = pytest.mark.timeout(1200)  # several processes, of which each imports torch

# Five questions: no number of ranks divides them, and of four ranks one has more than the others.
CASES = {
    "grpo": {"loss_mean": "tokens", "updates_per_batch": 2},
    "resampled": {"resample": 1},
    "ppo": {"method": "ppo"},
}


@pytest.fixture(scope="module")
def small(policy_folder, tmp_path_factory) -> Path:
    """A model of width 32 with the policy's tokenizer."""
    tokenizer = Tokenizer.load(policy_folder)
    config = sized("tiny", tokenizer.vocab_size, 64, eos_token_id=tokenizer.eos_id)
    config = replace(config, hidden_size=32, intermediate_size=64, num_hidden_layers=2)
    model = Decoder(replace(config, head_dim=8), seed=3)
    with torch.no_grad():
        model.model.embed_tokens.weight.mul_(10)
    folder = tmp_path_factory.mktemp("small")
    save_model(model, folder / "model", policy_folder)
    (folder / "reward.py").write_text(
        "def reward(completions):\n    return [sum(map(ord, text)) % 3 for text in completions]\n"
    )
    return folder


def settings_of(small: Path, problems: Path, **changes: object) -> dict:
    return {
        "model": str(small / "model"),
        "problems": str(problems),
        "reward": str(small / "reward.py"),
        "group_size": 4,
        "questions_per_step": 5,
        "steps": 3,
        "max_new_tokens": 8,
        "peak_lr": 1e-3,
        "micro_batch_tokens": 60,
        "checkpoint_every": 2,
        "rollout_every": 1,
        "most_truncated": 1.0,
        "threads": 1,
        "device": "cpu",
        **changes,
    }


def logged(out: Path) -> list[dict]:
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [
        {k: v for k, v in line.items() if k != "time" and not k.endswith("_s")} for line in lines
    ]


def alike(one: Path, many: Path) -> None:
    """The same curve, draws and weights, up to the order of sums."""
    pairs = zip(logged(one), logged(many), strict=True)
    for expected, found in pairs:
        assert found == {
            key: pytest.approx(value, rel=1e-3, abs=1e-5) if isinstance(value, float) else value
            for key, value in expected.items()
        }
    for name in ("step-00001", "step-00003"):
        rows = [
            read_parquet(out / "rollouts" / f"{name}.parquet").to_pylist() for out in (one, many)
        ]
        assert [row["token_ids"] for row in rows[0]] == [row["token_ids"] for row in rows[1]]
    kept = [load_file(out / "model" / "model.safetensors") for out in (one, many)]
    for name in kept[0]:
        torch.testing.assert_close(kept[0][name], kept[1][name], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("ranks", [2, 4])
def test_many_ranks_learn_what_one_does(ranks, small, problems, tmp_path):
    cases = CASES if ranks == 2 else {"grpo": CASES["grpo"]}
    before = torch.get_num_threads()
    asked = []
    for name, case in cases.items():
        settings = settings_of(small, problems, **case)
        with Job.open(tmp_path / "one" / name, 3) as job:
            grpo(GrpoSettings.model_validate(settings), job)
        asked.append({"out": str(tmp_path / "many" / name), "settings": settings})
    torch.set_num_threads(before)
    (tmp_path / "asked.jsonl").write_text("".join(json.dumps(one) + "\n" for one in asked))
    worker = Path(__file__).with_name("one_rank.py")
    subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--no-python"),
            *(f"--nproc-per-node={ranks}", sys.executable, str(worker)),
            str(tmp_path / "asked.jsonl"),
        ],
        check=True,
        timeout=1100,
    )
    for name in cases:
        alike(tmp_path / "one" / name, tmp_path / "many" / name)


def test_alone_nothing_is_shared():
    assert share([1, 2, 3]) == gathered([1, 2, 3]) == [1, 2, 3]
    assert summed([1.5, 2.0]) == [1.5, 2.0]
