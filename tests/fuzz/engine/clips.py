"""The clips of the corpus, and what interrupted runs over clips and frames leave behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import numpy as np
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from polyfuse import load
from polyfuse.fusion import FuseOptions, Writing
from polyfuse.io import Pair, write_picture
from polyfuse.video import ClipOptions, fuse_clip, fuse_frames
from polyfuse.video.frames import STATE_FILE
from polyfuse.video.reader import describe, read_frames
from polyfuse.video.store import _sha256
from tests.fuzz.engine.container_changes import change_boxes, change_riff
from tests.fuzz.engine.document_changes import change_header, change_stored, change_words
from tests.fuzz.engine.pictures import scene
from tests.fuzz.engine.seeds import HEIGHT, SIDE, Seed

NUM_FRAMES = 4
_TEMPORAL = "exponential:0.5"


def read(path: str, rng: Random) -> bool:
    """Look at a clip and decode all of it."""
    return sum(1 for _ in read_frames(describe(path))) > 0


def write_clip(path: str, codec: str, pixel_format: str, *, sound: bool = False, **options: str) -> bytes:
    """Write a clip of four frames; returns its content."""
    import av

    with av.open(path, "w", container_options={"fflags": "+bitexact"}) as container:
        stream: Any = container.add_stream(
            codec, rate=Fraction(5), options={"flags": "+bitexact", "threads": "1", **options}
        )
        stream.width, stream.height, stream.pix_fmt = SIDE, HEIGHT, pixel_format
        track: Any = container.add_stream("aac", rate=8000, layout="mono") if sound else None
        for number in range(NUM_FRAMES):
            frame = av.VideoFrame.from_ndarray(np.roll(scene(3), number, 1), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 5)
            container.mux(stream.encode(frame.reformat(format=pixel_format)))
        container.mux(stream.encode())
        if track is not None:
            wave = np.zeros((1, 8000 * NUM_FRAMES // 5), np.float32)
            heard = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            heard.sample_rate, heard.pts = 8000, 0
            container.mux(track.encode(heard))
            container.mux(track.encode())
    return Path(path).read_bytes()


def clips() -> list[Seed]:
    """MP4, AVI, Matroska and WebM, with sound and in 16 bits; and scripts that name other files."""
    once = {"x264-params": "threads=1", "crf": "20"}
    made = [
        ("mp4", "clip.mp4", ("libx264", "yuv420p"), once, change_boxes),
        ("mp4 with sound", "clip.mp4", ("libx264", "yuv420p"), {**once, "sound": True}, change_boxes),
        ("mp4 in fragments", "clip.mp4", ("mpeg4", "yuv420p"), {}, change_boxes),
        ("avi", "clip.avi", ("mpeg4", "yuv420p"), {}, change_riff),
        ("avi of jpegs", "clip.avi", ("mjpeg", "yuvj420p"), {}, change_riff),
        ("mkv without loss", "clip.mkv", ("ffv1", "bgr0"), {"level": "3"}, None),
        ("16-bit mkv", "clip.mkv", ("ffv1", "gray16le"), {"level": "3"}, None),
        ("webm", "clip.webm", ("libvpx-vp9", "yuv420p"), {"deadline": "realtime"}, None),
    ]
    seeds = []
    for name, place, (codec, pixels), options, change in made:
        content = write_clip(place, codec, pixels, **options)  # type: ignore[arg-type]
        Path(place).unlink()
        seeds.append(Seed(name, place, content, read, () if change is None else (change,)))
    Path("other.mp4").write_bytes(seeds[0].content)
    scripts = {
        "ffconcat": b"ffconcat version 1.0\nfile other.mp4\nduration 1\n",
        "playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.mp4\n#EXT-X-ENDLIST\n",
        "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    }
    return seeds + [Seed(name, "clip.mp4", content, read, is_refused=True) for name, content in scripts.items()]


def states() -> list[Seed]:
    """What a run over clips and one over frames keep to go on from: parts of the result, and states of the filter."""
    for name in "ab":
        write_clip(f"{name}.mkv", "ffv1", "bgr0", level="3")
        for number in range(NUM_FRAMES):
            write_picture(f"{name}/{number}.png", scene(1 if name == "a" else 3))
    fuse_as_clip(stop=3)
    seeds = [
        _state(f"part {part.stem[-1]} of a clip", part, lambda path, rng: fuse_as_clip())
        for part in sorted(Path(".fused.mkv.parts").iterdir())
    ]
    fuse_as_frames(stop=True)
    for path in Path("out").glob(f"{NUM_FRAMES - 1}.png*"):  # written ahead, without a state of its own
        path.unlink()
    seeds.append(_state("state of frames", Path("out") / STATE_FILE, lambda path, rng: fuse_as_frames()))
    return seeds


def _state(name: str, path: Path, read: Callable[[str, Random], bool]) -> Seed:
    """A seed of a file with a header and arrays."""
    changes = (change_stored(change_words), change_stored(change_header), change_arrays, change_arrays)
    return Seed(name, str(path), path.read_bytes(), read, changes)


def change_arrays(rng: Random, content: bytes) -> bytes:
    """Change type, shape, name or values of an array; the file is whole."""
    words = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
    arrays = load_arrays(content)
    name = rng.choice(sorted(arrays))
    array = arrays[name].copy()
    how = rng.randrange(5)
    if how == 0:
        array = array.astype(rng.choice(("float32", "float64", "int64", "uint8", "bool", "int16", "float16")))
    elif how == 1:
        array = rng.choice((array.reshape(-1), array[None], array[..., None], array[:0], array[1:], array[..., :-1]))
    elif how == 2:
        name = rng.choice((f"{name}x", "filter.x", "x", "data", "table", "count"))
    elif how == 3:
        del arrays[name]
    flat = array.reshape(-1)
    if how == 4 and flat.size:
        numbers = (
            0,
            1,
            -1,
            5,
            1e6,
            2**31,
            -(2**62),
            2**62,
            *((np.nan, np.inf, 1e38) if array.dtype.kind == "f" else ()),
        )
        with np.errstate(all="ignore"):
            flat[rng.randrange(flat.size) if rng.random() < 0.7 else slice(None)] = np.float64(
                rng.choice(numbers)
            ).astype(array.dtype)
    if how != 3:
        arrays[name] = np.ascontiguousarray(array)
    if rng.random() < 0.8:
        values = json.loads(words["polyfuse"])
        words = {"polyfuse": json.dumps({**values, "sha256": _sha256(arrays)})}
    return save_arrays(arrays, words)


def fuse_as_clip(stop: int = 0) -> bool:
    """Go on with the clip, one frame to a part; or leave it after some frames."""

    def interrupt(done: int, total: int) -> None:
        if done == stop:
            raise KeyboardInterrupt

    with patch("polyfuse.video.writer.PART_FRAMES", 1), suppress(KeyboardInterrupt):
        result = fuse_clip(
            "a.mkv", "b.mkv", "fused.mkv", model="average", clip=ClipOptions(_TEMPORAL), resume=True, on_frame=interrupt
        )
        return result.num_resumed > 0
    return False


def fuse_as_frames(stop: bool = False) -> bool:
    """Go on with the frames, the state kept before the last; or leave them there."""
    jobs = [(Pair(str(n), Path(f"a/{n}.png"), Path(f"b/{n}.png")), Path(f"out/{n}.png")) for n in range(NUM_FRAMES)]
    kept = 0
    with patch("polyfuse.video.frames.STATE_FRAMES", NUM_FRAMES - 1):
        outcomes = fuse_frames(jobs, load("average"), FuseOptions(), _TEMPORAL, writing=Writing(resume=True))
        for number, outcome in enumerate(outcomes, start=1):
            if outcome.error is not None:
                raise outcome.error
            kept += outcome.state == "kept"
            if stop and number == NUM_FRAMES - 1:
                outcomes.close()  # type: ignore[attr-defined]
                break
    return kept > 0
