"""The decoder's own matrix product: exact, differentiable, the same for a row in any company."""

import pytest
import torch
import torch.nn.functional as F

from seekmath.model.linear import Linear, compute_in, linear, rounded_once


def grown(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).requires_grad_()


@pytest.mark.parametrize("shape", [(1, 24), (7, 24), (2, 5, 24), (3, 1, 24)])
@pytest.mark.parametrize("outputs", [9, 40])
def test_values_and_gradients_are_those_of_torch(shape, outputs):
    x, weight, bias = grown(*shape), grown(outputs, 24, seed=1), grown(outputs, seed=2)
    wanted = F.linear(x.double(), weight.double(), bias.double())
    found = linear(x, weight, bias)
    torch.testing.assert_close(found, wanted.float(), atol=1e-5, rtol=1e-5)
    pull = torch.randn(wanted.shape, generator=torch.Generator().manual_seed(3))
    exact = torch.autograd.grad(wanted, (x, weight, bias), pull.double())
    for one, other in zip(torch.autograd.grad(found, (x, weight, bias), pull), exact, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_a_row_has_the_same_bits_in_any_company():
    with torch.no_grad():
        x, weight = grown(130, 96), grown(64, 96, seed=1)
        whole = linear(x, weight)
        for rows in (1, 2, 3, 5, 16, 33, 129):
            assert torch.equal(linear(x[:rows], weight), whole[:rows])
            assert torch.equal(linear(x[-rows:], weight), whole[-rows:])


def test_bf16_rounds_the_factors_and_nothing_else():
    x, layer = grown(6, 16), Linear(16, 8, bias=True)
    compute_in(layer, torch.bfloat16)
    rounded = F.linear(x.bfloat16().double(), layer.weight.bfloat16().double())
    found = layer(x)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), rounded + layer.bias, atol=2e-2, rtol=1e-2)
    found.sum().backward()
    assert layer.weight.grad.dtype == torch.float32
    wanted = torch.ones(6, 8).T @ x.detach()
    torch.testing.assert_close(layer.weight.grad, wanted, atol=0.05, rtol=0.02)


def test_weights_rounded_once_are_forgotten_afterwards():
    layer, x = Linear(16, 8, bias=False), grown(3, 16).detach()
    compute_in(layer, torch.bfloat16)
    with torch.no_grad():
        with rounded_once(layer):
            before = layer(x)
        assert torch.equal(layer(x), before)
        layer.weight.mul_(2)
        assert torch.equal(layer(x), 2 * before)
