"""The fast form of DAE-Fuse equals the plain modules, in strips too, and bf16 stays near float32."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from polyfuse.families.daefuse import DAEFuse, DAEFuseConfig, fusion_pass
from polyfuse.families.daefuse.config import Size
from polyfuse.layers import strips

NARROW = {"shallow_channels": 8, "high_channels": (8, 8, 12, 12), "token_channels": 24, "depth": 1, "decoder_blocks": 1}
SMALL = DAEFuseConfig.of_size("tiny", **NARROW, high_out=8, low_out=8, decoder_channels=8)
CONFIGS = [
    SMALL,
    replace(SMALL, shared_encoder=False, shallow_blocks=2, decoder_blocks=2),
    replace(SMALL, share_directions=True, dhe_highpass=True),
    replace(SMALL, qk_norm=False, cross_heads=4, cross_grid=3),
    replace(SMALL, cross_attention=False, keep_black=True),
    replace(SMALL, branches="cnn"),
    replace(SMALL, branches="vit"),
]


def random_pair(*shape: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    a, b = torch.rand(2, *shape, generator=torch.Generator().manual_seed(5)).to(dtype)
    return a, b


@pytest.fixture
def narrow_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strips of five rows and probabilities of some queries, so that small pictures need many."""
    monkeypatch.setattr(strips, "STRIP_BYTES", 1)
    monkeypatch.setattr(strips, "MIN_ROWS", 5)
    monkeypatch.setattr(fusion_pass, "PROBABILITY_BYTES", 1 << 14)


@pytest.mark.usefixtures("narrow_strips")
@pytest.mark.parametrize("config", CONFIGS, ids=range(len(CONFIGS)))
def test_fast_form_in_strips_is_the_plain_one(config: DAEFuseConfig, formula_dae_fuse) -> None:
    model = formula_dae_fuse(config).requires_grad_(False)
    a, b = random_pair(2, 1, 29, 37, dtype=torch.float64)
    a[..., 3:9, 4:] = b[..., 5:, 4:20] = 0
    torch.testing.assert_close(model(a, b), model.fuse(a, b), rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", ["tiny", "base"])
def test_fast_form_is_the_plain_one_in_float32(size: Size) -> None:
    model = full_network(size)
    a, b = random_pair(1, 1, 50, 61)
    torch.testing.assert_close(model(a, b), model.fuse(a, b), rtol=0, atol=1e-5)


def full_network(size: Size) -> DAEFuse:
    """Random weights, none of which is zero."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = DAEFuse(DAEFuseConfig.of_size(size))
        for value in model.state_dict().values():
            if not value.any():
                value.add_(0.1 * torch.randn_like(value))
    return model.eval().requires_grad_(False)


def test_bf16_stays_near_float32_but_is_not_float32() -> None:
    model = full_network("tiny")
    a, b = random_pair(1, 1, 40, 50)
    exact = model(a, b)
    model.precision = "bf16"
    difference = (model(a, b) - exact).abs()
    assert 0 < difference.mean() < 3e-3
    assert difference.max() < 3e-2


def test_gradients_go_through_the_plain_modules() -> None:
    model = full_network("tiny").requires_grad_(True)
    model(*random_pair(1, 1, 16, 16)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_autocast_around_the_model_decides_over_its_arithmetic() -> None:
    model = full_network("tiny")
    a, b = random_pair(1, 1, 16, 16)
    with torch.autocast("cpu", torch.bfloat16):
        around = model(a, b)
    model.precision = "bf16"
    assert torch.equal(around, model.fuse(a, b))
