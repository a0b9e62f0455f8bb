"""The gradient of a batch: any split gives it, and it is that of the paper's objective."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seekmath.core.seeds import rng
from seekmath.model.decoder import Decoder
from seekmath.model.logprobs import completion_logprobs
from seekmath.model.sampler import Completion
from seekmath.model.sizes import sized
from seekmath.rl.method import Credit, Method, Setup
from seekmath.rl.methods.grpo import grpo_method
from seekmath.rl.objective import Terms, TokenBatch, outputs_mean, token_objective
from seekmath.rl.questions import Question
from seekmath.rl.rollout import Judged, Sample
from seekmath.rl.settings import GrpoSettings
from seekmath.rl.update import accumulate, plan_chunks

CPU = torch.device("cpu")
SETTINGS = GrpoSettings(model="m", problems="p", temperature=0.8)


@pytest.fixture(scope="module")
def models() -> tuple[Decoder, Decoder]:
    """A policy and a reference near it."""
    policy = Decoder(sized("tiny", vocab_size=61, context=64), seed=1)
    reference = copy.deepcopy(policy)
    with torch.no_grad():
        policy.model.embed_tokens.weight.mul_(5)
        reference.model.embed_tokens.weight.mul_(4.5)
    return policy, reference.requires_grad_(False)


def credits_of(seed: int, groups: int = 4, size: int = 5) -> list[Credit]:
    """Random outputs of 1 to 12 tokens on prompts of 1 to 9."""
    random = rng(seed, "credits")
    found = []
    for g in range(groups):
        prompt = random.integers(0, 61, random.integers(1, 10)).tolist()
        question = Question(f"q{g}", f"question {g}", "1", prompt, {})
        for k in range(size):
            tokens = random.integers(0, 61, random.integers(1, 13)).tolist()
            done = Completion(tokens, [-1.0] * len(tokens), "stop")
            judged = Judged(Sample(question, k, done, ""), 0.0, [0.0], None, None, "")
            found.append(Credit(judged, [float(random.normal())] * len(tokens)))
    return found


@pytest.fixture(scope="module")
def method() -> Method:
    return grpo_method(Setup(SETTINGS, None, None, [], None, None, 0))


def gradients(models, method, credits, most_tokens) -> tuple[dict[str, torch.Tensor], float]:
    policy = copy.deepcopy(models[0])
    chunks = plan_chunks(credits, most_tokens, CPU)
    meter = accumulate(policy, models[1], chunks, method, SETTINGS)
    return {name: p.grad for name, p in policy.named_parameters()}, meter.loss


@pytest.mark.parametrize("most_tokens", [1, 17, 60])
def test_any_split_into_micro_batches_gives_the_same_gradient(models, method, most_tokens):
    credits = credits_of(3)
    whole, loss = gradients(models, method, credits, 10_000)
    parts, parts_loss = gradients(models, method, credits, most_tokens)
    assert parts_loss == pytest.approx(loss, abs=1e-6)
    for name, gradient in whole.items():
        torch.testing.assert_close(parts[name], gradient, atol=1e-6, rtol=1e-5, msg=name)


def test_the_gradient_is_that_of_the_papers_objective(models, method):
    credits = credits_of(4)
    found, found_loss = gradients(models, method, credits, 64)
    policy = copy.deepcopy(models[0])
    prompts = [c.judged.sample.question.prompt_ids for c in credits]
    completions = [c.judged.sample.completion.token_ids for c in credits]
    logprob, mask = completion_logprobs(policy, prompts, completions, temperature=0.8)
    reference, _ = completion_logprobs(models[1], prompts, completions, temperature=0.8)
    advantage = torch.zeros_like(logprob)
    for row, credit in enumerate(credits):
        advantage[row, : len(credit.token_advantages)] = torch.tensor(credit.token_advantages)
    old = logprob.detach()
    pair = torch.arange(len(credits))
    batch = TokenBatch(logprob, old, reference, old, advantage, mask, pair)
    values = token_objective(batch, Terms())
    loss = -outputs_mean(values, mask, len(credits))
    loss.backward()
    assert found_loss == pytest.approx(float(loss.detach()), abs=1e-6)
    for name, parameter in policy.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, atol=1e-6, rtol=1e-5, msg=name)


def test_a_second_pass_keeps_the_old_policy(models, method):
    policy = copy.deepcopy(models[0])
    chunks = plan_chunks(credits_of(5), 40, CPU)
    accumulate(policy, models[1], chunks, method, SETTINGS)
    first = [part.old_NT.clone() for chunk in chunks for part in chunk.parts]
    with torch.no_grad():
        policy.model.embed_tokens.weight.mul_(1.5)
    meter = accumulate(policy, models[1], chunks, method, SETTINGS)
    second = [part.old_NT for chunk in chunks for part in chunk.parts]
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert 0 < meter.clipped < meter.tokens


@given(st.integers(0, 50), st.integers(1, 200))
def test_the_split_loses_nothing_and_keeps_to_the_bound(seed, most_tokens):
    credits = credits_of(seed)
    chunks = plan_chunks(credits, most_tokens, CPU)
    parts = [part for chunk in chunks for part in chunk.parts]
    outputs = [tuple(tokens) for part in parts for tokens in part.completions]
    wanted = [tuple(c.judged.sample.completion.token_ids) for c in credits]
    assert sorted(outputs) == sorted(wanted)
    for part in parts:
        longest = max(map(len, part.completions))
        assert len(part.completions) == 1 or longest * len(part.completions) <= most_tokens
