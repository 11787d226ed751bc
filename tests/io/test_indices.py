"""Masks of class indices: every way of storing them gives the indices, and what holds none is refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from polyfuse.errors import InputError
from polyfuse.io import write_picture
from polyfuse.io.indices import read_four_channels, read_indices

MASK = np.array([[0, 1, 2], [7, 255, 1]], np.uint8)


def test_grey_mask_is_read_as_it_is(tmp_path: Path) -> None:
    assert (read_indices(write_picture(tmp_path / "m.png", MASK)) == MASK).all()


def test_palette_gives_indices_not_colours(tmp_path: Path) -> None:
    image = Image.frombytes("P", (3, 2), MASK.tobytes())
    image.putpalette([value for index in range(256) for value in (255 - index, index, 3 * index % 256)])
    image.save(tmp_path / "m.png")
    assert (read_indices(tmp_path / "m.png") == MASK).all()


def test_single_bits_are_0_and_1(tmp_path: Path) -> None:
    Image.fromarray(MASK > 1).save(tmp_path / "m.png")
    assert read_indices(tmp_path / "m.png").tolist() == (MASK > 1).astype(int).tolist()


def test_sixteen_bits_and_three_equal_channels_are_indices_too(tmp_path: Path) -> None:
    wide = MASK.astype(np.uint16) * 200
    assert (read_indices(write_picture(tmp_path / "w.png", wide)) == wide).all()
    Image.fromarray(np.repeat(MASK[..., None], 3, axis=2)).save(tmp_path / "m.png")
    assert (read_indices(tmp_path / "m.png") == MASK).all()


def test_what_holds_no_indices_is_refused(tmp_path: Path) -> None:
    colours = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    for name, pixels, message in (
        ("m.jpg", MASK, "is a JPEG, which changes class indices"),
        ("m.png", colours, "holds colours, not class indices"),
        ("m.tif", MASK.astype(np.float32), "holds float32 values, not class indices"),
    ):
        with pytest.raises(InputError, match=message):
            read_indices(write_picture(tmp_path / name, pixels))


def test_damaged_palette_mask_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((64, 64), np.uint8)).convert("P").save(tmp_path / "m.png")
    content = (tmp_path / "m.png").read_bytes()
    (tmp_path / "m.png").write_bytes(content[:-20])
    with pytest.raises(InputError, match="cut short"):
        read_indices(tmp_path / "m.png")


def test_fourth_channel_is_the_infrared_picture(tmp_path: Path, rng: np.random.Generator) -> None:
    values = rng.integers(0, 256, (5, 6, 4), dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / "x.png")
    infrared, visible = read_four_channels(tmp_path / "x.png")
    assert (infrared.array == values[..., 3]).all()
    assert (visible.array == values[..., :3]).all()


def test_picture_without_a_fourth_channel_is_refused(tmp_path: Path) -> None:
    write_picture(tmp_path / "x.png", np.zeros((5, 6, 3), np.uint8))
    with pytest.raises(InputError, match="does not hold four channels of 8 bits"):
        read_four_channels(tmp_path / "x.png")
