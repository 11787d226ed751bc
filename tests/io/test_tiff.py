"""TIFF in its many layouts."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from polyfuse.errors import DependencyError, InputError
from polyfuse.io import peek_size, read_picture
from polyfuse.io import tiff as tiff_room
from polyfuse.io.given import as_picture

DTYPES = [np.uint8, np.uint16, np.float32]


def sample(dtype: Any, channels: int = 1, height: int = 70, width: int = 45) -> np.ndarray:
    values = np.random.default_rng(5).integers(0, 256, (height, width, channels))
    values = values * 257 if dtype == np.uint16 else values
    array = values.astype(dtype) / (np.float32(255) if dtype == np.float32 else dtype(1))
    return array.astype(dtype)[..., 0] if channels == 1 else array.astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "layout",
    [
        {},
        {"compression": "zlib"},
        {"tile": (16, 32)},
        {"tile": (32, 16), "compression": "zlib"},
        {"rowsperstrip": 7},
        {"bigtiff": True},
        {"byteorder": ">"},
    ],
    ids=str,
)
def test_every_layout_and_type_is_read_exactly(
    tmp_path: Path, dtype: Any, channels: int, layout: dict[str, Any]
) -> None:
    array = sample(dtype, channels)
    tifffile.imwrite(tmp_path / "x.tif", array, photometric="rgb" if channels == 3 else "minisblack", **layout)
    picture = read_picture(tmp_path / "x.tif")
    assert picture.array.dtype == dtype
    np.testing.assert_array_equal(picture.array, array)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", [{}, {"tile": (16, 16)}, {"compression": "zlib"}], ids=str)
def test_separate_planes_are_put_together(tmp_path: Path, dtype: Any, layout: dict[str, Any]) -> None:
    array = sample(dtype, 3)
    planes = np.ascontiguousarray(np.moveaxis(array, 2, 0))
    tifffile.imwrite(tmp_path / "x.tif", planes, photometric="rgb", planarconfig="separate", **layout)
    picture = read_picture(tmp_path / "x.tif")
    np.testing.assert_array_equal(picture.array, array)
    assert picture.array.flags.c_contiguous


def test_the_page_asked_for_is_read_and_noted(tmp_path: Path) -> None:
    pages = np.stack([np.full((4, 5), level, np.uint16) for level in (10, 20, 30)])
    tifffile.imwrite(tmp_path / "stack.tif", pages, photometric="minisblack")
    picture = read_picture(tmp_path / "stack.tif", page=2)
    assert picture.array[0, 0] == 30
    assert picture.notes == ("page 2 of 3",)


def test_pages_may_differ_in_size(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "stack.tif") as writer:
        writer.write(np.zeros((4, 5), np.uint8))
        writer.write(np.zeros((8, 3), np.uint8))
    assert peek_size(tmp_path / "stack.tif", page=1) == (3, 8)


@pytest.mark.parametrize("dtype", [np.float64, np.float16])
def test_other_floats_become_32_bit_with_a_note(tmp_path: Path, dtype: Any) -> None:
    array = np.linspace(0, 1, 20).reshape(4, 5).astype(dtype)
    tifffile.imwrite(tmp_path / "x.tif", array)
    picture = read_picture(tmp_path / "x.tif")
    np.testing.assert_array_equal(picture.array, array.astype(np.float32))
    assert picture.notes == (f"{dtype().itemsize * 8}-bit floats read as 32-bit",)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.uint32, np.uint64, np.complex64])
def test_other_types_are_refused_with_those_that_are_read(tmp_path: Path, dtype: Any) -> None:
    tifffile.imwrite(tmp_path / "x.tif", np.zeros((4, 5), dtype))
    with pytest.raises(InputError, match=r"x\.tif holds .* reads 8- and 16-bit unsigned integers and floats"):
        read_picture(tmp_path / "x.tif")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_white_is_zero_is_turned_round(tmp_path: Path, dtype: Any) -> None:
    array = sample(dtype)
    tifffile.imwrite(tmp_path / "x.tif", array, photometric="miniswhite")
    np.testing.assert_array_equal(read_picture(tmp_path / "x.tif").array, np.iinfo(dtype).max - array)


def test_a_1_bit_page_with_white_as_zero_is_turned_round(tmp_path: Path) -> None:
    array = sample(np.uint8) > 128
    tifffile.imwrite(tmp_path / "x.tif", array, photometric="miniswhite")
    np.testing.assert_array_equal(read_picture(tmp_path / "x.tif").array, np.where(array, 0, 255))


def test_12_bit_values_are_kept_with_a_note(tmp_path: Path) -> None:
    pytest.importorskip("imagecodecs", reason="packing 12 bits needs imagecodecs")
    array = sample(np.uint16) >> 4
    tifffile.imwrite(tmp_path / "x.tif", array, bitspersample=12)
    picture = read_picture(tmp_path / "x.tif")
    np.testing.assert_array_equal(picture.array, array)
    assert picture.notes == ("12-bit values kept as they are in 16 bits",)


def test_4_bit_values_are_spread_over_8_bits(tmp_path: Path) -> None:
    pytest.importorskip("imagecodecs", reason="packing 4 bits needs imagecodecs")
    array = sample(np.uint8) >> 4
    tifffile.imwrite(tmp_path / "x.tif", array, bitspersample=4)
    np.testing.assert_array_equal(read_picture(tmp_path / "x.tif").array, array * 17)


@pytest.mark.parametrize(("factor", "dtype"), [(257, np.uint8), (256, np.uint8), (1, np.uint8), (251, np.uint16)])
def test_a_palette_takes_as_many_bits_as_it_uses(tmp_path: Path, factor: int, dtype: Any) -> None:
    indices = sample(np.uint8)
    levels = np.arange(256, dtype=np.uint16)
    table = np.stack([levels, levels[::-1], np.roll(levels, 9)])
    tifffile.imwrite(tmp_path / "x.tif", indices, photometric="palette", colormap=table * np.uint16(factor))
    expected = table.T[indices].astype(dtype) * dtype(1 if dtype == np.uint8 else factor)
    picture = read_picture(tmp_path / "x.tif")
    assert picture.array.dtype == dtype
    np.testing.assert_array_equal(picture.array, expected)


def test_a_16_bit_rgba_page_keeps_its_depth(tmp_path: Path) -> None:
    array = sample(np.uint16, 4)
    tifffile.imwrite(tmp_path / "x.tif", array, photometric="rgb", extrasamples=["unassalpha"])
    picture = read_picture(tmp_path / "x.tif")
    np.testing.assert_array_equal(picture.array, array[..., :3])
    assert picture.notes == ("alpha channel ignored",)


def test_more_than_four_channels_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "x.tif", sample(np.uint8, 7), photometric="minisblack", planarconfig="contig")
    with pytest.raises(InputError, match="7 channels"):
        read_picture(tmp_path / "x.tif")


@pytest.mark.parametrize("compression", ["lzw", "jpeg", "packbits", "zstd"])
@pytest.mark.parametrize("channels", [1, 3])
def test_other_compressions_are_read_with_imagecodecs(tmp_path: Path, compression: str, channels: int) -> None:
    pytest.importorskip("imagecodecs", reason=f"writing {compression} needs imagecodecs")
    array = np.repeat(np.repeat(sample(np.uint8, channels, 5, 4), 16, axis=0), 16, axis=1)
    tifffile.imwrite(tmp_path / "x.tif", array, compression=compression)
    picture = read_picture(tmp_path / "x.tif")
    # JPEG is lossy and its chroma bleeds over edges; the middles of 16x16 blocks come through within a few levels.
    np.testing.assert_allclose(
        picture.array[8::16, 8::16].astype(int), array[8::16, 8::16], atol=4 if compression == "jpeg" else 0
    )


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16", "F", "CMYK"])
def test_a_missing_codec_is_replaced_by_pillow_where_nothing_is_narrowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    arrays = {"I;16": sample(np.uint16), "F": sample(np.float32)}
    image = Image.fromarray(arrays.get(mode, sample(np.uint8, 3)))
    image = image if mode in arrays else image.convert(mode)
    image.save(tmp_path / "x.tif", compression="raw" if mode == "CMYK" else "tiff_lzw")
    expected = read_picture(tmp_path / "x.tif")
    monkeypatch.setattr(tiff_room, "_tifffile_can", lambda page: False)
    fallback = read_picture(tmp_path / "x.tif")
    np.testing.assert_array_equal(fallback.array, expected.array)
    assert fallback.array.dtype == expected.array.dtype


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_pillows_own_turning_of_a_tiff_is_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, orientation: int
) -> None:
    array = sample(np.uint8)
    Image.fromarray(array).save(tmp_path / "x.tif", compression="tiff_lzw", tiffinfo={274: orientation})
    monkeypatch.setattr(tiff_room, "_tifffile_can", lambda page: False)
    expected = {1: array, 3: array[::-1, ::-1], 6: np.rot90(array, -1)}[orientation]
    np.testing.assert_array_equal(read_picture(tmp_path / "x.tif").array, expected)


@pytest.mark.parametrize(("dtype", "channels"), [(np.uint16, 3), (np.float32, 3), (np.uint16, 2)])
def test_a_missing_codec_is_named_where_pillow_would_narrow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: Any, channels: int
) -> None:
    photometric = "rgb" if channels == 3 else "minisblack"
    tifffile.imwrite(tmp_path / "x.tif", sample(dtype, channels), photometric=photometric, planarconfig="contig")
    monkeypatch.setattr(tiff_room, "_tifffile_can", lambda page: False)
    with pytest.raises(DependencyError, match=r"x\.tif .* pip install \"polyfuse\[imaging\]\""):
        read_picture(tmp_path / "x.tif")


def test_what_tifffile_logs_does_not_reach_stderr(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cut.tif"
    tifffile.imwrite(path, np.zeros((3, 20, 20), np.uint8), photometric="minisblack")
    path.write_bytes(path.read_bytes()[:-700])
    with pytest.raises(InputError):
        read_picture(path, page=2)
    assert capfd.readouterr().err == ""


def test_a_tag_with_more_entries_than_it_has_is_read_without_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    Image.fromarray(sample(np.uint8)).save(path, compression="tiff_lzw")
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tiff:
        at = tiff.pages.first.tags["Compression"].offset
    data[at + 4 : at + 8] = (2).to_bytes(4, "little")
    path.write_bytes(data)
    assert np.array_equal(read_picture(path).array, sample(np.uint8))


def test_a_tile_of_two_heights_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, sample(np.uint8), tile=(16, 32))
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tiff:
        at = tiff.pages.first.tags["TileLength"].offset
    data[at + 2 : at + 8] = struct.pack("<HI", 3, 2)  # two numbers of 16 bits, which are in the entry itself
    path.write_bytes(data)
    with pytest.raises(InputError, match="cannot be decoded as TIFF"):
        read_picture(path)


def test_a_float_that_is_no_number_is_read_without_a_warning(tmp_path: Path) -> None:
    values = sample(np.float32).astype(np.float64)
    values.view(np.uint64)[0, 0] = 0x7FF0_0000_0000_0001  # a NaN that signals when it is converted
    tifffile.imwrite(tmp_path / "x.tif", values)
    assert np.isnan(read_picture(tmp_path / "x.tif").array[0, 0])
    assert np.isnan(as_picture(values, "a").array[0, 0])
