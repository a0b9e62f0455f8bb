"""Programs run while the policy answers: what the tool wrote is read and never learned from."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from seekmath.core.files import read_parquet, write_jsonl
from seekmath.core.job import Job
from seekmath.corpus.chat import render_example, with_instruction
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.model.decoder import Decoder
from seekmath.model.folder import load_model, save_model
from seekmath.model.sizes import sized
from seekmath.rl.method import Credit, Setup
from seekmath.rl.methods.grpo import grpo_method
from seekmath.rl.methods.ppo import gae_credit
from seekmath.rl.questions import read_questions
from seekmath.rl.rewards import Rewards
from seekmath.rl.rollout import Sample
from seekmath.rl.settings import GrpoSettings
from seekmath.rl.tool_rollout import roll_out_with_tool
from seekmath.rl.trainer import grpo
from seekmath.rl.update import accumulate, plan_chunks
from seekmath.train.reward_model import RewardModel
from seekmath.verify.execution import Execution, Program
from seekmath.verify.sandbox import NoIsolation, Sandbox
from seekmath.world.problems import draw, record

CONTEXT = 160


@pytest.fixture(scope="module")
def taught(tmp_path_factory) -> tuple[Path, Path]:
    """A model fine-tuned on a few tool-integrated problems of the embedded world, and those."""
    folder = tmp_path_factory.mktemp("tool")
    rows = []
    for index in range(200):
        draft = draw("gsm8k", "train", 0, index)
        if draft.level == 1 and len(rows) < 6:
            rows.append(record(draft, "gsm8k", str(index), "tool"))
    write_jsonl(folder / "train.jsonl", rows)
    asked = [with_instruction(row["question"], "tool", "en") for row in rows]
    texts = [f"{q}\n\n{row['solution']}" for q, row in zip(asked, rows, strict=True)]
    tokenizer = Tokenizer.train(texts, 450)
    tokenizer.save(folder / "tokenizer")
    config = sized("tiny", tokenizer.vocab_size, CONTEXT, eos_token_id=tokenizer.eos_id)
    config = replace(
        config, hidden_size=64, intermediate_size=128, num_hidden_layers=2, head_dim=16
    )
    model = Decoder(config, seed=1)
    examples = [
        render_example(tokenizer, q, row["solution"]) for q, row in zip(asked, rows, strict=True)
    ]
    width = max(len(ids) for ids, _ in examples)
    ids = torch.tensor([ids + [0] * (width - len(ids)) for ids, _ in examples])
    learned = torch.tensor([mask + [False] * (width - len(mask)) for _, mask in examples])
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(140):
        logits = model(ids[:, :-1])[learned[:, 1:]]
        torch.nn.functional.cross_entropy(logits, ids[:, 1:][learned[:, 1:]]).backward()
        optimizer.step()
        optimizer.zero_grad()
    save_model(model, folder / "model", folder / "tokenizer")
    return folder / "model", folder / "train.jsonl"


@pytest.fixture(scope="module")
def sandbox():
    try:
        with Sandbox() as found:
            yield found
    except NoIsolation as error:
        pytest.skip(str(error))


def settings_of(taught: tuple[Path, Path], **changes: object) -> GrpoSettings:
    return GrpoSettings(
        **{
            "model": str(taught[0]),
            "problems": str(taught[1]),
            "mode": "tool",
            "temperature": 0.5,
            "group_size": 3,
            "questions_per_step": 6,
            "max_new_tokens": 64,
            "threads": 1,
            "device": "cpu",
            **changes,
        }
    )


@pytest.fixture(scope="module")
def drawn(taught, sandbox) -> tuple[Setup, list[Sample]]:
    settings = settings_of(taught)
    policy, tokenizer = load_model(taught[0]), Tokenizer.load(taught[0])
    questions, _ = read_questions(settings, tokenizer, CONTEXT)
    groups = roll_out_with_tool(policy, tokenizer, questions, settings, 3, sandbox.run_all)
    assert [len(group) for group in groups] == [3] * 6
    setup = Setup(settings, policy, policy, questions, tokenizer, Rewards(settings, tokenizer), 0)
    return setup, [sample for group in groups for sample in group]


def test_the_tools_output_enters_the_context(drawn):
    setup, samples = drawn
    ran = [sample for sample in samples if sample.executions]
    assert len(ran) > len(samples) / 2
    answered = 0
    for sample in ran:
        tokens = zip(sample.completion.token_ids, sample.by_tool, strict=True)
        shown = setup.tokenizer.decode([token for token, tool in tokens if tool])
        first = sample.executions[0]
        if first.status == "ok":
            assert shown.startswith(f"\n{first.stdout.strip()}\n```\n")
        answered += sample.completion.stop_reason == "stop"
        assert setup.tokenizer.decode(sample.completion.token_ids) == sample.text
    assert answered > len(ran) / 2
    assert any(judged.verdict for judged in setup.rewards(samples))


def test_tokens_that_the_policy_wrote_have_the_trainers_probabilities(drawn):
    setup, samples = drawn
    for sample in samples:
        prompt, ids = sample.question.prompt_ids, sample.completion.token_ids
        with torch.no_grad():
            logits = setup.policy(torch.tensor([prompt + ids[:-1]]))[0, len(prompt) - 1 :]
        again = (logits / 0.5).log_softmax(-1).gather(1, torch.tensor(ids)[:, None])[:, 0].tolist()
        for token, (now, then) in enumerate(zip(again, sample.completion.logprobs, strict=True)):
            assert sample.by_tool[token] or now == pytest.approx(then, abs=1e-4)


def test_no_more_than_max_new_tokens_are_written_by_both(taught, drawn):
    setup, _ = drawn
    settings = settings_of(taught, max_new_tokens=30, rounds=3)

    def long_output(programs: list[Program]) -> list[Execution]:
        return [Execution("ok", "9" * 90) for _ in programs]

    groups = roll_out_with_tool(
        setup.policy, setup.tokenizer, setup.questions, settings, 3, long_output
    )
    samples = [sample for group in groups for sample in group]
    assert max(len(sample.completion.token_ids) for sample in samples) == 30
    assert all(sample.completion.stop_reason != "stop" for sample in samples if any(sample.by_tool))


def test_the_gradient_at_the_tools_tokens_is_exactly_zero(drawn):
    setup, samples = drawn
    method = grpo_method(setup)
    judged = setup.rewards(samples)
    device = torch.device("cpu")

    def gradient(worth_by_tool: float, worth: float) -> list[torch.Tensor]:
        credits = [
            Credit(j, [worth if w else worth_by_tool for w in j.sample.written]) for j in judged
        ]
        setup.policy.zero_grad()
        chunks = plan_chunks(credits, 512, device)
        accumulate(setup.policy, None, chunks, method, setup.settings)
        return [p.grad.clone() for p in setup.policy.parameters() if p.grad is not None]

    assert not any(g.any() for g in gradient(worth_by_tool=7.0, worth=0.0))
    assert any(g.any() for g in gradient(worth_by_tool=7.0, worth=1.0))
    pairs = zip(gradient(7.0, 1.0), gradient(0.0, 1.0), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_a_critic_foretells_at_the_policys_tokens_only(drawn):
    setup, samples = drawn
    critic = RewardModel(load_model(setup.settings.model))
    torch.manual_seed(0)
    torch.nn.init.normal_(critic.score.weight)
    groups = [setup.rewards(samples)]
    for credit in gae_credit(setup.settings, setup.policy, critic, groups).credits:
        for worth, goal, written in zip(
            credit.token_advantages, credit.token_returns, credit.judged.sample.written, strict=True
        ):
            assert written or worth == goal == 0.0


def test_a_run_logs_programs_and_marks_the_tools_tokens(taught, sandbox, tmp_path):
    settings = settings_of(
        taught, steps=2, peak_lr=1e-4, rewards={"answer": 1.0, "code": 0.5}, rollout_every=1
    )
    with Job.open(tmp_path / "out", 0) as job:
        grpo(settings, job)
    lines = [json.loads(x) for x in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    assert all(line["programs"] > 0.5 and line["programs_ok"] > 0.2 for line in lines)
    assert max(line["logprob_gap"] for line in lines) < 1e-4
    rows = read_parquet(tmp_path / "out" / "rollouts" / "step-00002.parquet").to_pylist()
    assert any(any(row["by_tool"]) for row in rows)
    assert all(len(row["by_tool"]) == len(row["token_ids"]) for row in rows)


def test_a_sandbox_that_fails_leaves_no_gradient(drawn):
    setup, samples = drawn
    broken = replace(samples[0], executions=(Execution("unrun"),))
    judged = setup.rewards([broken, *samples[1:]])
    assert judged[0].total != judged[0].total
    assert judged[0].fault == "the sandbox failed"
