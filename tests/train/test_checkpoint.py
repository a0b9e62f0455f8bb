import torch

from seekmath.train.checkpoint import checkpoints, load_checkpoint, save_checkpoint
from seekmath.train.optimizer import make_adamw, update
from seekmath.train.settings import OptimizerSettings


def fresh():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))
    return model, make_adamw(model, OptimizerSettings(peak_lr=0.1))


def step(model, optimizer, number):
    model(torch.full((2, 3), float(number))).square().sum().backward()
    update(model, optimizer, rate=0.01, clip_norm=1.0)


def test_what_was_saved_goes_on_with_the_same_bits(tmp_path):
    model, optimizer = fresh()
    assert load_checkpoint(tmp_path, model, optimizer) == 0
    for number in range(6):
        if number == 3:
            save_checkpoint(tmp_path, 3, model, optimizer)
        step(model, optimizer, number)
    other, its_optimizer = fresh()
    assert load_checkpoint(tmp_path, other, its_optimizer) == 3
    for number in range(3, 6):
        step(other, its_optimizer, number)
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, two)


def test_the_last_ones_are_kept_and_scratch_files_are_none(tmp_path):
    model, optimizer = fresh()
    for number in (8, 9, 10, 11):
        save_checkpoint(tmp_path, number, model, optimizer, keep=2)
    (tmp_path / ".scratch-1-step-00000012.safetensors").write_bytes(b"half")
    assert [path.name for path in checkpoints(tmp_path)] == [
        "step-00000010.safetensors",
        "step-00000011.safetensors",
    ]
    assert load_checkpoint(tmp_path, model, optimizer) == 11
