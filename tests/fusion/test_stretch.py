"""`stretch` decides what of the fused luma becomes black and white, whatever the model does by itself."""

from collections.abc import Callable

import numpy as np
import pytest

from polyfuse import fuse
from polyfuse.errors import UsageError
from polyfuse.families.spec import FusionModel

Maker = Callable[..., FusionModel]


@pytest.fixture
def ramp() -> np.ndarray:
    """Levels 50 to 150, with one black and one white pixel."""
    picture = np.linspace(50, 150, 40 * 50).round().astype(np.uint8).reshape(40, 50)
    picture[0, 0], picture[-1, -1] = 0, 255
    return picture


def test_auto_is_as_the_model_was_published(ramp: np.ndarray, make_model: Maker) -> None:
    for output, expected in (("clip", [25, 75]), ("minmax", [0, 255])):
        image = fuse(ramp[1:-1], ramp[1:-1], model=make_model(lambda a, b: a / 2, output=output)).image
        np.testing.assert_allclose([image.min(), image.max()], expected, atol=2)


def test_none_leaves_the_output_as_it_comes(ramp: np.ndarray, make_model: Maker) -> None:
    model = make_model(lambda a, b: a, output="minmax")
    assert np.array_equal(fuse(ramp[1:-1], ramp[1:-1], model=model, stretch="none").image, ramp[1:-1])


def test_percentiles_are_not_held_up_by_single_pixels(ramp: np.ndarray) -> None:
    assert np.array_equal(fuse(ramp, ramp, model="average", stretch="minmax").image, ramp)
    wide = fuse(ramp, ramp, model="average", stretch="percentile:1,99").image
    low, high = np.percentile(ramp, (1, 99))
    np.testing.assert_allclose(wide, ((ramp - low) / (high - low)).clip(0, 1) * 255, atol=0.51)
    tiled = fuse(ramp, ramp, model="average", stretch="percentile:1,99", tile=16).image
    assert np.array_equal(wide, tiled)


@pytest.mark.parametrize("spec", ["full", "0.1,0.9", "percentile:9,1", "percent"])
def test_unknown_stretch_is_a_usage_error(ramp: np.ndarray, spec: str) -> None:
    with pytest.raises(UsageError):
        fuse(ramp, ramp, model="average", stretch=spec)
