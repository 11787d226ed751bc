"""Tiles and the memory budget: the picture does not depend on how it was cut."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from polyfuse import fuse, load
from polyfuse.errors import UsageError
from polyfuse.families.fnet.network import FNet
from polyfuse.families.fnet_t import FNetT, FNetTConfig
from polyfuse.families.spec import FusionModel, ModelSpec
from polyfuse.fusion import tiles
from polyfuse.ops import native_coding
from polyfuse.ops.native_kernels import kernel
from polyfuse.ops.precision import Precision

Maker = Callable[..., FusionModel]
ROUNDING = 2e-6
"""Tile and whole may sum in another order, which moves values near 1 by some tens of float32 steps."""


@pytest.fixture
def strip(rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any]]:
    """A long narrow pair, grey and colour: many tiles for little work, sides not a multiple of anything."""
    return rng.integers(0, 256, (21, 517), dtype=np.uint8), rng.integers(0, 256, (21, 517, 3), dtype=np.uint8)


def both_ways(model: FusionModel, a: NDArray[Any], b: NDArray[Any], tile: int) -> tuple[Any, Any]:
    """Whole and tiled result; the tiled one must really have been tiled."""
    whole, tiled = fuse(a, b, model=model, memory=1 << 40), fuse(a, b, model=model, tile=tile)
    assert (whole.record["run"]["tiles"], tiled.record["run"]["tiles"] > 1) == (1, True)
    return whole.image, tiled.image


@pytest.mark.parametrize("tile", [32, 50, 100, 517])
@pytest.mark.parametrize("name", ["average", "maximum", "laplacian", "dwt", "adf", "mgff"])
def test_tiled_output_of_a_classic_model_is_the_whole_one_to_rounding(
    name: str, tile: int, rng: np.random.Generator
) -> None:
    a, b = rng.random((2, 37, 531), dtype=np.float32)
    whole, tiled = both_ways(load(name), a, b, tile)
    np.testing.assert_allclose(tiled, whole, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("name", ["average", "maximum"])
def test_tiled_picture_of_a_pixelwise_model_is_the_whole_one(
    name: str, strip: tuple[NDArray[Any], NDArray[Any]]
) -> None:
    whole, tiled = both_ways(load(name), *strip, tile=16)
    np.testing.assert_array_equal(tiled, whole)


def check_picture(tiled: NDArray[Any], whole: NDArray[Any]) -> None:
    """8-bit pictures are equal but for values that lie on the border of two levels, where rounding decides."""
    difference = np.abs(tiled.astype(int) - whole)
    assert difference.max() <= 1
    assert np.count_nonzero(difference) < 1e-3 * difference.size


def test_tiled_picture_of_the_pyramid_is_the_whole_one(strip: tuple[NDArray[Any], NDArray[Any]]) -> None:
    whole, tiled = both_ways(load("laplacian"), strip[0], strip[0][::-1], tile=100)
    check_picture(tiled, whole)


@pytest.fixture(params=["compiled", "row-split"])
def fnet(request: pytest.FixtureRequest, random_fnet: FNet, monkeypatch: pytest.MonkeyPatch) -> FNet:
    """FNet in each of its fast forms."""
    if request.param == "compiled" and kernel("lzsc") is None:
        pytest.skip("the compiled kernel is not built")
    if request.param == "row-split":
        monkeypatch.setattr(native_coding, "supports", lambda *_: False)
    return random_fnet


def test_tiled_picture_of_fnet_is_the_whole_one(fnet: FNet, strip: tuple[NDArray[Any], NDArray[Any]]) -> None:
    whole, tiled = both_ways(fnet, strip[0], strip[0][::-1], tile=200)
    check_picture(tiled, whole)


def test_tiled_picture_of_the_compiled_kernel_is_the_whole_one_to_the_bit(
    random_fnet: FNet, strip: tuple[NDArray[Any], NDArray[Any]]
) -> None:
    if kernel("lzsc") is None:
        pytest.skip("the compiled kernel is not built")
    whole, tiled = both_ways(random_fnet, *strip, tile=200)
    np.testing.assert_array_equal(tiled, whole)


def test_tiled_output_of_fnet_is_the_whole_one_to_rounding(
    fnet: FNet, strip: tuple[NDArray[Any], NDArray[Any]]
) -> None:
    a, b = strip[0] / np.float32(255), strip[1][..., 0] / np.float32(255)
    whole, tiled = both_ways(fnet, a, b, tile=200)
    np.testing.assert_allclose(tiled, whole, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("tile", [16, 33, 100])
@pytest.mark.parametrize("unshuffle", [2, 3, 4])
def test_tiled_picture_of_fnet_t_is_the_whole_one(
    unshuffle: int, tile: int, precision: Precision, strip: tuple[NDArray[Any], NDArray[Any]]
) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        model = FNetT(FNetTConfig(unshuffle=unshuffle)).eval()
    model.precision = precision
    check_picture(*both_ways(model, *strip, tile=tile))


def test_tiled_minmax_output_is_stretched_over_the_whole_picture(
    make_model: Maker, strip: tuple[NDArray[Any], NDArray[Any]]
) -> None:
    model = make_model(lambda a, b: 3 * a - 7, output="minmax")
    whole, tiled = both_ways(model, strip[0], strip[0], tile=64)
    np.testing.assert_array_equal(tiled, whole)
    assert (int(whole.min()), int(whole.max())) == (0, 255)


def test_constant_minmax_output_is_not_divided_by_nothing(make_model: Maker) -> None:
    flat = np.zeros((4, 4), np.uint8)
    image = fuse(flat, flat, model=make_model(lambda a, b: a + 0.2, output="minmax")).image
    assert (image == 51).all()


def test_clip_output_beyond_the_range_is_clipped(make_model: Maker) -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = fuse(ramp, ramp, model=make_model(lambda a, b: 3 * a - 1)).image
    np.testing.assert_array_equal(image, np.clip(3 * ramp.astype(int) - 255, 0, 255))


def test_model_that_sees_everything_gets_one_tile(make_model: Maker, strip: tuple[NDArray[Any], NDArray[Any]]) -> None:
    model = make_model(lambda a, b: a - a.mean(), receptive_radius=None)
    assert fuse(*strip, model=model, tile=16, memory=1).record["run"]["tiles"] == 1


@pytest.fixture
def empty_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that holds nothing yet, so that a budget means the same everywhere."""
    monkeypatch.setattr(tiles, "memory_in_use", lambda: 0)


