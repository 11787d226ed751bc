"""Colour: luma and chroma are exact both ways, and a merge never leaves the gamut, its luma or its hue."""

from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from polyfuse.errors import InputError, UsageError
from polyfuse.transforms import (
    STUDIO_BLACK,
    STUDIO_WHITE,
    LumaConvention,
    luma,
    merge,
    merge_official8,
    quantise,
    split,
    split_official8,
)

CONVENTIONS = get_args(LumaConvention)
# Corners and edges of the cube are as likely as its inside: saturated colours are where merging goes wrong.
LEVELS = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0, 1, width=32))
SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=7)
PICTURES = SHAPES.flatmap(
    lambda shape: st.tuples(
        hnp.arrays(np.float32, (*shape, 3), elements=LEVELS), hnp.arrays(np.float32, shape, elements=LEVELS)
    )
)
SATURATED = np.array(np.meshgrid([0, 0.5, 1], [0, 0.5, 1], [0, 0.5, 1])).reshape(3, -1).T.astype(np.float32)[None]


def fused_luma(unit: np.ndarray, convention: str) -> np.ndarray:
    """Any luma, in the range of the convention."""
    if convention == "full":
        return unit
    return (STUDIO_BLACK + unit * (STUDIO_WHITE - STUDIO_BLACK)).astype(np.float32)


@pytest.mark.parametrize(
    ("rgb", "full"),
    [((1, 0, 0), 0.299), ((0, 1, 0), 0.587), ((0, 0, 1), 0.114), ((1, 1, 1), 1), ((0, 0, 0), 0)],
)
def test_luma_of_the_primaries_is_that_of_bt_601(rgb: tuple[int, int, int], full: float) -> None:
    pixel = np.array([[rgb]], np.float64)
    # float64 with a handful of operations.
    np.testing.assert_allclose(luma(pixel), full, atol=1e-15)
    coefficients = np.array([65.481, 128.553, 24.966])
    np.testing.assert_allclose(luma(pixel, "studio"), (16 + coefficients @ rgb) / 255, atol=1e-15)


def test_studio_chroma_is_that_of_the_digital_standard() -> None:
    rgb = np.random.default_rng(0).random((5, 5, 3))
    _, cb, cr = split(rgb, "studio")
    # The standard's coefficients are themselves rounded to 5 digits.
    np.testing.assert_allclose(cb, rgb @ np.array([-37.797, -74.203, 112]) / 255, atol=5e-6)
    np.testing.assert_allclose(cr, rgb @ np.array([112, -93.786, -18.214]) / 255, atol=5e-6)


def test_grey_has_its_own_value_as_luma_and_no_chroma_to_the_bit() -> None:
    grey = np.repeat(np.arange(65536, dtype=np.float32)[:, None] / np.float32(65535), 3, axis=1)[None]
    y, cb, cr = split(grey)
    np.testing.assert_array_equal(y, grey[..., 0])
    assert not cb.any()
    assert not cr.any()
    np.testing.assert_array_equal(merge(y, cb, cr), grey)


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("gamut", ["safe", "clip"])
@pytest.mark.parametrize("depth", [8, 16])
def test_split_and_merge_give_back_every_integer_picture(convention: Any, gamut: Any, depth: int) -> None:
    rng = np.random.default_rng(7)
    top = 2**depth - 1
    pixels = rng.integers(0, top + 1, (200, 300, 3))
    # A third of all values at the ends, so that faces, edges and corners of the colour cube are met often.
    pixels = np.where(rng.random(pixels.shape) < 1 / 3, top * rng.integers(0, 2, pixels.shape), pixels)
    unit = (pixels / top).astype(np.float32)
    np.testing.assert_array_equal(quantise(merge(*split(unit, convention), convention, gamut), depth), pixels)


@pytest.mark.parametrize("convention", CONVENTIONS)
@given(PICTURES)
def test_a_safe_merge_keeps_luma_and_gamut(convention: Any, picture: tuple[np.ndarray, np.ndarray]) -> None:
    rgb, unit = picture
    _, cb, cr = split(rgb, convention)
    y = fused_luma(unit, convention)
    merged = merge(y, cb, cr, convention)
    assert merged.dtype == np.float32
    assert merged.min() >= 0
    assert merged.max() <= 1
    # A few float32 roundings of values up to 1: 6e-8 each.
    np.testing.assert_allclose(luma(merged, convention), y, atol=1e-6)


