"""A decoder of the Llama family with Hugging Face's tensor names.

Llama, DeepSeek-LLM/Math, Mistral without a sliding window, Qwen2/2.5 (biases on queries, keys and
values) and Qwen3 (normalised queries and keys): RMSNorm before each block, rotary positions,
SwiGLU. Checked against transformers, family by family, in the tests.
"""

# B rows, T tokens, S cached and new tokens, C width, V vocabulary, H heads, D width of a head

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
from torch import Tensor, nn

from seekmath.core.seeds import derive
from seekmath.model import fused
from seekmath.model.attention import attend, document_plan, taken_apart
from seekmath.model.fused import add_and_norm, gated, gated_beside, rms_norm, rotate
from seekmath.model.linear import Linear, Multiplies, products
from seekmath.model.packed import PackedAttention
from seekmath.model.sizes import ModelConfig


class RMSNorm(nn.Module):
    """Root-mean-square normalisation in fp32."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last dimension."""
        return rms_norm(x, self.weight, self.eps)


@dataclass
class LayerCache:
    """Keys and values of one layer, (rows, key-value heads, slots, head width)."""

    keys: Tensor
    values: Tensor


class Stored(Protocol):
    """Keys and values seen before."""

    def mix(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Store (B, K, T, D) keys and values; the (B, H, T, D) mixture for the queries."""


#: From a layer's rotated queries, keys and values, (B, heads, T, D), to the mixture of values.
Mix = Callable[[Tensor, Tensor, Tensor], Tensor]


class Attention(nn.Module):
    """Multi-head attention with rotary positions and grouped key-value heads."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        queries = config.num_attention_heads * config.head_dim
        pairs = config.num_key_value_heads * config.head_dim
        self.q_proj = Linear(config.hidden_size, queries, bias=config.attention_bias)
        self.k_proj = Linear(config.hidden_size, pairs, bias=config.attention_bias)
        self.v_proj = Linear(config.hidden_size, pairs, bias=config.attention_bias)
        self.o_proj = Linear(queries, config.hidden_size, bias=False)
        if config.qk_norm:
            self.q_norm = RMSNorm(config.head_dim, config.rms_norm_eps)
            self.k_norm = RMSNorm(config.head_dim, config.rms_norm_eps)

    def forward(
        self, x_BTC: Tensor, rotation: tuple[Tensor, Tensor], mix: Mix | PackedAttention
    ) -> Tensor:
        """Project, turn by position, mix tokens, project."""
        rows, length, _ = x_BTC.shape
        q, k, v = self.q_proj(x_BTC), self.k_proj(x_BTC), self.v_proj(x_BTC)
        q, k, v = (part.view(rows, length, -1, self.config.head_dim) for part in (q, k, v))
        if self.config.qk_norm:
            q, k = self.q_norm(q), self.k_norm(k)
        if isinstance(mix, PackedAttention):
            return self.o_proj(mix(q, k, v))
        q, k = rotate(q, *rotation), rotate(k, *rotation)
        mixed_BHTD = mix(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2))
        return self.o_proj(mixed_BHTD.transpose(1, 2).reshape(rows, length, -1))


class FeedForward(nn.Module):
    """SwiGLU."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate_proj = Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Widen, gate, narrow."""
        return self.down_proj(gated(self.gate_proj(x), self.up_proj(x)))


class Layer(nn.Module):
    """Attention and feed-forward, each on a normalised residual stream."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.self_attn = Attention(config)
        self.mlp = FeedForward(config)
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(
        self,
        x: Tensor,
        rotation: tuple[Tensor, Tensor],
        mix: Mix | PackedAttention,
        more: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """One block on x, plus ``more`` if there is any; what it gives is to be added up too."""
        if isinstance(mix, PackedAttention) and self._is_plain():
            return self._fused(x, mix, more)
        x = x if more is None else x + more
        x = x + self.self_attn(self.input_layernorm(x), rotation, mix)
        return x, self.mlp(self.post_attention_layernorm(x))

    def _is_plain(self) -> bool:
        """Whether its matrices are its own: neither adapters nor in parts."""
        linears = [*self.self_attn.children(), *self.mlp.children()]
        return not self.self_attn.config.qk_norm and all(
            type(linear) is Linear and fused.serves(linear.weight) for linear in linears
        )

    def _fused(self, x: Tensor, mix: PackedAttention, more: Tensor | None) -> tuple[Tensor, Tensor]:
        """The same by compiled kernels, each input multiplied once; in bf16 between products."""
        attention, mlp = self.self_attn, self.mlp
        config, kind = attention.config, attention.q_proj.compute
        shared = config.num_key_value_heads
        heads = (config.num_attention_heads, shared, shared)
        first, second = self.input_layernorm, self.post_attention_layernorm
        x, normed = add_and_norm(x, more, first.weight, first.eps, kind)
        wide = products(normed, [attention.q_proj, attention.k_proj, attention.v_proj])
        mixed = products(mix.mix(wide, heads), [attention.o_proj])
        x, normed = add_and_norm(x, mixed, second.weight, second.eps, kind)
        wide = products(normed, [mlp.gate_proj, mlp.up_proj])
        return x, products(gated_beside(wide), [mlp.down_proj])


class Backbone(nn.Module):
    """Embedding, layers, final norm; apart because Hugging Face names it ``model``."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)


