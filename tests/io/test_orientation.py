"""The EXIF orientation is applied once, whichever library decodes the pixels."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from polyfuse.io import peek_size, read_picture
from polyfuse.io.orientation import apply_orientation, exif_orientation

GREY = np.arange(6 * 10, dtype=np.uint8).reshape(6, 10) * 4
ORIENTATIONS = range(1, 9)


def upright(orientation: int) -> np.ndarray:
    """What Pillow makes of it: an independent implementation."""
    image = Image.fromarray(GREY)
    image.getexif()[274] = orientation
    return np.asarray(ImageOps.exif_transpose(image))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_orientation_of_an_array_agrees_with_pillow(orientation: int) -> None:
    np.testing.assert_array_equal(apply_orientation(GREY, orientation), upright(orientation))


@pytest.mark.parametrize("suffix", [".png", ".webp", ".jpg"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_orientation_is_applied_once(
    tmp_path: Path, make_exif: Callable[[int], bytes], suffix: str, orientation: int
) -> None:
    path = tmp_path / f"turned{suffix}"
    options: dict[str, dict[str, Any]] = {".png": {}, ".webp": {"lossless": True}, ".jpg": {"quality": 100}}
    Image.fromarray(GREY).save(path, exif=b"Exif\x00\x00" + make_exif(orientation), **options[suffix])
    picture = read_picture(path)
    # JPEG at quality 100 still rounds: one or two grey levels, far from the 4 between neighbours.
    np.testing.assert_allclose(picture.array.astype(int), upright(orientation), atol=2 if suffix == ".jpg" else 0)
    assert peek_size(path) == (picture.width, picture.height)
    assert (f"EXIF orientation {orientation} applied" in picture.notes) == (orientation != 1)


@pytest.mark.parametrize("compression", [None, "lzw"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_orientation_of_a_tiff_is_applied_once(tmp_path: Path, compression: str | None, orientation: int) -> None:
    if compression:
        pytest.importorskip("imagecodecs", reason="writing LZW needs imagecodecs")
    path = tmp_path / "turned.tif"
    tifffile.imwrite(path, GREY, compression=compression, extratags=[(274, 3, 1, orientation, True)])
    np.testing.assert_array_equal(read_picture(path).array, upright(orientation))
    assert peek_size(path) == upright(orientation).shape[::-1]


@pytest.mark.parametrize("place", ["before", "after"])
def test_an_exif_chunk_counts_before_and_after_the_pixels(
    tmp_path: Path, make_png: Callable[..., bytes], make_exif: Callable[[int], bytes], place: str
) -> None:
    data = make_png(GREY, **{place: [(b"eXIf", make_exif(6))]})
    (tmp_path / "turned.png").write_bytes(data)
    np.testing.assert_array_equal(read_picture(tmp_path / "turned.png").array, upright(6))


def test_16_bit_colour_is_turned_though_opencv_does_not(
    tmp_path: Path, make_png: Callable[..., bytes], make_exif: Callable[[int], bytes]
) -> None:
    pytest.importorskip("cv2", reason="16-bit colour PNG needs OpenCV")
    rgb = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=-1).astype(np.uint16) * 250
    (tmp_path / "turned.png").write_bytes(make_png(rgb, before=[(b"eXIf", make_exif(8))]))
    np.testing.assert_array_equal(read_picture(tmp_path / "turned.png").array, np.rot90(rgb))


@pytest.mark.parametrize(
    "block", [None, b"", b"Exif\x00\x00", b"XX\x00*", b"MM\x00*\x00\x00\x00\xff", b"II*\x00\x08\x00\x00\x00\xff\xff"]
)
def test_a_damaged_exif_block_counts_as_upright(block: bytes | None) -> None:
    assert exif_orientation(block) == 1


def test_a_jpeg_with_a_damaged_exif_block_is_read_without_a_warning(tmp_path: Path) -> None:
    # Pillow warns about it; warnings are errors in these tests.
    Image.fromarray(GREY).save(tmp_path / "x.jpg", exif=b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x09\x01")
    assert read_picture(tmp_path / "x.jpg").notes == ()


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_outside_1_to_8_counts_as_upright(make_exif: Callable[[int], bytes], value: int) -> None:
    assert exif_orientation(make_exif(value)) == 1
