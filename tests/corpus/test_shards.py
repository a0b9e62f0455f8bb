import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seekmath.core.files import BadInput
from seekmath.core.job import Job
from seekmath.corpus.settings import TokenizeSettings
from seekmath.corpus.shards import open_shards, tokenize
from seekmath.corpus.tokenizer import Tokenizer

TEXTS = [
    f"document {number} says {number * number} <|end|> 小明有{number}个" for number in range(300)
]


def make(folder, texts=TEXTS, seed=0, **changes):
    for name, part in (("web", texts[::2]), ("books", texts[1::2])):
        (folder / name).mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"text": part}), folder / name / "part.parquet")
    corpus = {name: str(folder / name) for name in ("web", "books")}
    settings = TokenizeSettings(corpus=corpus, vocab_size=400, heldout_share=0.1, **changes)
    return tokenize(settings, Job.open(folder / "tokens", seed))


def documents(shard, tokenizer):
    starts = [0, *shard.ends[:-1].tolist()]
    spans = [shard.tokens[a:b].tolist() for a, b in zip(starts, shard.ends, strict=True)]
    assert all(span[-1] == tokenizer.eos_id for span in spans)
    return [tokenizer.decode(span[:-1]) for span in spans]


def test_every_document_comes_back_once_in_one_split(tmp_path):
    counts = make(tmp_path)
    tokenizer = Tokenizer.load(tmp_path / "tokens" / "tokenizer")
    train, heldout = (open_shards(tmp_path / "tokens", part) for part in ("train", "heldout"))
    found = {
        (name, part): documents(shards[name], tokenizer)
        for part, shards in (("train", train), ("heldout", heldout))
        for name in ("web", "books")
    }
    assert sorted(text for texts in found.values() for text in texts) == sorted(TEXTS)
    assert sorted(found["web", "train"] + found["web", "heldout"]) == sorted(TEXTS[::2])
    assert 15 < sum(len(found[name, "heldout"]) for name in ("web", "books")) < 50
    for (name, part), texts in found.items():
        shard = (train if part == "train" else heldout)[name]
        assert counts[f"{name}/{part}"] == {
            "documents": len(texts),
            "tokens": len(shard.tokens),
            "text_bytes": sum(len(text.encode()) for text in texts),
        }


def test_a_copy_of_a_document_never_lands_in_the_other_split(tmp_path):
    make(tmp_path, TEXTS + TEXTS[::-1])
    tokenizer = Tokenizer.load(tmp_path / "tokens" / "tokenizer")
    parts = [
        {
            text
            for s in open_shards(tmp_path / "tokens", part).values()
            for text in documents(s, tokenizer)
        }
        for part in ("train", "heldout")
    ]
    assert not parts[0] & parts[1]


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        make(tmp_path / name)
    files = [p.relative_to(tmp_path / "one") for p in (tmp_path / "one" / "tokens").rglob("*.*")]
    assert len(files) > 12
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_tokenizer_can_be_brought_along(tmp_path, tokenizer):
    tokenizer.save(tmp_path / "own")
    counts = make(tmp_path, tokenizer=str(tmp_path / "own"))
    assert counts["vocab_size"] == tokenizer.vocab_size


def test_what_cannot_be_tokenized_is_named(tmp_path):
    with pytest.raises(BadInput, match="holds no text"):
        make(tmp_path, ["", ""])
    pq.write_table(pa.table({"body": ["a"]}), tmp_path / "web" / "part.parquet")
    settings = TokenizeSettings(corpus={"web": str(tmp_path / "web")})
    with pytest.raises(BadInput, match="has no column text"):
        tokenize(settings, Job.open(tmp_path / "tokens"))
    with pytest.raises(BadInput, match=r"holds no \*\.parquet file"):
        tokenize(
            TokenizeSettings(corpus={"web": str(tmp_path / "tokens")}), Job.open(tmp_path / "t")
        )
    with pytest.raises(BadInput, match="make it with `seekmath tokenize`"):
        open_shards(tmp_path / "web", "train")
