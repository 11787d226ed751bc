"""Maps of pages: what is lost is what `polyfuse explain --lost` finds; shares say which source gave the structure."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from polyfuse.explain.lost import find_lost
from polyfuse.ops.visibility import scales
from polyfuse.pages import maps as maps_of_pages
from polyfuse.pages.disagreement import Disagreement
from polyfuse.pages.maps import PairMaps, share_of_a
from polyfuse.pages.shown import grey_of


def scene(rng: np.random.Generator, size: tuple[int, int] = (61, 83)) -> tuple[np.ndarray, np.ndarray]:
    """Two sources with structure in different halves."""
    a, b = (rng.integers(0, 256, size, np.uint8) for _ in range(2))
    a[:, : size[1] // 2] = 90
    b[:, size[1] // 2 :] = 90
    return a, b


def test_lost_map_is_coloured_where_explain_finds_losses(rng) -> None:
    a, b = scene(rng)
    fused = np.where(np.arange(61)[:, None] < 30, b, a)
    made = PairMaps(grey_of(a), grey_of(b))(grey_of(fused))
    assert made is not None
    alpha = np.asarray(Image.open(io.BytesIO(made.lost)).convert("RGBA"))[..., 3]
    expected = np.zeros(a.shape, bool)
    for level, scale in enumerate(find_lost(fused, a, b).scales):
        for lost in (scale.lost_a, scale.lost_b):
            large = lost.repeat(2**level, axis=0).repeat(2**level, axis=1)
            expected[: large.shape[0], : large.shape[1]] |= large[: a.shape[0], : a.shape[1]]
    assert expected.any()
    assert not expected.all()
    np.testing.assert_array_equal(alpha > 0, expected)


def test_share_is_of_the_source_that_was_copied(rng) -> None:
    a, b = (rng.random((40, 40)) for _ in range(2))
    seen_a, seen_b = (scales(torch.from_numpy(plane)[None])[0] for plane in (a, b))
    # The ridge of 1e-5 beside variances of 0.08 leaves less than a thousandth to the other one.
    assert float(share_of_a(seen_a, seen_a, seen_b).min()) > 0.99
    assert float(share_of_a(seen_b, seen_a, seen_b).max()) < 0.01
    np.testing.assert_allclose(share_of_a(seen_a, seen_a, seen_a).numpy(), 0.5, atol=1e-6)


def test_flat_pictures_come_from_neither() -> None:
    flat = np.full((20, 20), 0.5)
    made = PairMaps(flat, flat)(flat)
    assert made is not None
    assert np.asarray(Image.open(io.BytesIO(made.share))).tolist() == np.full((20, 20), 128).tolist()


def test_small_pictures_have_no_maps() -> None:
    assert PairMaps(np.zeros((10, 40)), np.zeros((10, 40)))(np.zeros((10, 40))) is None


def test_large_pictures_have_smaller_maps(rng, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maps_of_pages, "LARGEST", 1000)
    a, b = scene(rng, (64, 80))
    made = PairMaps(grey_of(a), grey_of(b))(grey_of(a))
    assert made is not None
    assert Image.open(io.BytesIO(made.share)).size == (20, 16)


def test_disagreement_is_the_mean_deviation_over_methods(rng) -> None:
    planes = rng.random((4, 9, 7))
    apart = Disagreement()
    assert apart.levels is None
    for plane in planes:
        apart.add(plane)
    assert apart.levels == pytest.approx(255 * planes.std(axis=0).mean(), rel=1e-12)
