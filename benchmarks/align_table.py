"""How well ways to align two cameras do: error, seconds, what they flag; on raw pairs and on drawn scenes.

Run it after installing polyfuse, with the reference folder beside the checkout:

    python benchmarks/align_table.py
    python benchmarks/align_table.py --folder ../shared/data/roadscene_raw --split val --scenes 6

Ways: phase correlation of the grey pictures at each of our scales (best peak wins), SIFT and ORB with MAGSAC where
OpenCV is installed, our coarse search alone, and all of `polyfuse align`. The error is the mean distance over a 9x9
grid of what the pictures share, in pixels of a picture 640 wide. The reference of the raw pairs is itself good to 2 or
3 pixels; that of the drawn scenes is exact. `night` darkens the visible picture to 0.12 of its range and adds noise;
`mismatched` lays each infrared picture over another pair's visible one, where the only right answer is a flag. A way
without a confidence of its own flags what it finds no answer to.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from polyfuse.alignment.canvas import Canvas, as_canvas, projected, resized, sampled, scaling
from polyfuse.alignment.coarse import FAR, NEAR, search
from polyfuse.alignment.evidence import ACCEPTED
from polyfuse.alignment.find import estimate
from polyfuse.io import read_picture
from polyfuse.scenes import SceneConfig, render_scene

Matrix = NDArray[np.float64]
Answer = tuple[Matrix | None, bool]
"""From a's canvas to b's, and whether the way itself calls it sure."""


@dataclass(frozen=True, eq=False)
class Case:
    """A pair and where a really lies; None where it does not."""

    kind: str
    a: NDArray[Any]
    b: NDArray[Any]
    truth: Matrix | None


def raw_pairs(folder: Path, split: str, most: int) -> Iterator[Case]:
    """Raw pairs by day, darkened, and mismatched."""
    table = json.loads((folder / "homographies.json").read_text(encoding="utf-8"))
    names = sorted(name for name, row in table.items() if row["split"] == split)[:most]
    pictures = [
        tuple(
            read_picture(folder / split / kind / f"{name}.{end}").array for kind, end in (("ir", "png"), ("vi", "jpg"))
        )
        for name in names
    ]
    rng = np.random.default_rng(0)
    for index, (name, (a, b)) in enumerate(zip(names, pictures, strict=True)):
        truth = np.array(table[name]["homography"])
        yield Case("day", a, b, truth)
        yield Case("night", a, darkened(b, rng), truth)
        yield Case("mismatched", a, pictures[(index + len(names) // 3 + 1) % len(names)][1], None)


def darkened(b: NDArray[Any], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A visible picture at 0.12 of its range with noise of read-out and photons."""
    dark = b.astype(np.float32) / 255 * 0.12
    noise = 0.012 * rng.standard_normal(b.shape, np.float32)
    photons = 0.02 * np.sqrt(dark) * rng.standard_normal(b.shape, np.float32)
    return np.rint(np.clip(dark + noise + photons, 0, 1) * 255).astype(np.uint8)


def drawn_scenes(count: int) -> Iterator[Case]:
    """Drawn scenes whose thermal picture is seen by another camera: smaller, turned, in perspective."""
    rng = np.random.default_rng(1)
    for seed in range(count):
        scene = render_scene(SceneConfig(width=1280, height=960, seed=seed, kind=("street", "yard")[seed % 2]))
        zoom, turn = rng.uniform(1.7, 2.4), np.radians(rng.uniform(-3, 3))
        linear = zoom * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        truth = np.eye(3)
        truth[:2, :2] = linear
        truth[:2, 2] = [640, 480] - linear @ [319.5, 255.5] + rng.uniform(-60, 60, 2)
        truth[2, :2] = rng.uniform(-4e-5, 4e-5, 2)
        plane = torch.from_numpy(scene.thermal.astype(np.float32))[None, None]
        half = resized(plane, (480, 640))  # of about a's resolution, so that nothing aliases
        a = sampled(half, scaling((1280, 960), (640, 480)) @ truth, (512, 640))[0][0, 0].numpy()
        yield Case("drawn", np.rint(np.clip(a, 0, 255)).astype(np.uint8), scene.visible, truth)


def windowed(plane: torch.Tensor) -> torch.Tensor:
    """A Hann window, without which the rims of the pictures correlate."""
    rows, columns = (torch.hann_window(side + 2, periodic=False)[1:-1] for side in plane.shape)
    return rows[:, None] * columns


def phase_correlation(a: Canvas, b: Canvas) -> Answer:
    """The highest peak of the phase correlation of grey pictures over all scales, in standard deviations."""
    best: tuple[float, Matrix] = (-1.0, np.eye(3))
    factor = 192 / max(b.height, b.width)
    fixed = resized(b.plane, (round(b.height * factor), round(b.width * factor)))[0, 0]
    for scale in FAR.scales + NEAR.scales:
        size = (
            round(a.height * 192 * scale / max(a.height, a.width)),
            round(a.width * 192 * scale / max(a.height, a.width)),
        )
        if min(size) < 24:
            continue
        moved = resized(a.plane, size)[0, 0]
        whole = [one + other for one, other in zip(size, fixed.shape, strict=True)]
        spectra = [torch.fft.rfft2((plane - plane.mean()) * windowed(plane), s=whole) for plane in (moved, fixed)]
        product = spectra[0].conj() * spectra[1]
        peaks = torch.fft.irfft2(product / (product.abs() + 1e-9), s=whole)
        row, column = divmod(int(peaks.argmax()), whole[1])
        height = float(peaks.max() / peaks.std())
        if height > best[0]:
            shift = np.eye(3)
            shift[:2, 2] = column - whole[1] * (column >= fixed.shape[1]), row - whole[0] * (row >= fixed.shape[0])
            down_b = scaling((b.width, b.height), (int(fixed.shape[1]), int(fixed.shape[0])))
            matrix = np.linalg.inv(down_b) @ shift @ scaling((a.width, a.height), size[::-1])
            best = height, matrix
    return best[1], True


