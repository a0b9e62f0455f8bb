"""Byte-level BPE with single digits, and any Hugging Face tokenizer folder."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from seekmath.core.files import BadInput, read_json, whole_file

_EOS, _PAD = "<|end|>", "<|pad|>"
# What merges may not cross: a LaTeX command, a word, one digit, other signs, white space.
_PIECES = r"\\[A-Za-z]+| ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}\\]+|\\|\s+(?!\S)|\s"


class Tokenizer:
    """Text to token ids and back; special tokens are only ever added by their ids."""

    def __init__(self, inner: tokenizers.Tokenizer, special: dict[str, str | None]) -> None:
        self._inner = inner
        self._special = special
        self.eos_id = self._id("eos_token")
        self.bos_id = self._id("bos_token")
        self.pad_id = self._id("pad_token")

    @classmethod
    def load(cls, folder: str | Path) -> "Tokenizer":
        """Open ``tokenizer.json`` and the special tokens of ``tokenizer_config.json``.

        Raises:
            BadInput: a file is absent or broken, or no end-of-text token is named.
        """
        folder = Path(folder)
        path = folder / "tokenizer.json"
        if not path.exists():
            raise BadInput(f"{path}: no such file; a tokenizer folder holds tokenizer.json")
        try:
            inner = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises plain Exception
            raise BadInput(f"{path}: not a tokenizer: {error}") from None
        config_path = folder / "tokenizer_config.json"
        config = read_json(config_path) if config_path.exists() else {}
        special = {
            name: _content(config.get(name)) for name in ("eos_token", "bos_token", "pad_token")
        }
        if special["eos_token"] is None or inner.token_to_id(special["eos_token"]) is None:
            raise BadInput(f"{config_path}: eos_token: names no token of the vocabulary")
        return cls(inner, special)

    @classmethod
    def train(cls, texts: Iterable[str], vocab_size: int) -> "Tokenizer":
        """Learn ``vocab_size`` entries.

        Digits stay single, as in the DeepSeek tokenizers; LaTeX commands can become whole. The
        same texts give the same tokenizer.
        """
        inner = tokenizers.Tokenizer(models.BPE())
        inner.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(tokenizers.Regex(_PIECES), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        inner.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size,
            special_tokens=[_EOS, _PAD],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        inner.train_from_iterator(texts, trainer)
        return cls(inner, {"eos_token": _EOS, "bos_token": None, "pad_token": _PAD})

    @property
    def vocab_size(self) -> int:
        """Entries, special tokens among them."""
        return self._inner.get_vocab_size(with_added_tokens=True)

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, without special tokens; what looks like one is plain text."""
        return self._plain.encode(text, add_special_tokens=False).ids

    def encode_template(self, text: str) -> list[int]:
        """Token ids of a rendered chat template, in which special tokens are spelled out."""
        self._inner.encode_special_tokens = False
        return self._inner.encode(text, add_special_tokens=False).ids

    def encode_many(self, texts: list[str]) -> list[list[int]]:
        """``encode`` of each text, in parallel."""
        return [e.ids for e in self._plain.encode_batch_fast(texts, add_special_tokens=False)]

    def decode(self, ids: list[int]) -> str:
        """The text of token ids, special tokens left out."""
        return self._inner.decode(ids, skip_special_tokens=True)

    def save(self, folder: str | Path) -> None:
        """Write a Hugging Face tokenizer folder."""
        folder = Path(folder)
        with whole_file(folder / "tokenizer.json") as file:
            file.write(self._inner.to_str(pretty=False))
        config: dict[str, Any] = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            **{name: token for name, token in self._special.items() if token is not None},
            "clean_up_tokenization_spaces": False,
        }
        with whole_file(folder / "tokenizer_config.json") as file:
            file.write(json.dumps(config, indent=2) + "\n")

    @property
    def _plain(self) -> tokenizers.Tokenizer:
        # A page or a question that spells "<|end|>" must not end a document.
        self._inner.encode_special_tokens = True
        return self._inner

    def _id(self, name: str) -> int | None:
        token = self._special.get(name)
        return None if token is None else self._inner.token_to_id(token)


def _content(token: str | dict[str, Any] | None) -> str | None:
    return token.get("content") if isinstance(token, dict) else token
