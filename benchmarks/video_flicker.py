"""How steady fused clips are beside their sources, with and without the temporal filters.

    python benchmarks/video_flicker.py IR.mp4 VIS.mp4 --models average laplacian --frames 40
    python benchmarks/video_flicker.py IR.mp4 VIS.mp4 --models fnet --weights fnet.safetensors --clip FUSED.mp4
    python benchmarks/video_flicker.py ir/ vis/           # folders of frames, in order

A row gives the flicker of the mean luma, the warping error and the flicker of still pixels, each with its ratio to
the less steady source; nan where too few pixels have a motion that can be trusted, or none is still. Flow comes from
the visible clip, from the infrared one while it is dark. `--clip` adds rows for clips that exist already, such as
those of other authors. Results are compared before encoding. Prints numbers, never passes or fails; needs the extras
`video` and `imaging`.
"""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch

from polyfuse import load
from polyfuse.io import read_picture
from polyfuse.io.pairs import list_pictures
from polyfuse.transforms import luma, resize
from polyfuse.video.filters import make_filter
from polyfuse.video.flicker import SteadinessOf
from polyfuse.video.reader import describe, read_frames


def planes(path: Path, count: int, shrink: int) -> list[np.ndarray]:
    """Luma of the first frames of a clip or a folder."""
    if path.is_dir():
        arrays = (read_picture(file).array for file in list_pictures(path)[:count])
    else:
        arrays = (frame.array for frame in islice(read_frames(describe(path)), count))
    shrunk = []
    for array in arrays:
        unit = array.astype(np.float32) / np.iinfo(array.dtype).max
        plane = luma(unit) if unit.ndim == 3 else unit
        size = plane.shape[0] // shrink, plane.shape[1] // shrink
        shrunk.append(resize(np.ascontiguousarray(plane, np.float32), size))
    return shrunk


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
    cv2.setNumThreads(given.threads)
    a, b = (planes(path, given.frames, given.shrink) for path in (given.ir, given.vi))
    print(f"{len(b)} frames of {b[0].shape[1]}x{b[0].shape[0]}")
    print(f"{'':28} {'flicker':>9} {'ratio':>6} {'warping':>9} {'ratio':>6} {'still':>9} {'ratio':>6}")
    steadiness = SteadinessOf(a, b)

    def row(name: str, clip: list[np.ndarray]) -> None:
        result = steadiness(clip)
        print(
            f"{name:28} {result.flicker:9.5f} {result.flicker_ratio:6.2f} {result.warping:9.4f} "
            f"{result.warping_ratio:6.2f} {result.pixel_flicker:9.5f} {result.pixel_ratio:6.2f}",
            flush=True,
        )

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
        for temporal in ("exponential", "flow"):
            steady = make_filter(temporal)
            row(f"{name}, {temporal}", [np.clip(steady(*frames), 0, 1) for frames in zip(fused, a, b, strict=True)])
        span = [(plane - plane.min()) / max(float(np.ptp(plane)), 1e-6) for plane in fused]
        row(f"{name}, stretched per frame", span)


if __name__ == "__main__":
    main()
