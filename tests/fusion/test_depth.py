"""Type and shape of the result for every kind of pair, against the rule as the documentation puts it."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from polyfuse import fuse
from polyfuse.errors import UsageError

TYPES = {8: "uint8", 16: "uint16", 32: "float32"}


def picture(depth: int, colour: bool) -> NDArray[Any]:
    shape = (4, 5, 3) if colour else (4, 5)
    top = 1.0 if depth == 32 else np.iinfo(TYPES[depth]).max
    return (np.random.default_rng(3).random(shape) * top).astype(TYPES[depth])


def expected(
    depths: tuple[int, int], colours: tuple[bool, bool], bit_depth: str, grey: bool, colour_from: str
) -> tuple[str, int] | None:
    """dtype and number of axes of the result; None where the request contradicts itself."""
    named = {"auto": None, "a": 0, "b": 1}[colour_from]
    if grey:
        carrier = None
    elif named is not None:
        if not colours[named]:
            return None
        carrier = named
    else:
        carrier = 1 if colours[1] else 0 if colours[0] else None
    if bit_depth in ("8", "16"):
        depth = int(bit_depth)
    elif bit_depth == "auto" and carrier is not None:
        depth = depths[carrier]
    else:
        depth = max(depths)
    return TYPES[depth], 2 if carrier is None else 3


@pytest.mark.parametrize("colours", list(product([False, True], repeat=2)))
@pytest.mark.parametrize("depths", list(product([8, 16, 32], repeat=2)))
def test_type_and_shape_of_the_result_follow_the_rule(depths: tuple[int, int], colours: tuple[bool, bool]) -> None:
    a, b = (picture(depth, colour) for depth, colour in zip(depths, colours, strict=True))
    wrong = []
    for request in product(("auto", "same", "8", "16"), (False, True), ("auto", "a", "b")):
        bit_depth, grey, colour_from = request
        try:
            image = fuse(a, b, model="average", bit_depth=bit_depth, grey=grey, colour_from=colour_from).image
            found = (image.dtype.name, image.ndim)
        except UsageError:
            found = None
        if found != expected(depths, colours, *request):
            wrong.append((request, found))
    assert wrong == []


def test_deep_grey_under_shallow_colour_is_told() -> None:
    notes = fuse(picture(16, False), picture(8, True), model="average").notes
    assert "a has 16 bits and the colour result 8: --bit-depth same keeps 16" in notes


def test_levels_of_a_deep_pair_are_not_narrowed(rng: np.random.Generator) -> None:
    deep = rng.permutation(65536).astype(np.uint16).reshape(256, 256)
    assert len(np.unique(fuse(deep, deep, model="average", range="full").image)) == 65536


def test_eight_bits_of_a_deep_pair_are_its_rounded_upper_levels() -> None:
    deep = np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16)
    image = fuse(deep, deep, model="average", range="full", bit_depth="8").image
    np.testing.assert_array_equal(image, np.arange(256, dtype=np.uint8).reshape(16, 16))
