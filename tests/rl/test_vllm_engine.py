"""Rollouts by vLLM: those of the policy as it is now, with the policy's own log-probabilities."""

import importlib.util
import json
from contextlib import closing

import pytest
import torch

from seekmath.core.files import BadInput
from seekmath.core.job import Job
from seekmath.model.folder import load_model
from seekmath.rl.settings import GrpoSettings
from seekmath.rl.trainer import grpo, opened_sampler
from seekmath.rl.vllm_engine import VllmEngine

HAS_VLLM = importlib.util.find_spec("vllm") is not None
needs_vllm = pytest.mark.skipif(not HAS_VLLM, reason="vLLM is not installed (pip install vllm)")
pytestmark = pytest.mark.filterwarnings("default")  # vLLM's own


def given(folder, **changes):
    body = {"model": str(folder), "problems": "p", "sampler": "vllm", "vllm_memory": 0.05}
    return GrpoSettings(**{**body, **changes})


def draw(engine, model, seed=1, stop_ids=(), n=3):
    return engine.sample(
        model, [[5, 9, 11], [7, 8, 9, 10, 12]], n=n, max_new_tokens=12, temperature=0.7, top_p=1.0,
        stop_ids=set(stop_ids), seed=seed, prompt_keys=[4, 2], max_rows=16,
    )  # fmt: skip


@torch.no_grad()
def logprobs(model, prompt, drawn):
    ids = torch.tensor([prompt + drawn[:-1]])
    logits = model.logits(model.hidden(ids)[0, len(prompt) - 1 :]) / 0.7
    return logits.log_softmax(-1).gather(1, torch.tensor(drawn)[:, None])[:, 0]


def agree(model, groups):
    for prompt, group in zip([[5, 9, 11], [7, 8, 9, 10, 12]], groups, strict=True):
        for done in group:
            found = torch.tensor(done.logprobs)
            torch.testing.assert_close(
                found, logprobs(model, prompt, done.token_ids), atol=1e-3, rtol=0
            )


@needs_vllm
def test_it_draws_from_the_policy_as_it_is_now(policy_folder):
    model = load_model(policy_folder)
    with closing(VllmEngine(given(policy_folder))) as engine:
        first = draw(engine, model)
        agree(model, first)
        assert [len(group) for group in first] == [3, 3]
        assert draw(engine, model) == first
        assert draw(engine, model, seed=2) != first
        assert len({tuple(done.token_ids) for group in first for done in group}) > 1
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(0.8)
        agree(model, draw(engine, model))
        token = first[0][0].token_ids[2]
        for done in draw(engine, load_model(policy_folder), stop_ids=[token])[0]:
            assert (token in done.token_ids) == (done.stop_reason == "stop")
            assert token not in done.token_ids[:-1]


@needs_vllm
def test_a_run_learns_from_its_rollouts(policy_folder, problems, tmp_path):
    (tmp_path / "reward.py").write_text(
        "def reward(completions, **_):\n"
        "    return [float(sum(map(ord, one)) % 5) for one in completions]\n"
    )
    settings = given(
        policy_folder, problems=str(problems), questions_per_step=2, group_size=4, steps=2,
        max_new_tokens=8, reward=str(tmp_path / "reward.py"), threads=1, peak_lr=1e-3,
    )  # fmt: skip
    with Job.open(tmp_path / "out", 0) as job:
        grpo(settings, job)
    lines = [json.loads(line) for line in (tmp_path / "out/metrics.jsonl").read_text().splitlines()]
    assert [line["completions"] for line in lines] == [8, 8]
    assert max(line["logprob_gap"] for line in lines) < 1e-3
    assert all(line["grad_norm"] > 0 for line in lines)


@pytest.mark.skipif(HAS_VLLM, reason="vLLM is installed")
def test_without_vllm_the_message_says_what_to_install(policy_folder):
    with pytest.raises(BadInput, match="pip install vllm"), opened_sampler(given(policy_folder)):
        pass


def test_programs_in_between_need_the_native_sampler(policy_folder):
    with pytest.raises(ValueError, match="needs sampler native"):
        given(policy_folder, mode="tool")
