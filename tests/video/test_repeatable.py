"""Equal frames give equal packets in every run, where that is promised, and the sidecar says where."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from polyfuse.video import ClipOptions, fuse_clip
from polyfuse.video.codecs import choose_encoding
from polyfuse.video.picture_stream import PictureFormat
from polyfuse.video.reader import describe

av = pytest.importorskip("av")

Make = Callable[..., Path]
RUNS = 6
"""As x264 is set by itself, twelve runs with one thread gave six different results on a processor with AVX-512."""


def noisy_pan(count: int) -> list[NDArray[np.uint8]]:
    """A noisy picture that moves one pixel a frame, 320x240: much for the encoder to weigh."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:240, : 320 + count]
    wide = 128 + 60 * np.sin(columns / 11) * np.cos(rows / 13) + 25 * np.sin(columns / 3 + rows / 5)
    wide = wide + rng.normal(0, 12, wide.shape)
    frames = [wide[:, number : number + 320] + rng.normal(0, 4, (240, 320)) for number in range(count)]
    return [np.repeat(np.clip(frame, 0, 255).astype(np.uint8)[..., None], 3, axis=2) for frame in frames]


def test_h264_gives_equal_packets_for_equal_frames(make_clip: Make, tmp_path: Path) -> None:
    frames = noisy_pan(60)
    like = describe(make_clip(tmp_path / "like.mkv", frames[:1]), max_pixels=10**6)
    pictures = PictureFormat(choose_encoding(tmp_path / "x.mp4", ClipOptions()), like, grey=False, depth=8)

    def encoded() -> bytes:
        with av.open(BytesIO(), "w", format="mp4") as container:
            stream = pictures.add_stream(container)
            stream.codec_context.thread_count = 1
            packets = [
                bytes(packet)
                for number, frame in enumerate(frames)
                for packet in stream.encode(pictures.frame(frame, 100 * number))
            ]
            return b"".join([*packets, *(bytes(packet) for packet in stream.encode())])

    assert len({encoded() for _ in range(RUNS)}) == 1


@pytest.mark.parametrize(
    ("name", "codec", "is_repeatable"),
    [("x.mp4", "h264", True), ("x.mkv", "ffv1", True), ("x.mp4", "h265", False), ("x.webm", "vp9", False)],
)
def test_sidecar_says_whether_packets_are_the_same_in_every_run(
    clips: tuple[Path, Path], tmp_path: Path, name: str, codec: str, is_repeatable: bool
) -> None:
    record = fuse_clip(*clips, tmp_path / name, model="average", clip=ClipOptions(codec=codec)).record
    assert record["clip"]["repeatable"] is is_repeatable
    assert record["clip"]["encoder_options"] == choose_encoding(tmp_path / name, ClipOptions(codec=codec)).options
