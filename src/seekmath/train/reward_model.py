"""Reward models: a decoder's backbone with a scalar head, and its folder (paper, section 4.2).

One network judges outcomes (the logit at the last token) and steps (the logit at each step's end).
"""

import json
from pathlib import Path

import torch
from torch import Tensor, nn

from seekmath.core.files import BadInput, read_json, whole_folder
from seekmath.model.decoder import Decoder
from seekmath.model.folder import (
    config_json,
    copy_tokenizer,
    load_config,
    load_weights,
    save_weights,
)

#: Field of a folder's config.json.
_KIND = "reward_kind"


class RewardModel(nn.Module):
    """A decoder's backbone with a scalar head.

    Attributes:
        kind: what it was trained on: outcome, preference (its logits have no common zero), process.
    """

    def __init__(self, decoder: Decoder, kind: str = "outcome") -> None:
        super().__init__()
        self.kind = kind
        self.decoder = decoder
        self.score = nn.Linear(decoder.config.hidden_size, 1, bias=False)
        nn.init.zeros_(self.score.weight)

    def forward(self, texts: list[list[int]]) -> Tensor:
        """The logit that each token sequence ends in a right answer, (N,)."""
        return self.at(texts, [[len(ids) - 1] for ids in texts])

    def at(self, texts: list[list[int]], places: list[list[int]]) -> Tensor:
        """The logit at each of the places (token indices) of each text, one after the other."""
        device = self.score.weight.device
        width = max(map(len, texts))
        tokens = torch.tensor([ids + [0] * (width - len(ids)) for ids in texts], device=device)
        rows = [row for row, some in enumerate(places) for _ in some]
        columns = [place for some in places for place in some]
        return self.score(self.decoder.hidden(tokens)[rows, columns])[:, 0]


def load_reward_model(folder: str | Path, device: str = "cpu") -> RewardModel:
    """Open a folder that ``seekmath reward`` wrote."""
    path = Path(folder)
    config = read_json(path / "config.json")
    if config.get("num_labels", 1) != 1:
        raise BadInput(f"{path}/config.json: num_labels: a reward model has 1")
    weights = load_weights(path)
    if "score.weight" not in weights:
        raise BadInput(f"{path}: the weights lack 'score.weight'; is this a reward model?")
    model = RewardModel(Decoder(load_config(path)), str(config.get(_KIND, "outcome")))
    named = {key: value for key, value in weights.items() if key.startswith("model.")}
    model.decoder.load_state_dict(named, strict=False)
    model.score.weight.data.copy_(weights["score.weight"])
    return model.to(device).eval()


def save_reward_model(model: RewardModel, folder: Path, tokenizer_folder: str | Path) -> None:
    """Write a sequence-classification folder in Hugging Face's form, whole or not at all."""
    with whole_folder(folder) as scratch:
        family = model.decoder.config.model_type.capitalize()
        config = config_json(model.decoder.config, f"{family}ForSequenceClassification")
        config |= {"num_labels": 1, "id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}
        config[_KIND] = model.kind
        (scratch / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        named = {k: p for k, p in model.decoder.named_parameters() if k.startswith("model.")}
        save_weights({**named, "score.weight": model.score.weight}, scratch)
        copy_tokenizer(Path(tokenizer_folder), scratch)


@torch.no_grad()
def score(model: RewardModel, texts: list[list[int]], rows: int = 128) -> Tensor:
    """The model's logit for each token sequence, (N,)."""
    parts = [model(texts[start : start + rows]) for start in range(0, len(texts), rows)]
    return torch.cat(parts)


@torch.no_grad()
def score_steps(
    model: RewardModel, texts: list[list[int]], places: list[list[int]], rows: int = 128
) -> list[Tensor]:
    """The model's logits at the places of each token sequence."""
    found: list[Tensor] = []
    for start in range(0, len(texts), rows):
        part = places[start : start + rows]
        logits = model.at(texts[start : start + rows], part)
        found += logits.split([len(some) for some in part])
    return found
