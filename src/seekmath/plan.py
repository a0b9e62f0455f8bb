"""What training will take, before it is begun: ``seekmath plan``. Floor 5, beside stages.

Parameters come from the meta device, the rest from ``model/cost.py``. Bytes are estimates of the
largest moment: weights, gradients, optimizer, activations, loss, and what rollouts keep.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seekmath.core.files import BadInput
from seekmath.core.recipe import PlannedStage, Recipe
from seekmath.corpus.settings import TokenizeSettings
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.model.cost import (
    activation_bytes,
    cache_bytes,
    flops_per_token,
    parameters_of,
)
from seekmath.model.folder import load_config
from seekmath.model.sizes import SIZES, ModelConfig, sized
from seekmath.rl.settings import GrpoSettings
from seekmath.train.settings import LanguageSettings, PretrainSettings, SftSettings

_GIB = 2**30
# What the allocator, the libraries and the buffers of collectives take of a GPU.
_USABLE = 0.92
# Logits that are made at once (train/language.py).
_LOSS_TOKENS = 512
# Of a model that a stage starts from and that is only named by its size (DeepSeekMath 7B's).
_CONTEXT = 4096


@dataclass(frozen=True)
class Machines:
    """What there is to train on.

    Attributes:
        gpus: how many.
        memory_gib: of each.
        peak_tflops: of each, in the precision of the products.
        mfu: share of the peak that training reaches.
    """

    gpus: int
    memory_gib: float
    peak_tflops: float
    mfu: float

    def __str__(self) -> str:
        gpus = "one GPU" if self.gpus == 1 else f"{self.gpus} GPUs"
        return (
            f"{gpus} of {self.memory_gib:g} GiB and {self.peak_tflops:g} TFLOP/s,"
            f" of which training reaches {self.mfu:.0%}"
        )


def plan(recipe: Recipe, machines: Machines, vocab_size: int) -> list[dict[str, Any]]:
    """One entry for each stage of a recipe that trains a language model.

    Args:
        recipe: its inputs need not be there yet.
        machines: what there is.
        vocab_size: of a fresh model whose tokenizer is not there yet.

    Raises:
        BadInput: no stage trains, or the model that one starts from is not known.
    """
    kinds = (PretrainSettings, SftSettings, GrpoSettings)
    trained = [stage for stage in recipe.stages if isinstance(stage.settings, kinds)]
    if not trained:
        raise BadInput(f"{recipe.path}: holds no stage pretrain, sft or grpo")
    return [_entry(recipe, stage, machines, vocab_size) for stage in trained]


def refusals(entries: list[dict[str, Any]]) -> list[str]:
    """Why stages cannot run, and what would fit."""
    return [
        f"stage '{e['stage']}' needs {_memory_shown(e['memory_gib']['all'])} on each GPU, which has"
        f" {_memory_shown(e['usable_gib'])} to give; {e['would_fit']}"
        for e in entries
        if not e["fits"]
    ]


def table(entries: list[dict[str, Any]]) -> str:
    """The plan in lines."""
    lines = []
    for entry in entries:
        lines.append(f"{entry['stage']} ({entry['type']})")
        for key, value in entry.items():
            if "_gib" in key:
                lines.append(f"  {key.replace('_gib', ''):18} {_parts_shown(value)}")
            elif key not in ("stage", "type"):
                lines.append(f"  {key:18} {_shown(value)}")
    return "\n".join(lines)


def _parts_shown(gib: float | dict[str, float]) -> str:
    if isinstance(gib, dict):
        return ", ".join(f"{name} {_memory_shown(part)}" for name, part in gib.items())
    return _memory_shown(gib)


def _memory_shown(gib: float) -> str:
    return f"{gib:.1f} GiB" if gib >= 1 else f"{gib * 1024:.{0 if gib >= 0.01 else 1}f} MiB"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _entry(
    recipe: Recipe, stage: PlannedStage, machines: Machines, vocab_size: int
) -> dict[str, Any]:
    config = _config(recipe, stage, vocab_size)
    count = parameters_of(config)
    settings = stage.settings
    context = getattr(settings, "context", config.max_position_embeddings)
    flops = flops_per_token(config, context)
    memory = _memory(config, settings, machines.gpus)
    usable = machines.memory_gib * _USABLE
    fits = memory["all"] <= usable
    entry: dict[str, Any] = {
        "stage": stage.name,
        "type": stage.type_name,
        "parameters": count.total,
        "without_embeddings": count.without_embeddings,
        "gflops_per_token": round(flops / 1e9, 3),
        "memory_gib": memory,
        "usable_gib": round(usable, 1),
        "fits": fits,
    }
    if isinstance(settings, GrpoSettings):
        ppo = _memory(config, settings.model_copy(update={"method": "ppo"}), machines.gpus)
        entry["memory_gib_ppo"] = ppo
    if isinstance(settings, PretrainSettings):
        tokens = settings.steps * settings.rows_per_step * settings.context
        rate = machines.gpus * machines.peak_tflops * 1e12 * machines.mfu / flops
        entry["tokens"] = tokens
        entry["tokens_per_s"] = round(rate)
        entry["hours"] = round(tokens / rate / 3600, 3)
        entry["exaflops"] = round(tokens * flops / 1e18, 6)
    if not fits:
        entry["would_fit"] = _would_fit(config, settings, machines)
    return entry


def _config(recipe: Recipe, stage: PlannedStage, vocab_size: int) -> ModelConfig:
    settings: Any = stage.settings
    stages = {planned.name: planned for planned in recipe.stages}
    if settings.model:
        name = settings.model.split("/")[0]
        if name in stages:
            return _config(recipe, stages[name], vocab_size)
        if Path(settings.model, "config.json").exists():
            return load_config(Path(settings.model))
        if settings.model in SIZES:
            return sized(settings.model, vocab_size, getattr(settings, "context", _CONTEXT))
        raise BadInput(
            f"{recipe.path}: stages.{stage.name}.model: no folder {settings.model} with a"
            f" config.json; name one, or one of the sizes {', '.join(SIZES)}:"
            f" seekmath plan {recipe.path} {stage.name}.model=7b"
        )
    tokens = stages.get(settings.tokens.split("/")[0])
    folder = Path(settings.tokens, "tokenizer")
    if tokens and isinstance(tokens.settings, TokenizeSettings) and not tokens.settings.tokenizer:
        vocab_size = tokens.settings.vocab_size
    elif (folder / "tokenizer.json").exists():
        vocab_size = Tokenizer.load(folder).vocab_size
    return sized(settings.size, vocab_size, settings.context)


def _memory(config: ModelConfig, settings: Any, gpus: int) -> dict[str, float]:
    """GiB on each GPU by part, and all together."""
    parts = (
        _grpo_bytes(config, settings)
        if isinstance(settings, GrpoSettings)
        else _language_bytes(config, settings, gpus)
    )
    found = {**parts, "all": _peak(parts, settings)}
    return {name: round(size / _GIB, 5) for name, size in found.items()}


def _peak(parts: dict[str, float], settings: Any) -> float:
    """What is held at once: a GRPO step samples, reads the reference and updates in turn."""
    if not isinstance(settings, GrpoSettings):
        return sum(parts.values())
    turns = [("kv_cache",), ("gradients", "activations", "loss")]
    if settings.reference_in == "file":
        turns.append(("reference",))
    passing = {name for turn in turns for name in turn}
    held = sum(size for name, size in parts.items() if name not in passing)
    return held + max(sum(parts[name] for name in turn) for turn in turns)


def _language_bytes(config: ModelConfig, settings: LanguageSettings, gpus: int) -> dict[str, float]:
    count = parameters_of(config)
    split = settings.tensor_parallel
    readers = max(1, gpus // split)
    layers = count.layers - count.split + count.split / split
    held = layers + count.rest
    sharded = settings.parallel == "fsdp" and gpus > 1
    share = held / readers if sharded else held
    element = 2 if settings.precision == "bf16" else 4
    one_layer = layers / config.num_hidden_layers
    weights = 4 * share
    if sharded:  # gathered: embedding and head for the whole step, a layer and the next one
        weights += element * (count.rest + 2 * one_layer)
    elif element == 2:  # casts that live until the backward pass
        weights += element * (held if not settings.checkpoint_activations else one_layer)
    tokens = _micro_rows(settings, readers) * settings.context
    logits = min(tokens, _LOSS_TOKENS) * config.vocab_size * (4 + element)
    return {
        "weights": weights,
        "gradients": 4 * share + (4 * one_layer if sharded else 0),
        "optimizer": 8 * share,
        "activations": activation_bytes(
            config, tokens, element, settings.checkpoint_activations, split
        ),
        "loss": logits + 4 * config.vocab_size * config.hidden_size,
    }


def _micro_rows(settings: LanguageSettings, readers: int) -> int:
    share = max(1, settings.rows_per_step // readers)
    return min(share, settings.micro_batch_rows or share)


def _grpo_bytes(config: ModelConfig, settings: GrpoSettings) -> dict[str, float]:
    """One GPU, fp32: policy and, where it is asked, reference; PPO's critic is as large again.

    With LoRA the reference has the base's weights, and the additions alone are learned.
    """
    weights = 4.0 * parameters_of(config).total
    added = 4.0 * _additions(config, settings.lora_rank)
    learned = added or weights
    tokens = settings.micro_batch_tokens
    rows = min(settings.sampler_rows, settings.group_size * settings.questions_per_step)
    found = {
        "weights": weights + added,
        "gradients": learned,
        "optimizer": 2 * learned,
        "reference": weights if settings.keeps_frozen and not settings.lora_rank else 0.0,
        "activations": activation_bytes(config, tokens, 4),
        "loss": 3.0 * 4 * min(tokens, 4096) * config.vocab_size,
        "kv_cache": cache_bytes(config, rows * settings.max_new_tokens, 4),
    }
    if settings.method == "ppo":
        found["critic"] = 4 * weights
    return found


def _additions(config: ModelConfig, rank: int) -> int:
    """Parameters of low-rank additions to all projections of all layers."""
    queries = config.num_attention_heads * config.head_dim
    shared = config.num_key_value_heads * config.head_dim
    width, inner = config.hidden_size, config.intermediate_size
    ends = 2 * (width + queries) + 2 * (width + shared) + 3 * (width + inner)
    return config.num_hidden_layers * rank * ends


def _grpo_would_fit(config: ModelConfig, settings: GrpoSettings, usable: float) -> str:
    changes: dict[str, Any] = {}
    for key, value in (("sampler_rows", settings.group_size), ("micro_batch_tokens", 2048)):
        if getattr(settings, key) > value:
            changes[key] = value
        less = settings.model_copy(update=changes)
        if _memory(config, less, 1)["all"] <= usable:
            return f"it fits with {_said(changes)}"
    need = _memory(config, less, 1)["all"] / _USABLE
    changed = f", with {_said(changes)}" if changes else ""
    return f"GRPO runs on one GPU: take one of {need:.0f} GiB{changed}, or a smaller model"


def _said(changes: dict[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in changes.items())


def _would_fit(config: ModelConfig, settings: Any, machines: Machines) -> str:
    """The first change that makes it fit, the cheapest before the dearest."""
    usable = machines.memory_gib * _USABLE
    if isinstance(settings, GrpoSettings):
        return _grpo_would_fit(config, settings, usable)
    changes: dict[str, Any] = {}
    for key, value in (
        ("micro_batch_rows", 1),
        ("precision", "bf16"),
        ("checkpoint_activations", True),
        ("parallel", "fsdp"),
    ):
        if getattr(settings, key) != value:
            changes[key] = value
        if _memory(config, settings.model_copy(update=changes), machines.gpus)["all"] <= usable:
            return f"it fits with {_said(changes)}"
    for doubled in range(1, 11):
        gpus = machines.gpus * 2**doubled
        more = replace(machines, gpus=gpus)
        rows = max(settings.rows_per_step, gpus)
        wider = settings.model_copy(update={**changes, "rows_per_step": rows})
        if _memory(config, wider, more.gpus)["all"] <= usable:
            return f"it fits on {gpus} GPUs with {_said(changes)}"
    return "no number of such GPUs does: take larger ones, or tensor_parallel"
