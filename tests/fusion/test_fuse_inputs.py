"""What `fuse` accepts as a source and as an option."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from polyfuse import FuseOptions, fuse, load
from polyfuse.errors import InputError, UsageError
from polyfuse.families.spec import FusionModel
from polyfuse.io import Picture, read_picture

Writer = Callable[[str, NDArray[Any]], Path]

GREY = np.arange(20, dtype=np.uint8).reshape(4, 5)
COLOUR = np.stack((GREY * 5, GREY * 3, 200 - GREY), axis=2)


def test_paths_and_arrays_give_the_same_picture(on_disk: Writer) -> None:
    from_paths = fuse(on_disk("a.png", GREY), str(on_disk("b.png", COLOUR)), model="laplacian")
    np.testing.assert_array_equal(from_paths.image, fuse(GREY, COLOUR, model="laplacian").image)


@pytest.mark.parametrize("shape", [(4, 5), (1, 4, 5), (1, 1, 4, 5)])
def test_grey_tensor_of_each_documented_shape_equals_the_array(shape: tuple[int, ...]) -> None:
    tensor = torch.from_numpy(GREY).reshape(shape)
    np.testing.assert_array_equal(fuse(tensor, GREY, model="average").image, GREY)


@pytest.mark.parametrize("shape", [(3, 4, 5), (1, 3, 4, 5)])
def test_colour_tensor_of_each_documented_shape_equals_the_array(shape: tuple[int, ...]) -> None:
    tensor = torch.from_numpy(COLOUR).permute(2, 0, 1).reshape(shape)
    expected = fuse(GREY, COLOUR, model="average").image
    np.testing.assert_array_equal(fuse(GREY, tensor, model="average").image, expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_float_tensor_of_any_precision_gives_a_float32_picture(dtype: torch.dtype) -> None:
    tensor = torch.full((4, 5), 0.5, dtype=dtype, requires_grad=True)
    image = fuse(tensor, tensor, model="average").image
    assert (image.dtype, float(image.min()), float(image.max())) == (np.dtype(np.float32), 0.5, 0.5)


def test_float64_array_is_taken_as_float32() -> None:
    assert fuse(np.full((2, 3), 0.25), np.full((2, 3), 0.25), model="average").image.dtype == np.float32


def test_array_that_is_not_contiguous_is_read_as_it_looks() -> None:
    turned = np.arange(20, dtype=np.uint8).reshape(5, 4).T
    np.testing.assert_array_equal(fuse(turned, turned, model="average").image, turned)


def test_sources_are_left_as_they_were() -> None:
    a, b = GREY.copy(), COLOUR.copy()
    fuse(a, b, model="laplacian")
    assert (a == GREY).all()
    assert (b == COLOUR).all()


def test_picture_that_was_read_before_is_taken(on_disk: Writer) -> None:
    picture = read_picture(on_disk("a.png", GREY))
    assert fuse(picture, Picture(GREY), model="average").record["sources"]["a"]["sha256"] == picture.sha256


def test_ir_and_vi_are_other_names_of_a_and_b() -> None:
    np.testing.assert_array_equal(
        fuse(ir=GREY, vi=COLOUR, model="maximum").image, fuse(GREY, COLOUR, model="maximum").image
    )


@pytest.mark.parametrize("sources", [{"a": GREY, "ir": GREY, "b": GREY}, {"a": GREY}, {"vi": GREY}])
def test_source_given_twice_or_not_at_all_is_refused(sources: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="exactly once"):
        fuse(**sources, model="average")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (torch.zeros(2, 4, 5), r"tensor of shape \(2, 4, 5\): give"),
        (torch.zeros(2, 1, 4, 5), "fuse_tensors"),
        (np.zeros((4, 5, 2), np.uint8), r"\(4, 5, 2\)"),
        (np.zeros((0, 5), np.uint8), "no pixels"),
        (np.zeros((4, 5), np.int64), "int64"),
        ([[1, 2], [3, 4]], "list: give a path, an array or a tensor"),
        (np.full((4, 5), np.nan, np.float32), "NaN"),
        (np.full((4, 5), 300.0, np.float32), "outside 0 to 1"),
    ],
)
def test_source_that_is_no_picture_is_an_input_error(source: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        fuse(source, GREY, model="average")


def test_different_sizes_are_refused_with_both_named() -> None:
    with pytest.raises(InputError, match="a is 5x4 but b is 6x4: two cameras need the --warp"):
        fuse(GREY, np.zeros((4, 6), np.uint8), model="average")


@pytest.mark.parametrize(("which", "size"), [("a", (6, 8)), ("b", (4, 5))])
def test_resize_brings_the_named_source_to_the_size_of_the_other(which: str, size: tuple[int, int]) -> None:
    result = fuse(GREY, np.full((6, 8), 9, np.uint8), model="maximum", resize=which)
    assert result.image.shape == size
    assert any(note.startswith(f"{which} resized from") for note in result.notes)


def test_option_may_be_given_by_keyword_or_at_once() -> None:
    at_once = fuse(GREY, COLOUR, model="average", options=FuseOptions(grey=True)).image
    np.testing.assert_array_equal(at_once, fuse(GREY, COLOUR, model="average", grey=True).image)


def test_keyword_wins_over_options() -> None:
    assert fuse(GREY, COLOUR, model="average", options=FuseOptions(grey=True), grey=False).image.ndim == 3


def test_misspelt_option_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'colour_from'"):
        fuse(GREY, COLOUR, model="average", color_from="a")


def test_option_without_a_near_name_is_answered_with_all_names() -> None:
    with pytest.raises(UsageError, match="use range, range_b, polarity, swap"):
        fuse(GREY, COLOUR, model="average", precision="bf16")


@pytest.mark.parametrize(
    "option",
    [
        {"luma": "half"},
        {"gamut": "wide"},
        {"colour_from": "c"},
        {"bit_depth": "12"},
        {"resize": "c"},
        {"tile": 8},
        {"page": -1},
        {"max_pixels": 0},
        {"range": "5,4"},
        {"range_b": "some"},
    ],
)
def test_option_value_nobody_can_honour_is_a_usage_error(option: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        FuseOptions(**option)


def test_refused_option_value_is_answered_with_the_choices() -> None:
    with pytest.raises(UsageError, match="bit_depth cannot be 8: use one of 'auto', 'same', '8', '16'"):
        FuseOptions(bit_depth=8)  # type: ignore[arg-type]


def test_an_unknown_precision_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r"there is no precision 'fp16': use float32, bf16, tf32, auto\."):
        load("average", precision="fp16")  # type: ignore[arg-type]


def test_loaded_model_is_taken_in_place_of_a_name() -> None:
    np.testing.assert_array_equal(
        fuse(GREY, COLOUR, model=load("maximum")).image, fuse(GREY, COLOUR, model="maximum").image
    )


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (1, 40), (33, 2)])
@pytest.mark.parametrize("name", ["average", "maximum", "laplacian"])
def test_identical_sources_of_any_size_come_back(name: str, size: tuple[int, int], rng: np.random.Generator) -> None:
    picture = rng.integers(0, 256, size, dtype=np.uint8)
    np.testing.assert_array_equal(fuse(picture, picture, model=name).image, picture)


def test_model_that_makes_nan_is_refused(make_model: Callable[..., FusionModel]) -> None:
    with pytest.raises(InputError, match="model plain made NaN or infinity"):
        fuse(GREY, GREY, model=make_model(lambda a, b: a / 0))


def test_model_that_does_not_fit_into_memory_raises_memory_error(make_model: Callable[..., FusionModel]) -> None:
    hungry = make_model(lambda a, b: a + torch.empty(2**52))
    with pytest.raises(MemoryError):
        fuse(GREY, GREY, model=hungry)
