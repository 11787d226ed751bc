"""Depth is never narrowed in silence: each test here fails for a reader that goes the obvious way."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from polyfuse.io import read_picture, write_picture

RAMP = np.arange(65536, dtype=np.uint16).reshape(256, 256)
COLOUR_RAMP = np.stack([RAMP, RAMP[::-1], RAMP.T], axis=-1)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_16_bit_grey_picture_keeps_all_65536_levels(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"ramp{suffix}"
    write_picture(path, RAMP)
    picture = read_picture(path)
    assert picture.depth == 16
    np.testing.assert_array_equal(picture.array, RAMP)


def test_pillows_own_grey_conversion_would_lose_nearly_all_levels(make_png: Callable[..., bytes]) -> None:
    # The trap the reader must not step into; if Pillow ever mends it, this says so.
    with Image.open(io.BytesIO(make_png(RAMP))) as image:
        assert (np.asarray(image.convert("L")) == 255).mean() > 0.99


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_16_bit_colour_picture_keeps_values_and_channel_order(tmp_path: Path, suffix: str) -> None:
    if suffix == ".png":
        pytest.importorskip("cv2", reason="16-bit colour PNG needs OpenCV")
    path = tmp_path / f"ramp{suffix}"
    write_picture(path, COLOUR_RAMP)
    np.testing.assert_array_equal(read_picture(path).array, COLOUR_RAMP)


def test_pillow_would_give_8_bits_for_16_bit_colour(make_png: Callable[..., bytes]) -> None:
    with Image.open(io.BytesIO(make_png(COLOUR_RAMP))) as image:
        assert np.asarray(image).dtype == np.uint8


@pytest.mark.parametrize("channels", [2, 4])
def test_16_bit_png_with_alpha_keeps_its_depth(tmp_path: Path, make_png: Callable[..., bytes], channels: int) -> None:
    pytest.importorskip("cv2", reason="16-bit colour PNG needs OpenCV")
    samples = np.dstack([RAMP, RAMP[::-1]] if channels == 2 else [COLOUR_RAMP, RAMP[:, ::-1]])
    (tmp_path / "alpha.png").write_bytes(make_png(samples))
    picture = read_picture(tmp_path / "alpha.png")
    np.testing.assert_array_equal(picture.array, RAMP if channels == 2 else COLOUR_RAMP)
    assert "alpha channel ignored" in picture.notes


def test_a_gamma_chunk_changes_no_value(tmp_path: Path, make_png: Callable[..., bytes]) -> None:
    pytest.importorskip("cv2", reason="16-bit colour PNG needs OpenCV")
    (tmp_path / "gamma.png").write_bytes(make_png(COLOUR_RAMP, before=[(b"gAMA", (100000).to_bytes(4, "big"))]))
    np.testing.assert_array_equal(read_picture(tmp_path / "gamma.png").array, COLOUR_RAMP)


def test_16_bit_grey_saved_as_colour_is_collapsed_at_full_depth(tmp_path: Path, make_png: Callable[..., bytes]) -> None:
    pytest.importorskip("cv2", reason="16-bit colour PNG needs OpenCV")
    (tmp_path / "grey.png").write_bytes(make_png(np.repeat(RAMP[..., None], 3, axis=2)))
    np.testing.assert_array_equal(read_picture(tmp_path / "grey.png").array, RAMP)


def test_a_float_tiff_keeps_every_bit(tmp_path: Path, rng: np.random.Generator) -> None:
    array = rng.normal(300, 20, (31, 17)).astype(np.float32)
    write_picture(tmp_path / "kelvin.tif", array)
    picture = read_picture(tmp_path / "kelvin.tif")
    assert picture.depth == 32
    np.testing.assert_array_equal(picture.array, array)


def test_nan_in_a_float_tiff_is_read_for_the_next_step_to_report(tmp_path: Path) -> None:
    import tifffile

    tifffile.imwrite(tmp_path / "nan.tif", np.array([[0, np.nan]], np.float32))
    assert np.isnan(read_picture(tmp_path / "nan.tif").array[0, 1])
