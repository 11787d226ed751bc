"""The compiled colour gives the pixels of NumPy's form to the bit, whatever the instructions, convention and gamut."""

from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from polyfuse.ops import native_colour
from polyfuse.ops.native_kernels import instruction_set, kernel
from polyfuse.transforms import luma, measure_range, merge, parse_range, quantise, split, to_unit

pytestmark = pytest.mark.skipif(kernel("colour") is None, reason="the package was built without a compiler")
Convention = Literal["full", "studio"]
Gamut = Literal["safe", "clip"]
SIZES = [(1, 1), (3, 5), (17, 1030), (40, 2100)]


@pytest.fixture(params=native_colour.SETS)
def instructions(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The one set that is taken."""
    name: str = request.param
    if instruction_set("colour", (name,)) is None:
        pytest.skip(f"this processor has no {name}")
    monkeypatch.setattr(native_colour, "SETS", (name,))
    return name


def unit(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    return to_unit(rgb, measure_range(rgb, parse_range("full"), name="rgb"))


def plain(fused: NDArray[Any], rgb: NDArray[np.uint8], convention: Convention, gamut: Gamut) -> NDArray[Any]:
    """What NumPy makes of it."""
    _, cb, cr = split(unit(rgb), convention)
    return quantise(merge(np.clip(fused, 0, 1), cb, cr, convention, gamut), 8)


def random_picture(*size: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Colours, among them black, white and pure ones, and a luma that leaves [0, 1]."""
    rng = np.random.default_rng(1)
    rgb = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    rgb[rng.random(rgb.shape) < 0.2] = 0
    rgb[rng.random(rgb.shape) < 0.2] = 255
    return rgb, rng.random(size, dtype=np.float32) * 1.4 - np.float32(0.2)


@pytest.mark.parametrize("gamut", ["safe", "clip"])
@pytest.mark.parametrize("convention", ["full", "studio"])
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.usefixtures("instructions")
def test_pixels_are_those_of_numpy(size: tuple[int, int], convention: Convention, gamut: Gamut) -> None:
    rgb, fused = random_picture(*size)
    studio = convention == "studio"
    assert native_colour.takes(rgb)
    np.testing.assert_array_equal(native_colour.luma(rgb, studio=studio), luma(unit(rgb), convention))
    made = native_colour.merged(fused, rgb, studio=studio, safe=gamut == "safe")
    assert made is not None
    np.testing.assert_array_equal(made, plain(fused, rgb, convention, gamut))


@given(
    rgb=arrays.arrays(np.uint8, (2, 3, 3)),
    fused=arrays.arrays(np.float32, (2, 3), elements=st.floats(-2, 3, width=32)),
    convention=st.sampled_from(["full", "studio"]),
    gamut=st.sampled_from(["safe", "clip"]),
)
def test_any_colour_and_any_luma(
    rgb: NDArray[np.uint8], fused: NDArray[np.float32], convention: Convention, gamut: Gamut
) -> None:
    made = native_colour.merged(fused, rgb, studio=convention == "studio", safe=gamut == "safe")
    assert made is not None
    np.testing.assert_array_equal(made, plain(fused, rgb, convention, gamut))


def test_every_grey_comes_back_as_it_was() -> None:
    rgb = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    made = native_colour.merged(native_colour.luma(rgb, studio=False), rgb, studio=False, safe=True)
    np.testing.assert_array_equal(made, rgb)


def test_windows_of_larger_pictures_are_read_where_they_lie() -> None:
    rgb, fused = random_picture(30, 50)
    part = (slice(3, 20), slice(7, 41))
    assert native_colour.takes(rgb[part])
    whole = native_colour.merged(fused, rgb, studio=False, safe=True)
    made = native_colour.merged(fused[part], rgb[part], studio=False, safe=True)
    assert whole is not None
    np.testing.assert_array_equal(made, whole[part])
    np.testing.assert_array_equal(
        native_colour.luma(rgb[part], studio=True), native_colour.luma(rgb, studio=True)[part]
    )


@pytest.mark.parametrize("spoilt", [np.nan, np.inf, -np.inf])
def test_luma_that_is_not_finite_is_left_to_numpy_which_refuses_it(spoilt: float) -> None:
    rgb, fused = random_picture(5, 9)
    fused[4, 8] = spoilt
    assert native_colour.merged(fused, rgb, studio=False, safe=True) is None


def test_other_pictures_are_left_to_numpy() -> None:
    rgb, fused = random_picture(5, 9)
    assert not native_colour.takes(rgb.astype(np.uint16))
    assert not native_colour.takes(rgb[..., :2])
    assert not native_colour.takes(rgb[:, ::2])
    assert not native_colour.takes(rgb[..., 0])
    with pytest.raises(ValueError, match=r"\(5, 8\) float32: the kernel needs \(5, 9\)"):
        native_colour.merged(fused[:, 1:], rgb, studio=False, safe=True)
