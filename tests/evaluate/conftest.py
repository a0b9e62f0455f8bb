"""A tiny random model, and small benchmarks."""

from pathlib import Path

import pytest
import torch

from seekmath.core.files import write_jsonl
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.model.decoder import Decoder
from seekmath.model.folder import save_model
from seekmath.model.sizes import sized


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory) -> Path:
    """A random model whose next-token distributions are far from uniform."""
    folder = tmp_path_factory.mktemp("model")
    texts = [f"User: What is {a} + 2?\n\nAssistant: #### {a + 2}" for a in range(30)]
    tokenizer = Tokenizer.train(texts, 290)
    tokenizer.save(folder / "tokenizer")
    ends = {"eos_token_id": tokenizer.eos_id, "pad_token_id": tokenizer.pad_id}
    model = Decoder(sized("tiny", tokenizer.vocab_size, 256, **ends), seed=3)
    with torch.no_grad():
        model.model.embed_tokens.weight.mul_(3)
    save_model(model, folder / "model", folder / "tokenizer")
    return folder / "model"


@pytest.fixture
def benchmarks(tmp_path: Path) -> Path:
    """One benchmark of numbers and one of choices."""
    folder = tmp_path / "benchmarks"
    sums = [{"id": f"s{n}", "question": f"What is {n} + 2?", "answer": n + 2} for n in range(6)]
    write_jsonl(folder / "sums.jsonl", sums)
    letters = [
        {"question": "Which?", "answer": "ABC"[n % 3], "choices": ["1", "2", "3"], "subject": "sat"}
        for n in range(5)
    ]
    write_jsonl(folder / "letters.jsonl.gz", letters)
    return folder
