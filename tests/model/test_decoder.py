import pytest
import torch

from seekmath.model.decoder import Decoder
from seekmath.model.sizes import sized


@pytest.fixture
def model() -> Decoder:
    return Decoder(sized("tiny", vocab_size=61, context=64), seed=1)


def test_a_packed_row_gives_each_document_its_own_logits(model):
    first, second = torch.randint(0, 61, (1, 9)), torch.randint(0, 61, (1, 13))
    row = torch.cat([first, second], dim=1)
    documents = torch.tensor([[0] * 9 + [1] * 13])
    positions = torch.tensor([[*range(9), *range(13)]])
    packed = model(row, positions, documents)
    torch.testing.assert_close(packed[:, :9], model(first), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(packed[:, 9:], model(second), atol=1e-5, rtol=1e-5)


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