@pytest.mark.parametrize("convention", CONVENTIONS)
@given(PICTURES)
def test_a_safe_merge_keeps_the_hue(convention: Any, picture: tuple[np.ndarray, np.ndarray]) -> None:
    rgb, unit = picture
    _, cb, cr = split(rgb.astype(np.float64), convention)
    _, cb_after, cr_after = split(
        merge(fused_luma(unit, convention).astype(np.float64), cb, cr, convention), convention
    )
    # Same direction: no cross product, no turn by half; chroma never grows.
    np.testing.assert_allclose(cb * cr_after, cr * cb_after, atol=1e-12)
    assert (cb * cb_after + cr * cr_after >= -1e-12).all()
    assert (np.hypot(cb_after, cr_after) <= np.hypot(cb, cr) + 1e-12).all()


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("level", [0.0, 0.02, 0.3, 0.5, 0.9, 1.0])
def test_a_safe_merge_pulls_in_no_more_than_needed(convention: Any, level: float) -> None:
    _, cb, cr = split(SATURATED.astype(np.float64), convention)
    y = fused_luma(np.full(cb.shape, level), convention).astype(np.float64)
    merged = merge(y, cb, cr, convention)
    _, cb_after, cr_after = split(merged, convention)
    shrunk = np.hypot(cb_after, cr_after) < np.hypot(cb, cr) - 1e-9
    touches = (merged.min(axis=-1) < 1e-9) | (merged.max(axis=-1) > 1 - 1e-9)
    # A colour that lost chroma must lie on the face of the cube that stopped it.
    assert touches[shrunk].all()


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_inside_the_gamut_safe_and_clip_give_the_same_bits(convention: Any) -> None:
    rgb = np.random.default_rng(4).random((50, 60, 3)).astype(np.float32) * np.float32(0.6) + np.float32(0.2)
    y, cb, cr = split(rgb, convention)
    y = y + np.float32(0.05)
    np.testing.assert_array_equal(merge(y, cb, cr, convention, "safe"), merge(y, cb, cr, convention, "clip"))


def test_clipping_each_channel_changes_luma_where_safe_does_not() -> None:
    _, cb, cr = split(np.array([[[1.0, 0.0, 0.0]]]))
    bright = np.array([[0.9]])
    assert abs(luma(merge(bright, cb, cr, gamut="clip")) - 0.9).max() > 0.05
    # float64 roundings.
    assert abs(luma(merge(bright, cb, cr, gamut="safe")) - 0.9).max() < 1e-12


def test_studio_luma_beyond_its_range_is_clipped_to_it() -> None:
    zero = np.zeros((1, 2))
    merged = merge(np.array([[0.0, 1.0]]), zero, zero, "studio")
    np.testing.assert_allclose(merged[0], [[0, 0, 0], [1, 1, 1]], atol=1e-15)


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("gamut", ["safe", "clip"])
def test_a_tile_gives_the_bits_of_the_whole(convention: Any, gamut: Any, rng: np.random.Generator) -> None:
    rgb = rng.random((67, 91, 3)).astype(np.float32)
    y = rng.random((67, 91)).astype(np.float32)
    tile = (slice(5, 38), slice(11, 80))
    whole = merge(y, *split(rgb, convention)[1:], convention, gamut)
    part = merge(y[tile], *split(rgb[tile], convention)[1:], convention, gamut)
    np.testing.assert_array_equal(part, whole[tile])


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (1, 7)])
def test_small_pictures_merge(shape: tuple[int, int]) -> None:
    plane = np.full(shape, 0.5, np.float32)
    assert merge(plane, plane - 0.5, plane - 0.5).shape == (*shape, 3)


def test_arrays_that_are_no_float_rgb_are_refused() -> None:
    for array in (np.zeros((4, 4)), np.zeros((4, 4, 3), np.uint8)):
        with pytest.raises(InputError):
            split(array)


