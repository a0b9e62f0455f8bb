"""What is put around the decoder changes its cost, not what it learns."""

import json
import math
import time

import pytest
import torch

from seekmath.core.files import BadInput
from seekmath.core.job import Job
from seekmath.corpus.packing import pack_examples, stack
from seekmath.model.parallel import ALONE
from seekmath.model.sizes import sized
from seekmath.train.language import summed_cross_entropy
from seekmath.train.meter import utilisation
from seekmath.train.pretrain import pretrain
from seekmath.train.settings import LanguageSettings, PretrainSettings
from seekmath.train.trainee import Trainee
from tests.train.short_runs import SHORT

CONFIG = sized("tiny", vocab_size=60, context=24)
EXAMPLES = [
    ([(row * 7 + place**2) % 60 for place in range(8 + row)], [True] * (8 + row))
    for row in range(12)
]
ROWS = pack_examples(EXAMPLES, context=24)[:4]


def gradients(**changes):
    """Loss and gradients of one step of four rows."""
    settings = LanguageSettings(peak_lr=1e-3, context=24, rows_per_step=4, **changes)
    trainee = Trainee(CONFIG, settings, ALONE, torch.device("cpu"), seed=0)
    total = 0.0
    for loss, _, _ in trainee.losses(0, lambda step, first, count: stack(ROWS[first:][:count])):
        loss.backward()
        total += loss.item()
    return total, {name: p.grad for name, p in trainee.model.named_parameters()}


@pytest.mark.parametrize(
    "changes",
    [
        {"micro_batch_rows": 1},
        {"micro_batch_rows": 3},
        {"checkpoint_activations": True},
        {"checkpoint_activations": True, "micro_batch_rows": 2},
    ],
)
def test_accumulation_and_recomputation_change_no_gradient(changes):
    (wanted_loss, wanted), (loss, found) = gradients(), gradients(**changes)
    assert loss == pytest.approx(wanted_loss, rel=1e-5)
    for name in wanted:
        torch.testing.assert_close(found[name], wanted[name], atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize("recompute", [False, True])
def test_bf16_gives_gradients_in_fp32_close_to_those_of_fp32(recompute):
    _, wanted = gradients()
    loss, found = gradients(precision="bf16", checkpoint_activations=recompute)
    assert math.isfinite(loss)
    for name, gradient in found.items():
        assert gradient.dtype == torch.float32
        cosine = torch.cosine_similarity(gradient.flatten(), wanted[name].flatten(), dim=0)
        assert cosine > 0.99, name


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside the compiler
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # torch hides, but raises it
def test_compiled_layers_learn_the_same():
    (wanted_loss, wanted), (loss, found) = gradients(), gradients(compile_layers=True)
    assert loss == pytest.approx(wanted_loss, rel=1e-4)
    for name in wanted:
        torch.testing.assert_close(found[name], wanted[name], atol=2e-4, rtol=1e-3)


def test_z_loss_is_the_squared_logarithm_of_the_denominator():
    hidden = torch.randn(700, 16, requires_grad=True)
    weight = torch.randn(50, 16, requires_grad=True)
    target = torch.randint(0, 50, (700,))
    logits = hidden @ weight.T
    wanted = torch.nn.functional.cross_entropy(logits, target, reduction="sum")
    wanted = wanted + 1e-2 * logits.logsumexp(-1).square().sum()
    found = summed_cross_entropy(hidden, weight, target, 1e-2)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-3)
    theirs = torch.autograd.grad(wanted, (hidden, weight))
    for one, other in zip(torch.autograd.grad(found, (hidden, weight)), theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-3)


def test_rows_that_ranks_cannot_share_are_refused():
    settings = LanguageSettings(peak_lr=1e-3, rows_per_step=5)
    ranks = type(ALONE)(rank=0, world=2)
    with pytest.raises(BadInput, match="rows_per_step: found 5; the 2 ranks that read"):
        Trainee(CONFIG, settings, ranks, torch.device("cpu"), seed=0)


def test_utilisation_over_all_there_is_is_an_error():
    assert utilisation(1000, 2e9, 4e12) == 0.5
    with pytest.raises(RuntimeError, match="MFU 150%"):
        utilisation(3000, 2e9, 4e12)


def test_what_is_logged_goes_to_tensorboard_too(tokens, tmp_path):
    event_files = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="needs tensorboard"
    )
    settings = PretrainSettings(
        tokens=str(tokens), steps=4, log_every=2, warmup_steps=0, tensorboard=True, **SHORT
    )
    with Job.open(tmp_path, 0) as job:
        pretrain(settings, job)
    events = event_files.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    for name in ("loss", "heldout_loss/words", "share/words", "memory_mib"):
        found = [(event.step, event.value) for event in events.Scalars(name)]
        wanted = [(line["step"], line[name]) for line in lines if name in line]
        assert found == [(step, pytest.approx(value, rel=1e-6)) for step, value in wanted]


def test_what_is_logged_goes_to_weights_and_biases_too(tokens, tmp_path, monkeypatch):
    """With the service itself offline: what it would send is kept in the run's folder."""
    pytest.importorskip("wandb", reason="needs wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    settings = PretrainSettings(
        tokens=str(tokens), steps=2, log_every=1, warmup_steps=0, wandb="test", **SHORT
    )
    with Job.open(tmp_path, 0) as job:
        pretrain(settings, job)
        assert not job.mirrors
    (path,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    deadline = time.monotonic() + 60  # the service's own process writes it
    records = wandb_records(path.read_bytes())
    while sum(record.HasField("history") for record in records) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)
        records = wandb_records(path.read_bytes())
    (run,) = [record.run for record in records if record.HasField("run")]
    assert run.project == "test"
    config = {item.key: json.loads(item.value_json) for item in run.config.update}
    assert config["steps"] == 2
    kept = [
        {
            "/".join(item.nested_key) or item.key: json.loads(item.value_json)
            for item in record.history.item
        }
        for record in records
        if record.HasField("history")
    ]
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["_step"] for line in kept] == [1, 2]
    for line, found in zip(lines, kept, strict=True):
        wanted = {key: value for key, value in line.items() if key not in ("step", "time")}
        assert {key: found[key] for key in wanted} == pytest.approx(wanted)


def wandb_records(stored):
    """What Weights & Biases keeps: protocol buffers in LevelDB's log format after 7 bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    block, header, whole_or_last = 32_768, 7, (1, 4)
    place, whole, found = 7, b"", []
    while place + header <= len(stored):
        if block - place % block < header:
            place += block - place % block
            continue
        length = int.from_bytes(stored[place + 4 : place + 6], "little")
        kind = stored[place + 6]
        whole += stored[place + header : place + header + length]
        place += header + length
        if kind in whole_or_last:
            found.append(Record.FromString(whole))
            whole = b""
    return found
