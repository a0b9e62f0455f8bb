import json

import pytest
import torch
import transformers

from seekmath.core.files import BadInput
from seekmath.model.folder import load_model, save_model
from tests.model.families import make_folder


def test_logits_equal_those_of_transformers_both_ways(family_folder, tmp_path):
    theirs, folder = family_folder
    ours = load_model(folder)
    tokens = torch.randint(0, 97, (3, 21))
    with torch.no_grad():
        wanted = theirs(tokens).logits
        torch.testing.assert_close(ours(tokens), wanted, atol=1e-5, rtol=1e-4)
    save_model(ours, tmp_path / "ours", folder)
    back = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "ours").eval()
    with torch.no_grad():
        torch.testing.assert_close(back(tokens).logits, wanted, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("model_type", "gpt2", "allowed: llama, mistral, qwen2, qwen3"),
        ("hidden_act", "gelu", "hidden_act: found 'gelu'"),
        ("rope_parameters", {"rope_type": "yarn"}, "rope_type: found 'yarn'"),
        ("num_hidden_layers", 3, "the weights lack 'model.layers.2"),
        ("intermediate_size", 50, "has shape"),
    ],
)
def test_what_cannot_be_loaded_is_named(tmp_path, key, value, words):
    make_folder("llama", tmp_path / "m")
    path = tmp_path / "m" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(BadInput, match=words):
        load_model(tmp_path / "m")


def test_a_folder_without_weights_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"config\.json: no such file"):
        load_model(tmp_path)
