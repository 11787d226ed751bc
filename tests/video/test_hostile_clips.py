"""Clips that declare too much, name other files, or hold text that is no text."""

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av", reason="clips need PyAV")

import av

from polyfuse.errors import InputError
from polyfuse.io.boxes import check_boxes
from polyfuse.video.reader import describe, read_frames

MakeClip = Callable[..., Path]
FRAMES = list(np.random.default_rng(3).integers(0, 256, (4, 48, 64, 3), np.uint8))


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def fragment(num_samples: int) -> bytes:
    """A fragment that declares samples of the size it names once."""
    header = box(b"tfhd", struct.pack(">IIII", 0x20018, 1, 1, 1))
    run = box(b"trun", struct.pack(">III", 1, num_samples, 0x100))
    return box(b"moof", box(b"mfhd", bytes(8)) + box(b"traf", header + run)) + box(b"mdat", bytes(64))


@pytest.mark.parametrize(
    "content",
    [
        fragment(60_000_000),
        fragment(600_000) * 2,
        box(b"moov", box(b"trak", box(b"mdia", box(b"stbl", box(b"stsz", struct.pack(">III", 0, 1, 2**31)))))),
        box(b"moov", box(b"trak", box(b"stts", struct.pack(">IIIIII", 0, 2, 600_000, 1, 600_000, 1)))),
        struct.pack(">I4sQ", 1, b"moof", 16 + 24) + box(b"trun", struct.pack(">III", 0, 2**31, 0) + bytes(4)),
    ],
    ids=["fragment", "fragments", "sizes", "times", "64 bits"],
)  # fmt: skip
def test_a_clip_that_declares_more_samples_than_it_has_bytes_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bomb.mp4"
    path.write_bytes(box(b"ftyp", b"isom0000") + content)
    with pytest.raises(InputError, match="cannot hold them"):
        describe(path)


def test_boxes_that_are_none_are_left_to_the_decoder(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    for content in (b"", bytes(100), b"\xff" * 100, box(b"moov", bytes(7)), box(b"moof", box(b"trun", b""))):
        path.write_bytes(content)
        with path.open("rb") as file:
            check_boxes(file, path)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi"])
def test_clips_of_all_kinds_are_still_read(tmp_path: Path, make_clip: MakeClip, suffix: str) -> None:
    info = describe(make_clip(tmp_path / f"x{suffix}", FRAMES))
    assert len(list(read_frames(info))) == info.num_frames


def test_a_script_that_names_other_clips_is_refused(tmp_path: Path, make_clip: MakeClip) -> None:
    make_clip(tmp_path / "other.mp4", FRAMES)
    (tmp_path / "script.mp4").write_text("ffconcat version 1.0\nfile other.mp4\n")
    with pytest.raises(InputError, match="no clip that is read"):
        describe(tmp_path / "script.mp4")


def test_metadata_in_another_alphabet_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "titled.avi"
    with av.open(path, "w") as container:
        container.metadata["title"] = "Caf-"
        stream = container.add_stream("mpeg4", rate=Fraction(25))
        stream.width, stream.height = 64, 48
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        container.mux(stream.encode())
    content = path.read_bytes()
    assert content.count(b"Caf-") == 1
    path.write_bytes(content.replace(b"Caf-", b"Caf\xe9"))
    assert describe(path).width == 64


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_frames_beyond_what_a_small_file_can_hold_are_refused(
    tmp_path: Path, make_clip: MakeClip, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    path = make_clip(tmp_path / f"x{suffix}", FRAMES)
    monkeypatch.setattr("polyfuse.video.reader.ALWAYS_READ", 48 * 64 - 1)
    monkeypatch.setattr("polyfuse.video.reader.DENSEST", 0.001)
    with pytest.raises(InputError, match="cannot be decoded"):
        describe(path)


def test_frames_beyond_the_limit_are_refused_with_their_size(tmp_path: Path, make_clip: MakeClip) -> None:
    path = make_clip(tmp_path / "x.mp4", FRAMES)
    with pytest.raises(InputError, match="64x48, more than 3071 pixels"):
        describe(path, max_pixels=48 * 64 - 1)
