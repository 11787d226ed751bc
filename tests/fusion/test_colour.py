"""The colour of a result: taken from one source, put back exactly, never out of hue at saturated edges."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from polyfuse import fuse
from polyfuse.errors import UsageError
from polyfuse.families.spec import FusionModel
from polyfuse.transforms import luma, merge_official8, split, split_official8

Maker = Callable[..., FusionModel]
SATURATED = np.array(
    [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [0, 255, 255], [255, 0, 255], [255, 255, 255], [0, 0, 0]],
    np.uint8,
)
GREY = np.linspace(0, 255, 64, dtype=np.uint8).reshape(8, 8)


@pytest.fixture
def stripes() -> NDArray[Any]:
    """Saturated colours side by side, 8 x 8."""
    return np.repeat(SATURATED[None], 8, axis=0)


@pytest.fixture
def any_colours(rng: np.random.Generator, stripes: NDArray[Any]) -> NDArray[Any]:
    """Random colours with the saturated ones among them, (16, 8, 3)."""
    return np.concatenate((rng.integers(0, 256, (8, 8, 3), dtype=np.uint8), stripes))


@pytest.mark.parametrize("gamut", ["safe", "clip"])
@pytest.mark.parametrize("convention", ["full", "studio"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_unchanged_luma_gives_the_colour_picture_back_exactly(
    convention: str, gamut: str, dtype: type, any_colours: NDArray[Any], give_b: Maker
) -> None:
    picture: NDArray[Any] = any_colours.astype(dtype) * (np.iinfo(dtype).max // 255)
    a = np.zeros(picture.shape[:2], np.uint8)
    image = fuse(a, picture, model=give_b(convention), gamut=gamut).image
    np.testing.assert_array_equal(image, picture)


@pytest.mark.parametrize("pixels", [1, 8 * 5])
def test_strips_give_the_bits_of_the_whole(
    pixels: int, any_colours: NDArray[Any], make_model: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model(lambda a, b: 0.3 + 0.5 * b)
    whole = fuse(any_colours, any_colours[::-1], model=model).image
    monkeypatch.setattr("polyfuse.fusion.conventions.STRIP_PIXELS", pixels)
    fuse(
        255 - any_colours, 255 - any_colours, model=model
    )  # so that memory used again does not hold the whole by chance
    np.testing.assert_array_equal(fuse(any_colours, any_colours[::-1], model=model).image, whole)


def test_unchanged_luma_gives_a_float_picture_back_to_rounding(rng: np.random.Generator, give_b: Maker) -> None:
    picture = rng.random((8, 8, 3), dtype=np.float32)
    # Two conversions of three terms in float32 each.
    np.testing.assert_allclose(fuse(GREY, picture, model=give_b("studio")).image, picture, rtol=0, atol=1e-6)


def test_unchanged_luma_in_official_rendering_is_the_published_round_trip(
    any_colours: NDArray[Any], give_b: Maker
) -> None:
    a = np.zeros(any_colours.shape[:2], np.uint8)
    image = fuse(a, any_colours, model=give_b("studio", "official")).image
    np.testing.assert_array_equal(image, merge_official8(*split_official8(any_colours)))


def test_colour_of_a_comes_back_exactly_when_a_gives_it(any_colours: NDArray[Any], make_model: Maker) -> None:
    grey = np.zeros(any_colours.shape[:2], np.uint8)
    grey[0, 0] = 1
    result = fuse(any_colours, grey, model=make_model(lambda a, b: a))
    np.testing.assert_array_equal(result.image, any_colours)
    assert result.notes == ("colour comes from a, b is grey",)


def test_luma_option_overrides_the_weights(any_colours: NDArray[Any], make_model: Maker) -> None:
    seen: list[NDArray[Any]] = []

    def spy(a: Any, b: Any) -> Any:
        seen.append(b[0, 0].numpy().copy())
        return b

    a = np.zeros(any_colours.shape[:2], np.uint8)
    for option in ("auto", "full", "studio"):
        fuse(a, any_colours, model=make_model(spy, "studio"), luma=option)
    black = [float(plane[-1, -1]) for plane in seen]
    assert black == pytest.approx([16 / 255, 0, 16 / 255], abs=1e-7)


def test_saturated_edges_keep_the_fused_luma(stripes: NDArray[Any], make_model: Maker) -> None:
    image = fuse(GREY, stripes, model=make_model(lambda a, b: a), gamut="safe").image
    # Each channel is rounded by at most half a level, and so is their weighted mean.
    np.testing.assert_allclose(luma(image / 255.0) * 255, GREY, rtol=0, atol=0.5 + 1e-4)


def test_saturated_edges_keep_their_hue(stripes: NDArray[Any], make_model: Maker) -> None:
    picture = stripes.astype(np.float32) / 255
    image = fuse(GREY, picture, model=make_model(lambda a, b: a), gamut="safe").image
    _, cb, cr = split(picture)
    _, new_cb, new_cr = split(image)
    # Parallel and not turned round: chroma is only scaled toward grey. float32 rounding of numbers up to 0.5.
    np.testing.assert_allclose(cb * new_cr, cr * new_cb, rtol=0, atol=1e-6)
    assert (cb * new_cb + cr * new_cr >= -1e-6).all()
    assert (np.hypot(new_cb, new_cr) <= np.hypot(cb, cr) + 1e-6).all()


def test_clipped_gamut_changes_luma_where_safe_does_not(stripes: NDArray[Any], make_model: Maker) -> None:
    image = fuse(GREY, stripes, model=make_model(lambda a, b: a), gamut="clip").image
    assert np.abs(luma(image / 255.0) * 255 - GREY).max() > 20


@pytest.mark.parametrize(("convention", "rendering"), [("full", "safe"), ("studio", "safe"), ("studio", "official")])
def test_exact_black_stays_black(convention: str, rendering: str, stripes: NDArray[Any], give_b: Maker) -> None:
    stripes[2:5] = 0
    image = fuse(np.zeros((8, 8), np.uint8), stripes, model=give_b(convention, rendering)).image
    assert not image[2:5].any()


def test_exact_black_stays_black_in_the_published_network(random_fnet: FusionModel) -> None:
    picture = np.zeros((8, 8, 3), np.uint8)
    assert not fuse(np.zeros((8, 8), np.uint8), picture, model=random_fnet).image.any()


def test_luma_beyond_white_is_white_in_any_colour(stripes: NDArray[Any], make_model: Maker) -> None:
    image = fuse(GREY, stripes, model=make_model(lambda a, b: a * 0 + 1.7)).image
    assert (image == 255).all()


def test_two_colour_sources_are_told_and_b_gives_the_colour(any_colours: NDArray[Any], give_b: Maker) -> None:
    result = fuse(any_colours[::-1], any_colours, model=give_b())
    np.testing.assert_array_equal(result.image, any_colours)
    assert result.notes == ("both sources have colour: it comes from b, --colour-from a takes the other",)


def test_colour_from_a_takes_the_other(any_colours: NDArray[Any], make_model: Maker) -> None:
    result = fuse(any_colours, any_colours[::-1], model=make_model(lambda a, b: a), colour_from="a")
    np.testing.assert_array_equal(result.image, any_colours)
    assert result.notes == ()


@pytest.mark.parametrize("source", ["a", "b"])
def test_colour_from_a_grey_source_is_refused(source: str, stripes: NDArray[Any]) -> None:
    pair = (GREY, stripes) if source == "a" else (stripes, GREY)
    with pytest.raises(UsageError, match=f"{source} is grey"):
        fuse(*pair, model="average", colour_from=source)


@pytest.mark.parametrize("convention", ["full", "studio"])
def test_grey_result_of_an_unchanged_luma_is_the_full_range_luma(
    convention: str, any_colours: NDArray[Any], give_b: Maker
) -> None:
    a = np.zeros(any_colours.shape[:2], np.uint8)
    image = fuse(a, any_colours, model=give_b(convention), grey=True, luma=convention).image
    # Rounded to the nearest level; ties may go either way after float32.
    np.testing.assert_allclose(image, luma(any_colours / 255.0) * 255, rtol=0, atol=0.5 + 1e-3)


def test_official_rendering_gives_way_to_safe_on_deep_pictures(any_colours: NDArray[Any], give_b: Maker) -> None:
    picture = any_colours.astype(np.uint16) * 257
    result = fuse(np.zeros(picture.shape[:2], np.uint8), picture, model=give_b("studio", "official"))
    np.testing.assert_array_equal(result.image, picture)
    assert result.record["colour"]["gamut"] == "safe"


def test_official_rendering_gives_way_to_a_range_somebody_chose(any_colours: NDArray[Any], give_b: Maker) -> None:
    a = np.zeros(any_colours.shape[:2], np.uint8)
    result = fuse(a, any_colours, model=give_b("studio", "official"), range_b="50,200")
    np.testing.assert_array_equal(result.image, np.clip(any_colours, 50, 200))


def test_weights_may_want_the_grey_of_a_coloured_infrared_picture_in_whole_levels(make_model: Maker) -> None:
    a = np.zeros((8, 8, 3), np.uint8)
    a[...] = 10, 120, 200  # 96.23, the example of the published SMFNet program
    given: list[float] = []

    def look(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        given.extend((float(x[0, 0, 0, 0]) * 255, float(y[0, 0, 0, 0]) * 255))
        return x

    for rounded in (True, False):
        fuse(a, a, model=make_model(look, rendering="clip", rounded_a=rounded))
    np.testing.assert_allclose(given, [96, 96.23, 96.23, 96.23], rtol=0, atol=1e-4)


def test_levels_stay_whole_only_for_8_bits_over_their_full_range(make_model: Maker) -> None:
    a = np.zeros((8, 8, 3), np.uint8)
    a[...] = 10, 120, 200
    model = make_model(lambda x, y: x, rounded_a=True)
    rounded = {
        "8 bits": fuse(a, GREY, model=model),
        "16 bits": fuse(a.astype(np.uint16) * 257, GREY, model=model),
        "a range": fuse(a, GREY, model=model, range="0,250"),
        "grey": fuse(GREY, a, model=model),
    }
    assert [name for name, result in rounded.items() if result.record["colour"]["rounded_a"]] == ["8 bits"]
