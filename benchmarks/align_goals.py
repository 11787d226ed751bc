"""Whether `polyfuse align` reaches its goals: each as it was measured, beside what is wanted.

Run it after installing polyfuse, with the reference folder beside the checkout:

    python benchmarks/align_goals.py                # validation pairs and a few drawn scenes, some minutes
    python benchmarks/align_goals.py --full         # every raw pair and more of everything else
    python benchmarks/align_goals.py --only day drawn --rows

Errors are means over a 9x9 grid of what the pictures share, in pixels of a picture 640 wide, as in `align_table.py`,
which has the cases and compares ways. `consistent` warps the infrared picture by a known homography and asks how far
the answer is from that without; `rig` finds a warp of a fixed pair of cameras with eight frames and with eight others,
the infrared of all of them warped by one known homography first, so that doing nothing is no answer; `far` is a camera
with a long lens, which sees down to a sixth of the other's picture. The reference of the raw pairs is itself good to 2
or 3 pixels, so `day` and `night` cannot be better than that.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from align_table import Case, Matrix, drawn_scenes, error, raw_pairs
from numpy.typing import NDArray

from polyfuse.alignment import find_warp
from polyfuse.alignment.canvas import as_canvas, projected, resized, sampled, scaling
from polyfuse.alignment.evidence import ACCEPTED
from polyfuse.alignment.find import estimate
from polyfuse.io import read_picture
from polyfuse.scenes import SceneConfig, render_scene

Answer = tuple[Matrix, float, float]
"""From a's pixels to b's, its confidence, and seconds."""


def answer(a: NDArray[Any], b: NDArray[Any]) -> Answer:
    """What is found for one pair."""
    begin = time.perf_counter()
    one, other = as_canvas(a), as_canvas(b)
    found = estimate(one, other)
    seconds = time.perf_counter() - begin
    return np.linalg.inv(other.matrix) @ found.matrix @ one.matrix, found.confidence, seconds


def moved(a: NDArray[Any], rng: np.random.Generator) -> tuple[NDArray[np.uint8], Matrix]:
    """A picture as a camera beside it would see it: a little turned, nearer or farther, in perspective."""
    height, width = a.shape[:2]
    turn, zoom = np.radians(rng.uniform(-3, 3)), rng.uniform(0.85, 1.1)
    linear = zoom * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = np.eye(3)  # from the new picture to the old one
    matrix[:2, :2] = linear
    middle = np.array([width - 1, height - 1]) / 2
    matrix[:2, 2] = middle - linear @ middle + rng.uniform(-0.04, 0.04, 2) * width
    matrix[2, :2] = rng.uniform(-5e-5, 5e-5, 2)
    plane = torch.from_numpy(np.ascontiguousarray(a if a.ndim == 2 else a[..., 1], np.float32))[None, None]
    new = sampled(plane, matrix, (height, width))[0][0, 0].numpy()
    return np.rint(np.clip(new, 0, 255)).astype(np.uint8), matrix / matrix[2, 2]


def apart(one: Matrix, other: Matrix, size_a: tuple[int, int], size_b: tuple[int, int]) -> float:
    """Mean distance of two warps over what the pictures share under the second, pixels of a picture 640 wide."""
    share = (np.arange(9) + 0.5) / 9
    x, y = np.meshgrid(share * size_b[0] - 0.5, share * size_b[1] - 0.5)
    points = np.stack([x.ravel(), y.ravel()], axis=-1)
    there = projected(np.linalg.inv(other), points)
    inside = ((there >= 0) & (there <= np.array(size_a) - 1)).all(1)
    distances = np.hypot(*(projected(one, there[inside]) - points[inside]).T) * 640 / size_b[0]
    return float(np.nan_to_num(distances, nan=1e4).mean()) if inside.any() else float("inf")


def far_scenes(count: int) -> Iterator[Case]:
    """Drawn scenes of which the thermal camera sees a part, from four fifths down to a sixth of b's width."""
    rng = np.random.default_rng(2)
    for seed in range(count):
        scene = render_scene(SceneConfig(width=1280, height=960, seed=100 + seed, kind=("street", "yard")[seed % 2]))
        part = 1.25 * 4.8 ** (seed / max(1, count - 1))  # b's width in that of a's view: 1.25 to 6
        zoom = 1280 / part / 320
        truth = np.diag([zoom, zoom, 1.0])
        room = np.array([1280 - 320 * zoom, 960 - 256 * zoom])
        truth[:2, 2] = room * (0.5 + rng.uniform(-0.25, 0.25, 2))
        truth[2, :2] = rng.uniform(-5e-5, 5e-5, 2)
        plane = torch.from_numpy(scene.thermal.astype(np.float32))[None, None]
        reduction = min(1.0, 1 / zoom)
        small = resized(plane, (round(960 * reduction), round(1280 * reduction)))
        to_small = scaling((1280, 960), (small.shape[-1], small.shape[-2]))
        a = sampled(small, to_small @ truth, (256, 320))[0][0, 0].numpy()
        yield Case(f"1:{part:.2f}", np.rint(np.clip(a, 0, 255)).astype(np.uint8), scene.visible, truth)


