"""The compiled sum of the sizes of two filters' answers equals its definition at any size, width and stride."""

from typing import cast

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.ops import native_edges
from polyfuse.ops.native_edges import Edges
from polyfuse.ops.native_maps_sets import maps_instruction_set

pytestmark = pytest.mark.skipif(
    maps_instruction_set(torch.bfloat16) is None, reason="no compiled kernel, or a processor without bfloat16"
)
BF16 = torch.bfloat16


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def literal(x: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """In float64."""
    planes = x.double().permute(2, 0, 1)[None]
    answers = (functional.conv2d(planes, w.double(), padding=1, groups=len(w)) for w in (first, second))
    return cast(Tensor, sum(answer.abs() for answer in answers))[0].permute(1, 2, 0)


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (4, 1), (2, 2), (7, 19)])
@pytest.mark.parametrize("channels", [1, 8, 16, 24, 33, 64])
def test_it_is_the_definition_rounded(size: tuple[int, int], channels: int) -> None:
    x, found = random(*size, channels).to(BF16), torch.empty(*size, channels, dtype=BF16)
    first, second = random(2, channels, 1, 3, 3, seed=1)
    Edges(first, second)(x, found)
    # half a place of bfloat16, and float32 before it
    torch.testing.assert_close(found.double(), literal(x, first, second), rtol=2**-8 + 1e-5, atol=1e-5)


def test_parts_of_wider_maps_are_read_and_written_where_they_lie() -> None:
    first, second = random(2, 24, 1, 3, 3, seed=1)
    wide = random(6, 20, 96).to(BF16)
    before, part = wide.clone(), wide[1:, 2:, :24]
    Edges(first, second)(part, wide[1:, 2:, 72:])
    whole = torch.empty(5, 18, 24, dtype=BF16)
    Edges(first, second)(part.contiguous(), whole)
    assert torch.equal(wide[1:, 2:, 72:], whole)
    assert torch.equal(wide[..., :72], before[..., :72])
    assert torch.equal(wide[0], before[0])
    assert torch.equal(wide[:, :2], before[:, :2])


@pytest.mark.parametrize(
    ("shape", "dtype"), [((8, 1, 3, 3), torch.float32), ((8, 8, 3, 3), BF16), ((8, 1, 5, 5), BF16)]
)
def test_other_filters_are_left_to_pytorch(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    assert native_edges.takes(torch.empty(8, 1, 3, 3), BF16)
    assert not native_edges.takes(torch.empty(shape), dtype)
