"""Which source each block of a DAE-Fuse's result depends on, against replacing one block after the other."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from polyfuse.families.daefuse import DAEFuse, contributions


@pytest.fixture(scope="module")
def model(formula_dae_fuse, small_dae) -> DAEFuse:
    return formula_dae_fuse(small_dae)


@pytest.fixture(scope="module")
def pair(smfnet_pair) -> tuple[Tensor, Tensor]:
    return smfnet_pair(21, 34, batch=2)


@pytest.fixture(scope="module")
def found(model, pair) -> dict[str, Tensor]:
    return model.block_contributions(*pair)


@torch.no_grad()
def one_by_one(model: DAEFuse, a: Tensor, b: Tensor, source: str) -> Tensor:
    """The definition, block after block."""
    fused, rows = model(a, b), []
    for top in range(0, a.shape[-2], 16):
        row = []
        for left in range(0, a.shape[-1], 16):
            changed = {"a": a.clone(), "b": b.clone()}
            block = changed[source][..., top : top + 16, left : left + 16]
            block[:] = block.mean(dim=(-2, -1), keepdim=True)
            difference = model(changed["a"], changed["b"]) - fused
            around = difference[..., max(top - 16, 0) : top + 32, max(left - 16, 0) : left + 32]
            row.append(around.square().mean(dim=(-2, -1)).sqrt())
        rows.append(torch.stack(row, dim=-1))
    return torch.stack(rows, dim=-2)


@pytest.mark.parametrize("source", ["a", "b"])
def test_weights_are_those_of_the_definition(source: str, model, pair, found) -> None:
    expected = one_by_one(model, pair[0], pair[1], source)  # 2 x 3 blocks: none shares a pass with another
    torch.testing.assert_close(found[f"weight_{source}"], expected, rtol=1e-7, atol=1e-12)
    assert expected.min() > 0


def test_share_is_that_of_both_weights(found) -> None:
    share = found["weight_a"] / (found["weight_a"] + found["weight_b"])
    torch.testing.assert_close(found["share_a"], share, rtol=0, atol=1e-4)


def test_source_without_structure_has_no_weight(model, pair) -> None:
    flat = model.block_contributions(torch.full_like(pair[0], 0.5), pair[1])
    assert flat["weight_a"].max() < 1e-12
    assert flat["share_a"].max() < 1e-3


def test_blocks_that_share_a_pass_do_not_mix_where_the_network_is_local(
    formula_dae_fuse, smfnet_pair, small_dae
) -> None:
    model = formula_dae_fuse(replace(small_dae, branches="cnn", cross_attention=False))  # reaches less than 32 pixels
    a, b = smfnet_pair(8, 16 * 5 + 3)
    found = model.block_contributions(a, b)["weight_a"]
    assert tuple(found.shape) == (1, 1, 1, 6)  # the last two with the first two
    torch.testing.assert_close(found, one_by_one(model, a, b, "a"), rtol=1e-7, atol=1e-12)


def test_weights_do_not_depend_on_how_many_passes_go_at_once(model, pair, found, monkeypatch) -> None:
    monkeypatch.setattr(contributions, "PIXELS_AT_ONCE", 1)
    for name, values in model.block_contributions(*pair).items():
        torch.testing.assert_close(values, found[name], rtol=1e-7, atol=1e-12)
