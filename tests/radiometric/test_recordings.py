"""Recordings of thermal cameras stand where a clip may: fused with a visible clip, aligned to one, told in degrees."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from polyfuse.radiometric.sequence import count_frames
from polyfuse.radiometric.temperature import KELVIN

av = pytest.importorskip("av")

from polyfuse.video.sources import describe, read_frames  # noqa: E402

Make = Callable[..., Path]
Run = Callable[..., tuple[int, list[str], list[str]]]


def at_time(fff: bytes, seconds: float, rate: int) -> bytes:
    """One frame of FLIR's with the time and the rate that its camera says."""
    start = fff.index(b"FLIR Test") - 0xD4
    changed = bytearray(fff)
    struct.pack_into("<2I", changed, start + 0x384, int(seconds), round(seconds % 1 * 1000))
    struct.pack_into("<H", changed, start + 0x464, rate)
    return bytes(changed)


@pytest.fixture
def make_recording(make_flir: Make, raw: NDArray[np.uint16], tmp_path: Path) -> Make:
    """Write a recording of some frames, each a little warmer."""

    def build(count: int = 6, *, rate: int = 10, timed: bool = True, more: bytes = b"", hot: int = 0) -> Path:
        frames: list[bytes] = []

        def kept(fff: bytes) -> bytes:
            frames.append(at_time(fff, 1.6e9 + 0.1 * len(frames), rate) if timed else fff)
            return fff

        for number in range(count):
            plane = (raw + 40 * number + hot).astype("<u2").tobytes()
            make_flir(plane=plane, without=(0x0E, 0x2A), change=kept)
        path = tmp_path / "scene.seq"
        path.write_bytes(b"".join(frames) + more)
        return path

    return build


@pytest.fixture
def visible(tmp_path: Path) -> Path:
    """A visible clip of 40x30, ten frames a second."""
    path = tmp_path / "visible.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 40, 30, "bgr0"
        for number in range(6):
            frame = av.VideoFrame.from_ndarray(np.full((30, 40, 3), 30 * number, np.uint8), format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame.reformat(format="bgr0")))
        container.mux(stream.encode())
    return path


def test_recording_is_described_as_a_clip(make_recording: Make) -> None:
    info = describe(make_recording())
    assert (info.width, info.height, info.num_frames, int(info.rate), info.depth) == (40, 30, 6, 10, 16)
    assert (info.unit, info.is_grey, info.has_sound, info.notes) == (0.01, True, False, ())
    frames = list(read_frames(info))
    assert [frame.ticks for frame in frames] == [0, 100, 200, 300, 400, 500]
    assert frames[0].array.dtype == np.uint16
    assert frames[5].array.mean() > frames[0].array.mean()


def test_recording_without_times_goes_on_evenly(make_recording: Make) -> None:
    info = describe(make_recording(timed=False))
    assert info.rate == 30
    assert [frame.ticks for frame in read_frames(info)] == [0, 33, 67, 100, 133, 167]


def test_frames_that_are_cut_are_told_and_left_out(make_recording: Make) -> None:
    path = make_recording(3, more=b"FFF\0" + bytes(30))
    assert count_frames(path) == 3
    info = describe(path)
    assert "frame 3 is damaged or cut short" in info.notes[0]
    assert len(list(read_frames(info))) == 3


def test_recording_is_fused_with_a_visible_clip_in_degrees(
    make_recording: Make, visible: Path, run: Run, tmp_path: Path
) -> None:
    make_recording()
    words = ("fuse", "scene.seq", "visible.mkv", "-o", "fused.mkv", "--model", "average", "--json")
    code, out, err = run(*words, "--range", "20C,120C")
    assert code == 0, err
    assert json.loads("\n".join(out))["results"][0]["frames"] == 6
    thermal = json.loads((tmp_path / "fused.mkv.json").read_text(encoding="utf-8"))["thermal"]
    assert thermal["unit"] == "degrees Celsius"
    assert thermal["window"] == pytest.approx([20, 120], abs=0.01)
    assert thermal["calibration"]["emissivity"] == pytest.approx(0.95)
    assert json.loads("\n".join(run(*words, "--range", "20C,120C", "--resume")[1]))["results"][0]["state"] == "kept"
    code, out, err = run(*words, "--overwrite")
    assert any("degrees Celsius are black and white" in line for line in err)
    thermal = json.loads((tmp_path / "fused.mkv.json").read_text(encoding="utf-8"))["thermal"]
    assert -KELVIN < thermal["window"][0] < thermal["window"][1]


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (("visible.mkv", "scene.seq"), "give it first"),
        (("scene.seq",), "has no partner"),
        (("visible.mkv", "visible.mkv", "--range", "10C,20C"), "clips hold no temperatures"),
        (("scene.seq", "visible.mkv", "--keep-temperature"), "is for pictures"),
    ],
)
def test_what_recordings_cannot_do_is_refused(
    make_recording: Make, visible: Path, run: Run, words: tuple[Any, ...], match: str
) -> None:
    make_recording(1)
    code, out, err = run("fuse", *words, "-o", "out/fused.mkv", "--model", "average")
    assert (code, out, match in err[-1]) == (2, [], True), err


def test_empty_recording_is_told(tmp_path: Path, run: Run, visible: Path) -> None:
    (tmp_path / "scene.seq").write_bytes(b"")
    code, _, err = run("fuse", "scene.seq", "visible.mkv", "--model", "average")
    assert (code, "is empty" in err[-1]) == (3, True), err


def test_folder_of_radiometric_frames_is_a_sequence(make_flir: Make, run: Run, tmp_path: Path, raw: Any) -> None:
    (tmp_path / "in").mkdir()
    for number in range(3):
        make_flir(f"in/{number}.jpg", plane=(raw + 300 * number).astype("<u2").tobytes())
    words = ("fuse", "in", "-o", "out", "--radiometric", "--temporal", "exponential:1", "--model", "average", "--json")
    code, out, err = run(*words, "--keep-temperature", "--range", "20C,120C")
    assert code == 0, err
    assert [result["state"] for result in json.loads("\n".join(out))["results"]] == ["fused"] * 3
    assert (tmp_path / "out" / "2_celsius.tif").is_file()
    records = [json.loads((tmp_path / "out" / f"{n}.png.json").read_text(encoding="utf-8")) for n in range(3)]
    assert [record["thermal"]["window"] for record in records] == [pytest.approx([20, 120], abs=0.01)] * 3
    assert [record["sequence"]["frame"] for record in records] == [0, 1, 2]
    assert records[0]["thermal"]["celsius"][1] < records[2]["thermal"]["celsius"][1]
    states = json.loads("\n".join(run(*words, "--keep-temperature", "--range", "20C,120C", "--resume")[1]))["results"]
    assert [result["state"] for result in states] == ["kept"] * 3
    assert run(*words, "--overwrite")[0] == 0  # one window for all, measured
    records = [json.loads((tmp_path / "out" / f"{n}.png.json").read_text(encoding="utf-8")) for n in range(3)]
    assert records[0]["thermal"]["window"] == records[2]["thermal"]["window"]
    make_flir("in/3.jpg", pip=(1.4, 0, 0))
    code, _, err = run(*words, "--overwrite")
    assert code == 3
    assert "3.jpg is " in err[-1]