def features(name: str) -> Callable[[Canvas, Canvas], Answer] | None:
    """SIFT or ORB with a ratio test and MAGSAC; None without OpenCV."""
    try:
        import cv2
    except ImportError:
        return None
    detector = cv2.SIFT.create(4000) if name == "SIFT" else cv2.ORB.create(4000)
    matcher = cv2.BFMatcher(cv2.NORM_L2 if name == "SIFT" else cv2.NORM_HAMMING)

    def run(a: Canvas, b: Canvas) -> Answer:
        grey = [np.rint(np.clip(canvas.plane[0, 0].numpy(), 0, 1) * 255).astype(np.uint8) for canvas in (a, b)]
        (points_a, words_a), (points_b, words_b) = (detector.detectAndCompute(plane, None) for plane in grey)
        if words_a is None or words_b is None or min(len(words_a), len(words_b)) < 8:
            return None, False
        near = [pair for pair in matcher.knnMatch(words_a, words_b, k=2) if len(pair) == 2]
        good = [one for one, other in near if one.distance < 0.85 * other.distance]
        if len(good) < 8:
            return None, False
        there = [np.array([points_a[match.queryIdx].pt for match in good])]
        there.append(np.array([points_b[match.trainIdx].pt for match in good]))
        matrix, inliers = cv2.findHomography(there[0], there[1], cv2.USAC_MAGSAC, 3.0)
        return (None, False) if matrix is None else (matrix, int(inliers.sum()) >= 12)

    return run


def coarse(a: Canvas, b: Canvas) -> Answer:
    """Our search alone, which knows no confidence."""
    return search(a, b)[0].matrix, True


def full(a: Canvas, b: Canvas) -> Answer:
    """What `polyfuse align` does."""
    found = estimate(a, b)
    return found.matrix, found.confidence >= ACCEPTED


def error(matrix: Matrix | None, case: Case) -> float:
    """Mean distance over the grid, pixels of a picture 640 wide; infinite without an answer."""
    if matrix is None or case.truth is None:
        return float("inf")
    height, width = case.b.shape[:2]
    share = (np.arange(9) + 0.5) / 9
    x, y = np.meshgrid(share * width - 0.5, share * height - 0.5)
    points = np.stack([x.ravel(), y.ravel()], axis=-1)
    there = projected(np.linalg.inv(case.truth), points)
    inside = ((there >= 0) & (there <= [case.a.shape[1] - 1, case.a.shape[0] - 1])).all(1)
    apart = np.hypot(*(projected(matrix, there[inside]) - points[inside]).T) * 640 / width
    return float(np.nan_to_num(apart, nan=1e4).mean())


def line(way: str, kind: str, rows: list[tuple[float, bool, float]]) -> str:
    """One row of the table."""
    errors, sure = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    cells = [f"{way:<18} {kind:<11} {len(rows):>3}"]
    if kind == "mismatched":
        cells.append(f"{'-':>7} {'-':>5} {'-':>5} {'-':>5}")
    else:
        cells.append(
            f"{np.median(errors):>7.2f} " + " ".join(f"{100 * (errors <= limit).mean():>5.0f}" for limit in (3, 5, 10))
        )
    wrong = int((sure & ~(errors <= 10)).sum())
    cells.append(f"{int((~sure).sum()):>8} {wrong:>6} {np.median([row[2] for row in rows]):>8.2f}")
    return " ".join(cells)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("../shared/data/roadscene_raw"))
    parser.add_argument("--split", default="val")
    parser.add_argument("--pairs", type=int, default=1000, help="at most so many raw pairs")
    parser.add_argument("--scenes", type=int, default=6, help="drawn scenes")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--ways", nargs="*", help="only these, by their first word")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    ways: dict[str, Callable[[Canvas, Canvas], Answer] | None] = {
        "phase correlation": phase_correlation, "SIFT": features("SIFT"), "ORB": features("ORB"),
        "ours, coarse": coarse, "ours": full,
    }  # fmt: skip
    cases = list(drawn_scenes(arguments.scenes))
    if arguments.folder.is_dir():
        cases += raw_pairs(arguments.folder, arguments.split, arguments.pairs)
    print(f"# {platform.processor() or platform.machine()}, {os.cpu_count()} cores, {arguments.threads} threads, "
          f"torch {torch.__version__}; errors in pixels of 640")  # fmt: skip
    print(f"{'way':<18} {'pairs':<11} {'n':>3} {'median':>7} {'<=3 %':>5} {'<=5 %':>5} {'<=10%':>5} "
          f"{'flagged':>8} {'wrong':>6} {'seconds':>8}")  # fmt: skip
    for way, run in ways.items():
        if run is None or (arguments.ways and way.split()[0] not in arguments.ways and way not in arguments.ways):
            continue
        rows: dict[str, list[tuple[float, bool, float]]] = {}
        for case in cases:
            begin = time.perf_counter()
            a, b = as_canvas(case.a), as_canvas(case.b)
            matrix, sure = run(a, b)
            seconds = time.perf_counter() - begin
            if matrix is not None:
                matrix = np.linalg.inv(b.matrix) @ matrix @ a.matrix
            rows.setdefault(case.kind, []).append((error(matrix, case), sure, seconds))
        for kind, results in rows.items():
            print(line(way, kind, results), flush=True)


if __name__ == "__main__":
    main()
