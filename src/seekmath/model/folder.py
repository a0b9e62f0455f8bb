"""Model folders in Hugging Face's form: read and written without conversion of names."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from seekmath.core.files import BadInput, read_json, whole_folder
from seekmath.model.decoder import Decoder, rotation_angles
from seekmath.model.sizes import FAMILIES, ModelConfig

_ARCHITECTURES = {
    "llama": "LlamaForCausalLM",
    "mistral": "MistralForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
}
_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
)


def load_model(
    folder: str | Path, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> Decoder:
    """Load a decoder from a Hugging Face folder.

    Raises:
        BadInput: the folder, its architecture or a tensor is not what it must be.
    """
    folder = Path(folder)
    config = load_config(folder)
    with torch.device("meta"):
        model = Decoder(config)
    model.load_state_dict(_checked(folder, model, load_weights(folder)), assign=True, strict=False)
    # The rotary angles are no weights: they are computed again, off the meta device.
    model.rotation_SD = rotation_angles(
        config.max_position_embeddings, config.head_dim, config.rope_theta
    )
    model = model.to(device)
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype)
        parameter.requires_grad_(True)
    return model


def load_config(folder: Path) -> ModelConfig:
    """Read ``config.json``; BadInput names what is not supported and what is."""
    raw = read_json(folder / "config.json")
    where = folder / "config.json"
    family = raw.get("model_type")
    if family not in FAMILIES:
        raise BadInput(
            f"{where}: model_type: found {family!r}; allowed: {', '.join(FAMILIES)}"
            " (decoders of the Llama family)"
        )
    _refuse_unsupported(where, raw)
    values = {f.name: raw[f.name] for f in dataclasses.fields(ModelConfig) if f.name in raw}
    values.setdefault("num_key_value_heads", raw["num_attention_heads"])
    if not values.get("head_dim"):
        values["head_dim"] = raw["hidden_size"] // raw["num_attention_heads"]
    rope = raw.get("rope_parameters") or {}
    values["rope_theta"] = float(rope.get("rope_theta", raw.get("rope_theta", 10_000.0)))
    values.setdefault("tie_word_embeddings", False)
    if isinstance(values.get("eos_token_id"), list):
        values["eos_token_id"] = values["eos_token_id"][0]
    try:
        return ModelConfig(**values)
    except TypeError as error:
        raise BadInput(f"{where}: {error}") from None


def _refuse_unsupported(where: Path, raw: dict[str, Any]) -> None:
    scaling = raw.get("rope_scaling") or raw.get("rope_parameters") or {}
    kind = scaling.get("rope_type", scaling.get("type", "default"))
    if kind != "default":
        raise BadInput(f"{where}: rope_type: found '{kind}'; allowed: default")
    windowed = raw.get("sliding_window") and raw.get("use_sliding_window", True)
    if windowed and raw["sliding_window"] < raw.get("max_position_embeddings", 0):
        raise BadInput(f"{where}: sliding_window: found {raw['sliding_window']}; allowed: null")
    if raw.get("hidden_act", "silu") != "silu":
        raise BadInput(f"{where}: hidden_act: found '{raw['hidden_act']}'; allowed: silu")
    if raw.get("model_type") in ("llama", "mistral") and raw.get("attention_bias"):
        raise BadInput(f"{where}: attention_bias: found true; allowed: false for this model_type")


def stop_ids(folder: str | Path) -> set[int]:
    """Ids of the tokens that end a completion, by the folder's configuration; may be none."""
    found: set[int] = set()
    for name in ("config.json", "generation_config.json"):
        path = Path(folder) / name
        ids = read_json(path).get("eos_token_id") if path.exists() else None
        found |= set(ids if isinstance(ids, list) else [ids] if ids is not None else [])
    return found


def load_weights(folder: Path) -> dict[str, Tensor]:
    """All tensors of ``model.safetensors`` or of the shards that its index names."""
    index = folder / "model.safetensors.index.json"
    names = (
        sorted(set(read_json(index)["weight_map"].values()))
        if index.exists()
        else ["model.safetensors"]
    )
    weights: dict[str, Tensor] = {}
    for name in names:
        if not (folder / name).exists():
            raise BadInput(f"{folder / name}: no such file (weights are read from safetensors)")
        try:
            weights.update(load_file(folder / name))
        except SafetensorError as error:
            raise BadInput(f"{folder / name}: damaged: {error}") from None
    return weights


def _checked(folder: Path, model: Decoder, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    wanted = {name: tensor.shape for name, tensor in model.named_parameters()}
    for name, shape in wanted.items():
        if name not in weights:
            raise BadInput(f"{folder}: the weights lack '{name}'")
        if weights[name].shape != shape:
            found, needed = tuple(weights[name].shape), tuple(shape)
            raise BadInput(f"{folder}: '{name}' has shape {found}; config.json needs {needed}")
    return {name: weights[name] for name in wanted}


def save_model(model: Decoder, folder: str | Path, tokenizer_folder: str | Path) -> None:
    """Write a folder that transformers, vLLM and ``load_model`` open; whole or not at all."""
    with whole_folder(folder) as scratch:
        config = config_json(model.config, _ARCHITECTURES[model.config.model_type])
        config["torch_dtype"] = str(next(model.parameters()).dtype).removeprefix("torch.")
        (scratch / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        save_weights(dict(model.named_parameters()), scratch)
        copy_tokenizer(Path(tokenizer_folder), scratch)


def config_json(config: ModelConfig, architecture: str) -> dict[str, Any]:
    """What ``config.json`` holds for a configuration."""
    return {
        "architectures": [architecture],
        **dataclasses.asdict(config),
        "hidden_act": "silu",
        "attention_bias": config.attention_bias,
        "use_sliding_window": False,
        "sliding_window": None,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
    }


def save_weights(named: dict[str, Tensor], folder: Path) -> None:
    """Write ``model.safetensors``."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in named.items()}
    save_file(plain, folder / "model.safetensors", metadata={"format": "pt"})


def copy_tokenizer(source: Path, target: Path) -> None:
    """Copy the tokenizer's files beside a model."""
    for name in _TOKENIZER_FILES:
        if (source / name).exists():
            shutil.copyfile(source / name, target / name)
