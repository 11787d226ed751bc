"""Small files that ask for much, and files that say two things: refused before memory is spent."""

import os
import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from polyfuse.errors import InputError
from polyfuse.io import peek_size, read_picture
from polyfuse.io.chatter import caught_chatter
from polyfuse.io.density import ALWAYS_READ, DENSEST, check_density

PHOTO = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)


def header_chunk(width: int, height: int, bits: int = 8) -> tuple[bytes, bytes]:
    return b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0)


def jpeg_of(width: int, height: int, **options: object) -> bytes:
    """A JPEG of 64x48 pixels whose header declares another size."""
    buffer = BytesIO()
    Image.fromarray(PHOTO).save(buffer, "JPEG", **options)
    data = bytearray(buffer.getvalue())
    start = next(data.index(marker) for marker in (b"\xff\xc0", b"\xff\xc2") if marker in data)
    data[start + 5 : start + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def jpeg_tiff(path: Path, part: bytes) -> None:
    """A TIFF of 64x48 pixels whose one strip is `part`."""
    tifffile.imwrite(path, PHOTO, photometric="ycbcr", compression="jpeg")
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages.first
        count_at = page.tags["StripByteCounts"].valueoffset
        offset_at = page.tags["StripOffsets"].valueoffset
    data = bytearray(path.read_bytes())
    data[offset_at : offset_at + 4] = struct.pack("<I", len(data))
    data[count_at : count_at + 4] = struct.pack("<I", len(part))
    path.write_bytes(bytes(data) + part)


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("bits", [8, 16])
def test_a_png_with_a_second_header_is_refused(
    tmp_path: Path, make_png: Callable[..., bytes], place: str, bits: int
) -> None:
    path = tmp_path / "two.png"
    path.write_bytes(make_png(PHOTO, **{place: [header_chunk(64, 48, bits)]}))
    with pytest.raises(InputError, match="more than one header"):
        read_picture(path)


def test_a_jpeg_with_a_second_header_is_refused(tmp_path: Path) -> None:
    data = jpeg_of(64, 48)
    start = data.index(b"\xff\xc0")
    frame = data[start : start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")]
    (tmp_path / "two.jpg").write_bytes(data[:start] + frame + data[start:])
    with pytest.raises(InputError, match="more than one header"):
        read_picture(tmp_path / "two.jpg")


def test_pixels_that_are_not_as_declared_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.png"
    Image.fromarray(PHOTO).save(path)
    for decoded in (PHOTO[1:], PHOTO[..., 0], PHOTO.astype(np.uint16)):
        monkeypatch.setattr("polyfuse.io.read.decode_raster", lambda *_, array=decoded: (array, ()))
        with pytest.raises(InputError, match="declares 64x48 colour of 8 bits"):
            read_picture(path)


@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=str)
def test_a_jpeg_too_small_for_its_pixels_is_refused(tmp_path: Path, options: dict[str, object]) -> None:
    path = tmp_path / "bomb.jpg"
    path.write_bytes(jpeg_of(16384, 16383, **options))
    for read in (peek_size, read_picture):
        with pytest.raises(InputError, match="cannot hold them"):
            read(path)


def test_a_blank_webp_of_few_bytes_is_refused_beyond_what_any_file_may_declare(tmp_path: Path) -> None:
    Image.new("RGB", (4097, 4097), 7).save(tmp_path / "large.webp", lossless=True, method=0)
    Image.new("RGB", (1000, 1000), (7, 7, 7)).save(tmp_path / "small.webp", lossless=True)
    assert (tmp_path / "large.webp").stat().st_size < 100
    with pytest.raises(InputError, match="cannot hold them"):
        read_picture(tmp_path / "large.webp")
    assert read_picture(tmp_path / "small.webp").is_grey


def test_the_emptiest_png_that_deflate_can_make_is_within_the_limit(
    tmp_path: Path, make_png: Callable[..., bytes]
) -> None:
    samples = np.zeros((4200, 4200), np.uint8)  # beyond what is always read
    content = make_png(samples)
    (tmp_path / "blank.png").write_bytes(content)
    assert samples.size > ALWAYS_READ
    assert samples.size / len(content) > 990
    assert peek_size(tmp_path / "blank.png") == (4200, 4200)


def test_the_emptiest_progressive_jpeg_is_within_the_limit(tmp_path: Path) -> None:
    Image.new("L", (6000, 6000), 128).save(tmp_path / "blank.jpg", progressive=True, optimize=True)
    assert peek_size(tmp_path / "blank.jpg") == (6000, 6000)


def test_density_is_counted_per_byte() -> None:
    check_density("x", 1000, 100_000, 20_000, DENSEST)
    with pytest.raises(InputError):
        check_density("x", 1000, 100_000, 10_000, DENSEST)


@pytest.mark.parametrize("size", [(65500, 65500), (64, 8000)])
def test_a_tiff_whose_inner_jpeg_is_larger_than_its_place_is_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    pytest.importorskip("imagecodecs", reason="writing jpeg needs imagecodecs")
    jpeg_tiff(tmp_path / "bomb.tif", jpeg_of(*size))
    with pytest.raises(InputError, match="stands where 64x48 is"):
        read_picture(tmp_path / "bomb.tif")


@pytest.mark.parametrize("compression", ["jpeg", "jpeg2000", "webp", "png"])
@pytest.mark.parametrize("layout", [{}, {"tile": (32, 32)}, {"rowsperstrip": 16}], ids=str)
def test_tiffs_made_of_pictures_are_read(tmp_path: Path, compression: str, layout: dict[str, Any]) -> None:
    pytest.importorskip("imagecodecs", reason=f"writing {compression} needs imagecodecs")
    picture = np.kron(PHOTO[:10, :13], np.ones((8, 8, 1), np.uint8))
    tifffile.imwrite(tmp_path / "x.tif", picture, photometric="rgb", compression=compression, **layout)
    assert read_picture(tmp_path / "x.tif").array.shape == (80, 104, 3)


def test_a_tiff_with_parts_of_unknown_size_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("imagecodecs", reason="writing jpegxl needs imagecodecs")
    tifffile.imwrite(tmp_path / "x.tif", PHOTO, photometric="rgb", compression="jpegxl")
    with pytest.raises(InputError, match="compression that is not read"):
        read_picture(tmp_path / "x.tif")


def test_a_tile_beyond_the_limit_of_pixels_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, PHOTO, photometric="rgb", compression="zlib", tile=(16, 16))
    with tifffile.TiffFile(path, mode="r+") as tiff:
        for name in ("TileWidth", "TileLength"):
            tiff.pages.first.tags[name].overwrite(16384 + 16)
    with pytest.raises(InputError, match="--max-pixels"):
        read_picture(path)


