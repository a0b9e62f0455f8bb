"""Problems, token shards and a model of a few seconds' training."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seekmath.core.files import write_jsonl
from seekmath.core.job import Job
from seekmath.corpus.settings import TokenizeSettings
from seekmath.corpus.shards import tokenize
from seekmath.train.pretrain import pretrain
from seekmath.train.settings import PretrainSettings
from seekmath.world.problems import draw, record
from tests.train.short_runs import SHORT


@pytest.fixture(scope="session")
def problems(tmp_path_factory) -> Path:
    """Worked problems of every kind, as JSON lines."""
    rows = [
        record(draw("gsm8k", "train", 0, "p", n), "gsm8k", f"p{n}", kind)
        for n in range(60)
        for kind in ("cot", "pot", "tool")
    ]
    path = tmp_path_factory.mktemp("problems") / "train.jsonl"
    write_jsonl(path, rows)
    return path


@pytest.fixture(scope="session")
def tokens(tmp_path_factory) -> Path:
    """The output of the stage ``tokenize`` on two small corpora."""
    folder = tmp_path_factory.mktemp("tokens")
    corpus = {}
    for name, family in (("words", "gsm8k"), ("chinese", "cmath")):
        rows = [record(draw(family, "train", 0, "t", n), family, "x") for n in range(150)]
        texts = [f"{row['question']}\n{row['solution']}" for row in rows]
        pq.write_table(pa.table({"text": texts}), folder / f"{name}.parquet")
        corpus[name] = str(folder / f"{name}.parquet")
    settings = TokenizeSettings(corpus=corpus, vocab_size=400, heldout_share=0.1)
    tokenize(settings, Job.open(folder / "out", 0))
    return folder / "out"


@pytest.fixture(scope="session")
def base(tokens, tmp_path_factory) -> Path:
    """A model folder that the stage ``pretrain`` wrote."""
    out = tmp_path_factory.mktemp("base")
    settings = PretrainSettings(
        tokens=str(tokens), steps=30, peak_lr=3e-3, warmup_steps=2, **{**SHORT, "context": 192}
    )
    with Job.open(out, 0) as job:
        pretrain(settings, job)
    return out / "model"
