"""Files as FLIR and DJI make them: their planes, constants and pictures, and one clear line where they are damaged."""

import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from polyfuse.errors import InputError
from polyfuse.radiometric import read_thermal
from polyfuse.radiometric.sequence import read_recording

Make = Callable[..., Path]


def exif_of(orientation: int = 1) -> bytes:
    """An EXIF block with time, position and orientation."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x0132] = orientation, "FLIR Systems AB\0", "2020:01:02 03:04:05"
    exif.get_ifd(0x8769)[0x9003] = "2020:01:02 03:04:05"
    exif.get_ifd(0x8825).update({1: "N", 2: (47.0, 22.0, 1.5)})
    exif[0x8769], exif[0x8825] = exif.get_ifd(0x8769), exif.get_ifd(0x8825)
    return exif.tobytes()


def test_plane_of_swapped_bytes_is_read_as_it_was_seen(make_flir: Make, raw: NDArray[Any]) -> None:
    assert (read_thermal(make_flir()).raw == raw).all()


def test_plane_of_a_png_as_the_standard_has_it_is_read_too(make_flir: Make, raw: NDArray[Any], tmp_path: Path) -> None:
    Image.fromarray(raw).save(tmp_path / "raw.png")
    assert (read_thermal(make_flir(plane=(tmp_path / "raw.png").read_bytes())).raw == raw).all()


def test_plane_of_plain_numbers_is_read_in_chunks(make_flir: Make, raw: NDArray[Any]) -> None:
    assert (read_thermal(make_flir(plane=raw.astype("<u2").tobytes(), chunk=700)).raw == raw).all()


def test_visible_picture_lies_where_the_camera_says(make_flir: Make, seen: NDArray[Any]) -> None:
    file = read_thermal(make_flir())
    assert file.visible is not None
    assert file.warp is not None
    assert np.abs(file.visible.array.astype(int) - seen).mean() < 2  # JPEG
    # 120 pixels are 1.5 times 40 of the plane: 2 each; the centre lies 2 and -1 pixels of the plane beside.
    np.testing.assert_allclose(file.warp.to_b([[19.5, 14.5], [20.5, 14.5]]), [[63.5, 42.5], [65.5, 42.5]])


def test_seen_part_is_what_the_thermal_camera_sees(make_flir: Make) -> None:
    file = read_thermal(make_flir())
    part, warp = file.seen_part()
    assert (part.width, part.height) == (80, 60)
    np.testing.assert_allclose(warp.to_b([[-0.25, -0.25], [39.25, 29.25]]), [[0, 0], [79, 59]])


@pytest.mark.parametrize("orientation", [2, 3, 4, 5, 6, 7, 8])
def test_both_planes_and_their_warp_are_turned_upright(make_flir: Make, orientation: int) -> None:
    stored = read_thermal(make_flir())
    turned = read_thermal(make_flir(exif=exif_of(orientation)))
    assert stored.warp is not None
    assert turned.warp is not None
    assert turned.visible is not None
    warm = np.argwhere(turned.raw == turned.raw.max())[0][::-1]
    before = np.argwhere(stored.raw == stored.raw.max())[0][::-1]
    there, there_before = turned.warp.to_b([warm])[0], stored.warp.to_b([before])[0]
    assert stored.visible is not None
    x, y = (round(value) for value in there)
    column, row = (round(value) for value in there_before)
    assert np.abs(turned.visible.array[y, x].astype(int) - stored.visible.array[row, column]).max() <= 6


def test_black_border_around_the_visible_picture_is_cut_off(
    make_flir: Make, seen: NDArray[Any], tmp_path: Path
) -> None:
    framed = np.zeros_like(seen)
    framed[20:70, 30:100] = np.maximum(seen[20:70, 30:100], 60)
    Image.fromarray(framed).save(tmp_path / "visible.png")
    file = read_thermal(make_flir(visible=(tmp_path / "visible.png").read_bytes(), pip=(1.5, 0, 0)))
    assert file.visible is not None
    assert file.warp is not None
    assert (file.visible.width, file.visible.height) == (70, 50)
    np.testing.assert_allclose(file.warp.to_b([[19.5, 14.5]]), [[59.5 - 30, 44.5 - 20]])


def test_luma_and_chroma_stored_as_colours_are_converted(make_flir: Make, tmp_path: Path) -> None:
    y, x = np.mgrid[:90, :120]
    colours = np.stack([x + y, x + y // 2, x], axis=-1).astype(np.uint8)
    stored = Image.fromarray(colours).convert("YCbCr")
    Image.frombytes("RGB", stored.size, stored.tobytes()).save(tmp_path / "visible.png")
    file = read_thermal(make_flir(visible=(tmp_path / "visible.png").read_bytes()))
    assert file.visible is not None
    # Pillow rounds down.
    assert np.abs(file.visible.array.astype(int) - np.array(stored.convert("RGB"))).max() <= 1
    assert "YCbCr stored as RGB, converted" in file.visible.notes


@pytest.mark.parametrize("marker", [0xE3, 0xE4])
def test_raw_counts_of_dji_have_no_temperature(make_dji: Make, marker: int) -> None:
    counts = np.arange(640 * 512, dtype=np.uint16).reshape(512, 640)
    file = read_thermal(make_dji(counts, marker))
    assert (file.raw == counts).all()
    assert (file.maker, file.kelvin, file.visible) == ("DJI", None, None)
    picture, unit = file.picture()
    assert unit is None
    assert any("raw counts" in note for note in picture.notes)


@pytest.mark.parametrize(
    ("how", "match"),
    [
        ({"without": (0x01,)}, "without a raw plane"),
        ({"plane": b"\0" * 100}, "cut short"),
        ({"plane": b"\x89PNG\r\n\x1a\n" + b"\0" * 40}, "damaged"),
        ({"plane": b"\xff\xd8\xff\xf7" + b"\0" * 40}, "another kind than it says"),
        ({"visible": b"\xff\xd8\xff\xdb" + b"\0" * 40}, "the visible picture in"),
        ({"visible": b"nothing known"}, "kind that is not read"),
        ({"constants": {0x20: 0.0}}, "emissivity = 0, which is absurd"),
        ({"constants": {0x20: float("nan")}}, "emissivity = nan, which is absurd"),
        ({"constants": {0x5C: 1e30}}, "which is absurd"),
        ({"constants": {0x70: 1e4}}, "which is absurd"),
        ({"change": lambda fff: fff[:200]}, "damaged or cut short"),
        ({"change": lambda fff: fff[:-900]}, "damaged or cut short"),
        ({"change": lambda fff: b"XXX\0" + fff[4:]}, "damaged or cut short"),
    ],
)
def test_damaged_file_is_one_clear_line(make_flir: Make, how: dict[str, Any], match: str) -> None:
    path = make_flir(**how)
    with pytest.raises(InputError, match=match) as raised:
        read_thermal(path)
    assert path.name in str(raised.value)
    assert "\n" not in str(raised.value)


def test_missing_chunk_is_told(make_flir: Make) -> None:
    path = make_flir(chunk=1000)
    content = path.read_bytes()
    start = content.index(b"FLIR\0\x01\x02") - 4
    path.write_bytes(content[:start] + content[start + 1000 + 8 + 4 :])
    with pytest.raises(InputError, match="lacks parts of its thermal data"):
        read_thermal(path)


def test_jpeg_without_radiometric_part_is_told(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "plain.jpg")
    with pytest.raises(InputError, match="is a JPEG without a radiometric part"):
        read_thermal(tmp_path / "plain.jpg")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "plain.png")
    with pytest.raises(InputError, match=r"plain\.png is no JPEG of a thermal camera"):
        read_thermal(tmp_path / "plain.png")


def test_constants_that_do_not_fit_the_counts_are_told(make_flir: Make) -> None:
    file = read_thermal(make_flir(plane=np.zeros((30, 40), "<u2").tobytes()))
    with pytest.raises(InputError, match="do not fit together"):
        _ = file.kelvin


def test_changed_files_never_end_in_another_error(make_flir: Make) -> None:
    path = make_flir()
    content, generator = path.read_bytes(), np.random.default_rng(8)
    for _ in range(150):
        changed = bytearray(content)
        for place in generator.integers(0, len(content), 3):
            changed[place] = generator.integers(0, 256)
        path.write_bytes(changed[: generator.integers(len(content) // 2, len(content) + 1)])
        with suppress(InputError):
            file = read_thermal(path)
            _ = (file.kelvin, file.record(), file.picture())


@pytest.mark.parametrize("directory", [0, 12, 63, 1 << 30])
def test_recording_whose_directory_lies_nowhere_is_told(tmp_path: Path, directory: int) -> None:
    head = b"FFF\0".ljust(0x14, b"\0") + struct.pack("<III", 101, directory, 2)
    (tmp_path / "scene.seq").write_bytes(head.ljust(64, b"\0") + b"\0" * 500)
    with pytest.raises(InputError, match="cut short or damaged"):
        list(read_recording(tmp_path / "scene.seq"))


def test_recording_ends_before_a_frame_that_is_cut(make_flir: Make, raw: NDArray[Any], tmp_path: Path) -> None:
    frames: list[bytes] = []

    def kept(fff: bytes) -> bytes:
        frames.append(fff)
        return fff

    for warmer in (0, 5):
        plane = (raw + warmer).astype("<u2").tobytes()
        make_flir(plane=plane, without=(0x0E, 0x2A), change=kept)
    path = tmp_path / "scene.seq"
    path.write_bytes(frames[0] + frames[1] + frames[0][:-10])
    notes: list[str] = []
    read = list(read_recording(path, notes))
    assert [(frame.raw == raw + warmer).all() for frame, warmer in zip(read, (0, 5), strict=True)] == [True, True]
    assert notes[0].startswith("frame 2 is damaged or cut short")
    with pytest.raises(InputError, match="cut short"):
        list(read_recording(path))
