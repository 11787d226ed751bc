"""Radiometric files made on the spot, as FLIR and DJI lay them out."""

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from polyfuse import cli

CONSTANTS = {
    0x20: 0.95, 0x24: 1.0, 0x28: 293.15, 0x2C: 293.15, 0x30: 293.15, 0x34: 1.0, 0x3C: 0.5,
    0x58: 17000.0, 0x5C: 1430.0, 0x60: 1.0, 0x70: 0.006569, 0x74: 0.01262, 0x78: -0.002276, 0x7C: -0.00667,
    0x80: 1.9, 0x30C: 0.0125,
}  # fmt: skip
"""Place of each number in the record of the camera, and what it is here."""
PLANCK_O = -3000


def png_of(array: NDArray[Any]) -> bytes:
    """A picture as PNG."""
    content = io.BytesIO()
    Image.fromarray(array).save(content, "PNG")
    return content.getvalue()


def jpeg_of(array: NDArray[Any], exif: bytes | None = None) -> bytes:
    """A picture as JPEG."""
    content = io.BytesIO()
    Image.fromarray(array).save(content, "JPEG", quality=95, **({} if exif is None else {"exif": exif}))
    return content.getvalue()


def picture_record(number: int, array: NDArray[Any], content: bytes) -> bytes:
    """A record that holds a picture: byte order, size, and the picture after 32 bytes."""
    return struct.pack("<3H", number, array.shape[1], array.shape[0]).ljust(32, b"\0") + content


def camera_record(changes: dict[int, float] | None = None) -> bytes:
    """The record of the camera's constants."""
    record = bytearray(2476)
    struct.pack_into("<H", record, 0, 2)
    for place, value in {**CONSTANTS, **(changes or {})}.items():
        struct.pack_into("<f", record, place, value)
    struct.pack_into("<i", record, 0x308, PLANCK_O)
    record[0xD4 : 0xD4 + 9] = b"FLIR Test"
    return bytes(record)


def fff_of(records: dict[int, bytes], order: str = ">") -> bytes:
    """FLIR's file with these records by their types."""
    start = 64 + 32 * len(records)
    directory, body = b"", b""
    for kind, record in records.items():
        entry = struct.pack(order + "HHIIII", kind, 1, 100, 1, start + len(body), len(record))
        directory, body = directory + entry.ljust(32, b"\0"), body + record
    head = b"FFF\0".ljust(0x14, b"\0") + struct.pack(order + "III", 101, 64, len(records))
    return head.ljust(64, b"\0") + directory + body


def with_segments(jpeg: bytes, segments: list[tuple[int, bytes]]) -> bytes:
    """A JPEG with further segments behind its first marker."""
    more = b"".join(bytes([0xFF, marker]) + struct.pack(">H", len(part) + 2) + part for marker, part in segments)
    return jpeg[:2] + more + jpeg[2:]


@pytest.fixture(scope="session")
def raw() -> NDArray[np.uint16]:
    """A scene of 40x30 counts, warm in the middle."""
    y, x = np.mgrid[:30, :40]
    return np.rint(14000 + 3000 * np.exp(-((x - 20) ** 2 + (y - 15) ** 2) / 60) + x).astype(np.uint16)


@pytest.fixture(scope="session")
def seen() -> NDArray[np.uint8]:
    """What the second camera sees: 120x90, in colour."""
    y, x = np.mgrid[:90, :120]
    return np.stack([x * 2, y * 2, 255 - x - y], axis=-1).astype(np.uint8)


@pytest.fixture
def make_flir(tmp_path: Path, raw: NDArray[np.uint16], seen: NDArray[np.uint8]) -> Callable[..., Path]:
    """Write a radiometric JPEG of FLIR's."""

    def build(
        name: str = "FLIR.jpg",
        *,
        plane: bytes | None = None,
        visible: bytes | None = None,
        constants: dict[int, float] | None = None,
        pip: tuple[float, int, int] | None = (1.5, 2, -1),
        without: tuple[int, ...] = (),
        exif: bytes | None = None,
        change: Callable[[bytes], bytes] = lambda fff: fff,
        chunk: int = 60000,
        shown: NDArray[Any] | None = None,
    ) -> Path:
        swapped = png_of(raw.byteswap()) if plane is None else plane
        records = {
            0x20: camera_record(constants),
            0x01: picture_record(2, raw, swapped),
            0x0E: picture_record(3, seen, jpeg_of(seen) if visible is None else visible),
        }
        if pip is not None:
            records[0x2A] = struct.pack("<f2h", *pip).ljust(64, b"\0")
        fff = change(fff_of({kind: record for kind, record in records.items() if kind not in without}))
        parts = [fff[start : start + chunk] for start in range(0, len(fff), chunk)]
        segments = [(0xE1, b"FLIR\0\x01" + bytes([number, len(parts) - 1]) + part) for number, part in enumerate(parts)]
        rendered = jpeg_of(np.zeros((30, 40), np.uint8) if shown is None else shown, exif)
        path = tmp_path / name
        path.write_bytes(with_segments(rendered, segments))
        return path

    return build


@pytest.fixture
def make_dji(tmp_path: Path) -> Callable[..., Path]:
    """Write an R-JPEG of DJI's whose raw plane has 640x512 counts."""

    def build(counts: NDArray[np.uint16], marker: int = 0xE3) -> Path:
        plane = counts.astype("<u2").tobytes()
        segments = [(marker, plane[start : start + 65532]) for start in range(0, len(plane), 65532)]
        path = tmp_path / "DJI_R.JPG"
        path.write_bytes(with_segments(jpeg_of(np.zeros((512, 640), np.uint8)), segments))
        return path

    return build


@pytest.fixture
def run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, list[str], list[str]]]:
    """Run `polyfuse ARGUMENTS` in the test's folder; exit code, and the lines on stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: object) -> tuple[int, list[str], list[str]]:
        capsys.readouterr()
        code = cli.run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out.splitlines(), captured.err.splitlines()

    return command