def test_a_16_bit_png_that_is_cut_while_it_is_read_does_not_end_the_process(
    tmp_path: Path, make_png: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    cv2 = pytest.importorskip("cv2", reason="16-bit colour needs OpenCV")
    path = tmp_path / "wide.png"
    path.write_bytes(make_png(np.random.default_rng(2).integers(0, 65536, (300, 300, 3), np.uint16)))
    decode = cv2.imdecode

    def cut_first(data: object, flags: int) -> object:
        path.write_bytes(b"")
        return decode(data, flags)

    monkeypatch.setattr(cv2, "imdecode", cut_first)
    assert read_picture(path).depth == 16


def test_what_libpng_prints_does_not_reach_stderr(
    tmp_path: Path, make_png: Callable[..., bytes], capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("cv2", reason="16-bit colour needs OpenCV")
    samples = np.random.default_rng(2).integers(0, 65536, (30, 30, 3), np.uint16)
    (tmp_path / "odd.png").write_bytes(make_png(samples, before=[(b"sRGB", b"9")]))
    assert read_picture(tmp_path / "odd.png").depth == 16
    damaged = make_png(samples)[:41] + b"\0" * 8 + make_png(samples)[49:]
    start, end = damaged.index(b"IDAT"), damaged.index(b"IEND") - 8
    damaged = damaged[:end] + struct.pack(">I", zlib.crc32(damaged[start:end])) + damaged[end + 4 :]
    (tmp_path / "damaged.png").write_bytes(damaged)
    with pytest.raises(InputError, match="damaged"):
        read_picture(tmp_path / "damaged.png")
    assert capfd.readouterr().err == ""


def test_what_libtiff_prints_is_an_error_and_does_not_reach_stderr(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("polyfuse.io.tiff._tifffile_can", lambda page: False)
    path = tmp_path / "fax.tif"
    Image.fromarray(PHOTO[..., 0] > 99).save(path, compression="group4")
    assert read_picture(path).width == 64
    with tifffile.TiffFile(path) as tiff:
        offset = tiff.pages[0].dataoffsets[0]
    data = bytearray(path.read_bytes())
    data[offset + 30 : offset + 40] = bytes(10)
    path.write_bytes(data)
    with pytest.raises(InputError, match="Fax4Decode"):
        read_picture(path)
    assert capfd.readouterr().err == ""


def test_what_others_print_while_a_picture_is_decoded_is_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    with caught_chatter() as lines:
        os.write(2, b"libpng error: IDAT\nsomebody else\n")
    assert lines == ["libpng error: IDAT"]
    assert capfd.readouterr().err == "somebody else\n"


@pytest.mark.parametrize("counts", [[2, 2], [0], [2**31]], ids=str)
def test_a_png_with_a_wrong_or_second_count_of_frames_is_refused(
    tmp_path: Path, make_png: Callable[..., bytes], counts: list[int]
) -> None:
    chunks = [(b"acTL", struct.pack(">II", count, 0)) for count in counts]
    (tmp_path / "x.png").write_bytes(make_png(PHOTO, before=chunks))
    with pytest.raises(InputError, match="count"):
        read_picture(tmp_path / "x.png")


def test_what_opencv_and_libtiff_say_of_damage_is_caught() -> None:
    words = (
        b"[ WARN:0@5.773] global grfmt_png.cpp:793 readFromStreamOrBuffer PNG input buffer is incomplete\n"
        b'PredictorSetup: "Predictor" value 19 not supported.\n'
    )
    with caught_chatter() as lines:
        os.write(2, words)
    assert lines == words.decode().splitlines()
