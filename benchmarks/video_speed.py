"""Frames per second of `polyfuse fuse` on clips, decoding and encoding included.

    python benchmarks/video_speed.py                                       # a drawn clip, 640x480, 60 frames
    python benchmarks/video_speed.py --clips IR.mp4 VIS.mp4 --models average fnet --weights fnet.safetensors

`fused` counts the model and the colour alone, on frames that are decoded already; `end to end` is what a user waits
for, and `share` what of the fusing speed is left of it: 1 where decoding and encoding hide behind the model entirely.
Contestants take turns; a row gives medians. Use an idle machine. Needs the extra `video`.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch

from polyfuse import ClipOptions, fuse, fuse_clip, load
from polyfuse.video.reader import describe, read_frames


def drawn_clip(path: Path, width: int, height: int, count: int, *, colour: bool) -> Path:
    """A clip of waves that move, H.264."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "18", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(count):
            plane = 0.5 + 0.3 * np.sin((columns + 2 * number) / 17) * np.cos(rows / 13) + 0.1 * np.sin(columns / 2)
            picture = np.stack([plane, plane * 0.8, 1 - plane] if colour else [plane] * 3, axis=2)
            frame = av.VideoFrame.from_ndarray((np.clip(picture, 0, 1) * 255).astype(np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def fusing_speed(model, clips: tuple[Path, Path], count: int) -> float:
    """Frames per second of the model on decoded frames, after one to warm up."""
    frames = [
        [frame.array for frame, _ in zip(read_frames(describe(path)), range(count), strict=False)] for path in clips
    ]
    fuse(frames[0][0], frames[1][0], model=model)
    started = time.perf_counter()
    for a, b in zip(*frames, strict=False):
        fuse(a, b, model=model)
    return min(map(len, frames)) / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, nargs=2, metavar=("IR", "VIS"))
    parser.add_argument("--models", nargs="+", default=["average", "laplacian"])
    parser.add_argument("--weights", type=Path, help="for every model named fnet")
    parser.add_argument("--size", default="640x480")
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    width, height = map(int, given.size.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        clips = tuple(given.clips or ()) or tuple(
            drawn_clip(Path(folder) / f"{name}.mp4", width, height, given.frames, colour=name == "vi")
            for name in ("ir", "vi")
        )
        info = describe(clips[1])
        print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {given.threads} threads")
        print(
            f"torch {torch.__version__}, {info.num_frames} frames of {info.width}x{info.height}, {given.repeats} runs"
        )
        print(f"{'':28} {'fused':>8} {'end to end':>11} {'share':>6}   frames/s")
        rows: dict[tuple[str, str], list[tuple[float, float]]] = {}
        for _ in range(given.repeats):
            for name in given.models:
                model = load(name, weights=given.weights if name.startswith("fnet") else None)
                alone = fusing_speed(model, clips, min(given.frames, 20))
                for temporal in ("none", "exponential"):
                    target = Path(folder) / "fused.mp4"
                    result = fuse_clip(*clips, target, model=model, clip=ClipOptions(temporal), overwrite=True)
                    rows.setdefault((name, temporal), []).append((alone, result.num_frames / result.seconds))
        for (name, temporal), speeds in rows.items():
            alone, whole = (statistics.median(values) for values in zip(*speeds, strict=True))
            label = name if temporal == "none" else f"{name}, {temporal}"
            print(f"{label:28} {alone:8.1f} {whole:11.1f} {whole / alone:6.2f}")


if __name__ == "__main__":
    main()