def test_planes_of_different_shapes_are_refused() -> None:
    plane = np.zeros((4, 4))
    with pytest.raises(InputError, match="differ in shape"):
        merge(plane, plane, plane[:2])


def test_unknown_conventions_and_gamuts_are_refused() -> None:
    plane = np.zeros((4, 4))
    with pytest.raises(UsageError, match="full or studio"):
        luma(np.zeros((4, 4, 3)), "tv")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="safe or clip"):
        merge(plane, plane, plane, gamut="none")  # type: ignore[arg-type]


# The golden table G14 of the specification: RGB, YCbCr, back to RGB, back with Y := 255.
OFFICIAL = [
    ((0, 0, 0), (16, 128, 128), (0, 0, 0), (255, 255, 255)),
    ((255, 255, 255), (235, 128, 128), (255, 255, 255), (255, 255, 255)),
    ((255, 0, 0), (81, 90, 240), (254, 0, 0), (255, 202, 202)),
    ((0, 255, 0), (145, 54, 34), (0, 255, 1), (128, 255, 129)),
    ((0, 0, 255), (41, 240, 110), (0, 0, 255), (250, 249, 255)),
    ((128, 128, 128), (126, 128, 128), (128, 128, 128), (255, 255, 255)),
    ((200, 100, 50), (123, 91, 175), (200, 101, 50), (255, 255, 204)),
    ((17, 230, 99), (146, 102, 44), (17, 230, 99), (144, 255, 226)),
]


@pytest.mark.parametrize(("rgb", "ycbcr", "back", "back_bright"), OFFICIAL)
def test_the_published_conversion_is_met_to_the_bit(rgb: Any, ycbcr: Any, back: Any, back_bright: Any) -> None:
    y, cb, cr = split_official8(np.array([[rgb]], np.uint8))
    assert (int(y[0, 0]), int(cb[0, 0]), int(cr[0, 0])) == ycbcr
    assert tuple(merge_official8(y, cb, cr)[0, 0].tolist()) == back
    assert tuple(merge_official8(np.full_like(y, 255), cb, cr)[0, 0].tolist()) == back_bright


def test_the_published_luma_is_our_studio_luma_rounded() -> None:
    rgb = np.random.default_rng(9).integers(0, 256, (100, 100, 3), np.uint8)
    y, _, _ = split_official8(rgb)
    # Rounding to 8 bits: at most half a level apart.
    assert abs(luma(rgb / 255, "studio") * 255 - y).max() <= 0.5 + 1e-9


def test_the_published_conversion_refuses_other_types() -> None:
    with pytest.raises(InputError):
        split_official8(np.zeros((2, 2, 3), np.uint16))
    with pytest.raises(InputError):
        merge_official8(*[np.zeros((2, 2), np.float32)] * 3)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["roadscene_color/FLIR_06974", "mri_pet_color/41", "mri_spect_color/50"])
def test_published_colour_pictures_are_reachable_by_some_luma(shared_dir: Any, name: str) -> None:
    """Every pixel of the official output is the merge of the source's chroma with one of 256 luma values."""
    from PIL import Image

    folder, stem = name.split("/")
    side = {"roadscene_color": "vi", "mri_pet_color": "pet", "mri_spect_color": "spect"}[folder]
    sources = shared_dir / "data" / folder.removesuffix("_color") / "test" / side
    with (
        Image.open(next(sources.glob(f"{stem}.*"))) as image,
        Image.open(shared_dir / "reference" / "fnet" / f"{name}.png") as output,
    ):
        source, official = np.asarray(image.convert("RGB"))[::4, ::4], np.asarray(output.convert("RGB"))[::4, ::4]
    _, cb, cr = split_official8(source)
    levels = np.broadcast_to(np.arange(256, dtype=np.uint8)[:, None, None], (256, *cb.shape))
    all_merges = merge_official8(levels, *(np.broadcast_to(plane, levels.shape) for plane in (cb, cr)))
    assert (all_merges == official).all(axis=-1).any(axis=0).all()
