"""Tiles of models that see everything fade into each other: no seam, and the result says that it is inexact."""

import numpy as np
import pytest

from polyfuse import fuse
from polyfuse.families.daefuse import DAEFuse, DAEFuseConfig
from polyfuse.families.spec import ModelSpec
from polyfuse.fusion import tiles

HALO = 16


def test_weights_of_a_pixel_add_up_to_one(make_model, rng: np.random.Generator) -> None:
    model = make_model(lambda a, b: a, receptive_radius=None, blended=True, halo=HALO, multiple_of=8)
    a = rng.random((150, 217), dtype=np.float32)
    for tile in (16, 33, 50, 149):
        result = fuse(a, a, model=model, tile=tile)
        assert result.record["run"]["tiles"] > 1
        np.testing.assert_allclose(result.image, a, rtol=0, atol=3e-7)


def test_what_differs_between_tiles_changes_over_the_whole_overlap(make_model) -> None:
    model = make_model(lambda a, b: a.mean().expand(a.shape), receptive_radius=None, blended=True, halo=HALO)
    a = np.zeros((20, 200), np.float32)
    a[:, 100:] = 0.8
    line = fuse(a, a, model=model, tile=100).image[10]
    inside = slice(100 - HALO, 100 + HALO)
    step = (line[-1] - line[0]) / (2 * HALO)
    assert step > 0.01
    np.testing.assert_allclose(np.diff(line[inside]), step, rtol=1e-4)
    assert not np.diff(line[: inside.start]).any()
    assert not np.diff(line[inside.stop :]).any()


@pytest.mark.parametrize("length", [65, 100, 129, 200, 1000, 3001])
@pytest.mark.parametrize("side", [16, 64, 100, 960])
def test_blended_tiles_are_of_like_size_and_meet_in_pairs(length: int, side: int) -> None:
    spec = ModelSpec("any", receptive_radius=None, blended=True, halo=32, multiple_of=8)
    found = list(tiles.tiles(1, length, side, spec))
    sizes = [tile.inner[1].stop - tile.inner[1].start for tile in found]
    assert sum(sizes) == length
    assert max(sizes) <= max(side, 64)
    assert all(size >= 64 for size in sizes[:-1]) or len(sizes) == 1
    if side >= 128:
        assert sizes[-1] > sizes[0] - 8 * len(sizes)


def test_chosen_window_of_blended_tiles_is_no_larger_than_the_specified_one() -> None:
    spec = ModelSpec("any", receptive_radius=None, blended=True, halo=32, bytes_per_pixel=1)
    assert tiles.tile_side(spec, 1 << 40) + 64 == 1024
    assert (tiles.tile_side(spec, 500**2) + 64) ** 2 <= 500**2


@pytest.fixture(scope="module")
def dae_fuse() -> DAEFuse:
    """Random weights, none of which is zero."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = DAEFuse(DAEFuseConfig.of_size("tiny", high_blocks=1, decoder_blocks=1, depth=1))
        for value in model.state_dict().values():
            if not value.any():
                value.add_(0.1 * torch.randn_like(value))
    return model.eval().requires_grad_(False)


def test_tiles_of_dae_fuse_leave_no_seam_and_say_that_they_are_inexact(dae_fuse, rng: np.random.Generator) -> None:
    a, b = rng.random((2, 96, 224), dtype=np.float32)
    a[:, :112] *= 0.2
    b[:, 112:] = 0.9
    whole, tiled = fuse(a, b, model=dae_fuse, memory=1 << 40), fuse(a, b, model=dae_fuse, tile=112)
    difference = tiled.image - whole.image
    assert 1e-5 < np.abs(difference).max() < 0.1
    jumps = np.abs(np.diff(difference, axis=1)).mean(axis=0)
    assert jumps[111] < 2 * np.median(jumps[111 - 32 : 111 + 32])
    assert (whole.record["run"]["exact"], tiled.record["run"]["exact"]) == (True, False)
    assert whole.notes == ()
    assert "2 blended tiles" in tiled.notes[0]