def frames_of(folder: Path, stem: str = "") -> list[tuple[str, NDArray[Any], NDArray[Any]]]:
    """Frames of a fixed pair of cameras: their names and pictures."""
    infrared = sorted(path for path in (folder / "ir").iterdir() if path.stem.startswith(stem))
    return [
        (path.stem, read_picture(path).array, read_picture(next((folder / "vi").glob(f"{path.stem}.*"))).array)
        for path in infrared
    ]


def rig_apart(frames: list[tuple[str, NDArray[Any], NDArray[Any]]], rng: np.random.Generator) -> tuple[float, float]:
    """How far the warps of two halves of the frames are apart, and the lower of their confidences."""
    order = rng.permutation(len(frames))
    state = rng.bit_generator.state
    halves = []
    for half in (order[: len(frames) // 2], order[len(frames) // 2 :]):
        shared = np.random.default_rng()
        shared.bit_generator.state = state  # one homography for all frames
        found = []
        for index in half:
            shared.bit_generator.state = state
            name, a, b = frames[index]
            found.append((name, moved(a, shared)[0], b))
        halves.append(find_warp(found))
    rng.uniform(size=16)
    one, other = (half.warp for half in halves)
    return apart(one.matrix, other.matrix, one.size_a, one.size_b), min(half.warp.confidence or 0.0 for half in halves)


class Table:
    """Prints a line for each goal."""

    def __init__(self, rows: bool) -> None:
        self.rows = rows
        print(f"{'what':<58} {'n':>4} {'measured':>9} {'goal':>9}")

    def goal(self, what: str, number: int, measured: float, goal: float, *, most: bool, unit: str = "") -> None:
        """One goal: at most or at least so much."""
        met = measured <= goal if most else measured >= goal
        wanted = f"{'<=' if most else '>='} {goal:g}{unit}"
        print(f"{what:<58} {number:>4} {measured:>8.2f}{unit or ' '} {wanted:>9} {'' if met else 'MISSED'}", flush=True)

    def row(self, *cells: Any) -> None:
        """One case, where they are wanted."""
        if self.rows:
            print("   ", *(f"{cell:.2f}" if isinstance(cell, float) else cell for cell in cells), flush=True)


def within(errors: list[float], limit: float) -> float:
    """Percent of errors at most so large."""
    return 100 * float((np.array(errors) <= limit).mean())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--full", action="store_true", help="every pair of train and val, and more draws")
    parser.add_argument("--splits", nargs="*", help="of the raw pairs; val, with --full train as well")
    parser.add_argument("--pairs", type=int, default=1000, help="at most so many pairs of each split")
    parser.add_argument("--only", nargs="*", help="day, night, mismatched, consistent, drawn, far, rig")
    parser.add_argument("--rows", action="store_true", help="print every case")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"# {platform.processor() or platform.machine()}, {os.cpu_count()} cores, {arguments.threads} threads, "
          f"torch {torch.__version__}; errors in pixels of 640")  # fmt: skip
    table = Table(arguments.rows)
    wanted: Callable[[str], bool] = lambda part: not arguments.only or part in arguments.only  # noqa: E731
    if wanted("drawn"):
        drawn(table, 24 if arguments.full else 6)
    if wanted("far"):
        far(table, 24 if arguments.full else 6)
    folder = arguments.data / "roadscene_raw"
    if folder.is_dir():
        for split in arguments.splits or (("val", "train") if arguments.full else ("val",)):
            raw(table, list(raw_pairs(folder, split, arguments.pairs)), split, wanted)
    if wanted("rig") and (arguments.data / "llvip").is_dir():
        rig(table, arguments.data, 20 if arguments.full else 2)


def drawn(table: Table, count: int) -> None:
    """Drawn scenes with exact warps."""
    errors = []
    for case in drawn_scenes(count):
        matrix, confidence, seconds = answer(case.a, case.b)
        errors.append(error(matrix, case))
        table.row("drawn", errors[-1], confidence, seconds)
    table.goal("drawn: median error", len(errors), float(np.median(errors)), 0.7, most=True)
    table.goal("drawn: within 10 pixels", len(errors), within(errors, 10), 94, most=False, unit="%")


def far(table: Table, count: int) -> None:
    """Cameras that see a part of the other's picture; errors in pixels of a picture 640 wide of b."""
    errors, sure = [], []
    for case in far_scenes(count):
        matrix, confidence, seconds = answer(case.a, case.b)
        errors.append(error(matrix, case))
        sure.append(confidence >= ACCEPTED)
        table.row("far", case.kind, errors[-1], confidence, seconds)
    accepted = [each for each, taken in zip(errors, sure, strict=True) if taken]
    table.goal("far, 1:1.25 to 1:6: within 10 pixels", len(errors), within(errors, 10), 94, most=False, unit="%")
    if accepted:
        table.goal("far: accepted, largest error", len(accepted), max(accepted), 30, most=True)


def raw(table: Table, cases: list[Case], split: str, wanted: Callable[[str], bool]) -> None:
    """Raw pairs by day, at night, with another's partner, and the same after a known homography."""
    rng = np.random.default_rng(3)
    errors: dict[str, list[float]] = {"day": [], "night": [], "mismatched": []}
    sure: dict[str, list[bool]] = {"day": [], "night": [], "mismatched": []}
    seconds, consistent = [], []
    for case in cases:
        if not wanted(case.kind) and not (case.kind == "day" and wanted("consistent")):
            continue
        matrix, confidence, took = answer(case.a, case.b)
        errors[case.kind].append(error(matrix, case))
        sure[case.kind].append(confidence >= ACCEPTED)
        table.row(split, case.kind, errors[case.kind][-1], confidence, took)
        if case.kind == "day":
            seconds.append(took)
            if wanted("consistent"):
                new, known = moved(case.a, rng)
                again = answer(new, case.b)[0]
                size_a, size_b = (picture.shape[1::-1] for picture in (case.a, case.b))
                consistent.append(apart(again @ np.linalg.inv(known), matrix, size_a, size_b))
                table.row(split, "consistent", consistent[-1])
    for kind in ("day", "night"):
        if not errors[kind] or not wanted(kind):
            continue
        number = len(errors[kind])
        table.goal(f"{split}, {kind}: within 10 pixels", number, within(errors[kind], 10), 94 if kind == "day" else 95,
                   most=False, unit="%")  # fmt: skip
        if kind == "day":
            table.goal(f"{split}, day: within 5 pixels", number, within(errors[kind], 5), 80, most=False, unit="%")
            table.goal(f"{split}, day: median error", number, float(np.median(errors[kind])), 3, most=True)
            table.goal(f"{split}, day: seconds a pair, median", number, float(np.median(seconds)), 1.5, most=True)
        accepted = [each for each, taken in zip(errors[kind], sure[kind], strict=True) if taken]
        table.goal(f"{split}, {kind}: accepted, within 10 pixels", len(accepted), within(accepted, 10), 97,
                   most=False, unit="%")  # fmt: skip
        table.goal(f"{split}, {kind}: accepted, largest error", len(accepted), max(accepted), 30, most=True)
    if sure["mismatched"]:
        share = 100 * float(np.mean(sure["mismatched"]))
        table.goal(f"{split}, mismatched: accepted", len(sure["mismatched"]), share, 2.5, most=True, unit="%")
    if consistent:
        table.goal(f"{split}, after a known homography: median", len(consistent), float(np.median(consistent)), 0.5,
                   most=True)  # fmt: skip
        table.goal(f"{split}, after a known homography: 90 %", len(consistent), float(np.quantile(consistent, 0.9)),
                   1.5, most=True)  # fmt: skip


def rig(table: Table, data: Path, draws: int) -> None:
    """Eight frames of a fixed pair of cameras against eight others."""
    rng = np.random.default_rng(4)
    sets = {
        "llvip, one street, 8 against 8 frames": frames_of(data / "llvip" / "train")[:16],
        "m3svd, two clips, 5 against 5 frames": frames_of(data / "m3svd" / "train", "0111"),
    }
    for what, frames in sets.items():
        distances = []
        for _ in range(draws):
            distance, confidence = rig_apart(frames, rng)
            distances.append(distance)
            table.row("rig", what, distance, confidence)
        table.goal(f"{what}: 90 %", draws, float(np.quantile(distances, 0.9)), 2, most=True)


if __name__ == "__main__":
    main()
