"""Low-rank adapters (LoRA, arXiv 2106.09685) on every matrix of a layer, through peft."""

import math
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from seekmath.core.files import BadInput, whole_folder
from seekmath.core.seeds import derive
from seekmath.model.decoder import Decoder

_TARGETS = [f"{name}_proj" for name in ("q", "k", "v", "o", "gate", "up", "down")]
_ADAPTER = "default"


class Adapters:
    """Adapters inside a decoder, which alone learn from then on.

    Raises:
        BadInput: peft is not installed.
    """

    def __init__(self, model: Decoder, rank: int, alpha: int, seed: int) -> None:
        try:
            from peft import LoraConfig
            from peft.tuners.lora import LoraModel
        except ImportError:
            raise BadInput('lora_rank: pip install "seekmath[lora]", or leave it 0') from None
        self._config = LoraConfig(
            r=rank,
            lora_alpha=alpha,
            target_modules=_TARGETS,
            task_type="CAUSAL_LM",
            init_lora_weights=True,
        )
        self._tuner: Any = LoraModel(model, {_ADAPTER: self._config}, _ADAPTER)
        for name, parameter in model.named_parameters():
            if "lora_A" in name:
                # As peft draws them, but from a seed keyed by the name.
                generator = torch.Generator().manual_seed(derive(seed, "lora", name) % 2**62)
                bound = 1 / math.sqrt(parameter.shape[1])
                fresh = torch.empty(parameter.shape).uniform_(-bound, bound, generator=generator)
                parameter.data.copy_(fresh)

    def save(self, model: nn.Module, folder: Path) -> None:
        """Write the adapters alone, as peft does."""
        found: dict[str, Tensor] = {
            "base_model.model." + name.replace(f".{_ADAPTER}", ""): parameter.detach().cpu()
            for name, parameter in model.named_parameters()
            if "lora_" in name
        }
        with whole_folder(folder) as scratch:
            save_file(found, scratch / "adapter_model.safetensors", metadata={"format": "pt"})
            self._config.save_pretrained(str(scratch))

    def merge(self) -> None:
        """Add the adapters to the decoder's weights and take them out."""
        self._tuner.merge_and_unload()
