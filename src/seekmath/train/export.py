"""A trained model as a Hugging Face folder that others load: ``seekmath export``.

What was written is loaded again and must give the same logits, to the bit.
"""

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seekmath.core.artifact import read_manifest
from seekmath.core.files import BadInput, read_json, whole_folder
from seekmath.corpus.chat import CHAT_TEMPLATE
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.model.decoder import Decoder, rotation_angles
from seekmath.model.folder import load_config, load_model, load_weights, write_folder
from seekmath.model.sizes import ModelConfig
from seekmath.train.checkpoint import MANIFEST, fault_of
from seekmath.train.parts import PartReader

_KINDS = {"fp32": torch.float32, "bf16": torch.bfloat16}
_PROBE_TOKENS = 32


def export(source: Path, out: Path, precision: str, tokenizer: Path | None) -> dict[str, Any]:
    """Write ``out`` from a model folder or a training checkpoint.

    Args:
        source: a model folder, or a folder ``checkpoints/step-…``.
        out: takes the folder, whole or not at all.
        precision: fp32 or bf16.
        tokenizer: its folder; by default that of the model or of the run.

    Raises:
        BadInput: ``source`` is neither, is damaged, or the tokenizer does not fit.
    """
    if out.exists() and any(out.iterdir()) and not (out / "config.json").exists():
        raise BadInput(f"--out: {out} is not empty and holds no model; name another folder")
    config, weights = _read(source)
    folder = tokenizer or _tokenizer_of(source)
    opened = Tokenizer.load(folder)
    if opened.vocab_size > config.vocab_size:
        raise BadInput(f"{folder}: has {opened.vocab_size} entries, the model {config.vocab_size}")
    config = replace(
        config,
        bos_token_id=opened.bos_id,
        eos_token_id=opened.eos_id,
        pad_token_id=opened.pad_id,
    )
    kind = _KINDS[precision]
    weights = {name: tensor.to(kind) for name, tensor in weights.items()}
    with whole_folder(out) as scratch:
        inner = scratch / "model"
        write_folder(config, weights, inner, folder)
        _add_generation(config, inner)
        if not (inner / "chat_template.jinja").exists():
            (inner / "chat_template.jinja").write_text(CHAT_TEMPLATE, "utf-8")
        _compare(config, weights, inner)
        for path in inner.iterdir():
            path.rename(scratch / path.name)
        inner.rmdir()
    return {
        "parameters": sum(tensor.numel() for tensor in weights.values()),
        "precision": precision,
        "files": sorted(path.name for path in out.iterdir()),
    }


def _read(source: Path) -> tuple[ModelConfig, dict[str, Tensor]]:
    if (source / MANIFEST).exists():
        if fault := fault_of(source):
            raise BadInput(fault)
        facts = read_json(source / MANIFEST)["facts"]
        if "config" not in facts:
            raise BadInput(f"{source}: is not a checkpoint of a language model")
        names = {field.name for field in fields(ModelConfig)}
        config = ModelConfig(**{k: v for k, v in facts["config"].items() if k in names})
        with PartReader(source) as reader:
            kept = [name for name in reader.names() if name.startswith("model.")]
            return config, {name.removeprefix("model."): reader.whole(name) for name in kept}
    if not (source / "config.json").exists():
        raise BadInput(f"{source}: holds neither config.json (a model) nor {MANIFEST}")
    config = load_config(source)
    with torch.device("meta"):
        wanted = {name for name, _ in Decoder(config).named_parameters()}
    return config, {k: v for k, v in load_weights(source).items() if k in wanted}


def _tokenizer_of(source: Path) -> Path:
    """Where a model's tokenizer lies: beside it, or where its run took it from."""
    if (source / "tokenizer.json").exists():
        return source
    manifest = read_manifest(source.parent.parent) if len(source.parents) > 1 else None
    for label, below in (("tokens", "tokenizer"), ("model", "")):
        if manifest and label in manifest.inputs:
            return Path(manifest.inputs[label]["path"], below)
    raise BadInput(f"{source}: its tokenizer is not known; name its folder with --tokenizer")


def _add_generation(config: ModelConfig, folder: Path) -> None:
    ids = {
        "bos_token_id": config.bos_token_id,
        "eos_token_id": config.eos_token_id,
        "pad_token_id": config.pad_token_id,
    }
    known = {name: value for name, value in ids.items() if value is not None}
    text = json.dumps({"do_sample": False, **known}, indent=2) + "\n"
    (folder / "generation_config.json").write_text(text)


@torch.no_grad()
def _compare(config: ModelConfig, weights: dict[str, Tensor], folder: Path) -> None:
    kind = next(iter(weights.values())).dtype
    with torch.device("meta"):
        ours = Decoder(config)
    ours.load_state_dict(weights, assign=True, strict=False)
    ours.rotation_SD = rotation_angles(
        config.max_position_embeddings, config.head_dim, config.rope_theta
    )
    length = min(_PROBE_TOKENS, config.max_position_embeddings)
    probe = (torch.arange(length) * 7919 % config.vocab_size)[None]
    if not torch.equal(ours(probe), load_model(folder, dtype=kind)(probe)):
        raise RuntimeError(f"{folder}: what was written gives other logits; nothing is exported")
