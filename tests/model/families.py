"""Tiny random models of every family, made by transformers."""

from pathlib import Path

import torch
import transformers

_SHAPE = {
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "tie_word_embeddings": False,
    "eos_token_id": 1,
}
FAMILIES = {
    "llama": (transformers.LlamaConfig, {}),
    "llama-tied": (transformers.LlamaConfig, {"tie_word_embeddings": True}),
    "mistral": (transformers.MistralConfig, {"sliding_window": None}),
    "qwen2": (transformers.Qwen2Config, {"rope_theta": 1e6}),
    "qwen3": (transformers.Qwen3Config, {"head_dim": 16}),
}


def make_folder(family: str, folder: Path, **changes: object) -> transformers.PreTrainedModel:
    """A random model of a family, written to ``folder``."""
    config_class, extra = FAMILIES[family]
    torch.manual_seed(0)
    config = config_class(**{**_SHAPE, **extra, **changes})
    model = transformers.AutoModelForCausalLM.from_config(config)
    for name, parameter in model.named_parameters():
        if "bias" in name or "norm" in name:
            torch.nn.init.normal_(parameter, 0.5, 0.3)
    model.save_pretrained(folder, max_shard_size="20KB")
    return model.eval()
