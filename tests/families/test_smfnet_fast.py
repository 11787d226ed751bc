"""The fast form of SMFNet equals the plain modules, in strips and in tiles, and bf16 stays near float32."""

import gc
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from polyfuse import load
from polyfuse.families.smfnet import SMFNet, SMFNetConfig
from polyfuse.families.smfnet.fast import halo, survey_rounds
from polyfuse.fusion import FuseOptions, fuse, tiles
from polyfuse.fusion.pair import fuse_pictures
from polyfuse.fusion.sources import as_picture
from polyfuse.layers import strips
from polyfuse.weights.store import WeightsInfo, save_weights

SMALL = SMFNetConfig(channels=8, heads=2, base_blocks=1, depth=1, mixing="depthwise", messages="per_neighbour")
CONFIGS = [
    SMALL,
    replace(SMALL, mixing="dense", base_blocks=2, depth=2),
    replace(SMALL, messages="interleaved", leff_channels=12, dilations=(1, 2, 5)),
    replace(SMALL, graph=False, scale_limit=0.1),
    replace(SMALL, cross_attention=False, exchange_rounds=0),
    replace(SMALL, swap_fusion=True, message_iterations=0),
    replace(SMALL, base_residual=False, keep_black=True),
]


def network(config: SMFNetConfig) -> SMFNet:
    """Random weights, none of which is at a value where it has no effect."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = SMFNet(config)
        for name, value in model.state_dict().items():
            if value.is_floating_point() and (value.ndim < 2 or "temperature" in name):
                value.add_(0.3 * torch.rand_like(value))
    return model.eval().requires_grad_(False)


def random_pair(*shape: int) -> tuple[Tensor, Tensor]:
    a, b = torch.rand(2, *shape, generator=torch.Generator().manual_seed(5))
    return a, b


@pytest.fixture
def narrow_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strips of three rows, so that small pictures need many."""
    monkeypatch.setattr(strips, "STRIP_BYTES", 1)
    monkeypatch.setattr(strips, "MIN_ROWS", 3)


@pytest.mark.usefixtures("narrow_strips")
@pytest.mark.parametrize("config", CONFIGS)
def test_fast_form_in_strips_is_the_plain_one(config: SMFNetConfig) -> None:
    model = network(config).double()
    a, b = (x.double() for x in random_pair(2, 1, 23, 14))
    torch.testing.assert_close(model(a, b), model.fuse(a, b)[0], rtol=0, atol=1e-13)


@pytest.mark.usefixtures("narrow_strips")
def test_threads_do_not_change_the_picture() -> None:
    model = network(SMALL)
    a, b = random_pair(1, 1, 40, 31)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = model(a, b)
        torch.set_num_threads(3)
        assert all(torch.equal(model(a, b), alone) for _ in range(5))
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (6, 1), (2, 2), (20, 30)])
def test_fast_form_fits_every_size_in_float32(shape: tuple[int, int]) -> None:
    model = network(SMALL)
    a, b = random_pair(1, 1, *shape)
    torch.testing.assert_close(model(a, b), model.fuse(a, b)[0], rtol=0, atol=1e-6)


def test_gradients_go_through_the_plain_modules() -> None:
    model = network(SMALL).requires_grad_(True)
    a, b = random_pair(1, 1, 9, 8)
    model(a, b).sum().backward()
    assert all(p.grad is not None for p in model.encoder.parameters())


def test_training_mode_takes_batch_statistics_without_gradients_too() -> None:
    model = network(SMALL)
    a, b = random_pair(2, 1, 9, 8)
    evaluated = model(a, b)
    assert not torch.allclose(model.train()(a, b), evaluated, atol=1e-4)


def test_bf16_stays_near_float32_but_is_not_float32() -> None:
    model = network(replace(SMALL, channels=16, heads=4))
    a, b = random_pair(1, 1, 40, 50)
    exact = model(a, b)
    model.precision = "bf16"
    difference = (model(a, b) - exact).abs()
    assert 0 < difference.mean() < 2e-3
    assert difference.max() < 2e-2


