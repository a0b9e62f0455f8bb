"""Matrix products of the decoder: oneDNN's in fp32 on a CPU, or bf16 with fp32 around it.

torch takes MKL's products for fp32 on a CPU, which on processors of other makers than MKL's are
half as quick as oneDNN's. Here oneDNN is called for the linear layers
alone, by its operator: torch's switch for all products would slow attention down and may stand for
bf16 where a processor has it. oneDNN also gives a row the same bits whatever other rows are there,
which sampling relies on; only a single row would take another kernel, and it never goes alone.
"""

# M rows, I inputs, O outputs

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Rows of a product are filled up to a multiple of this, beyond so many rows of that.
_FEW_STEP, _MANY, _MANY_STEP = 8, 256, 64

#: What a setting's name stands for.
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


class Multiplies(nn.Module):
    """A module with a matrix that it multiplies by.

    Attributes:
        compute: bfloat16 to round both factors of each product; weights and sums stay as they are.
        rounded: the matrix in bfloat16 while ``rounded_once`` holds.
    """

    compute: torch.dtype = torch.float32
    rounded: Tensor | None = None

    @property
    def matrix(self) -> Tensor:
        """The (O, I) matrix."""
        raise NotImplementedError

    def times(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """(…, I) to (…, O)."""
        return linear(x, self.matrix, bias, self.compute, self.rounded)


class Linear(nn.Linear, Multiplies):
    """``nn.Linear`` with the product of this file."""

    @property
    def matrix(self) -> Tensor:
        """The weight."""
        return self.weight

    def forward(self, x: Tensor) -> Tensor:
        """(…, I) to (…, O)."""
        return self.times(x, self.bias)


def compute_in(model: nn.Module, dtype: torch.dtype) -> None:
    """Let every linear layer of a model multiply in float32 or bfloat16."""
    for module in model.modules():
        if isinstance(module, Multiplies):
            module.compute = dtype


@contextmanager
def rounded_once(model: nn.Module) -> Iterator[None]:
    """Inside, weights do not change: what multiplies in bf16 rounds its matrix only once."""
    every = [m for m in model.modules() if isinstance(m, Multiplies)]
    rounding = [module for module in every if module.compute == torch.bfloat16]
    try:
        for module in rounding:
            module.rounded = module.matrix.detach().bfloat16()
        yield
    finally:
        for module in rounding:
            module.rounded = None


def linear(
    x: Tensor,
    weight_OI: Tensor,
    bias_O: Tensor | None = None,
    compute: torch.dtype = torch.float32,
    rounded_OI: Tensor | None = None,
) -> Tensor:
    """``x @ weight.T + bias``, differentiable.

    Args:
        x: (…, I).
        weight_OI: the weight; its gradient has its type.
        bias_O: the bias.
        compute: bfloat16 rounds both factors; sums are in fp32 and the result has x's type.
        rounded_OI: the weight in bfloat16 where the caller has it.
    """
    if compute == torch.bfloat16 and x.dtype == torch.float32:
        factor_OI = weight_OI.detach().bfloat16() if rounded_OI is None else rounded_OI
    elif _is_plain(x, weight_OI) and _works():
        factor_OI = weight_OI
    else:
        return F.linear(x, weight_OI, bias_O)
    if torch.is_grad_enabled():
        y: Tensor = _Product.apply(x, weight_OI, factor_OI)
    else:
        x_MI = x.reshape(-1, x.shape[-1]).to(factor_OI.dtype)
        y = _shaped(_times(x_MI, factor_OI).to(x.dtype), x)
    return y if bias_O is None else y + bias_O


def products(x: Tensor, layers: Sequence[Linear]) -> Tensor:
    """The products of several layers with one input, beside each other: (…, I) to (…, all O).

    One product costs less than several, rounds x only once, and adds up the gradients of x itself.

    Args:
        x: in the type that the layers compute in, on a CPU.
        layers: all compute alike.
    """
    y: Tensor = _Products.apply(x, *(layer.weight for layer in layers))
    if layers[0].bias is None:
        return y
    return y + torch.cat([layer.bias for layer in layers]).to(y.dtype)


class _Products(torch.autograd.Function):
    """x times the transposes of weights, beside each other; x's type is that of the products."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *weights: Tensor) -> Tensor:
        x_MI = x.reshape(-1, x.shape[-1])
        factor_OI = _beside(weights, x.dtype)
        # Made again in the backward pass, where in fp32 it would be a second copy of all weights.
        kept = factor_OI if x.dtype != torch.float32 else None
        ctx.save_for_backward(x_MI, kept, *weights)
        ctx.shape = x.shape
        return _shaped(_times(x_MI, factor_OI), x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x_MI, factor_OI, *weights = ctx.saved_tensors
        gradient_MO = gradient.reshape(-1, gradient.shape[-1])
        to_x = None
        if ctx.needs_input_grad[0]:
            factor_OI = _beside(weights, x_MI.dtype) if factor_OI is None else factor_OI
            to_x = _times(gradient_MO, factor_OI.t()).view(ctx.shape)
        if not any(ctx.needs_input_grad[1:]):
            return to_x, *(None for _ in weights)
        to_weights = to_weight(gradient_MO, x_MI).float()
        return to_x, *to_weights.split([len(weight) for weight in weights])


def _beside(weights: Sequence[Tensor], kind: torch.dtype) -> Tensor:
    cast = [weight.detach().to(kind) for weight in weights]
    return torch.cat(cast) if len(cast) > 1 else cast[0]


def _is_plain(x: Tensor, weight_OI: Tensor) -> bool:
    """Whether both are in fp32, on a CPU, and whole (tensor parallelism hands out DTensors)."""
    if torch.compiler.is_compiling():  # it makes products of its own, and cannot trace ``_works``
        return False
    whole = not hasattr(x, "device_mesh") and not hasattr(weight_OI, "device_mesh")
    return whole and x.device.type == "cpu" and x.dtype == weight_OI.dtype == torch.float32


class _Product(torch.autograd.Function):
    """x times the transpose of ``factor_OI``, which is ``weight_OI`` or that in bf16."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight_OI: Tensor, factor_OI: Tensor) -> Tensor:
        x_MI = x.reshape(-1, x.shape[-1]).to(factor_OI.dtype)
        ctx.save_for_backward(x_MI, factor_OI)
        ctx.shape = x.shape
        return _shaped(_times(x_MI, factor_OI).to(x.dtype), x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x_MI, factor_OI = ctx.saved_tensors
        gradient_MO = gradient.reshape(-1, gradient.shape[-1])
        rounded_MO = gradient_MO.to(factor_OI.dtype)
        to_x = to_factor = None
        if ctx.needs_input_grad[0]:
            to_x = _times(rounded_MO, factor_OI.t()).to(gradient.dtype).view(ctx.shape)
        if ctx.needs_input_grad[1]:
            to_factor = to_weight(rounded_MO, x_MI).to(gradient.dtype)
        return to_x, to_factor, None


def to_weight(gradient_MO: Tensor, x_MI: Tensor) -> Tensor:
    """The gradient of a weight, (O, I), from that of its products and their inputs."""
    if not _is_plain(gradient_MO, x_MI):
        return torch.mm(gradient_MO.t(), x_MI)
    with onednn():
        return torch.mm(_filled(gradient_MO).t(), _filled(x_MI))


@contextmanager
def onednn() -> Iterator[None]:
    """Inside, torch takes oneDNN for products in fp32 on a CPU, where these are as exact.

    The switch allows products in bf16. Processors without such matrix units make none of it, and
    what this one makes of it was seen before.
    """
    with _switched() if _exact_by_switch() else nullcontext():
        yield


@contextmanager
def _switched() -> Iterator[None]:
    switch: Any = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    before = switch.fp32_precision
    switch.fp32_precision = "bf16"
    try:
        yield
    finally:
        switch.fp32_precision = before


def _shaped(y_MO: Tensor, x: Tensor) -> Tensor:
    """(…, O) with the leading dimensions of x; no view, which FSDP warns of."""
    shaped: Tensor = torch.ops.aten._unsafe_view(y_MO, [*x.shape[:-1], y_MO.shape[-1]])
    return shaped


def _times(x_MI: Tensor, weight_OI: Tensor) -> Tensor:
    if x_MI.device.type != "cpu" or x_MI.dtype != torch.float32 or not _works():
        return F.linear(x_MI, weight_OI)
    return _onednn(x_MI, weight_OI)


def _onednn(x_MI: Tensor, weight_OI: Tensor) -> Tensor:
    """The product over rows filled up to a round number of them."""
    return _pointwise(_filled(x_MI), weight_OI)[: x_MI.shape[0]]


def _filled(x_MI: Tensor) -> Tensor:
    """Rows of zeros below, up to a round number of rows.

    oneDNN compiles a kernel for each number of rows, which takes milliseconds and a MiB or two, and
    ragged batches hardly ever have the same number twice.
    """
    rows = x_MI.shape[0]
    spare = -rows % (_MANY_STEP if rows > _MANY else _FEW_STEP)
    return F.pad(x_MI, (0, 0, 0, spare)) if spare else x_MI


def _pointwise(x_MI: Tensor, weight_OI: Tensor) -> Tensor:
    product: Tensor = torch.ops.mkldnn._linear_pointwise(x_MI, weight_OI, None, "none", [], "")
    return product


@cache
def _works() -> bool:
    """Whether oneDNN is there and as exact as fp32 should be, seen on a product."""
    try:
        return torch.backends.mkldnn.is_available() and _is_exact(_onednn)
    except (AttributeError, RuntimeError):  # another torch, another operator
        return False


@cache
def _exact_by_switch() -> bool:
    """Whether products stay exact when torch is allowed to make them in bf16."""
    with _switched():
        return _works() and all(
            _is_exact(product)
            for product in (
                lambda x_MI, weight_OI: torch.mm(x_MI, weight_OI.t()),
                lambda x_MI, weight_OI: torch.bmm(x_MI[None], weight_OI.t()[None])[0],
            )
        )


def _is_exact(product: Callable[[Tensor, Tensor], Tensor]) -> bool:
    generator = torch.Generator().manual_seed(0)
    x_MI = torch.randn(33, 300, generator=generator)
    weight_OI = torch.randn(70, 300, generator=generator)
    exact_MO = x_MI.double() @ weight_OI.double().t()
    return bool((product(x_MI, weight_OI) - exact_MO).norm() < 1e-6 * exact_MO.norm())
