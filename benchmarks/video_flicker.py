"""How steady fused clips are beside their sources, with and without the temporal filter.

    python benchmarks/video_flicker.py IR.mp4 VIS.mp4 --models average laplacian --frames 40
    python benchmarks/video_flicker.py IR.mp4 VIS.mp4 --models fnet --weights fnet.safetensors --clip FUSED.mp4
    python benchmarks/video_flicker.py ir/ vis/           # folders of frames, in order

A row gives the flicker of the mean luma, its ratio to the less steady source, the warping error and its ratio to the
larger of the sources'. Flow comes from the visible clip. `--clip` adds rows for clips that exist already, such as
those of other authors. Results are compared before encoding. Prints numbers, never passes or fails; needs the extras
`video` and `imaging`.
"""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from polyfuse import load
from polyfuse.io import read_picture
from polyfuse.io.pairs import list_pictures
from polyfuse.transforms import luma, resize
from polyfuse.video.flicker import flicker, flicker_ratio, warping_error
from polyfuse.video.reader import describe, read_frames
from polyfuse.video.temporal import TemporalFilter


def planes(path: Path, count: int, shrink: int) -> list[np.ndarray]:
    """Luma of the first frames of a clip or a folder."""
    if path.is_dir():
        arrays = (read_picture(file).array for file in list_pictures(path)[:count])
    else:
        arrays = (frame.array for frame in islice(read_frames(describe(path)), count))
    found = []
    for array in arrays:
        unit = array.astype(np.float32) / np.iinfo(array.dtype).max
        plane = luma(unit) if unit.ndim == 3 else unit
        size = plane.shape[0] // shrink, plane.shape[1] // shrink
        found.append(resize(np.ascontiguousarray(plane, np.float32), size))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ir", type=Path)
    parser.add_argument("vi", type=Path)
    parser.add_argument("--models", nargs="*", default=["average", "maximum", "laplacian"])
    parser.add_argument("--weights", type=Path, help="for every model named fnet")
    parser.add_argument("--clip", type=Path, nargs="*", default=[], help="fused clips that exist already")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--shrink", type=int, default=2, help="by which both sides are reduced first")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    a, b = (planes(path, given.frames, given.shrink) for path in (given.ir, given.vi))
    print(f"{len(b)} frames of {b[0].shape[1]}x{b[0].shape[0]}")
    print(f"{'':28} {'flicker':>9} {'ratio':>6} {'warping':>8} {'ratio':>6}")
    means = [[float(plane.mean()) for plane in clip] for clip in (a, b)]
    source_error = max(warping_error(clip, b) for clip in (a, b))

    def row(name: str, clip: list[np.ndarray]) -> None:
        own, error = [float(plane.mean()) for plane in clip], warping_error(clip, b[: len(clip)])
        ratios = flicker_ratio(own, *means), error / source_error
        print(f"{name:28} {flicker(own):9.5f} {ratios[0]:6.2f} {error:8.4f} {ratios[1]:6.2f}", flush=True)

    row("infrared", a)
    row("visible", b)
    for path in given.clip:
        row(path.parent.name + "/" + path.name, planes(path, given.frames, given.shrink))
    for name in given.models:
        model = load(name, weights=given.weights if name.startswith("fnet") else None)
        fused = []
        for one, other in zip(a, b, strict=True):
            with torch.inference_mode():
                result = model(*(torch.from_numpy(plane)[None, None] for plane in (one, other)))
            fused.append(result[0, 0].clamp(0, 1).numpy())
        row(name, fused)
        steady = TemporalFilter()
        row(f"{name}, exponential:0.6", [np.clip(steady(*frames), 0, 1) for frames in zip(fused, a, b, strict=True)])
        span = [(plane - plane.min()) / max(float(np.ptp(plane)), 1e-6) for plane in fused]
        row(f"{name}, stretched per frame", span)


if __name__ == "__main__":
    main()
