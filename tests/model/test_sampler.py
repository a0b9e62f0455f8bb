import pytest
import torch

from seekmath.model.decoder import Decoder
from seekmath.model.folder import load_model
from seekmath.model.group_cache import GroupCache
from seekmath.model.logprobs import completion_logprobs
from seekmath.model.sampler import sample
from seekmath.model.sizes import sized
from tests.model.families import make_folder

PROMPTS = [[5, 9, 3], [7], [4, 4, 8, 1, 2, 30, 31], [11, 12]]


@pytest.fixture(scope="module")
def model() -> Decoder:
    decoder = Decoder(sized("tiny", vocab_size=61, context=64), seed=1)
    with torch.no_grad():  # sharper than fresh weights, so that top-p and ends mean something
        decoder.model.embed_tokens.weight.mul_(12)
    return decoder


def draw(model, prompts=PROMPTS, **changes):
    settings = {
        "n": 5,
        "max_new_tokens": 20,
        "temperature": 1.0,
        "stop_ids": {0, 1, 2, 3},
        "seed": 7,
    }
    return sample(model, prompts, **{**settings, **changes})


def test_a_completion_does_not_depend_on_its_batch(model):
    whole = draw(model, max_rows=100)
    assert [[c.token_ids for c in group] for group in draw(model, max_rows=5)] == [
        [c.token_ids for c in group] for group in whole
    ]
    for number, prompt in enumerate(PROMPTS):
        alone = draw(model, [prompt], prompt_keys=[number], n=3)[0]
        assert [c.token_ids for c in alone] == [c.token_ids for c in whole[number][:3]]


def test_logprobs_are_those_of_a_full_forward(model):
    groups = draw(model, temperature=0.8)
    for prompt, group in zip(PROMPTS, groups, strict=True):
        tokens = [c.token_ids for c in group]
        with torch.no_grad():
            logprobs, mask = completion_logprobs(model, [prompt] * 5, tokens, temperature=0.8)
        sampled = torch.zeros_like(logprobs)
        for row, completion in enumerate(group):
            sampled[row, : len(completion.logprobs)] = torch.tensor(completion.logprobs)
        torch.testing.assert_close(sampled, logprobs, atol=1e-5, rtol=1e-5)
        assert mask.sum(1).tolist() == [len(t) for t in tokens]


def test_completions_end_at_a_stop_token_or_at_the_length(model):
    reasons = set()
    for group in draw(model, n=20):
        for completion in group:
            *body, last = completion.token_ids
            assert not set(body) & {0, 1, 2, 3}
            assert (last in {0, 1, 2, 3}) == (completion.stop_reason == "stop")
            assert completion.stop_reason == "stop" or len(body) == 19
            reasons.add(completion.stop_reason)
    assert reasons == {"stop", "length"}


def test_greedy_equals_transformers(tmp_path):
    theirs = make_folder("qwen3", tmp_path)
    ours = sample(
        load_model(tmp_path),
        PROMPTS,
        n=1,
        max_new_tokens=12,
        temperature=0,
        stop_ids={1},
        seed=0,
    )
    for prompt, (completion,) in zip(PROMPTS, ours, strict=True):
        wanted = theirs.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt)),
            max_new_tokens=12,
            do_sample=False,
            pad_token_id=0,
        )
        assert completion.token_ids == wanted[0, len(prompt) :].tolist()


def test_draws_follow_the_distribution(model):
    logits = model(torch.tensor([[5, 9, 3]]))[0, -1]
    wanted = torch.softmax(logits, -1)
    group = draw(model, [[5, 9, 3]], n=4000, max_new_tokens=1, max_rows=4000)[0]
    found = torch.bincount(torch.tensor([c.token_ids[0] for c in group]), minlength=61) / 4000
    assert (found - wanted).abs().max() < 0.03
    nucleus = draw(model, [[5, 9, 3]], n=500, max_new_tokens=1, top_p=0.5)[0]
    ordered = wanted.sort(descending=True)
    allowed = ordered.indices[: int((ordered.values.cumsum(0) < 0.5).sum()) + 1].tolist()
    assert {c.token_ids[0] for c in nucleus} == set(allowed)


def test_prompt_and_completion_stay_inside_the_context(model):
    with pytest.raises(ValueError, match="1 to 63 tokens; the longest has 64"):
        draw(model, [[5] * 64])
    groups = draw(model, [[5] * 60, [5] * 63, [5] * 44], n=9, stop_ids=set())
    lengths = [{len(c.token_ids) for c in group} for group in groups]
    assert lengths == [{4}, {1}, {20}]
    assert {c.stop_reason for group in groups for c in group} == {"length"}


def test_rows_that_join_late_do_not_see_the_slots_before_them(model):
    prompts = [[3 + n, 5, 7 + n][: 1 + n % 3] for n in range(12)]
    many = draw(model, prompts, n=2, max_rows=6)
    for number, prompt in enumerate(prompts):
        alone = draw(model, [prompt], n=2, prompt_keys=[number])[0]
        assert [c.token_ids for c in many[number]] == [c.token_ids for c in alone]
        for one, other in zip(many[number], alone, strict=True):
            assert one.logprobs == pytest.approx(other.logprobs, abs=1e-5)


@pytest.mark.parametrize("family", ["qwen2", "qwen3", "mistral"])
def test_every_family_samples_what_a_full_forward_says(family, tmp_path):
    make_folder(family, tmp_path)
    model = load_model(tmp_path)
    groups = draw(model, n=4, max_rows=8, top_p=1.0)
    for prompt, group in zip(PROMPTS, groups, strict=True):
        with torch.no_grad():
            logprobs, _ = completion_logprobs(model, [prompt] * 4, [c.token_ids for c in group])
        for row, completion in zip(logprobs.tolist(), group, strict=True):
            assert completion.logprobs == pytest.approx(
                row[: len(completion.logprobs)], abs=1e-4, rel=1e-4
            )


def test_fixed_shapes_draw_the_same(model, monkeypatch):
    begin = GroupCache.begin
    wanted = draw(model, n=8, max_rows=16)
    monkeypatch.setattr(GroupCache, "begin", lambda *a, fixed: begin(*a, fixed=True))
    found = draw(model, n=8, max_rows=16)
    for group, expected in zip(found, wanted, strict=True):
        for one, other in zip(group, expected, strict=True):
            assert one.token_ids == other.token_ids
            assert one.logprobs == pytest.approx(other.logprobs, abs=1e-5)
