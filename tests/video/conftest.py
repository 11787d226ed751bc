"""Tiny clips made on the spot, and a look into clips."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

av = pytest.importorskip("av")

TIME_BASE = Fraction(1, 1000)
FORMATS = {(2, 1): ("gray", "gray"), (2, 2): ("gray16le", "gray16le"), (3, 1): ("rgb24", "bgr0")}


@dataclass(frozen=True)
class Seen:
    """What a clip holds."""

    frames: list[NDArray[Any]]
    times: list[Fraction]
    format: str
    codec: str
    duration: float
    sound: list[tuple[Fraction, bytes]]


@pytest.fixture(scope="session")
def make_clip() -> Callable[..., Path]:
    """Write frames to a clip: lossless in .mkv, H.264 in .mp4, MPEG-4 else; `ticks` are in milliseconds."""

    def build(
        path: Path,
        frames: Sequence[NDArray[Any]],
        rate: int = 10,
        ticks: Sequence[int] | None = None,
        sound: str | None = None,
    ) -> Path:
        given, lossless = FORMATS[frames[0].ndim, frames[0].dtype.itemsize]
        codec, wanted = {".mkv": ("ffv1", lossless), ".mp4": ("libx264", "yuv420p")}.get(
            path.suffix, ("mpeg4", "yuv420p")
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=rate)
            stream.height, stream.width = frames[0].shape[:2]
            stream.pix_fmt = wanted
            if path.suffix != ".avi":
                stream.codec_context.time_base = TIME_BASE
            track = container.add_stream(sound, rate=8000, layout="mono") if sound else None
            for number, array in enumerate(frames):
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(array), format=given).reformat(format=wanted)
                stamp = number * 1000 // rate if ticks is None else ticks[number]
                frame.pts = number if path.suffix == ".avi" else stamp
                frame.time_base = Fraction(1, rate) if path.suffix == ".avi" else TIME_BASE
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
            if track is not None:
                wave = np.sin(np.arange(8000 * len(frames) // rate) / 5).astype(np.float32)[None]
                heard = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
                heard.sample_rate, heard.pts = 8000, 0
                container.mux(track.encode(heard))
                container.mux(track.encode())
        return path

    return build


@pytest.fixture(scope="session")
def look() -> Callable[[Path], Seen]:
    """Decode a clip."""

    def read(path: Path) -> Seen:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            pictures = list(container.decode(stream))
            shape = "gray" if pictures[0].format.name.startswith("gray") else "rgb24"
            shape = "gray16le" if pictures[0].format.name == "gray16le" else shape
            frames = [picture.to_ndarray(format=shape) for picture in pictures]
            times = [picture.pts * stream.time_base for picture in pictures]
            found = (stream.format.name, stream.codec_context.name, container.duration / 1e6)
        with av.open(str(path)) as container:
            packets = list(container.demux(container.streams.audio[0])) if container.streams.audio else []
            sound = [(packet.pts * packet.time_base, bytes(packet)) for packet in packets if packet.pts is not None]
        return Seen(frames, times, *found, sound)

    return read


def draw(count: int, shape: tuple[int, ...] = (48, 64), seed: int = 0, dtype: Any = np.uint8) -> list[NDArray[Any]]:
    """A smooth picture with a block that moves two pixels a frame."""
    height, width = shape[:2]
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    top = np.iinfo(dtype).max
    frames = []
    for number in range(count):
        picture = 0.3 + 0.2 * np.sin(columns / 9 + seed) * np.cos(rows / 7)
        picture[10:20, 2 * number : 2 * number + 10] = 0.8
        if len(shape) == 3:
            picture = picture[..., None] * np.array([1.0, 0.7, 0.4])
        frames.append((picture * top + rng.uniform(0, 1, picture.shape)).astype(dtype))
    return frames


@pytest.fixture(scope="session")
def scene() -> Callable[..., list[NDArray[Any]]]:
    """Draw frames: number of them, shape, seed, type."""
    return draw


@pytest.fixture
def clips(tmp_path: Path, make_clip: Callable[..., Path]) -> tuple[Path, Path]:
    """A grey and a colour clip of ten frames, 64x48, lossless."""
    return make_clip(tmp_path / "ir.mkv", draw(10)), make_clip(tmp_path / "vi.mkv", draw(10, (48, 64, 3), 1))


@pytest.fixture(scope="session")
def panned() -> Callable[..., list[NDArray[np.float32]]]:
    """A smooth picture that moves one pixel a frame, 128x96, with noise of a standard deviation."""

    def build(count: int, noise: float = 0.0) -> list[NDArray[np.float32]]:
        rng = np.random.default_rng(3)
        rows, columns = np.mgrid[:96, :160]
        wide = 0.5 + 0.2 * np.sin(columns / 5) * np.cos(rows / 6) + 0.1 * np.sin(columns / 11 + rows / 8)
        frames = [wide[:, number : number + 128] + rng.normal(0, noise, (96, 128)) for number in range(count)]
        return [frame.astype(np.float32) for frame in frames]

    return build


@pytest.fixture
def panned_clip(
    tmp_path: Path, make_clip: Callable[..., Path], look: Callable[[Path], Seen]
) -> Callable[[str], dict[str, list[NDArray[np.float32]]]]:
    """A pan with noise of two levels, one pixel a frame, as "a", "b" and "fused" with a temporal filter, in [0, 1]."""
    from polyfuse.video import ClipOptions, fuse_clip

    rng = np.random.default_rng(4)
    wide = {name: draw(1, (48, 96), seed)[0].astype(float) for seed, name in enumerate("ab")}
    clips = {
        name: [
            np.clip(np.rint(picture[:, number : number + 64] + rng.normal(0, 2, (48, 64))), 0, 255).astype(np.uint8)
            for number in range(16)
        ]
        for name, picture in wide.items()
    }

    def measure(temporal: str) -> dict[str, list[NDArray[np.float32]]]:
        a, b = (make_clip(tmp_path / f"{name}.mkv", frames) for name, frames in clips.items())
        target, clip = tmp_path / "fused.mkv", ClipOptions(temporal)
        fused = look(fuse_clip(a, b, target, model="average", clip=clip, overwrite=True).path).frames
        return {
            name: [frame.astype(np.float32) / np.float32(255) for frame in frames]
            for name, frames in (*clips.items(), ("fused", fused))
        }

    return measure