@pytest.mark.usefixtures("empty_process")
def test_memory_budget_chooses_tiles(rng: np.random.Generator) -> None:
    a, b = rng.integers(0, 256, (2, 300, 900), dtype=np.uint8)
    whole, small = (fuse(a, b, model="laplacian", memory=memory) for memory in (1 << 30, 10 << 20))
    assert small.record["run"]["tiles"] > whole.record["run"]["tiles"] == 1
    check_picture(small.image, whole.image)


@pytest.mark.parametrize("margin", [0, 24])
@pytest.mark.parametrize("budget", [6 << 20, 20 << 20, 300 << 20])
def test_chosen_tile_stays_within_the_budget(budget: int, margin: int) -> None:
    spec = ModelSpec("any", receptive_radius=40, halo=40, bytes_per_pixel=64, margin=margin)
    side, context = tiles.tile_side(spec, budget), 2 * (spec.halo + margin)
    assert (side + context) ** 2 * 64 <= budget < (side + context + 1) ** 2 * 64


def test_mirrored_margin_counts_when_a_picture_is_to_fit(random_fnet: FNet) -> None:
    random_fnet.config = replace(random_fnet.config, border="reflect", margin=24)
    assert random_fnet.spec.memory(100, 200) == 148 * 248 * random_fnet.spec.bytes_per_pixel


@pytest.mark.usefixtures("empty_process")
def test_budget_too_small_for_any_tile_is_a_usage_error(random_fnet: FNet) -> None:
    picture = np.zeros((300, 400), np.uint8)
    with pytest.raises(UsageError, match=r"memory is too small by \d+ MiB for this picture: raise --memory"):
        fuse(picture, picture, model=random_fnet, memory=1 << 20)


def test_default_budget_leaves_room_in_a_process_that_holds_much(monkeypatch: pytest.MonkeyPatch) -> None:
    held = 8 << 30
    monkeypatch.setattr(tiles, "memory_in_use", lambda: held)
    monkeypatch.setattr(tiles, "_memory_free", lambda: 2 << 30)
    assert tiles.memory_limit(None) == held + (1 << 30)


def test_default_budget_is_at_most_4_gib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "memory_in_use", lambda: 0)
    monkeypatch.setattr(tiles, "_memory_free", lambda: 1 << 40)
    assert tiles.memory_limit(None) == 4 << 30


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (64, 64), (65, 200), (130, 31)])
@pytest.mark.parametrize("side", [16, 63, 64])
def test_tiles_cover_every_pixel_once(size: tuple[int, int], side: int) -> None:
    spec = ModelSpec("any", receptive_radius=20, halo=20, multiple_of=8)
    count = np.zeros(size, int)
    for tile in tiles.tiles(*size, side, spec):
        count[tile.inner] += 1
        outer = np.zeros(size, int)
        outer[tile.outer] = 1
        assert outer[tile.outer][tile.crop].shape == count[tile.inner].shape
    assert (count == 1).all()
