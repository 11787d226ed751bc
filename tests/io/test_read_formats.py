"""Every format, depth and colour mode comes in with its values, its type and a note for what was done."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from polyfuse.errors import InputError
from polyfuse.io import Picture, peek_size, read_picture

LOSSLESS = [".png", ".bmp", ".tif"]


def grey8(height: int = 13, width: int = 17) -> np.ndarray:
    return (np.arange(height * width, dtype=np.uint32) * 7 % 256).astype(np.uint8).reshape(height, width)


def rgb8(height: int = 13, width: int = 17) -> np.ndarray:
    grey = grey8(height, width)
    return np.stack([grey, grey[::-1], 255 - grey], axis=-1)


def palette_image(indices: np.ndarray) -> Image.Image:
    return Image.frombytes("P", indices.shape[::-1], indices.tobytes())


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_an_8_bit_grey_picture_is_read_exactly(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"grey{suffix}"
    Image.fromarray(grey8()).save(path)
    picture = read_picture(path)
    assert picture.array.dtype == np.uint8
    np.testing.assert_array_equal(picture.array, grey8())


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_an_8_bit_rgb_picture_is_read_exactly(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"colour{suffix}"
    Image.fromarray(rgb8()).save(path)
    np.testing.assert_array_equal(read_picture(path).array, rgb8())


def test_a_lossless_webp_is_read_exactly(tmp_path: Path) -> None:
    path = tmp_path / "colour.webp"
    Image.fromarray(rgb8()).save(path, lossless=True)
    picture = read_picture(path)
    np.testing.assert_array_equal(picture.array, rgb8())
    assert picture.format == "WEBP"


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_a_lossy_picture_is_read_as_its_decoder_gives_it(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"lossy{suffix}"
    Image.fromarray(rgb8(40, 30)).save(path, quality=90)
    with Image.open(path) as image:
        np.testing.assert_array_equal(read_picture(path).array, np.asarray(image.convert("RGB")))


def test_a_grey_jpeg_is_read_as_one_channel(tmp_path: Path) -> None:
    Image.fromarray(grey8()).save(tmp_path / "grey.jpg")
    assert read_picture(tmp_path / "grey.jpg").is_grey


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".jpg", ".webp"])
def test_grey_saved_as_rgb_is_collapsed_with_a_note(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"grey_as_rgb{suffix}"
    options: dict[str, Any] = {"lossless": True} if suffix == ".webp" else {}
    Image.fromarray(np.repeat(grey8()[..., None], 3, axis=2)).save(path, **options)
    picture = read_picture(path)
    assert picture.is_grey
    assert "three equal channels read as grey" in picture.notes


def test_one_coloured_pixel_in_the_last_row_keeps_a_picture_colour(tmp_path: Path) -> None:
    # Larger than one band of rows, so that the change from grey to colour happens between bands.
    rgb = np.repeat(np.full((3000, 900, 1), 90, np.uint8), 3, axis=2)
    rgb[-1, -1] = (90, 91, 90)
    Image.fromarray(rgb).save(tmp_path / "nearly_grey.bmp")
    np.testing.assert_array_equal(read_picture(tmp_path / "nearly_grey.bmp").array, rgb)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_alpha_is_dropped_with_a_note_and_colours_stay_unblended(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"alpha{suffix}"
    rgba = np.dstack([rgb8(), np.where(grey8() > 99, 40, 255).astype(np.uint8)])
    options: dict[str, Any] = {"lossless": True, "exact": True} if suffix == ".webp" else {}
    Image.fromarray(rgba).save(path, **options)
    picture = read_picture(path)
    np.testing.assert_array_equal(picture.array, rgb8())
    assert picture.notes == ("alpha channel ignored",)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_grey_with_alpha_is_read_as_grey(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"la{suffix}"
    Image.fromarray(np.dstack([grey8(), grey8()[::-1]])).save(path)
    picture = read_picture(path)
    np.testing.assert_array_equal(picture.array, grey8())
    assert picture.notes == ("alpha channel ignored",)


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_a_palette_picture_is_looked_up(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"palette{suffix}"
    image = palette_image(grey8() % 4)
    image.putpalette([10, 20, 30, 200, 0, 0, 0, 200, 0, 0, 0, 200])
    image.save(path)
    table = np.array([[10, 20, 30], [200, 0, 0], [0, 200, 0], [0, 0, 200]], np.uint8)
    np.testing.assert_array_equal(read_picture(path).array, table[grey8() % 4])


def test_a_palette_png_with_transparency_is_read_without_a_warning(tmp_path: Path) -> None:
    # Pillow warns when such a picture is converted; warnings are errors in these tests.
    image = palette_image(grey8() % 2)
    image.putpalette([10, 20, 30, 200, 0, 0])
    image.save(tmp_path / "palette.png", transparency=bytes([0, 128]))
    assert read_picture(tmp_path / "palette.png").notes == ("alpha channel ignored",)


def test_a_palette_of_greys_is_read_as_grey(tmp_path: Path) -> None:
    image = palette_image(grey8())
    image.putpalette([value for level in range(256) for value in (255 - level,) * 3])
    image.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "palette.png").array, 255 - grey8())


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_a_1_bit_picture_becomes_0_and_255(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"bilevel{suffix}"
    Image.fromarray(grey8() > 127).save(path)
    np.testing.assert_array_equal(read_picture(path).array, np.where(grey8() > 127, 255, 0).astype(np.uint8))


def test_a_cmyk_jpeg_is_converted_with_a_note(tmp_path: Path) -> None:
    Image.new("CMYK", (5, 4), (0, 200, 100, 0)).save(tmp_path / "cmyk.jpg")
    picture = read_picture(tmp_path / "cmyk.jpg")
    assert not picture.is_grey
    assert picture.notes == ("CMYK converted to RGB",)


def test_the_format_is_told_by_content_and_a_wrong_suffix_is_noted(tmp_path: Path) -> None:
    Image.fromarray(rgb8()).save(tmp_path / "photo.png", format="JPEG")
    picture = read_picture(tmp_path / "photo.png")
    assert picture.format == "JPEG"
    assert picture.notes == ("JPEG data in a file named .png",)


def test_an_animated_webp_gives_its_first_frame_with_a_note(tmp_path: Path) -> None:
    frames = [Image.fromarray(rgb8()), Image.fromarray(255 - rgb8())]
    frames[0].save(tmp_path / "clip.webp", save_all=True, append_images=frames[1:], lossless=True)
    picture = read_picture(tmp_path / "clip.webp")
    np.testing.assert_array_equal(picture.array, rgb8())
    assert "frame 0 of 2" in picture.notes


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp", ".tif"])
@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (1, 9), (64, 1)])
def test_any_size_is_read_and_peeked_alike(tmp_path: Path, suffix: str, shape: tuple[int, int]) -> None:
    path = tmp_path / f"small{suffix}"
    Image.fromarray(rgb8(*shape)).save(path)
    picture = read_picture(path)
    assert (picture.height, picture.width) == shape
    assert peek_size(path) == (shape[1], shape[0])


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp", ".tif"])
def test_what_is_read_is_contiguous_and_writable(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"picture{suffix}"
    Image.fromarray(rgb8()).save(path)
    flags = read_picture(path).array.flags
    assert flags.c_contiguous
    assert flags.writeable


def test_the_digest_is_that_of_the_files_bytes(tmp_path: Path) -> None:
    import hashlib

    path = tmp_path / "picture.png"
    Image.fromarray(grey8()).save(path)
    assert read_picture(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_picture_knows_its_size_and_depth() -> None:
    picture = Picture(np.zeros((3, 5, 3), np.uint16))
    assert (picture.height, picture.width, picture.depth, picture.is_grey) == (3, 5, 16, False)


@pytest.mark.parametrize(
    "array", [np.zeros((2, 2)), np.zeros((2, 2, 4), np.uint8), np.zeros((0, 2), np.uint8), np.zeros(4, np.uint8)]
)
def test_a_picture_refuses_arrays_that_are_none(array: np.ndarray) -> None:
    with pytest.raises(InputError):
        Picture(array)
