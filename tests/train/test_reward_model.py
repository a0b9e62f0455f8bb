import pytest
import torch
import transformers

from seekmath.core.files import BadInput, read_json, read_parquet
from seekmath.core.job import Job
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.train.reward_data import CUT
from seekmath.train.reward_model import load_reward_model, score
from seekmath.train.reward_training import reward
from seekmath.train.settings import RewardSettings


def run(base, problems, out, **changes):
    settings = {
        "model": str(base),
        "problems": str(problems),
        "questions": 8,
        "samples_per_question": 4,
        "max_new_tokens": 24,
        "rows_per_step": 4,
        "peak_lr": 1e-3,
        "device": "cpu",
        "threads": 1,
    }
    with Job.open(out, 0) as job:
        return reward(RewardSettings(**{**settings, **changes}), job)


def test_samples_are_graded_and_the_folder_opens_in_transformers(base, problems, tmp_path):
    metrics = run(base, problems, tmp_path)
    rows = read_parquet(tmp_path / "samples.parquet").to_pylist()
    assert len([row for row in rows if row["stop_reason"] != CUT]) == 32 == metrics["samples"]
    assert len({row["problem_id"] for row in rows}) == 8
    assert read_json(tmp_path / "results.json")["heldout_samples"] == 8
    ours = load_reward_model(tmp_path / "model")
    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "model")
    texts = [[5, 9, 3, 17], [8, 8, 7], [30] * 9]
    padded = torch.tensor(
        [ids + [ours.decoder.config.pad_token_id] * (9 - len(ids)) for ids in texts]
    )
    mask = torch.tensor([[1] * len(ids) + [0] * (9 - len(ids)) for ids in texts])
    with torch.no_grad():
        wanted = theirs.eval()(padded, attention_mask=mask).logits[:, 0]
    torch.testing.assert_close(score(ours, texts, rows=2), wanted, atol=1e-5, rtol=1e-4)


def test_killed_after_sampling_it_ends_alike(base, problems, tmp_path, monkeypatch):
    whole = run(base, problems, tmp_path / "whole")
    run(base, problems, tmp_path / "cut")
    (tmp_path / "cut" / "checkpoints").rename(tmp_path / "gone")
    (tmp_path / "cut" / "metrics.jsonl").unlink()
    again = run(base, problems, tmp_path / "cut")
    weights = [
        (tmp_path / n / "model" / "model.safetensors").read_bytes() for n in ("whole", "cut")
    ]
    assert weights[0] == weights[1]
    assert whole["heldout_accuracy"] == again["heldout_accuracy"]


def test_what_cannot_be_judged_is_named(base, problems, tmp_path):
    with pytest.raises(BadInput, match=r"no problem of the subjects \['music'\]"):
        run(base, problems, tmp_path, subjects=["music"])
    with pytest.raises(BadInput, match=r"lack 'score\.weight'; is this a reward model"):
        load_reward_model(base)


@pytest.mark.parametrize("estimate", ["hard", "soft"])
def test_steps_are_labelled_by_what_follows(base, problems, tmp_path, estimate):
    metrics = run(
        base, problems, tmp_path, kind="process", completions_per_step=3, estimate=estimate
    )
    rows = read_parquet(tmp_path / "samples.parquet").to_pylist()
    allowed = {0.0, 1.0} if estimate == "hard" else {0.0, 1.0, 1 / 3, 2 / 3}
    for row in rows:
        assert len(row["step_ends"]) == len(row["step_rewards"])
        assert row["step_rewards"][-1] == float(row["verdict"] is True)
        assert all(min(abs(v - a) for a in allowed) < 1e-6 for v in row["step_rewards"])
    assert metrics["step_samples"] >= metrics["heldout_samples"]


def test_preferences_need_both_sides(base, problems, tmp_path):
    # A random model is never right: nothing can be preferred.
    with pytest.raises(BadInput, match="sample more questions"):
        run(base, problems, tmp_path, kind="preference")


def test_solutions_are_also_learned_cut_short(base, problems, tmp_path):
    metrics = run(base, problems, tmp_path, kind="process", completions_per_step=2, cut_share=0.5)
    rows = read_parquet(tmp_path / "samples.parquet").to_pylist()
    cut = [row for row in rows if row["stop_reason"] == CUT]
    assert 0 < len(cut) == metrics["cut_samples"] <= 16
    assert metrics["samples"] == 32 == len(rows) - len(cut)
    whole = {(row["prompt"], row["k"]): row for row in rows if row["stop_reason"] is None}
    eos = Tokenizer.load(base).eos_id
    for row in cut:
        before = whole[row["prompt"], row["k"]]
        *begun, last = row["token_ids"]
        assert last == eos
        assert begun == before["token_ids"][: len(begun)]
        assert len(begun) - 1 in before["step_ends"][:-1]
        assert row["step_ends"][-1] == len(begun)
        # Up to its end it is as hopeful as the whole one; at its end it is what it is worth.
        steps = len(row["step_rewards"])
        assert row["step_rewards"][:-1] == before["step_rewards"][: steps - 1]
        assert row["step_rewards"][-1] == float(row["verdict"])
    assert read_json(tmp_path / "results.json")["heldout_samples"] == 8


def test_a_folder_says_what_its_model_was_trained_on(base, problems, tmp_path):
    run(base, problems, tmp_path, kind="outcome")
    assert load_reward_model(tmp_path / "model").kind == "outcome"
    config = tmp_path / "model" / "config.json"
    config.write_text(config.read_text().replace('"outcome"', '"preference"'))
    assert load_reward_model(tmp_path / "model").kind == "preference"
