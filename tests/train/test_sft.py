import json

import pytest

from seekmath.core.files import BadInput, read_jsonl, write_jsonl
from seekmath.core.job import Job
from seekmath.corpus.chat import render_example, with_instruction
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.model.folder import load_model
from seekmath.train.settings import SftSettings
from seekmath.train.sft import Batches, examples_of, sft
from tests.train.short_runs import SHORT


def settings(base, problems, **changes):
    given = {"model": str(base), "problems": str(problems), "peak_lr": 1e-3, **SHORT}
    return SftSettings(**{**given, "context": 192, **changes})


def test_fine_tuning_lowers_the_loss_and_counts_what_it_drops(base, problems, tmp_path):
    with Job.open(tmp_path, 0) as job:
        metrics = sft(settings(base, problems, epochs=2, log_every=1), job)
    losses = [json.loads(x)["loss"] for x in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert losses[-1] < losses[0] - 0.3
    assert metrics["examples"] + metrics["dropped"]["too_long"] == 180
    assert load_model(tmp_path / "model").config == load_model(base).config
    assert Tokenizer.load(tmp_path / "model").encode("12") == Tokenizer.load(base).encode("12")


@pytest.mark.parametrize("kinds", [["cot"], ["pot", "tool"]])
def test_an_epoch_learns_every_solution_once_and_nothing_else(base, problems, kinds):
    chosen = settings(base, problems, kinds=kinds, rows_per_step=1)
    tokenizer = Tokenizer.load(base)
    examples, _ = examples_of(chosen, tokenizer, seed=0)
    batches = Batches(examples, chosen, seed=0)
    rows = [batches.batch(step) for step in range(batches.per_epoch)]
    learned = sorted(t for row in rows for t in row.targets_BT[row.loss_BT].tolist())
    wanted = []
    for row in read_jsonl(problems):
        if row["kind"] in kinds:
            question = with_instruction(row["question"], row["kind"], "en")
            ids, mask = render_example(tokenizer, question, row["solution"])
            if len(ids) <= chosen.context + 1:
                wanted += [token for token, flag in zip(ids, mask, strict=True) if flag]
    assert learned == sorted(wanted)
    again = Batches(examples, chosen, seed=0).batch(batches.per_epoch + 1)
    assert (again.tokens_BT == batches.batch(batches.per_epoch + 1).tokens_BT).all()
    assert not (again.tokens_BT == rows[1].tokens_BT).all()


def test_a_limit_takes_some_problems_by_the_seed(base, problems):
    tokenizer = Tokenizer.load(base)
    some = [
        examples_of(settings(base, problems, limit=9), tokenizer, seed)[0] for seed in (1, 1, 2)
    ]
    assert some[0] == some[1] != some[2]


def test_what_cannot_be_learned_is_named(base, problems, tmp_path):
    job = Job.open(tmp_path / "out", 0)
    with pytest.raises(BadInput, match=r"context: found 500; .* allows at most 192"):
        sft(settings(base, problems, context=500), job)
    with pytest.raises(BadInput, match="no example of the kinds asked for fits in context 8"):
        sft(settings(base, problems, context=8), job)
    with pytest.raises(BadInput, match="no example of the kinds asked for"):
        sft(settings(base, problems, kinds=["proof"]), job)
    with pytest.raises(BadInput, match="no such file"):
        sft(settings(base, tmp_path / "none.jsonl"), job)
    write_jsonl(tmp_path / "bad.jsonl", [{"question": "1+1?", "solution": "2"}, {"question": "?"}])
    with pytest.raises(BadInput, match=r"bad\.jsonl:2: solution: expected a text"):
        sft(settings(base, tmp_path / "bad.jsonl"), job)
