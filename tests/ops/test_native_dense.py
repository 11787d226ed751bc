"""The compiled 3x3 or 1x1 convolution equals its definition at any size, dilation, width and stride."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.layers.maps import Layer
from polyfuse.ops import native_dense
from polyfuse.ops.native_maps_sets import maps_instruction_set

pytestmark = pytest.mark.skipif(
    maps_instruction_set(torch.bfloat16) is None, reason="no compiled kernel, or a processor without bfloat16"
)
BF16 = torch.bfloat16


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def weights(outputs: int, inputs: int, side: int = 3) -> tuple[Tensor, Tensor]:
    return random(outputs, inputs, side, side, seed=1) / (side**2 * inputs) ** 0.5, 0.3 * random(outputs, seed=2)


def literal(x: Tensor, weight: Tensor, bias: Tensor, dilation: int, leak: float) -> Tensor:
    """With the operands that the kernel has, in float64."""
    planes, exact = x.double().permute(2, 0, 1)[None], weight.bfloat16().double()
    padding = dilation * (weight.shape[-1] // 2)
    found = functional.conv2d(planes, exact, bias.double(), padding=padding, dilation=dilation)
    return functional.leaky_relu(found, leak)[0].permute(1, 2, 0)


@pytest.mark.parametrize("size", [(1, 1), (2, 7), (5, 8), (4, 9), (9, 16), (6, 17), (20, 41)])
@pytest.mark.parametrize(("outputs", "inputs"), [(8, 12), (16, 2), (16, 16), (24, 72), (32, 24), (40, 6), (48, 8)])
@pytest.mark.parametrize(("dilation", "leak"), [(1, 1.0), (2, 0.2), (16, 0.0)])
def test_it_is_the_definition_rounded(
    size: tuple[int, int], outputs: int, inputs: int, dilation: int, leak: float
) -> None:
    x, (weight, bias) = random(*size, inputs).bfloat16(), weights(outputs, inputs)
    layer = Layer(weight, bias, BF16, dilation=dilation, leak=leak)
    assert layer._compiled is not None
    expected = literal(x, weight, bias, dilation, leak)
    # half a place of bfloat16, and float32 before it
    torch.testing.assert_close(layer(x).double(), expected, rtol=2**-8 + 1e-5, atol=1e-5)


@pytest.mark.parametrize("outputs", [8, 16, 24, 40, 48])
@pytest.mark.parametrize("side", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, BF16])
def test_what_is_added_is_added_before_the_rectifier(outputs: int, side: int, dtype: torch.dtype) -> None:
    weight, bias = weights(outputs, 6, side)
    x, wide = random(5, 21, 6).to(dtype), random(5, 21, outputs + 4, seed=5).to(dtype)
    add = wide[..., 2 : 2 + outputs]
    found = Layer(weight, bias, dtype, leak=0.25)(x, add=add)
    expected = functional.leaky_relu(literal(x, weight, bias, 1, 1.0) + add.double(), 0.25)
    # in float32 the operands are not rounded as those of `literal` are
    rtol, atol = (2**-8, 1e-4) if dtype == BF16 else (0.02, 0.02)
    torch.testing.assert_close(found.double(), expected, rtol=rtol, atol=atol)


def test_rows_of_context_that_are_not_padded_are_left_out() -> None:
    weight, bias = weights(24, 8)
    x, layer = random(12, 20, 8).bfloat16(), Layer(weight, bias, BF16, dilation=2)
    assert torch.equal(layer(x, pad_rows=False), layer(x)[2:-2])


@pytest.mark.parametrize("size", [(1, 1), (3, 8), (4, 21)])
@pytest.mark.parametrize(("outputs", "inputs"), [(8, 2), (16, 96), (24, 24), (48, 6)])
def test_filters_of_one_pixel_are_products(size: tuple[int, int], outputs: int, inputs: int) -> None:
    weight, bias = weights(outputs, inputs, 1)
    x, layer = random(*size, inputs).to(BF16), Layer(weight, bias, BF16, leak=0.2)
    assert layer._compiled is not None
    expected = literal(x, weight, bias, 1, 0.2)
    torch.testing.assert_close(layer(x).double(), expected, rtol=2**-8 + 1e-5, atol=1e-5)
    assert torch.equal(layer(x, pad_rows=False), layer(x))


def test_columns_of_context_go_the_way_of_pytorch() -> None:
    weight, bias = weights(24, 8)
    x, layer = random(5, 20, 8).bfloat16(), Layer(weight, bias, BF16, leak=0.2)
    narrow = layer(x, pad_columns=False)
    assert narrow.shape == (5, 18, 24)
    torch.testing.assert_close(narrow.float(), layer(x)[:, 1:-1].float(), rtol=0.02, atol=0.02)


def test_parts_of_wider_maps_are_read_and_written_where_they_lie() -> None:
    weight, bias = weights(24, 12)
    wide, layer = random(7, 30, 40).bfloat16(), Layer(weight, bias, BF16, leak=0.2)
    part = wide[1:6, 3:, 20:32]
    target = torch.full((5, 27, 60), 7, dtype=BF16)
    assert layer(part, target[..., 10:34]).data_ptr() == target[..., 10:34].data_ptr()
    assert torch.equal(target[..., 10:34], layer(part.contiguous()))
    assert (target[..., :10] == 7).all()
    assert (target[..., 34:] == 7).all()


@pytest.mark.parametrize("dtype", [torch.float32, BF16])
def test_every_layer_fills_out_and_rectifies(dtype: torch.dtype) -> None:
    x = random(5, 9, 6).to(dtype)
    for shape, groups in (((16, 6, 3, 3), 1), ((6, 1, 3, 3), 6), ((10, 6, 1, 1), 1), ((24, 6, 3, 3), 1)):
        weight, target = random(*shape, seed=3), torch.zeros(5, 9, 30, dtype=dtype)
        plain = Layer(weight, None, dtype, groups=groups)(x)
        out = target[..., 2 : 2 + shape[0]]
        Layer(weight, None, dtype, groups=groups, leak=0.25)(x, out)
        torch.testing.assert_close(out, functional.leaky_relu(plain, 0.25), rtol=2**-8, atol=1e-6)


def test_without_bias_and_with_values_that_are_not_finite() -> None:
    weight, _ = weights(24, 6)
    x, layer = random(6, 21, 6).bfloat16(), Layer(weight, None, BF16)
    expected = literal(x, weight, torch.zeros(24), 1, 1.0)
    torch.testing.assert_close(layer(x).double(), expected, rtol=2**-8 + 1e-5, atol=1e-5)
    x[2, 5, 3] = float("nan")
    touched = layer(x).isnan().any(dim=-1)
    assert touched[1:4, 4:7].all()
    assert touched.sum() == 9


@pytest.mark.parametrize(
    ("shape", "groups", "dtype"),
    [
        ((20, 8, 3, 3), 1, BF16),
        ((24, 7, 3, 3), 1, BF16),
        ((24, 1, 3, 3), 24, BF16),
        ((24, 8, 5, 5), 1, BF16),
        ((56, 8, 3, 3), 1, BF16),
        ((24, 8, 3, 3), 1, torch.float32),
    ],
)
def test_other_convolutions_are_left_to_pytorch(shape: tuple[int, ...], groups: int, dtype: torch.dtype) -> None:
    assert not native_dense.takes(torch.empty(shape), groups, dtype)
