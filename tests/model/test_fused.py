"""The compiled passes between products: values and gradients are those of torch's chains."""

import pytest
import torch
import torch.nn.functional as F

from seekmath.model import fused


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def grown(*shape: int, seed: int = 0, scale: float = 3.0) -> torch.Tensor:
    drawn = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return (scale * drawn).requires_grad_()


def angles(rows: int, length: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    drawn = torch.randn(rows, length, width // 2, generator=torch.Generator().manual_seed(9))
    return torch.cat([drawn.cos()] * 2, -1), torch.cat([-drawn.sin(), drawn.sin()], -1)


CASES = {
    "norm": (lambda x, w: fused.rms_norm(x, w, 1e-5), [(3, 7, 50), (50,)]),
    "gated": (fused.gated, [(3, 7, 41), (3, 7, 41)]),
    "turned": (
        lambda x: fused.rotate(x, *(a.to(x.dtype) for a in angles(3, 7, 10))),
        [(3, 7, 2, 10)],
    ),
    "turned alike": (
        lambda x: fused.rotate(x, *(a.to(x.dtype) for a in angles(1, 7, 10))),
        [(3, 7, 2, 10)],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_those_of_the_chain(name):
    function, shapes = CASES[name]
    inputs = [grown(*shape, seed=number) for number, shape in enumerate(shapes)]
    assert all(fused.serves(x) for x in inputs)
    doubles = [x.detach().double().requires_grad_() for x in inputs]
    assert not any(fused.serves(x) for x in doubles)
    found, wanted = function(*inputs), function(*doubles)
    torch.testing.assert_close(found, wanted.float(), atol=2e-6, rtol=2e-6)
    pull = torch.randn(found.shape, generator=torch.Generator().manual_seed(5))
    exact = torch.autograd.grad(wanted, doubles, pull.double())
    for one, other in zip(torch.autograd.grad(found, inputs, pull), exact, strict=True):
        torch.testing.assert_close(one, other.float(), atol=1e-5, rtol=1e-5)


def test_gate_and_gradient_hold_far_from_zero():
    gate = torch.tensor([-1e4, -100.0, -87.5, -20.0, 0.0, 20.0, 87.5, 100.0, 1e4]).requires_grad_()
    out = fused.gated(gate, torch.ones(9))
    torch.testing.assert_close(out, F.silu(gate), atol=1e-30, rtol=1e-6)
    out.sum().backward()
    exact = gate.detach().double().requires_grad_()
    F.silu(exact).sum().backward()
    torch.testing.assert_close(gate.grad, exact.grad.float(), atol=1e-6, rtol=1e-6)


def test_what_is_no_number_stays_none():
    for function in (lambda x: fused.gated(x, x), lambda x: fused.rms_norm(x, torch.ones(4), 1e-5)):
        x = torch.tensor([[1.0, float("nan"), 2.0, 3.0]]).requires_grad_()
        out = function(x)
        out.sum().backward()
        assert out.isnan().any()
        assert x.grad.isnan().any()
