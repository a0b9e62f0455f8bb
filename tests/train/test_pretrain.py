import json
import math

import pytest
import torch
import transformers

from seekmath.core.files import BadInput
from seekmath.core.job import Job
from seekmath.corpus.settings import TokenizeSettings
from seekmath.corpus.shards import tokenize
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.model.folder import load_model
from seekmath.train.pretrain import pretrain
from seekmath.train.settings import PretrainSettings
from tests.train.short_runs import SHORT


def run(tokens, out, **changes):
    settings = {"tokens": str(tokens), "steps": 12, "peak_lr": 3e-3, "warmup_steps": 2, **SHORT}
    with Job.open(out, 0) as job:
        return pretrain(PretrainSettings(**{**settings, **changes}), job)


def test_a_model_learns_and_its_folder_opens_in_transformers(tokens, tmp_path):
    metrics = run(tokens, tmp_path, steps=40, heldout_every=10, heldout_rows=4)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    heldout = [line["heldout_loss"] for line in lines if "heldout_loss" in line]
    assert math.log(400) + 0.5 > heldout[0] > heldout[-1] + 0.3
    assert lines[-1]["tokens"] == 40 * 2 * 64
    assert metrics["heldout_loss"] == heldout[-1]
    assert set(metrics["epochs"]) == {"words", "chinese"}
    assert 0 < metrics["bits_per_byte/words"] < metrics["heldout_loss/words"] / math.log(2)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "model").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "model")
    ids = tokenizer("Tom has 12 apples.", return_tensors="pt").input_ids
    assert ids[0].tolist() == Tokenizer.load(tmp_path / "model").encode("Tom has 12 apples.")
    with torch.no_grad():
        ours = load_model(tmp_path / "model")(ids)
        torch.testing.assert_close(ours, theirs(ids).logits, atol=1e-4, rtol=1e-4)
    assert theirs.generation_config.eos_token_id == tokenizer.eos_token_id


def test_training_goes_on_from_a_folder(tokens, base, tmp_path):
    metrics = run(tokens, tmp_path, model=str(base), steps=2, peak_lr=1e-5, warmup_steps=0)
    assert metrics["loss"] < 5.5 < math.log(400)


def test_what_does_not_fit_is_named(tokens, base, tmp_path):
    with pytest.raises(BadInput, match=r"context: found 300; .* allows at most 192"):
        run(tokens, tmp_path, model=str(base), context=300)
    with pytest.raises(BadInput, match="weights: name the corpora"):
        run(tokens, tmp_path, weights={"wrods": 1.0})
    with pytest.raises(BadInput, match="no such file"):
        run(tmp_path, tmp_path)
    with pytest.raises(BadInput, match=r"holds no row of 100000 tokens"):
        run(tokens, tmp_path, context=100_000)


def test_a_larger_vocabulary_than_the_model_has_is_refused(tokens, base, tmp_path):
    corpus = {"words": str(tokens.parent / "words.parquet")}
    settings = TokenizeSettings(corpus=corpus, vocab_size=420, heldout_share=0.1)
    tokenize(settings, Job.open(tmp_path / "wide", 0))
    with pytest.raises(BadInput, match=r"was tokenized with 420 entries, .* has 400"):
        run(tmp_path / "wide", tmp_path, model=str(base))


PHASES = [
    {"name": "general", "steps": 8, "weights": {"words": 1.0, "chinese": 0.0}},
    {"name": "mixed", "steps": 4, "weights": {"words": 0.25, "chinese": 0.75}},
]


@pytest.mark.parametrize("per_phase", [False, True])
def test_phases_change_the_mixture_and_if_asked_the_schedule(tokens, tmp_path, per_phase):
    metrics = run(
        tokens, tmp_path, phases=PHASES, schedule_per_phase=per_phase, log_every=1, warmup_steps=2
    )
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    rates = [line["learning_rate"] / 3e-3 for line in lines]
    one = [0.5, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0.316, 0.1]
    each = [0.5, 1, 1, 1, 1, 1, 1, 0.316, 0.5, 1, 1, 1]
    assert rates == pytest.approx(each if per_phase else one)
    assert lines[7]["epochs/chinese"] == 0 < lines[-1]["epochs/chinese"]
    assert metrics["weights"] == PHASES[1]["weights"]


def test_phases_that_do_not_fill_the_steps_are_refused(tokens):
    with pytest.raises(ValueError, match="found 13; the steps of the phases sum to 12"):
        PretrainSettings(tokens=str(tokens), steps=13, phases=PHASES)


@pytest.mark.parametrize("schedule", ["wsd", "multistep"])
def test_training_goes_on_from_before_the_decay(tokens, tmp_path, schedule):
    run(tokens, tmp_path / "whole", schedule=schedule, decay_share=0.2, steps=10)
    flat_steps = 8
    run(tokens, tmp_path / "flat", schedule="constant", steps=flat_steps)
    kept, flat = (
        load_model(tmp_path / path).state_dict() for path in ("whole/before_decay", "flat/model")
    )
    assert all(torch.equal(kept[name], flat[name]) for name in flat)
    assert not (tmp_path / "flat" / "before_decay").exists()
    run(tokens, tmp_path / "next", model=str(tmp_path / "whole" / "before_decay"), steps=1)


def test_a_corpus_read_too_often_is_named(tokens, tmp_path):
    said = []
    with Job.open(tmp_path, 0) as job:
        job.say = said.append
        pretrain(
            PretrainSettings(
                tokens=str(tokens), steps=2, max_epochs=0.001, warmup_steps=0, **SHORT
            ),
            job,
        )
    assert [("corpus 'words'" in text, "max_epochs 0.001" in text) for text in said] == [
        (False, True),
        (True, True),
    ]
