"""Every method: its gradient is that of its objective, and it resumes to the bit."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from seekmath.core.files import read_parquet
from seekmath.core.job import Job
from seekmath.model.folder import load_model
from seekmath.model.sampler import Completion
from seekmath.rl.methods.dpo import pair_coefficient, pair_objective, pairs
from seekmath.rl.methods.online_rft import right_ones, selected, selected_likelihood
from seekmath.rl.objective import TokenBatch, outputs_mean
from seekmath.rl.questions import Question
from seekmath.rl.rollout import Judged, Sample
from seekmath.rl.settings import GrpoSettings
from seekmath.rl.trainer import grpo
from seekmath.train.reward_model import RewardModel, save_reward_model

LENGTHS = (5, 2, 3, 7)
# Any text has a verdict here: the questions' answers are letters that random texts hold or not.
REWARD = (
    "def reward(completions, **columns):\n    return [sum(map(ord, t)) % 5 for t in completions]\n"
)


def pair_batch(seed: int) -> TokenBatch:
    """Two pairs, rows 0 and 3, rows 1 and 2, in float64."""
    generator = torch.Generator().manual_seed(seed)

    def normal() -> torch.Tensor:
        return torch.randn(4, 7, generator=generator, dtype=torch.float64)

    logprob = (-normal().abs()).requires_grad_()
    sign = torch.tensor([[1.0], [1.0], [-1.0], [-1.0]], dtype=torch.float64).expand(4, 7)
    mask = torch.arange(7) < torch.tensor(LENGTHS)[:, None]
    old, reference = logprob.detach(), (logprob + 0.7 * normal()).detach()
    return TokenBatch(logprob, old, reference, old, sign, mask, torch.tensor([3, 2, 1, 0]))


@pytest.mark.parametrize("ratio", ["mean", "sum"])
@pytest.mark.parametrize("seed", range(3))
def test_dpo_is_its_published_loss(seed, ratio):
    settings = GrpoSettings(model="m", problems="p", method="dpo", dpo_ratio=ratio, dpo_beta=0.3)
    case = pair_batch(seed)
    log_ratio = [
        [float(v) for v in row[:length]]
        for row, length in zip((case.logprob_NT - case.reference_NT).detach(), LENGTHS, strict=True)
    ]
    reduced = [sum(row) / (len(row) if ratio == "mean" else 1) for row in log_ratio]
    margins = [0.3 * (reduced[plus] - reduced[minus]) for plus, minus in ((0, 3), (1, 2))]
    expected = sum(float(F.logsigmoid(torch.tensor(m, dtype=torch.float64))) for m in margins) / 2
    value = outputs_mean(pair_objective(settings, case), case.mask_NT, 4)
    assert float(value.detach()) == pytest.approx(expected, rel=1e-12)
    (wanted,) = torch.autograd.grad(value, case.logprob_NT)
    made = outputs_mean(pair_coefficient(settings, case) * case.logprob_NT, case.mask_NT, 4)
    (found,) = torch.autograd.grad(made, case.logprob_NT)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-14)


def test_rft_is_the_likelihood_of_the_right_ones():
    case = pair_batch(0)
    right = (case.advantage_NT + 1) / 2
    case = TokenBatch(**{**case.__dict__, "advantage_NT": right})
    value = outputs_mean(selected_likelihood(case), case.mask_NT, 4)
    (wanted,) = torch.autograd.grad(value, case.logprob_NT)
    made = outputs_mean(selected(case) * case.logprob_NT, case.mask_NT, 4)
    (found,) = torch.autograd.grad(made, case.logprob_NT)
    torch.testing.assert_close(found, wanted)


def judged(verdict: bool | None, k: int) -> Judged:
    done = Completion([1] * (k + 1), [-1.0] * (k + 1), "stop")
    question = Question("q", "q", "1", [2], {})
    return Judged(Sample(question, k, done, ""), 0.0, [0.0], verdict, None, "")


def test_pairs_are_of_one_question_and_each_output_is_in_one():
    groups = [
        [judged(v, k) for k, v in enumerate((True, False, None, True, False, False))],
        [judged(True, k) for k in range(3)],
    ]
    found = pairs(groups)
    assert [(c.judged.sample.k, c.token_advantages[0], c.pair) for c in found.credits] == [
        (0, 1.0, 0),
        (1, -1.0, 0),
        (3, 1.0, 1),
        (4, -1.0, 1),
    ]
    assert len(found.unused) == 5
    assert found.zero_variance_groups == 1
    ones = right_ones(groups)
    assert [c.token_advantages[0] for c in ones.credits] == [1, 0, 0, 1, 0, 0, 1, 1, 1]


@pytest.fixture
def base(taught_folder, tmp_path) -> dict:
    """Settings under which a policy is now right, now wrong."""
    problems = tmp_path / "sums.jsonl"
    rows = [{"question": f"What is {n} plus 2?", "answer": n + 2} for n in range(7)]
    problems.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "reward.py").write_text(REWARD)
    judge = RewardModel(load_model(taught_folder))
    torch.manual_seed(0)
    torch.nn.init.normal_(judge.score.weight)
    save_reward_model(judge, tmp_path / "judge", taught_folder)
    return {
        "model": str(taught_folder),
        "problems": str(problems),
        "group_size": 6,
        "questions_per_step": 3,
        "steps": 4,
        "max_new_tokens": 10,
        "peak_lr": 1e-3,
        "micro_batch_tokens": 90,
        "checkpoint_every": 1,
        "rollout_every": 1,
        "threads": 1,
        "device": "cpu",
    }


def run(settings: dict, out: Path) -> list[dict]:
    with Job.open(out, 1) as job:
        grpo(GrpoSettings(**settings), job)
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [
        {k: v for k, v in line.items() if k != "time" and not k.endswith("_s")} for line in lines
    ]


CASES = {
    "ppo": {"method": "ppo", "reward": "reward.py"},
    "online_rft": {"method": "online_rft"},
    "rft": {"method": "rft"},
    "dpo": {"method": "dpo"},
    "process": {"supervision": "process", "process_model": "judge"},
    "iterative outcome": {"iterations": 2, "reward_model": "judge", "reward_lr": 1e-3},
    "iterative process": {
        "iterations": 2,
        "supervision": "process",
        "process_model": "judge",
        "labelled_samples": 6,
        "completions_per_step": 2,
    },
    "dapo": {"clip_high": 0.28, "loss_mean": "tokens", "resample": 1, "reward": "reward.py"},
}


@pytest.mark.parametrize("name", list(CASES))
def test_a_method_runs_and_resumes_to_the_bit(name, base, tmp_path):
    case = {
        key: str(tmp_path / value) if value in ("reward.py", "judge") else value
        for key, value in CASES[name].items()
    }
    whole = run({**base, **case}, tmp_path / "whole")
    assert [line["step"] for line in whole] == [1, 2, 3, 4]
    assert 0 < whole[0]["right"] < 1
    assert whole[0]["grad_norm"] > 0
    shutil.copytree(tmp_path / "whole", tmp_path / "cut")
    shutil.rmtree(tmp_path / "cut" / "model")
    # As if killed after step 3, in the second iteration, or while step 4 was written.
    for newest in (tmp_path / "cut" / "checkpoints").glob("step-00000004*"):
        shutil.rmtree(newest)
    assert run({**base, **case}, tmp_path / "cut") == whole
    weights = [load_file(tmp_path / n / "model" / "model.safetensors") for n in ("whole", "cut")]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_killed_at_the_border_of_iterations_it_ends_alike(base, tmp_path):
    case = {"iterations": 2, "reward_model": str(tmp_path / "judge"), "reward_lr": 1e-3}
    whole = run({**base, **case}, tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "cut")
    for path in ("model", "iterations/01", "iterations/01-reward_model"):
        shutil.rmtree(tmp_path / "cut" / path)
    for step in (3, 4):
        shutil.rmtree(tmp_path / "cut" / "checkpoints" / f"step-{step:08d}", ignore_errors=True)
    # Only the last two checkpoints are kept: the run begins anew, which must not show either.
    assert run({**base, **case}, tmp_path / "cut") == whole


def test_a_new_iteration_has_a_new_reference_and_a_new_reward_model(base, tmp_path):
    case = {"iterations": 2, "reward_model": str(tmp_path / "judge"), "reward_lr": 1e-3}
    lines = run({**base, **case}, tmp_path / "out")
    # The reference is the policy itself again at the first step of an iteration.
    assert lines[0]["kl"] == lines[2]["kl"] == 0.0
    assert lines[1]["kl"] > 0 < lines[3]["kl"]
    before = load_file(tmp_path / "judge" / "model.safetensors")
    after = load_file(tmp_path / "out" / "iterations" / "01" / "reward_model" / "model.safetensors")
    assert not torch.equal(before["score.weight"], after["score.weight"])


def test_offline_outputs_do_not_follow_the_policy(base, tmp_path):
    first = tmp_path / "first"
    run({**base, "method": "rft", "peak_lr": 1e-2}, first)
    run({**base, "method": "rft", "peak_lr": 1e-5}, tmp_path / "second")
    run({**base, "method": "online_rft", "peak_lr": 1e-2}, tmp_path / "online")
    texts = [
        read_parquet(out / "rollouts" / "step-00004.parquet", ["completion"]).to_pylist()
        for out in (first, tmp_path / "second", tmp_path / "online")
    ]
    assert texts[0] == texts[1]
    assert texts[0] != texts[2]


def test_masked_and_punished_outputs(base, tmp_path):
    reward = str(tmp_path / "reward.py")
    base = {**base, "max_new_tokens": 5}
    kept = run({**base, "steps": 1, "reward": reward}, tmp_path / "keep")
    punished = run({**base, "steps": 1, "reward": reward, "truncated": "punish"}, tmp_path / "pun")
    masked = run({**base, "steps": 1, "reward": reward, "truncated": "mask"}, tmp_path / "mask")
    share = kept[0]["truncated"] / kept[0]["completions"]
    assert share > 0
    assert punished[0]["reward_mean"] == pytest.approx(kept[0]["reward_mean"] - share)
    assert masked[0]["reward_mean"] == kept[0]["reward_mean"]
    assert masked[0]["loss"] != kept[0]["loss"]


def test_the_method_that_the_docs_add_works():
    page = (Path(__file__).parents[2] / "docs" / "rl.md").read_text()
    code = page.split("### A seventh method")[1].split("```python\n")[1].split("```")[0]
    names: dict = {}
    exec(code, names)
    group = [judged(True, 0), judged(False, 1)]
    group[0] = replace(group[0], total=1.0)
    found = names["above_the_mean"]([group])
    assert [c.token_advantages for c in found.credits] == [[0.5], [-0.5, -0.5]]