def test_precision_given_to_load_reaches_the_network(tmp_path) -> None:
    model = network(SMALL)
    path = tmp_path / "small.safetensors"
    info = WeightsInfo(name="smfnet.small", family="smfnet", config=SMALL.to_json())
    save_weights(path, model.state_dict(), info)
    a, b = random_pair(1, 1, 12, 13)
    low = load("smfnet", weights=path, precision="bf16")
    assert low.precision == "bf16"
    assert not torch.equal(low(a, b), model(a, b))


@pytest.mark.parametrize(
    "config", [CONFIGS[0], pytest.param(CONFIGS[1], marks=pytest.mark.slow), CONFIGS[2], CONFIGS[5]]
)
def test_picture_in_tiles_is_the_whole_one(config: SMFNetConfig) -> None:
    model = network(replace(config, output="clip"))
    a, b = (x.numpy()[0, 0] for x in random_pair(1, 1, 110, 130))
    whole, tiled = (fuse(a, b, model=model, tile=tile) for tile in (None, 64))
    assert (whole.record["run"]["tiles"], tiled.record["run"]["tiles"]) == (1, 6)
    np.testing.assert_allclose(tiled.image, whole.image, rtol=0, atol=1e-5)


def test_stretch_is_measured_on_the_whole_picture_in_tiles_too() -> None:
    a, b = (x.numpy()[0, 0] for x in random_pair(1, 1, 70, 130))
    whole, tiled = (fuse(a, b, model=network(SMALL), tile=tile).image for tile in (None, 64))
    np.testing.assert_allclose(tiled, whole, rtol=0, atol=2e-4)  # an output within 0.03 becomes [0, 1]
    assert (tiled.min(), tiled.max()) == (0, 1)


def test_tiles_without_a_survey_would_not_do() -> None:
    model = network(replace(SMALL, output="clip"))
    a, b = random_pair(1, 1, 150, 130)
    a[..., :64] *= 0.2
    alone = model(a[..., :100, :100], b[..., :100, :100])[..., :60, :60]
    assert (alone - model(a, b)[..., :60, :60]).abs().max() > 1e-4


def test_survey_keeps_no_map_of_a_window_that_is_done() -> None:
    model = network(SMALL)
    a, b = random_pair(1, 1, 21, 17)
    alive = []

    def windows() -> Iterator[tuple[Tensor, Tensor, tuple[slice, slice]]]:
        yield a, b, (slice(0, 21), slice(0, 17))
        maps_left = [x for x in gc.get_objects() if type(x) is Tensor and x.shape[:2] == (21, 17)]
        alive.append(len(maps_left))

    gc.collect()
    gc.disable()
    try:
        model.surveyed(windows)
    finally:
        gc.enable()
    assert alive == [0] * model.spec.surveys


def test_halo_is_what_the_specification_counts() -> None:
    assert halo(SMFNetConfig()) == 27
    assert survey_rounds(SMFNetConfig()) == 11


def test_small_budget_cuts_a_global_model_into_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "memory_in_use", lambda: 0)
    model = network(replace(SMALL, output="clip"))
    a, b = (x.numpy()[0, 0] for x in random_pair(1, 1, 140, 150))
    budget = model.spec.fixed_bytes + (130**2) * model.spec.bytes_per_pixel + 8 * a.size
    done: list[tuple[int, int]] = []
    options = FuseOptions(memory=budget)
    picture_a, picture_b = (as_picture(x, options, "x") for x in (a, b))
    result = fuse_pictures(picture_a, picture_b, model, options, lambda *step: done.append(step))
    count = result.record["run"]["tiles"]
    assert count > 1
    assert done == [(step, 6 * count) for step in range(1, 6 * count + 1)]
    np.testing.assert_allclose(result.image, fuse(a, b, model=model).image, rtol=0, atol=1e-5)
