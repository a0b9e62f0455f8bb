from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from seekmath.model import fused
from seekmath.model.cost import activation_bytes, cache_bytes, flops_per_token, parameters_of
from seekmath.model.decoder import Decoder
from seekmath.model.sizes import sized


@pytest.mark.parametrize("name", ["tiny", "small", "125m"])
@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3"])
def test_flops_are_those_that_torch_counts(name, family):
    config = replace(sized(name, vocab_size=300, context=128), model_type=family)
    if name == "125m":
        config = replace(config, num_hidden_layers=2, num_key_value_heads=4)
    # In double, since torch counts no products of oneDNN's own operator.
    model = Decoder(config).double()
    tokens = torch.zeros(2, 128, dtype=torch.long)
    with FlopCounterMode(display=False) as counter:
        model(tokens).sum().backward()
    # The backward pass of a first layer's input stops at the embedding, which is looked up.
    assert flops_per_token(config, 128) * 256 == pytest.approx(counter.get_total_flops(), rel=1e-6)


@pytest.mark.parametrize("tied", [True, False])
def test_parameters_are_those_of_the_model(tied):
    config = replace(sized("tiny", vocab_size=300, context=64), tie_word_embeddings=tied)
    found = parameters_of(config)
    assert found.total == sum(p.numel() for p in Decoder(config).parameters())
    assert found.rest == 128 + 300 * 128 * (1 if tied else 2)


def test_the_papers_size_has_seven_billion():
    found = parameters_of(sized("7b", vocab_size=102_400, context=4096))
    assert found.total == pytest.approx(6.91e9, rel=1e-3)


@pytest.mark.parametrize("length", [64, 512])
def test_activations_are_what_autograd_stores(length, monkeypatch):
    """With attention that stores no square: what is stored beyond the weights themselves."""
    # The kernels of one CPU thread store a feed-forward width less.
    monkeypatch.setattr(fused, "serves", lambda *tensors: False)
    config = sized("small", vocab_size=64, context=length)
    model = Decoder(config)
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    found: dict[int, int] = {}

    def note(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            found[storage.data_ptr()] = storage.nbytes()
        return tensor

    rows = 4
    tokens = torch.zeros(rows, length, dtype=torch.long)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        kept = model.hidden(tokens)
    assert kept.requires_grad
    # A CPU's short attention stores its square of weights, flash attention does not.
    square = 4 * rows * config.num_attention_heads * length**2 * config.num_hidden_layers
    extra = square if length <= 320 else 0
    wanted = activation_bytes(config, rows * length, element=4) + extra
    assert sum(found.values()) == pytest.approx(wanted, rel=0.15)


def test_a_cache_holds_keys_and_values_of_every_layer():
    config = sized("7b", vocab_size=102_400, context=4096)
    assert cache_bytes(config, 1, 2) == 2 * 2 * 30 * 4096
