"""The separable block equals its three convolutions, compiled or not, at any width, border and cut."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.layers.channel_norm import ChannelNorm
from polyfuse.layers.separable import SeparableBlock
from polyfuse.ops import native_separable
from polyfuse.ops.native_maps_sets import maps_instruction_set
from polyfuse.ops.native_separable import BLOCK, Activation, Filters

NONE: tuple[Activation, Activation, Activation] = ("none", "none", "none")
GELU: tuple[Activation, Activation, Activation] = ("gelu", "gelu", "gelu")
BOTTLENECK: tuple[Activation, Activation, Activation] = ("relu6", "relu6", "none")
FUNCTIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "none": lambda x: x,
    "relu6": functional.relu6,
    "gelu": functional.gelu,
}
needs_kernel = pytest.mark.skipif(
    maps_instruction_set(torch.bfloat16) is None, reason="no compiled kernel, or a processor without bfloat16"
)
CASES = [  # inputs, wide, outputs, norm, reflect, residual, activations
    (24, 72, None, True, False, False, NONE),
    (24, 24, 24, True, False, True, GELU),
    (12, 24, 12, False, True, False, BOTTLENECK),
    (12, 36, None, False, False, False, NONE),
    (64, 192, 64, True, False, True, GELU),
    (2, 2, 1, False, True, False, BOTTLENECK),
    (6, 14, 10, True, True, False, ("gelu", "none", "relu6")),
    (32, 80, 18, False, False, False, ("relu6", "gelu", "gelu")),
]
SIZES = [(1, 1), (1, 2), (2, 1), (5, BLOCK - 1), (4, BLOCK), (3, BLOCK + 1), (6, 2 * BLOCK + 2)]
Case = tuple[int, int, int | None, bool, bool, bool, tuple[Activation, Activation, Activation]]


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def convolution(*shape: int, bias: bool) -> Filters:
    weight = random(*shape, seed=sum(shape)) / (shape[1] * shape[2] * shape[3]) ** 0.5
    return Filters(weight, 0.3 * random(shape[0], seed=1) if bias else None)


def channel_norm(channels: int) -> ChannelNorm:
    norm = ChannelNorm(channels).requires_grad_(False)
    norm.weight.copy_(1 + 0.3 * random(channels, seed=2))
    norm.bias.copy_(0.3 * random(channels, seed=3))
    return norm


def parts(case: Case, *, bias: bool = True) -> tuple[Filters, Filters, Filters | None, ChannelNorm | None]:
    inputs, wide, outputs, norm, *_ = case
    reduce = None if outputs is None else convolution(outputs, wide, 1, 1, bias=bias)
    expand, mix = convolution(wide, inputs, 1, 1, bias=bias), convolution(wide, 1, 3, 3, bias=bias)
    return expand, mix, reduce, channel_norm(inputs) if norm else None


def block(dtype: torch.dtype, case: Case, *, bias: bool = True) -> SeparableBlock:
    expand, mix, reduce, norm = parts(case, bias=bias)
    _, _, _, _, reflect, residual, activations = case
    return SeparableBlock(dtype, expand, mix, reduce, activations, norm=norm, reflect=reflect, residual=residual)


def literal(x: Tensor, case: Case, *, bias: bool = True) -> Tensor:
    """The block by its definition in float64."""
    expand, mix, reduce, norm = parts(case, bias=bias)
    _, _, _, _, reflect, residual, activations = case
    first, second, third = (FUNCTIONS[name] for name in activations)

    def convolved(y: Tensor, found: Filters, groups: int = 1) -> Tensor:
        offset = None if found.bias is None else found.bias.double()
        return functional.conv2d(y, found.weight.double(), offset, groups=groups)

    planes = x.double().permute(2, 0, 1)[None]
    core = planes if norm is None else norm.double()(planes)
    wide = first(convolved(core, expand))
    height, width = wide.shape[-2:]
    if reflect:
        rows, columns = ([min(1, n - 1), *range(n), max(0, n - 2)] for n in (height, width))
        around = wide[:, :, rows][..., columns]
    else:
        around = functional.pad(wide, (1, 1, 1, 1))
    found = second(convolved(around, mix, groups=len(mix.weight)))
    if reduce is not None:
        found = third(convolved(found, reduce))
    if residual:
        found = found + core + planes
    return found[0].permute(1, 2, 0)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("case", CASES)
def test_layers_of_pytorch_are_the_definition(case: Case, size: tuple[int, int]) -> None:
    x = random(*size, case[0])
    torch.testing.assert_close(block(torch.float32, case)(x).double(), literal(x, case), rtol=0, atol=2e-5)


@needs_kernel
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("case", CASES)
def test_the_kernel_is_the_definition_rounded(case: Case, size: tuple[int, int]) -> None:
    x = random(*size, case[0]).bfloat16()
    made = block(torch.bfloat16, case)
    assert made._compiled is not None
    expected = literal(x, case)
    scale = expected.abs().max().clamp_min(1)  # three roundings to 8 bits
    torch.testing.assert_close(made(x).double() / scale, expected / scale, rtol=0, atol=1.5e-2)
    assert (made(x).double() - expected).abs().mean() / scale < 2.5e-3


@needs_kernel
@pytest.mark.parametrize("case", CASES)
def test_the_kernel_is_as_near_as_the_layers(case: Case) -> None:
    x = random(9, 40, case[0]).bfloat16()
    made, expected = block(torch.bfloat16, case), literal(x, case)
    errors = [(y.double() - expected).abs().mean() for y in (made(x), made._layer_by_layer(x, slice(0, 9)))]
    assert errors[0] <= 1.1 * errors[1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("case", CASES)
def test_rows_asked_for_are_those_of_the_whole(case: Case, dtype: torch.dtype) -> None:
    x, made = random(12, 70, case[0]).to(dtype), block(dtype, case)
    whole = made(x)
    for rows in (slice(0, 1), slice(3, 9), slice(11, 12)):
        part = made(x, rows)
        torch.testing.assert_close(part, whole[rows], rtol=0, atol=1e-5 if dtype == torch.float32 else 0)
        out = torch.full_like(part, 7)
        assert made(x, rows, out) is out
        assert torch.equal(out, part)


@needs_kernel
def test_pixels_of_a_wider_map_are_read_where_they_lie() -> None:
    wide, made = random(7, 70, 30).bfloat16(), block(torch.bfloat16, CASES[3])
    part = wide[1:6, 2:, 9:21]
    assert not part.is_contiguous()
    assert torch.equal(made(part), made(part.contiguous()))


@needs_kernel
def test_convolutions_without_bias() -> None:
    x = random(5, 9, 12).bfloat16()
    expected = literal(x, CASES[2], bias=False)
    found = block(torch.bfloat16, CASES[2], bias=False)(x).double()
    torch.testing.assert_close(found, expected, rtol=0, atol=1.5e-2 * max(1.0, expected.abs().max().item()))


@needs_kernel
def test_gelu_is_within_a_place_of_bfloat16() -> None:
    values = torch.cat([torch.linspace(-9, 9, 4001), torch.tensor([-1e30, -100.0, 0.0, 100.0, 1e30])]).bfloat16()
    one = torch.eye(2)[:, :, None, None]
    centre = functional.pad(torch.ones(2, 1, 1, 1), (1, 1, 1, 1))
    made = SeparableBlock(torch.bfloat16, Filters(one, None), Filters(centre, None), None, ("none", "gelu", "none"))
    found = made(values[None, :, None].expand(1, -1, 2).contiguous())[0, :, 0].double()
    expected = functional.gelu(values.double())
    torch.testing.assert_close(found, expected, rtol=2**-8, atol=1e-4)


@needs_kernel
@pytest.mark.parametrize(("channels", "wide"), [(3, 6), (6, 9), (66, 66), (32, 194)])
def test_other_widths_are_left_to_pytorch(channels: int, wide: int) -> None:
    made = block(torch.bfloat16, (channels, wide, 4, False, False, False, NONE))
    assert made._compiled is None
    assert made(random(3, 4, channels).bfloat16()).shape == (3, 4, 4)


def test_a_dense_convolution_is_left_to_pytorch() -> None:
    expand, _, reduce, _ = parts(CASES[2])
    dense = convolution(24, 24, 3, 3, bias=True)
    made = SeparableBlock(torch.bfloat16, expand, dense, reduce)
    assert not native_separable.takes(made._block, torch.bfloat16)
