import json
import random
import signal
import subprocess
import sys
import time

import pytest
import torch

from seekmath.core.job import Job
from seekmath.corpus.packing import pack_examples, stack
from seekmath.model.decoder import Decoder
from seekmath.model.sizes import sized
from seekmath.train.checkpoint import load_checkpoint
from seekmath.train.guard import Diverged
from seekmath.train.language import next_token_loss
from seekmath.train.loop import Hooks, Pace, train
from seekmath.train.optimizer import make_adamw
from seekmath.train.pretrain import pretrain
from seekmath.train.settings import LoopSettings, PretrainSettings
from tests.train.short_runs import SHORT

SETTINGS = LoopSettings(peak_lr=0.05, schedule="cosine", warmup_steps=2, checkpoint_every=3)
PACE = Pace(steps=17, log_every=2, measure_every=5)


GOLDEN = [3.9284, 2.9187, 1.9062, 1.4749, 1.2688, 0.976, 1.0375]


class Killed(Exception):
    """Stands for kill -9: nothing of the loop runs after it."""


def run(out, kill_at=None, settings=SETTINGS):
    """Train a small net; ``kill_at`` counts calls of batch_loss and measure together."""
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    calls = 0

    def tick():
        nonlocal calls
        if calls == kill_at:
            raise Killed
        calls += 1

    def batch_loss(step):
        tick()
        x = torch.randn(5, 4, generator=torch.Generator().manual_seed(step))
        yield (model(x) - x.sum(1, keepdim=True)).square().sum(), 5, 20

    def measure():
        tick()
        return {"heldout_loss": float(model(torch.ones(1, 4)))}

    with Job.open(out) as job:
        train(model, batch_loss, settings, PACE, job, Hooks(measure))
    return [p.detach() for p in model.parameters()], calls


def lines(out):
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [
        {k: v for k, v in r.items() if k not in ("time", "tokens_per_s", "memory_mib")}
        for r in rows
    ]


def test_killed_anywhere_and_run_again_it_ends_with_the_same_bits(tmp_path):
    wanted, calls = run(tmp_path / "whole")
    assert calls == 17 + 4
    for kill_at in range(calls):
        out = tmp_path / str(kill_at)
        with pytest.raises(Killed):
            run(out, kill_at)
        with pytest.raises(Killed):
            run(out, min(2, calls - kill_at - 1))
        found, _ = run(out)
        assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))
        assert lines(out) == lines(tmp_path / "whole")


def test_a_finished_run_does_nothing_more(tmp_path):
    wanted, _ = run(tmp_path)
    found, calls = run(tmp_path)
    assert calls == 0
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


def test_a_line_is_the_mean_over_all_tokens_since_the_last(tmp_path):
    run(tmp_path)
    steps = [line["step"] for line in lines(tmp_path)]
    assert steps == [2, 4, 5, 6, 8, 10, 12, 14, 15, 16, 17]
    measured = [line["step"] for line in lines(tmp_path) if "heldout_loss" in line]
    assert measured == [5, 10, 15, 17]


def test_golden_losses_of_twenty_steps(tmp_path):
    """A change that is not meant to be numeric leaves these as they are."""
    model = Decoder(sized("tiny", vocab_size=50, context=24), seed=3)

    def batch_loss(step):
        first = torch.arange(step, step + 4)[:, None]
        ids = ((first + torch.arange(25)) ** 2 % 47).tolist()
        rows = pack_examples([(row, [True] * 25) for row in ids], context=24)
        yield next_token_loss(model, stack(rows))

    settings = LoopSettings(peak_lr=3e-3, schedule="multistep", warmup_steps=3)
    with Job.open(tmp_path) as job:
        train(model, batch_loss, settings, Pace(20, 1), job)
    losses = [line["loss"] for line in lines(tmp_path)][::3]
    assert losses == pytest.approx(GOLDEN, abs=2e-3)


SCRIPT = """
import sys
from pathlib import Path
from seekmath.core.job import Job
from seekmath.train.pretrain import pretrain
from seekmath.train.settings import PretrainSettings
settings = PretrainSettings.model_validate_json(sys.argv[1])
pretrain(settings, Job.open(sys.argv[2], 0))
"""


def test_kill_9_at_random_moments_of_pretraining_changes_no_weight(tokens, tmp_path):
    settings = PretrainSettings(
        tokens=str(tokens), steps=40, peak_lr=3e-3, warmup_steps=2, **SHORT, checkpoint_every=3
    )
    with Job.open(tmp_path / "whole", 0) as job:
        pretrain(settings, job)
    command = [sys.executable, "-c", SCRIPT, settings.model_dump_json(), str(tmp_path / "cut")]
    delay = random.Random(5)
    for _ in range(3):
        seen = set((tmp_path / "cut" / "checkpoints").glob("step-*"))
        killed = subprocess.Popen(command)
        while killed.poll() is None:
            if set((tmp_path / "cut" / "checkpoints").glob("step-*")) - seen:
                # Somewhere in a step, or in the middle of a checkpoint's files.
                time.sleep(delay.random() * 0.05)
                killed.kill()
            time.sleep(0.002)
        assert killed.wait() == -signal.SIGKILL
    with Job.open(tmp_path / "cut", 0) as job:
        pretrain(settings, job)
    weights = [
        (tmp_path / n / "model" / "model.safetensors").read_bytes() for n in ("whole", "cut")
    ]
    assert weights[0] == weights[1]
    assert lines(tmp_path / "whole") == lines(tmp_path / "cut")


def spoiled(bad):
    """A run whose steps in ``bad`` have no number for a loss."""
    torch.manual_seed(1)
    model = torch.nn.Linear(4, 1)

    def batch_loss(step):
        x = torch.randn(5, 4, generator=torch.Generator().manual_seed(step))
        yield model(x).square().sum() * (float("nan") if step in bad else 1.0), 5, 20

    return model, batch_loss


def test_a_step_without_a_number_is_skipped_and_recorded(tmp_path):
    settings = LoopSettings(peak_lr=0.05, checkpoint_every=3)
    found = []
    for name, bad, steps in (("spoiled", {3, 4}, 9), ("whole", set(), 9)):
        model, batch_loss = spoiled(bad)
        with Job.open(tmp_path / name) as job:
            train(model, batch_loss, settings, Pace(steps, 2), job)
        found.append(model.weight.detach())
    assert torch.isfinite(found[0]).all()
    assert not torch.equal(*found)
    counts = [line.get("skipped_steps", 0) for line in lines(tmp_path / "spoiled")]
    assert counts == [0, 1, 2, 2, 2]
    assert all(line["loss"] > 0 for line in lines(tmp_path / "spoiled"))


def test_too_many_in_a_row_stop_the_run_with_the_last_good_checkpoint(tmp_path):
    settings = LoopSettings(peak_lr=0.05, checkpoint_every=2, most_skips=4)
    for _ in range(2):  # and again, for whoever runs it once more
        model, batch_loss = spoiled(set(range(5, 99)))
        with (
            Job.open(tmp_path) as job,
            pytest.raises(Diverged, match=r"stopped at step 9: 4 steps .*/step-0000000[68];"),
        ):
            train(model, batch_loss, settings, Pace(99, 2), job)
    model, _ = spoiled(set())
    load_checkpoint(tmp_path / "checkpoints", model, make_adamw(model, settings))
    assert torch.isfinite(model.weight).all()
