import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from seekmath.core.files import BadInput
from seekmath.train.checkpoint import (
    checkpoints,
    forget_old,
    load_checkpoint,
    remove_unfinished,
    restore,
    save_checkpoint,
)
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


def test_the_last_ones_are_kept_and_what_has_no_manifest_is_none(tmp_path):
    model, optimizer = fresh()
    for number in (8, 9, 10, 11):
        save_checkpoint(tmp_path, number, model, optimizer, keep=2)
    save_checkpoint(tmp_path, 12, model, optimizer, keep=3)
    (tmp_path / "step-00000012" / "checkpoint.json").unlink()
    assert [path.name for path in checkpoints(tmp_path)] == ["step-00000010", "step-00000011"]
    assert load_checkpoint(tmp_path, model, optimizer) == 11
    remove_unfinished(tmp_path)
    assert not (tmp_path / "step-00000012").exists()


def test_those_of_every_so_many_steps_are_kept_too(tmp_path):
    model, optimizer = fresh()
    for number in range(1, 8):
        save_checkpoint(tmp_path, number, model, optimizer, keep=99)
    forget_old(tmp_path, keep=2, keep_every=3)
    assert [int(path.name[-2:]) for path in checkpoints(tmp_path)] == [3, 6, 7]


@settings(max_examples=30, deadline=None)
@given(place=st.floats(0, 0.999), bit=st.integers(0, 7))
def test_one_flipped_bit_is_noticed_and_the_checkpoint_before_taken(place, bit):
    with TemporaryDirectory() as name:
        folder = Path(name)
        model, optimizer = fresh()
        for number in (1, 2):
            step(model, optimizer, number)
            save_checkpoint(folder, number, model, optimizer)
        path = folder / "step-00000002" / "rank-00000.safetensors"
        raw = bytearray(path.read_bytes())
        raw[int(place * len(raw))] ^= 1 << bit
        path.write_bytes(raw)
        said = []
        assert restore(folder, model, optimizer, say=said.append)["step"] == 1
        assert "rank-00000.safetensors: differs from what was written" in said[0]
        assert [p.name for p in folder.glob("*2*")] == ["step-00000002.damaged"]


def test_without_a_sound_one_nothing_starts_afresh_in_silence(tmp_path):
    model, optimizer = fresh()
    save_checkpoint(tmp_path, 1, model, optimizer)
    os.truncate(tmp_path / "step-00000001" / "rank-00000.safetensors", 20)
    with pytest.raises(BadInput, match="every checkpoint is damaged"):
        load_checkpoint(tmp_path, model, optimizer)


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    model, optimizer = fresh()
    save_checkpoint(tmp_path, 1, model, optimizer)
    wide = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Linear(5, 2))
    with pytest.raises(BadInput, match=r"'model.0.weight' has shape \(4, 3\), the model \(5, 3\)"):
        load_checkpoint(tmp_path, wide, torch.optim.AdamW(wide.parameters()))


def test_the_files_are_safetensors_that_others_read(tmp_path):
    model, optimizer = fresh()
    step(model, optimizer, 1)
    save_checkpoint(tmp_path, 1, model.to(torch.bfloat16), optimizer)
    found = load_file(tmp_path / "step-00000001" / "rank-00000.safetensors")
    assert torch.equal(found["model.1.weight"], model[1].weight)
    assert not any(path.suffix not in (".json", ".safetensors") for path in tmp_path.rglob("*.*"))


def test_random_numbers_go_on_where_they_were(tmp_path):
    model, optimizer = fresh()
    save_checkpoint(tmp_path, 1, model, optimizer)
    wanted = torch.rand(3)
    torch.rand(5)
    load_checkpoint(tmp_path, model, optimizer)
    assert torch.equal(torch.rand(3), wanted)
