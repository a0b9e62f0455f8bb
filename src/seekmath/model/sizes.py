"""What a decoder looks like: one frozen configuration, and the sizes that have names."""

from dataclasses import dataclass, replace

_BIAS = {"qwen2"}
_QK_NORM = {"qwen3"}
#: Families whose Hugging Face folders load: their decoders differ in two flags only.
FAMILIES = ("llama", "mistral", "qwen2", "qwen3")


@dataclass(frozen=True)
class ModelConfig:
    """A decoder of the Llama family; field names are those of Hugging Face's ``config.json``."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    model_type: str = "llama"
    max_position_embeddings: int = 4096
    rope_theta: float = 10_000.0
    rms_norm_eps: float = 1e-6
    tie_word_embeddings: bool = False
    bos_token_id: int | None = None
    eos_token_id: int | None = None
    pad_token_id: int | None = None

    @property
    def attention_bias(self) -> bool:
        """Whether queries, keys and values have a bias (Qwen2)."""
        return self.model_type in _BIAS

    @property
    def qk_norm(self) -> bool:
        """Whether queries and keys are normalised per head (Qwen3)."""
        return self.model_type in _QK_NORM


def _size(width: int, layers: int, heads: int, feed_forward: int, tied: bool) -> ModelConfig:
    return ModelConfig(
        vocab_size=0,
        hidden_size=width,
        intermediate_size=feed_forward,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        head_dim=width // heads,
        tie_word_embeddings=tied,
    )


#: Names are round: with the paper's vocabulary of 102,400 ``1.3b`` has 1.63 billion parameters,
#: 1.21 of them outside embedding and head, ``7b`` 6.91 and 6.07. ``7b`` has the shape of
#: DeepSeekMath 7B; the paper does not give that of its 1.3B model.
SIZES = {
    "tiny": _size(128, 4, 4, 384, tied=True),
    "small": _size(256, 4, 8, 768, tied=True),
    "125m": _size(768, 12, 12, 2048, tied=True),
    "1.3b": _size(2048, 24, 16, 5504, tied=False),
    "7b": _size(4096, 30, 32, 11008, tied=False),
}


def sized(
    name: str,
    vocab_size: int,
    context: int,
    bos_token_id: int | None = None,
    eos_token_id: int | None = None,
    pad_token_id: int | None = None,
) -> ModelConfig:
    """The configuration of a named size for a vocabulary and a context length in tokens."""
    return replace(
        SIZES[name],
        vocab_size=vocab_size,
        max_position_embeddings=context,
        bos_token_id=bos_token_id,
        eos_token_id=eos_token_id,
        pad_token_id=pad_token_id,
    )
