"""What a decoder costs: parameters, FLOPs, bytes. The one place with these formulas.

Counts are of the decoder itself, built on the meta device; FLOPs are checked against torch's
FlopCounterMode and bytes of activations against what autograd stores, in the tests.
"""

from dataclasses import dataclass

import torch

from seekmath.model.decoder import Decoder
from seekmath.model.sizes import ModelConfig


@dataclass(frozen=True)
class Parameters:
    """Numbers of weights.

    Attributes:
        layers: of all layers together.
        split: those of them that tensor parallelism splits.
        rest: embedding, head and last norm.
        embeddings: embedding and head, once where they are tied.
        products: those that a token is multiplied with, head included.
    """

    layers: int
    split: int
    rest: int
    embeddings: int
    products: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.layers + self.rest

    @property
    def without_embeddings(self) -> int:
        """All but embedding and head."""
        return self.total - self.embeddings


def parameters_of(config: ModelConfig) -> Parameters:
    """Counted on the meta device, where no weight takes memory."""
    with torch.device("meta"):
        model = Decoder(config)
    sizes = {name: p.numel() for name, p in model.named_parameters()}
    layers = {name: size for name, size in sizes.items() if ".layers." in name}
    split = sum(size for name, size in layers.items() if "_proj" in name)
    rest = sum(sizes.values()) - sum(layers.values())
    embeddings = sum(size for name, size in sizes.items() if "embed" in name or "head" in name)
    matrices = sum(size for name, size in layers.items() if "_proj.weight" in name)
    head = config.vocab_size * config.hidden_size
    return Parameters(sum(layers.values()), split, rest, embeddings, matrices + head)


def flops_per_token(config: ModelConfig, context: int) -> float:
    """FLOPs of training on one token: three times those of the forward pass.

    Two for each weight that the token is multiplied with, and four for each pair of tokens and
    each unit of the heads, over the whole context as torch counts it: where documents are packed
    or half of the square is masked, less is computed.
    """
    queries = config.num_attention_heads * config.head_dim
    attention = 4 * config.num_hidden_layers * queries * context
    return 3.0 * (2 * parameters_of(config).products + attention)


def activation_bytes(
    config: ModelConfig, tokens: int, element: int, recompute: bool = False, tensor: int = 1
) -> float:
    """Bytes that the backward pass needs of ``tokens`` tokens, with flash attention.

    Of a layer: the residual stream and its norm, twice; queries, keys, values and their mixture;
    four feed-forward widths. With ``recompute`` each layer's input, and one layer whole.
    """
    queries = config.num_attention_heads * config.head_dim
    pairs = config.num_key_value_heads * config.head_dim
    wide = (2 * queries + 2 * pairs + 4 * config.intermediate_size) / tensor
    layer = 4 * config.hidden_size + wide
    depth = config.num_hidden_layers
    stored = depth * config.hidden_size + layer if recompute else depth * layer
    return element * tokens * (stored + 2 * config.hidden_size)


def cache_bytes(config: ModelConfig, tokens: int, element: int) -> float:
    """Bytes of the keys and values of ``tokens`` tokens."""
    pairs = config.num_key_value_heads * config.head_dim
    return 2.0 * element * config.num_hidden_layers * pairs * tokens
