"""The pyramid's filters, from their definition: a convolution with (1, 4, 6, 4, 1) / 16 in both directions."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.ops.pyramid import blur, expand, shrink

KERNEL = torch.tensor([1, 4, 6, 4, 1], dtype=torch.float64) / 16
SIZES = [(1, 1), (1, 6), (2, 3), (7, 8), (16, 33)]


def filtered(x: Tensor, gain: float = 1.0) -> Tensor:
    """(N, C, H, W), each channel by itself, where the kernel lies inside."""
    kernel = gain * KERNEL[:, None] * KERNEL
    return functional.conv2d(x.flatten(0, 1)[:, None], kernel[None, None])[:, 0].unflatten(0, x.shape[:2])


@pytest.mark.parametrize("size", SIZES)
def test_blur_and_shrink_are_the_kernel_with_the_edge_repeated(size: tuple[int, int]) -> None:
    x = torch.rand(2, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    wanted = filtered(functional.pad(x, (2, 2, 2, 2), mode="replicate"))
    torch.testing.assert_close(blur(x), wanted, rtol=0, atol=1e-14)
    torch.testing.assert_close(shrink(x), wanted[..., ::2, ::2], rtol=0, atol=1e-14)


@pytest.mark.parametrize("size", SIZES)
def test_expand_is_four_times_the_kernel_on_pixels_with_zeros_between(size: tuple[int, int]) -> None:
    height, width = (-(-side // 2) for side in size)
    x = torch.rand(2, 3, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    spread = torch.zeros(2, 3, 2 * height + 4, 2 * width + 4, dtype=torch.float64)
    spread[..., ::2, ::2] = functional.pad(x, (1, 1, 1, 1), mode="replicate")
    wanted = filtered(spread, gain=4.0)[..., : size[0], : size[1]]
    torch.testing.assert_close(expand(x, torch.Size(size)), wanted, rtol=0, atol=1e-14)


def test_a_constant_stays_exactly_what_it_is() -> None:
    x = torch.full((1, 1, 9, 12), 0.3)
    assert torch.equal(blur(x), x)
    assert torch.equal(shrink(x), torch.full((1, 1, 5, 6), 0.3))
    assert torch.equal(expand(shrink(x), x.shape), x)
