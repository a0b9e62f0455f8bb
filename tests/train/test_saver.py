import subprocess
import sys
import threading

import torch

from seekmath.model.parallel import ALONE
from seekmath.train import saver as saver_module
from seekmath.train.checkpoint import checkpoints, load_checkpoint
from seekmath.train.optimizer import make_adamw
from seekmath.train.saver import Saver
from seekmath.train.settings import OptimizerSettings


def fresh():
    torch.manual_seed(0)
    model = torch.nn.Linear(50, 20)
    return model, make_adamw(model, OptimizerSettings(peak_lr=0.1))


def test_what_is_written_is_the_moment_of_saving(tmp_path, monkeypatch):
    """The weights change while a checkpoint of them is being written."""
    model, optimizer = fresh()
    wanted = model.weight.detach().clone()
    may_write = threading.Event()
    write = saver_module.write_rank
    monkeypatch.setattr(
        saver_module, "write_rank", lambda *given: (may_write.wait(10), write(*given))
    )
    saver = Saver(tmp_path, ALONE, 2, 0, print)
    saver.save(1, model, optimizer, {})
    with torch.no_grad():
        model.weight.zero_()
    assert checkpoints(tmp_path) == []
    may_write.set()
    saver.finish()
    assert load_checkpoint(tmp_path, model, optimizer) == 1
    assert torch.equal(model.weight, wanted)


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from tests.train.test_saver import ALONE, Saver, fresh
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
model, optimizer = fresh()
saver = Saver(Path(sys.argv[1]), ALONE, 2, 0, print)
for step, limit in ((1, -1), (2, 3000), (3, -1)):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, -1))
    saver.save(step, model, optimizer, {})
    saver.finish()
"""


def test_a_write_that_fails_costs_that_checkpoint_only(tmp_path):
    """The kernel refuses to let a file grow, as on a full disk."""
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "step-00000002: not written" in ran.stdout
    assert "training goes on without it" in ran.stdout
    assert [path.name for path in checkpoints(tmp_path)] == ["step-00000001", "step-00000003"]
    assert not list((tmp_path / "step-00000002").iterdir())
