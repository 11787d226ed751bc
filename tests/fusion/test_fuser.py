"""The parts of one fusion give what `fuse` gives; a clip fixes the range of the output for all its frames."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from polyfuse import FuseOptions, fuse, load
from polyfuse.families.fnet.network import FNet
from polyfuse.families.spec import FusionModel
from polyfuse.fusion.conventions import decide
from polyfuse.fusion.fuser import Fuser
from polyfuse.fusion.stretch import OutputRange
from polyfuse.io import Picture

Maker = Callable[..., FusionModel]


@pytest.fixture
def pair(rng: np.random.Generator) -> tuple[Picture, Picture]:
    """A grey and a colour picture of one size."""
    a, b = rng.integers(0, 256, (40, 70), dtype=np.uint8), rng.integers(0, 256, (40, 70, 3), dtype=np.uint8)
    return Picture(a), Picture(b)


def fuser_of(pair: tuple[Picture, Picture], model: FusionModel, **options: Any) -> Fuser:
    """A fuser for this pair."""
    chosen = FuseOptions(**options)
    return Fuser(model, chosen, decide(*pair, chosen, model.provenance)[0])


@pytest.mark.parametrize("stretch", ["none", "minmax", "percentile"])
@pytest.mark.parametrize("more", [{}, {"tile": 16}, {"grey": True}, {"colour_from": "b", "bit_depth": "16"}])
def test_plane_and_finish_give_the_picture_of_fuse(
    pair: tuple[Picture, Picture], stretch: str, more: dict[str, Any]
) -> None:
    model = load("laplacian")
    fuser = fuser_of(pair, model, stretch=stretch, **more)
    plane, num_tiles = fuser.plane(*pair)
    carrier = fuser.conventions.carrier_of(pair[0].array, pair[1].array)
    whole = fuse(*pair, model=model, stretch=stretch, **more)
    np.testing.assert_array_equal(fuser.finish(plane, carrier), whole.image)
    assert num_tiles == whole.record["run"]["tiles"]


@pytest.mark.parametrize("stretch", ["none", "minmax"])
def test_image_is_the_picture_of_fuse(pair: tuple[Picture, Picture], stretch: str) -> None:
    fuser = fuser_of(pair, load("maximum"), stretch=stretch, tile=32)
    image, num_tiles = fuser.image(*pair)
    np.testing.assert_array_equal(image, fuse(*pair, model="maximum", stretch=stretch, tile=32).image)
    assert num_tiles == 6


def test_record_is_that_of_fuse_but_for_the_time(pair: tuple[Picture, Picture]) -> None:
    model = load("average")
    record, expected = fuser_of(pair, model).record(*pair, num_tiles=1, seconds=2.0), fuse(*pair, model=model).record
    assert record["run"]["seconds"] == 2.0
    for run in (record["run"], expected["run"]):
        del run["seconds"], run["finished"]
    assert {**record, "notes": []} == expected


def test_range_of_a_clip_takes_the_place_of_the_range_of_the_picture(
    make_model: Maker, pair: tuple[Picture, Picture]
) -> None:
    model = make_model(lambda a, b: a, output="minmax")
    fuser = fuser_of(pair, model)
    of_clip = Fuser(model, fuser.options, fuser.conventions, OutputRange(-1.0, 3.0))
    plane = np.array([[0.0, 1.0]], np.float32)
    np.testing.assert_array_equal(fuser.stretched(plane), plane)
    np.testing.assert_array_equal(of_clip.stretched(plane), [[0.25, 0.5]])


def test_tensor_is_luma_where_and_as_the_model_computes(pair: tuple[Picture, Picture]) -> None:
    tensor = fuser_of(pair, FNet().double()).tensor(pair[0].array[:, 10:30], "a")
    assert (tensor.shape, tensor.dtype, tensor.device.type) == ((1, 1, 40, 20), torch.float64, "cpu")
    np.testing.assert_array_equal(tensor[0, 0], pair[0].array[:, 10:30] / np.float32(255))


@pytest.mark.parametrize(("options", "expected"), [({}, 1), ({"grey": True}, None), ({"colour_from": "b"}, 1)])
def test_carrier_is_the_source_that_gives_the_colour(
    pair: tuple[Picture, Picture], options: dict[str, Any], expected: int | None
) -> None:
    arrays: list[NDArray[Any]] = [picture.array for picture in pair]
    carrier = fuser_of(pair, load("average"), **options).conventions.carrier_of(*arrays)
    assert carrier is (None if expected is None else arrays[expected])


def test_carrier_may_be_a(pair: tuple[Picture, Picture]) -> None:
    grey, colour = pair
    conventions = fuser_of((colour, grey), load("average")).conventions
    assert conventions.carrier_of(colour.array, grey.array) is colour.array


def test_model_computes_where_and_as_its_parameters_are(random_fnet: FNet) -> None:
    assert (random_fnet.device, random_fnet.dtype) == (torch.device("cpu"), torch.float32)
    moved = FNet().to("meta", torch.float64)
    assert (moved.device, moved.dtype) == (torch.device("meta"), torch.float64)


def test_model_without_parameters_computes_on_the_cpu_in_float32() -> None:
    model = load("average")
    assert (model.device, model.dtype) == (torch.device("cpu"), torch.float32)
