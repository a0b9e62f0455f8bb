"""Settings of the stage ``tokenize``."""

from pydantic import Field

from seekmath.core.recipe import Settings, Source


class TokenizeSettings(Settings):
    """Corpora in, a tokenizer and memory-mapped token shards out."""

    corpus: dict[str, Source] = Field(
        description="Corpora by name: folders of Parquet files with a column text.", min_length=1
    )
    tokenizer: Source = Field(
        "", description="Folder of a Hugging Face tokenizer to use; empty trains one."
    )
    vocab_size: int = Field(
        4096, ge=300, le=200_000, description="Entries of the tokenizer to train."
    )
    training_documents: int = Field(
        20_000, ge=1, description="Documents the tokenizer is trained on, from every corpus."
    )
    heldout_share: float = Field(
        0.01, ge=0, lt=1, description="Share of the documents kept for measuring loss."
    )
