"""LoRA: nothing changes at the start, little learns, and what was learned can be merged."""

import copy

import pytest
import torch

from seekmath.model.decoder import Decoder
from seekmath.model.low_rank import LowRankLinear, add_low_rank, merged, twin
from seekmath.model.sizes import sized

TOKENS = torch.arange(12).view(2, 6)


@pytest.fixture
def model() -> Decoder:
    return Decoder(sized("tiny", vocab_size=31, context=16), seed=1)


def learn(model: Decoder) -> None:
    """A step in a random direction of all that learns."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += 0.1 * torch.randn_like(parameter)


def test_at_first_nothing_changes_and_only_the_additions_learn(model):
    before = model(TOKENS)
    add_low_rank(model, rank=4, alpha=8.0, seed=0)
    # Plain layers share one product among queries, keys and values: other sums, rounded otherwise.
    torch.testing.assert_close(model(TOKENS), before, rtol=1e-5, atol=1e-5)
    learning = {name for name, p in model.named_parameters() if p.requires_grad}
    assert len(learning) == 4 * 7 * 2
    assert all(name.endswith(("lora_a", "lora_b")) for name in learning)
    model(TOKENS).sum().backward()
    assert {n for n, p in model.named_parameters() if p.grad is not None} == learning


def test_the_twin_has_the_bases_own_memory_and_stays_as_it_was(model):
    before = model(TOKENS)
    base = twin(model)
    add_low_rank(model, rank=4, alpha=8.0, seed=0)
    learn(model)
    assert not torch.allclose(model(TOKENS), before)
    assert torch.equal(base(TOKENS), before)
    ours = {p.data_ptr() for p in model.parameters()}
    assert all(p.data_ptr() in ours for p in base.parameters())


def test_merged_it_is_a_plain_decoder_that_does_the_same(model):
    add_low_rank(model, rank=4, alpha=8.0, seed=0)
    learn(model)
    plain = merged(model)
    assert not any(isinstance(module, LowRankLinear) for module in plain.modules())
    torch.testing.assert_close(plain(TOKENS), model(TOKENS), rtol=1e-4, atol=1e-5)


def test_it_is_pefts(model):
    peft = pytest.importorskip("peft")
    theirs = copy.deepcopy(model)
    add_low_rank(model, rank=4, alpha=8.0, seed=0)
    learn(model)
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    config = peft.LoraConfig(r=4, lora_alpha=8, target_modules=targets, lora_dropout=0.0)
    theirs = peft.inject_adapter_in_model(config, theirs)
    for name, module in model.named_modules():
        if isinstance(module, LowRankLinear):
            other = theirs.get_submodule(name)
            other.lora_A["default"].weight.data.copy_(module.lora_a)
            other.lora_B["default"].weight.data.copy_(module.lora_b)
    torch.testing.assert_close(theirs(TOKENS), model(TOKENS), rtol=1e-5, atol=1e-6)


def test_the_additions_follow_from_the_seed(model):
    other = copy.deepcopy(model)
    for one in (model, other):
        add_low_rank(one, rank=2, alpha=2.0, seed=5)
    pairs = zip(model.parameters(), other.parameters(), strict=True)
    assert all(torch.equal(one, two) for one, two in pairs)
