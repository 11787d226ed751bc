"""Compiled layer norms and attention sums equal their definition, whatever the width, the strides and the threads."""

import pytest
import torch
from torch.nn import functional

from polyfuse.ops import native_maps
from polyfuse.ops.native_kernels import kernel
from polyfuse.ops.native_maps import count, normed
from polyfuse.ops.native_maps_sets import maps_instruction_set, supports_maps

pytestmark = pytest.mark.skipif(
    maps_instruction_set(torch.bfloat16) is None, reason="no compiled kernel, or a processor without bfloat16"
)
WIDTHS = [4, 12, 16, 24, 28, 64]


def random_map(*shape: int) -> torch.Tensor:
    """Normal values, rounded to bfloat16."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(4)).bfloat16()


@pytest.mark.parametrize("channels", WIDTHS)
def test_norm_is_the_float32_one_rounded(channels: int) -> None:
    x = 3 * random_map(5, 7, channels) + 2
    weight, bias = torch.randn(2, channels, generator=torch.Generator().manual_seed(1))
    expected = functional.layer_norm(x.double(), (channels,), weight.double(), bias.double(), 1e-5)
    found = normed(x, weight, bias, 1e-5)
    assert found.dtype == torch.bfloat16
    # half a place of bfloat16, and float32 before it
    torch.testing.assert_close(found.double(), expected, rtol=2**-8 + 1e-5, atol=1e-5)


def test_norm_reads_weights_kept_in_bfloat16() -> None:
    x, weight, bias = random_map(5, 7, 24), *random_map(2, 24)
    assert torch.equal(normed(x, weight, bias, 1e-5), normed(x, weight.float(), bias.float(), 1e-5))


def test_flat_and_strided_pixels_are_normed() -> None:
    flat = torch.full((3, 3, 8), 0.5, dtype=torch.bfloat16)
    assert (normed(flat, torch.ones(8), torch.full((8,), 0.25), 1e-5) == 0.25).all()
    wide = random_map(6, 5, 24)
    part = wide[1:4, :, 8:16]
    assert torch.equal(
        normed(part, torch.ones(8), torch.zeros(8), 1e-5), normed(part.clone(), torch.ones(8), torch.zeros(8), 1e-5)
    )


@pytest.mark.parametrize(("channels", "heads"), [(4, 2), (12, 4), (24, 4), (28, 2), (32, 2), (64, 8), (60, 4)])
def test_sums_are_those_of_every_head(channels: int, heads: int) -> None:
    mixed = random_map(67, 37, 3 * channels)[1:, 2:]  # as they come: thirds of a wider map, cut out
    query, key, _ = mixed.chunk(3, dim=-1)
    assert native_maps.counts(query, heads)
    products, squares = count(query, key, heads)
    size = channels // heads
    flat_query, flat_key = (x.double().flatten(0, 1) for x in (query, key))
    for head in range(heads):
        own = slice(head * size, (head + 1) * size)
        expected = flat_query[:, own].T @ flat_key[:, own]
        torch.testing.assert_close(products[own], expected, rtol=1e-6, atol=1e-4)
    torch.testing.assert_close(squares, torch.stack([x.square().sum(dim=0) for x in (flat_query, flat_key)]))


def test_other_maps_are_left_to_pytorch() -> None:
    cpu, bf16 = torch.device("cpu"), torch.bfloat16
    assert supports_maps(cpu, bf16, 64)
    assert not supports_maps(cpu, bf16, 68)
    assert not supports_maps(cpu, torch.float64, 24)
    assert not supports_maps(torch.device("meta"), bf16, 24)
    assert not native_maps.counts(random_map(2, 2, 64), 2)  # heads of 32 channels
    assert not native_maps.counts(random_map(2, 2, 24).float(), 4)


def test_kernel_refuses_what_would_run_past_its_buffers() -> None:
    module = kernel("maps")
    assert module is not None
    with pytest.raises(ValueError, match="wrong number of channels"):
        module.norm(0, 1, 65, 0, 0, 1e-5, 0)
    with pytest.raises(ValueError, match="wrong number of channels"):
        module.count((0, 0), (1, 1, 1, 1), (64, 32), (0, 0))
    passing = ((0, 0, 0, 0, 0), 0.0, 1, 0)
    with pytest.raises(ValueError, match="wrong number of channels"):
        module.reason("avx512_bf16", (0, 1), 68, (0,) * 6, (0, 0), (0, 1), passing, passing)
