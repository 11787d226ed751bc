"""Frames per second of `polyfuse fuse` on clips, decoding and encoding included.

    python benchmarks/video_speed.py                                       # a drawn clip, 640x480, 60 frames
    python benchmarks/video_speed.py --clips IR.mp4 VIS.mp4 --models average fnet --weights fnet.safetensors
    python benchmarks/video_speed.py --threads 2 --precision auto --models fnet-t.road daefuse-t.safetensors

`polyfuse fuse` lets waiting threads sleep, which must be said before torch is loaded: put OMP_WAIT_POLICY=PASSIVE
before the command to measure what it does.

`fused` counts the model and the colour alone, on frames that are decoded already; `end to end` is what a user waits
for, and `share` what of the fusing speed is left of it: 1 where decoding and encoding hide behind the model entirely.
The table of parts has milliseconds per frame of each part alone, and its share of their sum: decoding both clips, the
network, what else fusing takes (ranges and colour), encoding. They overlap in a run, so that their sum is more than the
time from end to end; of several runs the last is shown. A model may be a file of weights.
Contestants take turns; a row gives medians. Use an idle machine. Needs the extra `video`.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch

from polyfuse import ClipOptions, fuse, fuse_clip, load
from polyfuse.families.spec import FusionModel
from polyfuse.video.codecs import choose_encoding
from polyfuse.video.picture_stream import PictureFormat
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


def loaded(name: str, given: argparse.Namespace) -> FusionModel:
    """A model by name or by the path of its weights."""
    if name.endswith(".safetensors"):
        return load("auto", weights=name, precision=given.precision)
    weights = given.weights if name in {"fnet", "fnet-t"} else None
    return load(name, weights=weights, precision=given.precision)


def seconds_of(call: Callable[..., object], arguments: Iterable[tuple]) -> float:
    """Mean seconds of a call, after one to warm up."""
    listed = list(arguments)
    call(*listed[0])
    started = time.perf_counter()
    for one in listed:
        call(*one)
    return (time.perf_counter() - started) / len(listed)


def parts(model: FusionModel, clips: tuple[Path, Path], count: int, target: Path) -> dict[str, float]:
    """Seconds per frame of each part alone: "decode" of both clips, "network", "rest" of fusing, "encode"."""
    started = time.perf_counter()
    frames = [[frame for frame, _ in zip(read_frames(describe(path)), range(count), strict=False)] for path in clips]
    pairs = list(zip(*frames, strict=False))
    decoding = (time.perf_counter() - started) / len(pairs)
    fusing = seconds_of(lambda a, b: fuse(a, b, model=model), [(a.array, b.array) for a, b in pairs])
    planes = [[torch.from_numpy(luma(x.array)).float()[None, None] / 255 for x in pair] for pair in pairs]
    with torch.inference_mode():
        network = seconds_of(model, planes)
    result = fuse(pairs[0][0].array, pairs[0][1].array, model=model).image
    encoding = encoding_seconds(clips[1], result, [b.ticks for _, b in pairs], target)
    return {"decode": decoding, "network": network, "rest": max(0.0, fusing - network), "encode": encoding}


def luma(array: np.ndarray) -> np.ndarray:
    """One channel of a frame: what a network computes does not depend on which."""
    return np.ascontiguousarray(array if array.ndim == 2 else array[..., 1])


def encoding_seconds(like: Path, image: np.ndarray, ticks: list[int], target: Path) -> float:
    """Seconds per frame of the encoder that `fuse_clip` takes, on frames that move by a pixel each."""
    encoding = choose_encoding(target, ClipOptions("none"))
    pictures = PictureFormat(encoding, describe(like), grey=image.ndim == 2, depth=8)
    frames = [np.ascontiguousarray(np.roll(image, shift, axis=1)) for shift in range(len(ticks))]
    with av.open(str(target), "w") as container:
        stream = pictures.add_stream(container)
        started = time.perf_counter()
        for frame, when in zip(frames, ticks, strict=True):
            container.mux(stream.encode(pictures.frame(frame, when)))
        container.mux(stream.encode())
        return (time.perf_counter() - started) / len(ticks)


def print_parts(parts_by_model: dict[str, dict[str, float]]) -> None:
    """Print milliseconds and shares of the parts, a row for each model."""
    part_names = next(iter(parts_by_model.values()))
    print(f"\n{'milliseconds, share alone':28}" + "".join(f"{part:>16}" for part in part_names))
    for name, seconds in parts_by_model.items():
        total = sum(seconds.values())
        cells = (f"{1000 * value:.1f}, {value / total:.0%}" for value in seconds.values())
        print(f"{Path(name).name:28}" + "".join(f"{cell:>16}" for cell in cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, nargs=2, metavar=("IR", "VIS"))
    parser.add_argument("--models", nargs="+", default=["average", "laplacian"])
    parser.add_argument("--weights", type=Path, help="for every model named fnet or fnet-t")
    parser.add_argument("--precision", choices=("float32", "bf16", "auto"), default="float32")
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
        shares: dict[str, dict[str, float]] = {}
        for _ in range(given.repeats):
            for name in given.models:
                model = loaded(name, given)
                shares[name] = parts(model, clips, min(given.frames, 20), Path(folder) / "part.mp4")
                alone = 1 / (shares[name]["network"] + shares[name]["rest"])
                for temporal in ("none", "exponential"):
                    target = Path(folder) / "fused.mp4"
                    result = fuse_clip(*clips, target, model=model, clip=ClipOptions(temporal), overwrite=True)
                    rows.setdefault((name, temporal), []).append((alone, result.num_frames / result.seconds))
        for (name, temporal), speeds in rows.items():
            alone, whole = (statistics.median(values) for values in zip(*speeds, strict=True))
            label = Path(name).name + ("" if temporal == "none" else f", {temporal}")
            print(f"{label:28} {alone:8.1f} {whole:11.1f} {whole / alone:6.2f}")
        print_parts(shares)


if __name__ == "__main__":
    main()
