"""One token of every row on a CPU: the decoder's step while sampling, with few and large operators.

Queries, keys and values are one product, and what lies between products is a kernel for each
(``kernels.py``). A row reads its own and its prompt's tokens alone, in their order, so that its
bits depend neither on other rows nor on where its tokens stand in the cache.
"""

# R rows, C width, H query heads, K key-value heads, D width of a head, I feed-forward width

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from seekmath.model import fused, kernels
from seekmath.model.decoder import Decoder
from seekmath.model.fused import array, arrays, rms_norm
from seekmath.model.group_cache import GroupCache
from seekmath.model.linear import Linear, linear
from seekmath.model.low_rank import LowRankLinear


@dataclass(frozen=True)
class _Product:
    """A matrix that does not change, its bias, and the matrix in bf16 where products are."""

    weight_OI: Tensor
    bias_O: Tensor | None
    compute: torch.dtype
    rounded_OI: Tensor | None

    def __call__(self, x: Tensor) -> Tensor:
        return linear(x, self.weight_OI, self.bias_O, self.compute, self.rounded_OI)


def _product(*every: Linear) -> _Product:
    """The product with several matrices, one behind the other."""
    weights: list[Tensor] = [
        one.merged() if isinstance(one, LowRankLinear) else one.weight for one in every
    ]
    biases: list[Tensor] = [one.bias for one in every if one.bias is not None]
    weight_OI = torch.cat(weights) if len(weights) > 1 else weights[0]
    compute = every[0].compute
    rounded = weight_OI.bfloat16() if compute == torch.bfloat16 else None
    return _Product(weight_OI, torch.cat(biases) if biases else None, compute, rounded)


class TokenStep:
    """A decoder's step as long as its weights do not change."""

    def __init__(self, model: Decoder) -> None:
        self._model = model
        angles_SD = model.rotation_SD
        half = angles_SD.shape[1] // 2
        self._cosine_SD = angles_SD.cos()
        self._sine_SD = angles_SD.sin()
        self._sine_SD[:, :half] *= -1
        self._layers = [_LayerStep(layer) for layer in model.model.layers]

    @staticmethod
    def serves(model: Decoder) -> bool:
        """Whether the kernels can run this decoder here."""
        return fused.serves(*model.parameters())

    def __call__(self, token_R: Tensor, position_R: Tensor, cache: GroupCache) -> Tensor:
        """Feed a token to each row; the (R, V) logits of its next."""
        cache.make_room()
        rotation = (self._cosine_SD[position_R], self._sine_SD[position_R])
        x_RC = F.embedding(token_R, self._model.model.embed_tokens.weight)
        for number, layer in enumerate(self._layers):
            x_RC = layer(x_RC, rotation, cache, number)
        return self._model.logits(self._model.model.norm(x_RC))


class _LayerStep:
    def __init__(self, layer: Any) -> None:
        attention, mlp = layer.self_attn, layer.mlp
        self._layer, self._config = layer, attention.config
        self._qkv = _product(attention.q_proj, attention.k_proj, attention.v_proj)
        self._out = _product(attention.o_proj)
        self._gate, self._up = _product(mlp.gate_proj), _product(mlp.up_proj)
        self._down = _product(mlp.down_proj)

    def __call__(
        self, x_RC: Tensor, rotation: tuple[Tensor, Tensor], cache: GroupCache, number: int
    ) -> Tensor:
        heads, width = self._config.num_attention_heads, self._config.head_dim
        qkv_RXD = self._qkv(self._layer.input_layernorm(x_RC)).view(len(x_RC), -1, width)
        if self._config.qk_norm:
            self._norm_heads(qkv_RXD)
        mixed_RHD = qkv_RXD.new_empty(len(x_RC), heads, width)
        own, prompts = cache.own[number], cache.prompts[number]
        kernels.attend_one(
            array(qkv_RXD),
            heads,
            arrays(*rotation),
            arrays(prompts.keys, prompts.values),
            arrays(own.keys, own.values),
            arrays(cache.group_R, cache.prompt_length_G, cache.started_R),
            cache.step,
            cache.limit,
            array(mixed_RHD),
        )
        x_RC = self._out(mixed_RHD.flatten(1)).add_(x_RC)
        normed_RC = self._layer.post_attention_layernorm(x_RC)
        gate_RI, up_RI = self._gate(normed_RC), self._up(normed_RC)
        gated_RI = torch.empty_like(gate_RI)
        kernels.gate(arrays(gate_RI, up_RI), array(gated_RI))
        return self._down(gated_RI).add_(x_RC)

    def _norm_heads(self, qkv_RXD: Tensor) -> None:
        attention, heads = self._layer.self_attn, self._config.num_attention_heads
        keys = slice(heads, heads + self._config.num_key_value_heads)
        for part, weight in ((slice(heads), attention.q_norm), (keys, attention.k_norm)):
            normed = rms_norm(qkv_RXD[:, part], weight.weight, weight.eps)
            qkv_RXD[:, part] = normed
