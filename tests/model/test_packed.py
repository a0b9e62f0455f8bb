"""The compiled kernels give what torch's operators give, forwards and backwards."""

from dataclasses import replace

import pytest
import torch

from seekmath.model import fused
from seekmath.model.decoder import Decoder
from seekmath.model.linear import compute_in
from seekmath.model.sizes import sized

pytest.importorskip("numba", reason="needs numba")


def gradients(model, lengths):
    total = sum(lengths)
    tokens = (torch.arange(2 * total).view(2, total) * 7 + 3) % 61
    documents = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    positions = torch.cat([torch.arange(length) for length in lengths])
    model.zero_grad()
    hidden = model.hidden(tokens, positions.expand(2, -1), documents.expand(2, -1))
    weights = torch.randn(hidden.shape, generator=torch.Generator().manual_seed(0))
    (hidden * weights).sum().backward()
    return hidden.detach(), {name: p.grad for name, p in model.named_parameters()}


@pytest.mark.parametrize(
    ("family", "kinds", "lengths"),
    [
        ("llama", 4, [9, 30, 8, 17]),
        ("qwen2", 2, [5, 40]),
        ("qwen3", 1, [12, 3, 20]),
        ("llama", 2, [330, 20]),
    ],
)
def test_a_decoder_learns_the_same_with_them_and_without(family, kinds, lengths, monkeypatch):
    config = sized("tiny", vocab_size=61, context=512)
    model = Decoder(replace(config, model_type=family, num_key_value_heads=kinds), seed=1)
    hidden, found = gradients(model, lengths)
    compute_in(model, torch.bfloat16)
    half, rough = gradients(model, lengths)
    compute_in(model, torch.float32)
    with monkeypatch.context() as patch:
        patch.setattr(fused, "serves", lambda *tensors: False)
        wanted, theirs = gradients(model, lengths)
    torch.testing.assert_close(hidden, wanted, atol=1e-5, rtol=1e-4)
    assert (half - wanted).norm() < 0.02 * wanted.norm()
    for name, gradient in theirs.items():
        torch.testing.assert_close(found[name], gradient, atol=2e-4, rtol=1e-3)
        assert torch.cosine_similarity(rough[name].flatten(), gradient.flatten(), dim=0) > 0.999


def test_loss_and_gradient_of_logits_are_torchs():
    logits = 30 * torch.randn(50, 700)
    target = torch.randint(0, 700, (50,))
    own = logits.clone().requires_grad_()
    wanted = torch.nn.functional.cross_entropy(own, target, reduction="sum")
    wanted.backward()
    found = fused.cross_entropy(logits, target, 0.0)
    assert found == pytest.approx(wanted.item(), rel=1e-6)
    torch.testing.assert_close(logits, own.grad, atol=1e-6, rtol=1e-5)


def test_a_number_that_is_none_stays_to_be_seen():
    logits = torch.zeros(2, 5)
    logits[1] = torch.nan
    assert fused.cross_entropy(logits, torch.tensor([0, 1]), 0.0) != 0.0
    x = torch.ones(3, 4)
    x[1, 2] = torch.inf
    _, normed = fused.add_and_norm(x, None, torch.ones(4), 1e-6)
    assert normed[1].isnan().any()
    assert fused.gated_beside(torch.full((1, 2), torch.nan)).isnan().all()


def test_many_threads_take_torchs_operators():
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        assert not fused.serves(torch.ones(2))
        torch.set_num_threads(1)
        assert fused.serves(torch.ones(2))
        assert not fused.serves(torch.ones(2, dtype=torch.bfloat16))
    finally:
        torch.set_num_threads(threads)
