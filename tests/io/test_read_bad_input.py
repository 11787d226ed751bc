"""Each bad file ends in one line that begins with its name; nothing leaks into the process."""

import os
import struct
import tracemalloc
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageFile

from polyfuse.errors import InputError
from polyfuse.io import peek_size, read_picture

PHOTO = np.random.default_rng(1).integers(0, 256, (90, 120, 3), np.uint8)


def refusal(path: Path, **options: Any) -> str:
    """The message of the one InputError that reading ends in: one line, the file's name first."""
    with pytest.raises(InputError) as caught:
        read_picture(path, **options)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert ": " in message
    return message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "nowhere.png")


def test_a_folder_given_as_file_is_named(tmp_path: Path) -> None:
    assert "is a folder" in refusal(tmp_path)


def test_a_path_through_a_file_does_not_exist(tmp_path: Path) -> None:
    (tmp_path / "file.png").touch()
    assert "does not exist" in refusal(tmp_path / "file.png" / "more.png")


def test_a_named_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert "not an ordinary file" in refusal(tmp_path / "pipe.png")


def test_a_file_without_permission_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret.png"
    path.touch()

    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    # Simulated, as permissions do not bind the administrator, who may be running the tests.
    monkeypatch.setattr("builtins.open", denied)
    assert "permission denied" in refusal(path)


def test_a_name_with_a_line_break_stays_on_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_picture(tmp_path / "two\nlines.png")
    assert "\n" not in str(caught.value)


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    assert "is empty" in refusal(tmp_path / "empty.png")


@pytest.mark.parametrize(
    "text", [b"just some text\n", b"BM but not a bitmap", b"II*\x00nothing here", b"\xff\xd8\xffno"]
)
def test_a_text_file_named_as_picture_is_named(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "notes.png").write_bytes(text)
    refusal(tmp_path / "notes.png")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp", ".tif"])
@pytest.mark.parametrize("share", [0.5, 0.98])
def test_a_file_cut_short_is_refused(tmp_path: Path, suffix: str, share: float) -> None:
    path = tmp_path / f"cut{suffix}"
    Image.fromarray(PHOTO).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    refusal(path)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_tiff_whose_pixels_are_cut_short_is_refused(tmp_path: Path, compression: str | None) -> None:
    path = tmp_path / "cut.tif"
    tifffile.imwrite(path, PHOTO, photometric="rgb", compression=compression)
    path.write_bytes(path.read_bytes()[:-200])
    assert "ends early" in refusal(path)


def test_a_cut_jpeg_is_refused_even_where_pillow_was_told_to_pad(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    path = tmp_path / "cut.jpg"
    Image.fromarray(PHOTO).save(path)
    path.write_bytes(path.read_bytes()[:4000])
    refusal(path)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True  # and the switch is back where it was


@pytest.mark.parametrize("kind", [b"IDAT", b"tEXt", b"IHDR"])
def test_a_png_with_a_wrong_checksum_is_refused(tmp_path: Path, make_png: Callable[..., bytes], kind: bytes) -> None:
    path = tmp_path / "flipped.png"
    data = bytearray(make_png(PHOTO, before=[(b"tEXt", b"Comment\x00hello")]))
    start = data.index(kind)
    length = struct.unpack(">I", data[start - 4 : start])[0]
    data[start + 4 + length] ^= 1
    path.write_bytes(data)
    assert f"checksum of {kind.decode()}" in refusal(path)


def test_a_png_with_damaged_pixels_and_a_right_checksum_is_refused(
    tmp_path: Path, make_png: Callable[..., bytes]
) -> None:
    data = bytearray(make_png(PHOTO))
    start = data.index(b"IDAT")
    end = data.index(b"IEND") - 8
    data[start + 100 : start + 200] = bytes(100)
    data[end : end + 4] = struct.pack(">I", zlib.crc32(data[start:end]))
    (tmp_path / "damaged.png").write_bytes(data)
    assert "damaged" in refusal(tmp_path / "damaged.png")


def test_a_deflate_tiff_with_damaged_pixels_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "damaged.tif"
    tifffile.imwrite(path, PHOTO, photometric="rgb", compression="zlib")
    with tifffile.TiffFile(path) as tiff:
        offset = tiff.pages[0].dataoffsets[0]
    data = bytearray(path.read_bytes())
    data[offset + 100 : offset + 200] = bytes(100)
    path.write_bytes(data)
    refusal(path)


def png_header(width: int, height: int, make_png: Callable[..., bytes]) -> bytes:
    data = make_png(np.zeros((1, 1), np.uint8))
    header = b"IHDR" + struct.pack(">II", width, height) + data[24:29]
    return data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]


@pytest.mark.parametrize(("width", "height"), [(0, 5), (5, 0)])
def test_a_png_without_pixels_is_refused(
    tmp_path: Path, make_png: Callable[..., bytes], width: int, height: int
) -> None:
    (tmp_path / "none.png").write_bytes(png_header(width, height, make_png))
    assert f"{width}x{height}" in refusal(tmp_path / "none.png")


def test_a_decompression_bomb_is_refused_with_size_limit_and_option(
    tmp_path: Path, make_png: Callable[..., bytes]
) -> None:
    (tmp_path / "bomb.png").write_bytes(png_header(40000, 40000, make_png))
    message = refusal(tmp_path / "bomb.png")
    for part in ("40000x40000", str(2**28), "--max-pixels"):
        assert part in message


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp", ".tif"])
def test_the_limit_is_inclusive_and_holds_for_every_format(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"limit{suffix}"
    Image.fromarray(PHOTO).save(path)
    assert read_picture(path, max_pixels=90 * 120).width == 120
    assert "--max-pixels" in refusal(path, max_pixels=90 * 120 - 1)


def test_nothing_is_decoded_beyond_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.png"
    Image.fromarray(PHOTO).save(path)
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("decoded"))
    refusal(path, max_pixels=100)


def test_pillows_own_size_limit_neither_warns_nor_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.png"
    Image.fromarray(PHOTO).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 90 * 120 - 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_picture(path)
    assert Image.MAX_IMAGE_PIXELS == 90 * 120 - 1


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp", ".tif"])
def test_a_page_that_is_not_there_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"single{suffix}"
    Image.fromarray(PHOTO).save(path)
    assert "page 1" in refusal(path, page=1)


def test_peeking_reports_a_bad_file_in_the_same_words(tmp_path: Path) -> None:
    path = tmp_path / "notes.png"
    path.write_text("hello")
    with pytest.raises(InputError) as caught:
        peek_size(path)
    assert str(caught.value) == refusal(path)


def test_running_out_of_memory_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.png"
    Image.fromarray(PHOTO).save(path)

    def exhausted(self: object) -> None:
        raise MemoryError

    monkeypatch.setattr(ImageFile.ImageFile, "load", exhausted)
    assert "memory" in refusal(path)


def test_reading_a_large_picture_holds_it_once_beside_pillows_buffer(tmp_path: Path) -> None:
    path = tmp_path / "large.bmp"
    colour = np.zeros((2000, 2000, 3), np.uint8)
    colour[..., 0] = 1
    Image.fromarray(colour).save(path)
    tracemalloc.start()
    picture = read_picture(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # The array, and bands of a few megabytes; a plain np.asarray of the whole holds three times the array.
    assert peak < picture.array.nbytes * 1.7
