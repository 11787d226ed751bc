"""What a user says of the sources: their order, the polarity of the thermal one, a size of another shape."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from polyfuse import fuse
from polyfuse.errors import InputError, UsageError
from polyfuse.fusion import FuseOptions, fuse_pairs
from polyfuse.io import Pair, read_picture
from polyfuse.registry import load

Maker = Callable[..., Any]


@pytest.fixture
def grey(rng: np.random.Generator) -> NDArray[Any]:
    """A thermal picture."""
    return rng.integers(0, 256, (40, 50), np.uint8)


@pytest.fixture
def colour(rng: np.random.Generator) -> NDArray[Any]:
    """A visible picture."""
    return rng.integers(90, 150, (40, 50, 3), np.uint8)


def test_black_hot_is_seen_white_hot_and_recorded(grey: NDArray[Any], make_model: Maker) -> None:
    give_a = make_model(lambda a, b: a)
    result = fuse(grey, grey, model=give_a, polarity="black-hot")
    np.testing.assert_array_equal(result.image, 255 - grey)
    assert result.record["polarity"] == "black-hot"
    assert result.record["settings"]["options"]["polarity"] == "black-hot"
    assert fuse(grey, grey, model=give_a).record["polarity"] == "white-hot"


def test_black_hot_counts_are_mirrored_within_their_window(make_model: Maker) -> None:
    counts = np.linspace(7000, 9000, 100, dtype=np.uint16).reshape(10, 10)
    result = fuse(counts, counts, model=make_model(lambda a, b: a), polarity="black-hot", range="minmax")
    np.testing.assert_array_equal(result.image, 16000 - counts)


def test_black_hot_turns_a_alone(grey: NDArray[Any], give_b: Maker) -> None:
    np.testing.assert_array_equal(fuse(grey, grey, model=give_b(), polarity="black-hot").image, grey)


def test_rounded_luma_of_a_colour_picture_is_turned_too(colour: NDArray[Any], make_model: Maker) -> None:
    seen = fuse(colour, colour[..., 0], model=make_model(lambda a, b: a, rounded_a=True), grey=True).image
    turned = fuse(
        colour, colour[..., 0], model=make_model(lambda a, b: a, rounded_a=True), grey=True, polarity="black-hot"
    ).image
    np.testing.assert_array_equal(turned, 255 - seen)


def test_another_polarity_is_refused() -> None:
    with pytest.raises(UsageError, match="polarity cannot be 'hot': use one of 'white-hot', 'black-hot'"):
        FuseOptions(polarity="hot")  # type: ignore[arg-type]


def test_swap_exchanges_the_sources_and_is_recorded(grey: NDArray[Any], colour: NDArray[Any]) -> None:
    swapped, plain = fuse(colour, grey, model="laplacian", swap=True), fuse(grey, colour, model="laplacian")
    np.testing.assert_array_equal(swapped.image, plain.image)
    assert swapped.record["settings"]["options"]["swap"] is True
    assert swapped.record["sources"] == plain.record["sources"]


def test_swap_holds_for_folders_and_is_resumed(
    grey: NDArray[Any], colour: NDArray[Any], on_disk: Callable[..., Path], tmp_path: Path
) -> None:
    ir, vi, out = on_disk("ir.png", grey), on_disk("vi.png", colour), tmp_path / "fused.png"
    from polyfuse.fusion import Writing

    for state in ("fused", "kept"):
        options = FuseOptions(swap=True)
        [outcome] = fuse_pairs([(Pair("1", vi, ir), out)], load("maximum"), options, writing=Writing(resume=True))
        assert (outcome.state, outcome.pair.a) == (state, ir)
    np.testing.assert_array_equal(read_picture(out).array, fuse(ir, vi, model="maximum").image)
    assert json.loads(Path(f"{out}.json").read_text(encoding="utf-8"))["sources"]["a"]["path"] == str(ir)


def test_another_shape_is_not_resized_unless_asked_twice(grey: NDArray[Any]) -> None:
    wide = np.tile(grey, (1, 2))
    with pytest.raises(InputError, match=r"a is 50x40 and b 100x40, of another shape: .* or pass --resize-anyway"):
        fuse(grey, wide, model="average", resize="a")
    assert fuse(grey, wide, model="average", resize="a", resize_anyway=True).image.shape == (40, 100)


@pytest.mark.parametrize(("width", "fits"), [(100, True), (101, True), (99, True), (104, False), (96, False)])
def test_shape_may_differ_by_two_percent(grey: NDArray[Any], width: int, fits: bool) -> None:
    other = np.zeros((80, width), np.uint8)
    if fits:
        assert fuse(grey, other, model="average", resize="b").image.shape == (40, 50)
    else:
        with pytest.raises(InputError, match="another shape"):
            fuse(grey, other, model="average", resize="b")
