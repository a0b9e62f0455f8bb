from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from seekmath.model.attention import Documents, attend, document_mask, document_plan
from seekmath.model.decoder import Decoder
from seekmath.model.sizes import sized


@pytest.fixture
def model() -> Decoder:
    return Decoder(sized("tiny", vocab_size=61, context=64), seed=1)


@settings(max_examples=25, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=7),
    rows=st.integers(1, 3),
    layers=st.sampled_from([4, 1]),
)
def test_a_packed_row_gives_each_document_its_own_logits(lengths, rows, layers):
    config = sized("tiny", vocab_size=61, context=64)
    model = Decoder(replace(config, num_key_value_heads=layers), seed=1)
    total = sum(lengths)
    tokens = torch.arange(rows * total).view(rows, total) * 7 % 61
    documents = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    positions = torch.cat([torch.arange(length) for length in lengths])
    packed = model(tokens, positions.expand(rows, -1), documents.expand(rows, -1))
    start = 0
    for length in lengths:
        alone = model(tokens[:, start : start + length])
        torch.testing.assert_close(packed[:, start : start + length], alone, atol=1e-5, rtol=1e-4)
        start += length


@pytest.mark.parametrize("lengths", [[60, 4], [9, 8, 7, 40], [3] * 21 + [1]])
def test_taking_rows_apart_changes_no_gradient(model, lengths):
    documents = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    parts = [torch.randn(2, 4, 64, 8, requires_grad=True) for _ in range(3)]
    plan = document_plan(documents.expand(2, -1))
    assert isinstance(plan, Documents) == (len(lengths) > 2)
    weights = torch.randn(2, 4, 64, 8)
    masked = F.scaled_dot_product_attention(
        *parts, attn_mask=document_mask(documents.expand(2, -1))
    )
    found = attend(*parts, plan)
    torch.testing.assert_close(found, masked, atol=1e-5, rtol=1e-5)
    wanted = torch.autograd.grad((masked * weights).sum(), parts)
    for one, other in zip(torch.autograd.grad((found * weights).sum(), parts), wanted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_weights_depend_on_the_seed_and_the_name_only():
    small = dict(Decoder(sized("tiny", 61, 64), seed=1).named_parameters())
    longer = dict(Decoder(sized("tiny", 61, 128), seed=1).named_parameters())
    other = dict(Decoder(sized("tiny", 61, 64), seed=2).named_parameters())
    assert all(torch.equal(small[name], longer[name]) for name in small)
    assert not torch.equal(small["model.embed_tokens.weight"], other["model.embed_tokens.weight"])


def test_later_tokens_do_not_reach_back(model):
    tokens = torch.randint(0, 61, (2, 12))
    changed = tokens.clone()
    changed[:, 8:] = (changed[:, 8:] + 1) % 61
    torch.testing.assert_close(model(tokens)[:, :8], model(changed)[:, :8])
