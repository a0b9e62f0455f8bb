import json

import pytest
import transformers
from hypothesis import given
from hypothesis import strategies as st

from seekmath.core.files import BadInput
from seekmath.corpus.tokenizer import Tokenizer


def pieces(tokenizer, text):
    return [tokenizer.decode([token]) for token in tokenizer.encode(text)]


@given(text=st.text())
def test_any_text_comes_back(tokenizer, text):
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_digits_stay_single_and_latex_commands_become_whole(tokenizer):
    assert pieces(tokenizer, "1204") == ["1", "2", "0", "4"]
    assert pieces(tokenizer, r"\frac{1}")[0] == r"\frac"
    assert (
        max(map(len, (p for p in pieces(tokenizer, "a12b 7 8x") if any(map(str.isdigit, p))))) == 1
    )


def test_a_text_that_spells_a_special_token_does_not_become_one(tokenizer):
    ids = tokenizer.encode("so <|end|> and <|pad|>")
    assert not {tokenizer.eos_id, tokenizer.pad_id} & set(ids)
    assert tokenizer.decode(ids) == "so <|end|> and <|pad|>"
    assert tokenizer.eos_id != tokenizer.pad_id


def test_the_same_texts_give_the_same_tokenizer(tmp_path):
    texts = ["小明有12个苹果，他吃了3个。", "Tom has 12 apples.", "he has 9 left"] * 20
    for name in ("one", "two"):
        Tokenizer.train(texts, 330).save(tmp_path / name)
    one, two = ((tmp_path / name / "tokenizer.json").read_bytes() for name in ("one", "two"))
    assert one == two


def test_transformers_reads_the_folder_alike(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    text = "Tom has 12 apples.\n\n小明有3个苹果 $\\frac{1}{2}$"
    assert theirs.encode(text, add_special_tokens=False) == tokenizer.encode(text)
    assert (theirs.eos_token_id, theirs.pad_token_id) == (tokenizer.eos_id, tokenizer.pad_id)
    ours = Tokenizer.load(tmp_path)
    assert ours.encode(text) == tokenizer.encode(text)
    assert ours.encode_many([text, "7"]) == [ours.encode(text), ours.encode("7")]


def test_a_folder_that_cannot_be_used_is_named(tokenizer, tmp_path):
    with pytest.raises(BadInput, match=r"tokenizer\.json: no such file"):
        Tokenizer.load(tmp_path)
    tokenizer.save(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": "</s>"}))
    with pytest.raises(BadInput, match="eos_token: names no token"):
        Tokenizer.load(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(BadInput, match="not a tokenizer"):
        Tokenizer.load(tmp_path)