class Decoder(Multiplies):
    """The whole model: tokens to logits of the next token.

    Attributes:
        fuses: whether compiled kernels mix tokens where they can.
    """

    rotation_SD: Tensor
    fuses: bool = True

    def __init__(self, config: ModelConfig, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        self.model = Backbone(config)
        if not config.tie_word_embeddings:
            self.lm_head = Linear(config.hidden_size, config.vocab_size, bias=False)
        angles = rotation_angles(config.max_position_embeddings, config.head_dim, config.rope_theta)
        self.register_buffer("rotation_SD", angles, persistent=False)
        if not self.model.embed_tokens.weight.is_meta:
            initialise(self, seed)

    def hidden(
        self,
        tokens_BT: Tensor,
        positions_BT: Tensor | None = None,
        documents_BT: Tensor | None = None,
        cache: Stored | None = None,
    ) -> Tensor:
        """The (B, T, C) states after the final norm.

        Args:
            tokens_BT: token ids.
            positions_BT: positions; 0, 1, … by default.
            documents_BT: document ids of packed rows, one run of equal ids for each document;
                attention stays inside a document.
            cache: keys and values seen before; the new ones are written into it.
        """
        x_BTC = self.model.embed_tokens(tokens_BT)
        angles = (
            self.rotation_SD[: tokens_BT.shape[1]][None]
            if positions_BT is None
            else self.rotation_SD[positions_BT]
        )
        half = angles.shape[-1] // 2
        sine = torch.cat([-angles[..., :half].sin(), angles[..., half:].sin()], dim=-1)
        rotation = (angles.cos().to(x_BTC.dtype), sine.to(x_BTC.dtype))
        mixes = self._mixes(angles[..., :half], tokens_BT, documents_BT, cache, x_BTC)
        more_BTC = None
        for layer, mix in zip(self.model.layers, mixes, strict=True):
            x_BTC, more_BTC = layer(x_BTC, rotation, mix, more_BTC)
        return self.model.norm(x_BTC if more_BTC is None else x_BTC + more_BTC)

    def _mixes(
        self,
        angles: Tensor,
        tokens_BT: Tensor,
        documents_BT: Tensor | None,
        cache: Stored | None,
        x_BTC: Tensor,
    ) -> Sequence[Mix | PackedAttention]:
        """How each layer mixes tokens."""
        layers = len(self.model.layers)
        if cache is not None:
            return [partial(cache.mix, number) for number in range(layers)]
        if self.fuses and fused.serves(x_BTC):
            ids = torch.zeros_like(tokens_BT) if documents_BT is None else documents_BT
            every_MP = angles.expand(*tokens_BT.shape, -1).flatten(0, 1)
            turns = (every_MP.cos(), every_MP.sin())
            return [PackedAttention(taken_apart(ids), self.config.head_dim, *turns)] * layers
        seen = None if documents_BT is None else document_plan(documents_BT)
        return [partial(attend, seen=seen)] * layers

    @property
    def head(self) -> Tensor:
        """The (V, C) matrix that turns states into logits; the embedding itself where tied."""
        tied = self.config.tie_word_embeddings
        return self.model.embed_tokens.weight if tied else self.lm_head.weight

    @property
    def matrix(self) -> Tensor:
        """What it multiplies by itself: the head."""
        return self.head

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores of every next token, (…, V)."""
        return self.times(hidden)

    def forward(
        self,
        tokens_BT: Tensor,
        positions_BT: Tensor | None = None,
        documents_BT: Tensor | None = None,
        cache: Stored | None = None,
    ) -> Tensor:
        """The (B, T, V) logits; see ``hidden`` for the arguments."""
        return self.logits(self.hidden(tokens_BT, positions_BT, documents_BT, cache))


def rotation_angles(length: int, head_dim: int, theta: float) -> Tensor:
    """Angles of the rotary position embedding, (length, head_dim), halves repeated."""
    powers = torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim
    angles = torch.outer(torch.arange(length, dtype=torch.float32), theta**-powers)
    return torch.cat([angles, angles], dim=-1)


def initialise(model: nn.Module, seed: int) -> None:
    """Fill every weight with ``fresh_weight``."""
    layers = sum(1 for name, _ in model.named_modules() if name.endswith(".mlp"))
    for name, parameter in model.named_parameters():
        parameter.data.copy_(fresh_weight(name, parameter.shape, layers, seed))


def fresh_weight(name: str, shape: torch.Size, layers: int, seed: int) -> Tensor:
    """A weight from a seed keyed by its name, so that every rank count starts the same.

    Normal with deviation 0.02, divided by sqrt(2 layers) where a block writes to the residual
    stream; norms one, biases zero.
    """
    if len(shape) < 2:
        return torch.full(shape, 1.0 if "norm" in name else 0.0)
    generator = torch.Generator().manual_seed(derive(seed, "weight", name) % 2**62)
    deviation = 0.02
    if name.endswith(("o_proj.weight", "down_proj.weight")):
        deviation /= math.sqrt(2 * layers)
    return torch.empty(shape).normal_(0.0, deviation, generator=generator)
