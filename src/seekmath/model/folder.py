"""Model folders in Hugging Face's form: read and written without conversion of names."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
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
# As transformers cuts them: a hub takes no larger file kindly.
_MOST_BYTES = 5 << 30
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
    weights: dict[str, Tensor] = {}
    for path in _weight_files(folder):
        try:
            weights.update(load_file(path))
        except SafetensorError as error:
            raise BadInput(f"{path}: damaged: {error}") from None
    return weights


def load_weight(folder: Path, name: str) -> Tensor:
    """One tensor of a folder, read when it is wanted."""
    for path in _weight_files(folder):
        with safe_open(path, framework="pt") as file:
            if name in file.keys():  # noqa: SIM118 (no mapping)
                return file.get_tensor(name)
    raise BadInput(f"{folder}: the weights lack '{name}'")


def _weight_files(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    names = (
        sorted(set(read_json(index)["weight_map"].values()))
        if index.exists()
        else ["model.safetensors"]
    )
    for name in names:
        if not (folder / name).exists():
            raise BadInput(f"{folder / name}: no such file (weights are read from safetensors)")
    return [folder / name for name in names]


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
    write_folder(model.config, dict(model.named_parameters()), folder, tokenizer_folder)


def write_folder(
    config: ModelConfig,
    weights: dict[str, Tensor],
    folder: str | Path,
    tokenizer_folder: str | Path,
) -> None:
    """``save_model`` of weights by name."""
    with whole_folder(folder) as scratch:
        whole = config_json(config, _ARCHITECTURES[config.model_type])
        whole["torch_dtype"] = str(next(iter(weights.values())).dtype).removeprefix("torch.")
        (scratch / "config.json").write_text(json.dumps(whole, indent=2) + "\n")
        save_weights(weights, scratch)
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


def save_weights(named: dict[str, Tensor], folder: Path, most_bytes: int = _MOST_BYTES) -> None:
    """Write ``model.safetensors``, or several files and their index where it would be large."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in named.items()}
    shards: list[dict[str, Tensor]] = [{}]
    size = 0
    for name, tensor in plain.items():
        if shards[-1] and size + tensor.nbytes > most_bytes:
            shards.append({})
            size = 0
        shards[-1][name] = tensor
        size += tensor.nbytes
    if len(shards) == 1:
        save_file(plain, folder / "model.safetensors", metadata={"format": "pt"})
        return
    places: dict[str, str] = {}
    for number, shard in enumerate(shards, 1):
        file = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        save_file(shard, folder / file, metadata={"format": "pt"})
        places |= dict.fromkeys(shard, file)
    total = sum(tensor.nbytes for tensor in plain.values())
    index = {"metadata": {"total_size": total}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


def copy_tokenizer(source: Path, target: Path) -> None:
    """Copy the tokenizer's files beside a model."""
    for name in _TOKENIZER_FILES:
        if (source / name).exists():
            shutil.copyfile(source / name, target / name)
