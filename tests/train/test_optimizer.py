import itertools

import pytest
import torch

from seekmath.model.decoder import Decoder
from seekmath.model.sizes import sized
from seekmath.train.optimizer import decay_start, learning_rate, make_adamw, pick_device, update
from seekmath.train.settings import OptimizerSettings


def rates(steps, **changes):
    settings = OptimizerSettings(peak_lr=2.0, **changes)
    return [learning_rate(step, steps, settings) for step in range(steps)]


def test_multistep_falls_at_80_and_90_percent():
    found = rates(100, schedule="multistep", warmup_steps=4)
    assert found[:4] == [0.5, 1.0, 1.5, 2.0]
    assert set(found[4:80]) == {2.0}
    assert found[80:90] == pytest.approx([0.632] * 10)
    assert found[90:] == pytest.approx([0.2] * 10)


def test_cosine_falls_smoothly_to_a_tenth():
    found = rates(1000, schedule="cosine", warmup_steps=10)
    assert found[9] == found[10] == 2.0
    assert all(a > b for a, b in itertools.pairwise(found[10:]))
    assert found[505] == pytest.approx(1.1, abs=0.01)
    assert found[-1] == pytest.approx(0.2, abs=1e-4)


def test_wsd_stays_and_then_falls_towards_zero():
    found = rates(200, schedule="wsd", warmup_steps=10, decay_share=0.2)
    assert set(found[10:160]) == {2.0}
    assert all(a > b > 0 for a, b in itertools.pairwise(found[159:]))
    # 1 - sqrt: a quarter of the way through the decay half of the peak is left.
    assert found[169] == pytest.approx(2.0 * (1 - (10 / 41) ** 0.5))


@pytest.mark.parametrize("schedule", ["multistep", "wsd", "cosine", "constant"])
@pytest.mark.parametrize("steps", [1, 7, 35, 1000])
def test_the_decay_starts_where_the_rate_first_falls(schedule, steps):
    settings = OptimizerSettings(peak_lr=2.0, schedule=schedule, decay_share=0.1)
    found = rates(steps, schedule=schedule)
    fallen = [step for step, rate in enumerate(found) if rate < 2.0]
    start = decay_start(steps, settings)
    if schedule in ("multistep", "wsd") and fallen:
        assert fallen[0] == start
    else:
        assert start == steps


def test_constant_stays():
    assert set(rates(50, schedule="constant")) == {2.0}


def test_norms_and_biases_do_not_decay():
    model = Decoder(sized("tiny", vocab_size=31, context=16))
    optimizer = make_adamw(model, OptimizerSettings(peak_lr=0.1))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    update(model, optimizer, rate=0.1, clip_norm=1.0)
    for name, parameter in model.named_parameters():
        factor = 1.0 if "norm" in name else 1 - 0.1 * 0.1
        torch.testing.assert_close(parameter.detach(), before[name] * factor)
    assert all(group["betas"] == (0.9, 0.95) for group in optimizer.param_groups)


def test_gradients_are_clipped_to_the_norm_and_never_nan():
    model = torch.nn.Linear(4, 1, bias=False)
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.0, 0.0), eps=1e6, weight_decay=0)
    before = model.weight.detach().clone()
    model.weight.grad = torch.tensor([[3.0, 4.0, 0.0, 0.0]])
    assert update(model, optimizer, rate=1e6, clip_norm=1.0) == 5.0
    # With so large an epsilon the step is the clipped gradient itself.
    moved = before - model.weight.detach()
    torch.testing.assert_close(moved, torch.tensor([[0.6, 0.8, 0, 0]]), atol=1e-4, rtol=1e-4)
    model.weight.grad = torch.full((1, 4), torch.nan)
    with pytest.raises(FloatingPointError, match="the gradient norm is nan"):
        update(model, optimizer, rate=1.0, clip_norm=1.0)


def test_a_named_device_is_taken():
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type in ("cpu", "cuda", "mps")
