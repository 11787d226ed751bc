"""What is written comes back, or nothing is written and one line says why."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from polyfuse.errors import DependencyError, InputError, OutputError, UsageError
from polyfuse.io import check_output, read_picture, write_picture
from polyfuse.io import write as write_room


def sample(dtype: Any, channels: int) -> np.ndarray:
    values = np.random.default_rng(3).random((37, 29, channels))
    values = values if dtype == np.float32 else values * np.iinfo(dtype).max
    array = values.astype(dtype)
    return array[..., 0] if channels == 1 else array


LOSSLESS = [
    (".png", np.uint8, 1),
    (".png", np.uint8, 3),
    (".png", np.uint16, 1),
    (".png", np.uint16, 3),
    (".bmp", np.uint8, 1),
    (".bmp", np.uint8, 3),
    *[
        (suffix, dtype, n)
        for suffix in (".tif", ".TIFF")
        for dtype in (np.uint8, np.uint16, np.float32)
        for n in (1, 3)
    ],
]


@pytest.mark.parametrize(("suffix", "dtype", "channels"), LOSSLESS)
def test_a_lossless_format_gives_back_every_value(tmp_path: Path, suffix: str, dtype: Any, channels: int) -> None:
    if (suffix, dtype, channels) == (".png", np.uint16, 3):
        pytest.importorskip("cv2", reason="16-bit colour PNG needs OpenCV")
    array = sample(dtype, channels)
    path = write_picture(tmp_path / f"x{suffix}", array)
    assert path == tmp_path / f"x{suffix}"
    picture = read_picture(path)
    assert picture.array.dtype == dtype
    np.testing.assert_array_equal(picture.array, array)


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".webp"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_lossy_format_stays_close_at_high_quality(tmp_path: Path, suffix: str, channels: int) -> None:
    ramp = np.linspace(20, 220, 64).astype(np.uint8)
    array = np.repeat(ramp[None], 48, axis=0)
    array = array if channels == 1 else np.dstack([array, array[:, ::-1], array])
    write_picture(tmp_path / f"x{suffix}", array, quality=98)
    with Image.open(tmp_path / f"x{suffix}") as image:
        back = np.asarray(image.convert("L" if channels == 1 else "RGB")).astype(int)
    # 8 grey levels: WebP always halves its chroma, which costs a few levels on this steep colour ramp.
    np.testing.assert_allclose(back, array, atol=8)


def test_a_jpeg_keeps_its_chroma_at_full_resolution(tmp_path: Path) -> None:
    columns = np.zeros((16, 16, 3), np.uint8)
    columns[:, ::2] = (200, 30, 30)
    columns[:, 1::2] = (30, 30, 200)
    write_picture(tmp_path / "x.jpg", columns, quality=100)
    # With halved chroma both colours become one purple, 85 levels off.
    np.testing.assert_allclose(read_picture(tmp_path / "x.jpg").array.astype(int), columns, atol=6)


def test_a_written_tiff_is_compressed_and_holds_no_date(tmp_path: Path) -> None:
    write_picture(tmp_path / "x.tif", np.zeros((200, 200), np.uint16))
    with tifffile.TiffFile(tmp_path / "x.tif") as tiff:
        page = tiff.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        assert page.compression == tifffile.COMPRESSION.ADOBE_DEFLATE
        assert "DateTime" not in page.tags


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp", ".webp"])
def test_the_same_picture_gives_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    first, second = (write_picture(tmp_path / f"{n}{suffix}", sample(np.uint8, 3)) for n in "ab")
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp", ".webp"])
def test_a_1x1_picture_is_written(tmp_path: Path, suffix: str) -> None:
    path = write_picture(tmp_path / f"x{suffix}", np.full((1, 1), 7, np.uint8))
    assert read_picture(path).array.shape == (1, 1)


def test_a_view_with_odd_strides_is_written_as_it_looks(tmp_path: Path) -> None:
    array = sample(np.uint16, 1)[::-2, ::3]
    np.testing.assert_array_equal(read_picture(write_picture(tmp_path / "x.png", array)).array, array)


@pytest.mark.parametrize("suffix", [".jpg", ".bmp", ".webp"])
def test_16_bits_do_not_fit_an_8_bit_format(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(UsageError, match=r"cannot hold 16-bit pixels: write \.png or \.tif"):
        write_picture(tmp_path / f"x{suffix}", sample(np.uint16, 1))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp"])
def test_floats_fit_tiff_only(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(UsageError, match=r"cannot hold 32-bit float pixels: write \.tif"):
        write_picture(tmp_path / f"x{suffix}", sample(np.float32, 1))


@pytest.mark.parametrize("name", ["x.gif", "x", "x.png.txt"])
def test_an_unknown_suffix_is_refused_with_those_known(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"\.png \.jpg"):
        write_picture(tmp_path / name, sample(np.uint8, 1))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_are_never_written(tmp_path: Path, value: float) -> None:
    with pytest.raises(InputError, match="NaN"):
        write_picture(tmp_path / "x.tif", np.array([[0, value]], np.float32))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "array", [np.zeros((2, 2)), np.zeros((2, 2, 4), np.uint8), np.zeros((0, 3), np.uint8), np.zeros((2, 2), ">u2")]
)
def test_an_array_that_is_no_picture_is_refused(tmp_path: Path, array: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"x\.png"):
        write_picture(tmp_path / "x.png", array)


@pytest.mark.parametrize("quality", [0, 101])
def test_a_quality_out_of_range_is_refused(tmp_path: Path, quality: int) -> None:
    with pytest.raises(UsageError, match="quality"):
        write_picture(tmp_path / "x.jpg", sample(np.uint8, 1), quality=quality)


def test_a_picture_too_long_for_its_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="16383"):
        write_picture(tmp_path / "x.webp", np.zeros((1, 16384), np.uint8))


def test_16_bit_colour_png_without_opencv_advises_what_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_room, "_has_opencv", lambda: False)
    with pytest.raises(DependencyError, match=r"write \.tif, pass --bit-depth 8"):
        write_picture(tmp_path / "x.png", sample(np.uint16, 3))


def test_looking_ahead_finds_what_writing_would_find(tmp_path: Path) -> None:
    (tmp_path / "x.png").touch()
    with pytest.raises(OutputError, match="--overwrite"):
        check_output(tmp_path / "x.png", depth=8, colour=True)
    assert check_output(tmp_path / "x.png", depth=8, colour=True, overwrite=True) == "PNG"


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are a Unix thing")
@pytest.mark.parametrize(
    ("suffix", "depth"),
    [(".png", 8), (".png", 16), (".tif", 8), (".tif", 16), (".jpg", 8), (".bmp", 8), (".webp", 8)],
)
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, suffix: str, depth: int) -> None:
    if depth == 16 and suffix == ".png":
        pytest.importorskip("cv2", reason="16-bit colour PNG needs OpenCV")
    import resource

    noise = np.random.default_rng(0).integers(0, 2**depth, (200, 200, 3)).astype(f"uint{depth}")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # A limit on file size fails the same system call in the same place as a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(OutputError, match=r"cannot be written \(File too large\): free some space") as caught:
            write_picture(tmp_path / f"x{suffix}", noise)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert str(caught.value).startswith(str(tmp_path / f"x{suffix}"))
    assert list(tmp_path.iterdir()) == []
