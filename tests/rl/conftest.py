"""A tiny policy with its own tokenizer, and a few problems."""

import json
from pathlib import Path

import pytest
import torch

from seekmath.corpus.chat import render_example
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.model.decoder import Decoder
from seekmath.model.folder import load_model, save_model
from seekmath.model.sizes import sized

TEXTS = [
    f"User: What is {a} plus {b}?\n\nAssistant: #### {a + b}" for a in range(9) for b in range(9)
]


@pytest.fixture(scope="session")
def policy_folder(tmp_path_factory) -> Path:
    """A random model whose next-token distributions are far from uniform."""
    folder = tmp_path_factory.mktemp("policy")
    tokenizer = Tokenizer.train(TEXTS, 300)
    tokenizer.save(folder / "tokenizer")
    config = sized(
        "tiny",
        tokenizer.vocab_size,
        64,
        eos_token_id=tokenizer.eos_id,
        pad_token_id=tokenizer.pad_id,
    )
    model = Decoder(config, seed=3)
    with torch.no_grad():
        model.model.embed_tokens.weight.mul_(3)
    save_model(model, folder / "model", folder / "tokenizer")
    return folder / "model"


@pytest.fixture(scope="session")
def taught_folder(policy_folder, tmp_path_factory) -> Path:
    """The policy after a little fine-tuning: its sums are now right, now wrong."""
    folder = tmp_path_factory.mktemp("taught")
    model, tokenizer = load_model(policy_folder), Tokenizer.load(policy_folder)
    rows = []
    for text in TEXTS:
        prompt, solution = text.split("Assistant:")
        question = prompt.removeprefix("User: ").strip()
        rows.append(render_example(tokenizer, question, solution.strip()))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    width = max(len(ids) for ids, _ in rows)
    ids = torch.tensor([ids + [0] * (width - len(ids)) for ids, _ in rows])
    learned = torch.tensor([mask + [False] * (width - len(mask)) for _, mask in rows])
    for _ in range(30):
        logits = model(ids[:, :-1])[learned[:, 1:]]
        torch.nn.functional.cross_entropy(logits, ids[:, 1:][learned[:, 1:]]).backward()
        optimizer.step()
        optimizer.zero_grad()
    save_model(model, folder / "model", policy_folder)
    return folder / "model"


@pytest.fixture(scope="session")
def problems(tmp_path_factory) -> Path:
    """Seven questions; two lines ask the same."""
    path = tmp_path_factory.mktemp("problems") / "train.jsonl"
    rows = [
        {"id": f"p{n}", "question": f"What is {n} plus 2?", "answer": n + 2, "subject": "gsm"}
        for n in (0, 1, 2, 3, 4, 5, 6, 6)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
