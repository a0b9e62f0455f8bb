"""Two and four ranks on gloo: what they learn is what one process learns."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from seekmath.core.files import BadInput, write_jsonl
from seekmath.core.job import Job
from seekmath.model.folder import load_model
from seekmath.model.parallel import open_ranks
from seekmath.train.checkpoint import checkpoints
from seekmath.train.pretrain import pretrain
from seekmath.train.settings import PretrainSettings

# Seven processes in turn; on a busy machine they wait for each other.
pytestmark = pytest.mark.timeout(1500)

COMMON = {
    "context": 64,
    "rows_per_step": 4,
    "device": "cpu",
    "steps": 8,
    "peak_lr": 3e-3,
    "warmup_steps": 2,
    "log_every": 1,
    "heldout_every": 8,
    "heldout_rows": 5,
    "checkpoint_every": 4,
    "keep_checkpoints": 9,
}
FSDP = {"parallel": "fsdp"}
SPLIT = {**FSDP, "tensor_parallel": 2}


def on_ranks(world: int, asked: list[tuple[Path, dict]], folder: Path) -> None:
    work = folder / f"work-{world}.jsonl"
    write_jsonl(work, ({"out": str(out), "settings": settings} for out, settings in asked))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
    ran = subprocess.run(
        [*command, str(world), "-m", "tests.train.one_rank", str(work)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]


def lines(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def curves(tokens, qwen, tmp_path_factory):
    """The folders of one process and of all kinds of ranks, by name."""
    folder = tmp_path_factory.mktemp("ranks")
    settings = {"tokens": str(tokens), **COMMON}
    from_qwen = {**settings, "model": str(qwen)}
    for name, body in (("alone", settings), ("alone-qwen", from_qwen)):
        with Job.open(folder / name, 0) as job:
            pretrain(PretrainSettings(**body), job)
    four = {
        "data-4": settings,
        "data-4-micro": {**settings, "rows_per_step": 8, "micro_batch_rows": 1, "steps": 1},
        "fsdp-4": {**settings, **FSDP},
        "split-2x2": {**settings, **SPLIT},
        "moved": {**settings, **SPLIT, "steps": 4, "schedule": "constant"},
    }
    on_ranks(4, [(folder / name, body) for name, body in four.items()], folder)
    two = {
        "fsdp-2": {**settings, **FSDP, "micro_batch_rows": 1},
        "split-1x2-qwen": {**from_qwen, **SPLIT},
        "moved": {**settings, **FSDP, "schedule": "constant"},
    }
    on_ranks(2, [(folder / name, body) for name, body in two.items()], folder)
    return folder


@pytest.fixture(scope="module")
def qwen(tokens, tmp_path_factory):
    """A model with norms inside its heads and grouped key-value heads."""
    from tests.model.families import make_folder

    folder = tmp_path_factory.mktemp("qwen")
    make_folder("qwen3", folder, vocab_size=400)
    return folder


@pytest.mark.parametrize("name", ["data-4", "fsdp-4", "split-2x2", "fsdp-2", "split-1x2-qwen"])
def test_the_loss_curve_is_that_of_one_process(curves, name):
    alone = lines(curves / ("alone-qwen" if "qwen" in name else "alone"))
    found = lines(curves / name)
    for key in ("loss", "grad_norm", "learning_rate", "epochs/words", "tokens"):
        assert [x[key] for x in found] == pytest.approx([x[key] for x in alone], rel=2e-4), key
    assert found[-1]["heldout_loss"] == pytest.approx(alone[-1]["heldout_loss"], rel=2e-4)


@pytest.mark.parametrize("name", ["data-4", "fsdp-4", "split-2x2", "fsdp-2"])
def test_the_model_is_that_of_one_process(curves, name):
    one, other = (load_model(curves / part / "model").state_dict() for part in ("alone", name))
    for key in one:
        torch.testing.assert_close(other[key], one[key], atol=2e-3, rtol=0)


def test_a_checkpoint_of_four_ranks_goes_on_with_two(curves, tokens):
    settings = PretrainSettings(tokens=str(tokens), **{**COMMON, "schedule": "constant"})
    with Job.open(curves / "moved-alone", 0) as job:
        pretrain(settings, job)
    wanted, found = lines(curves / "moved-alone"), lines(curves / "moved")
    assert [x["step"] for x in found] == list(range(1, 9))
    assert [x["loss"] for x in found] == pytest.approx([x["loss"] for x in wanted], rel=2e-4)
    parts = [
        json.loads((p / "checkpoint.json").read_text())
        for p in checkpoints(curves / "moved" / "checkpoints")
    ]
    assert [part["ranks"] for part in parts] == [4, 2]


def test_ranks_that_do_not_divide_are_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3")
    with (
        pytest.raises(BadInput, match="tensor_parallel: found 2"),
        open_ranks(torch.device("cpu"), 2),
    ):
        pass
    with pytest.raises(ValueError, match="needs parallel: fsdp"):
        PretrainSettings(tokens="x", tensor_parallel=2)
