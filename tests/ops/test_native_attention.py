"""The compiled attention equals its definition for any number of queries, keys, heads and channels."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.ops import native_attention
from polyfuse.ops.native_attention import Attention
from polyfuse.ops.native_maps_sets import maps_instruction_set

pytestmark = pytest.mark.skipif(
    maps_instruction_set(torch.bfloat16) is None, reason="no compiled kernel, or a processor without bfloat16"
)
BF16, CPU = torch.bfloat16, torch.device("cpu")


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def literal(query: Tensor, key: Tensor, value: Tensor, *, unit_length: bool) -> Tensor:
    """(N, heads, outputs) with the operands that the kernel has, in float64."""
    heads, _, width = key.shape
    asked = query.double().view(len(query), heads, width)
    if unit_length:
        asked = functional.normalize(asked, dim=-1, eps=1e-12)
    chosen = torch.einsum("nhw,hkw->nhk", asked, key.bfloat16().double()).softmax(dim=-1)
    return torch.einsum("nhk,hko->nho", chosen, value.bfloat16().double())


@pytest.mark.parametrize("queries", [1, 8, 21])
@pytest.mark.parametrize("keys", [1, 16, 17, 64, 331])
@pytest.mark.parametrize(("heads", "width", "outputs"), [(1, 16, 16), (2, 16, 32), (3, 32, 48)])
@pytest.mark.parametrize("unit_length", [False, True])
def test_it_adds_the_definition_of_all_heads(
    queries: int, keys: int, heads: int, width: int, outputs: int, unit_length: bool
) -> None:
    key, value = 2 * random(heads, keys, width, seed=1), random(heads, keys, outputs, seed=2)
    query, before = random(queries, heads * width, seed=3).to(BF16), random(queries, outputs, seed=4).to(BF16)
    found = before.clone()
    Attention(key, value, unit_length=unit_length)(query, found)
    got = literal(query, key, value, unit_length=unit_length)
    # half a place of bfloat16 for each probability and for the sum after each head, and 2^y within 7.5e-5
    bound = heads * (2**-8 + 1e-4) * (value.abs().amax(dim=(0, 1)) + before.abs() + got.abs().sum(dim=1))
    assert ((found - (before.double() + got.sum(dim=1))).abs() <= bound).all()


def test_heads_apart_fill_their_own_channels() -> None:
    key, value = random(3, 40, 16, seed=1), random(3, 40, 32, seed=2)
    query, found = random(11, 48, seed=3).to(BF16), torch.zeros(11, 96, dtype=BF16)
    Attention(key, value)(query, found, apart=True)
    torch.testing.assert_close(
        found.double().view(11, 3, 32), literal(query, key, value, unit_length=False), rtol=2**-7, atol=2**-8
    )


def test_parts_of_wider_rows_are_read_and_written_where_they_lie() -> None:
    attention = Attention(random(2, 9, 16, seed=1), random(2, 9, 16, seed=2))
    asked, target = random(10, 64).to(BF16), torch.full((10, 40), 7, dtype=BF16)
    attention(asked[:, 16:48], target[:, 8:24])
    expected = torch.full((10, 16), 7, dtype=BF16)
    attention(asked[:, 16:48].contiguous(), expected)
    assert torch.equal(target[:, 8:24], expected)
    assert (target[:, :8] == 7).all()
    assert (target[:, 24:] == 7).all()


def test_products_far_apart_choose_one_key_and_a_query_of_zeros_all_alike() -> None:
    key, value = torch.zeros(1, 20, 16), random(1, 20, 16, seed=2)
    key[0, 13] = 100
    query, found = torch.zeros(2, 16, dtype=BF16), torch.zeros(2, 16, dtype=BF16)
    query[0] = 50
    for unit_length in (False, True):
        Attention(key, value, unit_length=unit_length)(query, found.zero_())
        assert torch.equal(found[0], value[0, 13].to(BF16))
        torch.testing.assert_close(found[1].float(), value[0].mean(dim=0), rtol=0.02, atol=0.005)


@pytest.mark.parametrize(
    ("dtype", "width", "outputs"), [(torch.float32, 16, 16), (BF16, 8, 16), (BF16, 24, 16), (BF16, 16, 8)]
)
def test_other_attention_is_left_to_pytorch(dtype: torch.dtype, width: int, outputs: int) -> None:
    assert not native_attention.takes(dtype, CPU, width, outputs)
    assert native_attention.takes(BF16, CPU, 16, 16)
