"""How well volumes are registered: error over the head, seconds, what is refused; known moves, a real pair, controls.

Run it after installing polyfuse with the extra medical, with the folder of volumes beside the checkout:

    python benchmarks/volume_registration.py
    python benchmarks/volume_registration.py --cases 8 --parts known real controls --sitk

known: each volume against itself, moved by a seeded rigid move of up to 20 degrees and 30 mm onto a grid of other
spacing, its values remapped, with noise, in two rows with a part of the field of view cut off. `far` moves by 25 to 40
degrees and 30 to 50 mm; `beyond` turns by 60 to 120 degrees, farther than is searched, and must be refused or right.
The error of a case is the mean distance between the move found and the true one over what the volume shows (points 8 mm
apart). real: a T1 and a T2 of one head that do not lie on one another, from random starts, and there and back.
controls: volumes of different heads, of noise, and heads with left and right exchanged, where the only right answer is
to refuse. With --sitk, SimpleITK's Mattes mutual information (3 levels, 50 bins, regular step descent, started at
the centres of the fields) runs on the known moves too.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from polyfuse.volumes.levels import make_level, reduced
from polyfuse.volumes.registration import register
from polyfuse.volumes.resample import resampled
from polyfuse.volumes.rigid import distances, inverse, matrix_of, moved
from polyfuse.volumes.volume import Volume

Matrix = NDArray[np.float64]
NAMES = {
    "T1": "rniftyreg_flash_t1.nii.gz", "T2": "rniftyreg_epi_t2.nii.gz",
    "CT": "niivue_CT_AVM.nii.gz", "PD": "niivue_chris_PD.nii.gz",
}  # fmt: skip
REMAPS: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "inverted": lambda values: 1 - values,
    "gamma": lambda values: values**0.4,
    "bands": lambda values: (0.5 + 0.5 * np.sin(5 * values + 0.5)) * np.clip(values, 0, 1) ** 0.3,
}


@dataclass(frozen=True)
class Kind:
    """A row of the table of known moves."""

    remap: str
    noise: float
    """Standard deviation, as a share of the 99.8th percentile."""
    cut: float = 0.0
    """Share of the field of view cut off at one end of one axis."""
    turn: tuple[float, float] = (5, 20)
    shift: tuple[float, float] = (5, 30)


KINDS = {
    "inverted": Kind("inverted", 0.03),
    "gamma, noisy": Kind("gamma", 0.1),
    "bands": Kind("bands", 0.03),
    "inverted, cut 30 %": Kind("inverted", 0.03, 0.3),
    "bands, cut 40 %": Kind("bands", 0.03, 0.4),
    "inverted, far": Kind("inverted", 0.03, 0.0, (25, 40), (30, 50)),
    "inverted, beyond": Kind("inverted", 0.03, 0.0, (60, 120), (5, 30)),
}


def load(path: Path) -> Volume:
    """A NIfTI file."""
    import nibabel

    image: Any = nibabel.load(path)
    return Volume(np.asarray(image.dataobj, np.float32), image.affine, name=path.name)


def shown_points(volume: Volume) -> NDArray[np.float64]:
    """Points 8 mm apart over what a volume shows, (N, 3)."""
    level = make_level(*reduced(volume, 8.0), 8.0)
    return moved(level.foreground.nonzero().double().numpy(), level.affine)


def drawn_move(rng: np.random.Generator, turn: tuple[float, float], shift: tuple[float, float], at: Any) -> Matrix:
    """A move about a point, its axis and direction anywhere."""
    axis, direction = (each / np.linalg.norm(each) for each in rng.normal(size=(2, 3)))
    return matrix_of([*(axis * np.radians(rng.uniform(*turn))), *(direction * rng.uniform(*shift))], at)


def known_case(volume: Volume, kind: Kind, seed: int, middle: Any) -> tuple[Volume, Matrix]:
    """The volume as another scanner might show it, and the move from the one to the other."""
    rng = np.random.default_rng(seed)
    truth = drawn_move(rng, kind.turn, kind.shift, middle)
    steps = np.maximum(1.2, np.array(volume.spacing) * rng.uniform(0.9, 1.4, 3))
    sides = np.ceil(np.array(volume.shape) * volume.spacing / steps).astype(int)
    affine = volume.affine.copy()
    affine[:3, :3] *= steps / volume.spacing
    axis, cut = int(rng.integers(3)), int(kind.cut * sides.max())
    cut = min(cut, int(kind.cut * sides[axis]))
    sides[axis] -= cut
    if rng.random() < 0.5:
        affine[:3, 3] += affine[:3, axis] * cut
    values = resampled(volume, affine, (int(sides[0]), int(sides[1]), int(sides[2])), move=inverse(truth)).loaded()
    values = REMAPS[kind.remap](np.clip(values / np.percentile(volume.loaded(), 99.8), 0, 1.2))
    values = values + kind.noise * rng.normal(size=values.shape)
    return Volume(values.astype(np.float32), affine, name=f"{volume.name} moved"), truth


def with_sitk(a: Volume, b: Volume) -> Matrix:
    """SimpleITK's answer, in RAS+ millimetres."""
    import SimpleITK as sitk

    flip = np.diag([-1.0, -1.0, 1.0])
    images = []
    for volume in (a, b):
        image = sitk.GetImageFromArray(np.ascontiguousarray(volume.loaded().T))
        image.SetSpacing(volume.spacing)
        image.SetDirection((flip @ volume.affine[:3, :3] / volume.spacing).ravel().tolist())
        image.SetOrigin((flip @ volume.affine[:3, 3]).tolist())
        images.append(image)
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(50)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(0.1, 1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(2.0, 1e-3, 200)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([4, 2, 0])
    method.SetSmoothingSigmasAreSpecifiedInPhysicalUnits(True)
    start = sitk.CenteredTransformInitializer(
        *images, sitk.Euler3DTransform(), sitk.CenteredTransformInitializerFilter.GEOMETRY
    )
    method.SetInitialTransform(start)
    found = method.Execute(*images)
    ends = np.array([found.TransformPoint(point) for point in np.vstack([np.zeros(3), np.eye(3)]).tolist()])
    matrix = np.eye(4)
    matrix[:3, :3] = flip @ (ends[1:] - ends[0]).T @ flip
    matrix[:3, 3] = flip @ ends[0]
    return matrix


def ours(a: Volume, b: Volume) -> tuple[Matrix, bool, str]:
    """Our answer, whether it is sure, and what it says of itself."""
    found = register(a, b)
    words = f"share {found.evidence.share:.2f} of {found.evidence.num_cubes}, rival {found.rival:.2f}"
    words += f", mirrored {found.mirrored:.3f}"
    return found.matrix, found.is_accepted, f"{words}, confidence {found.confidence:.3f}"


def known(volumes: dict[str, Volume], kinds: list[str], cases: int, *, sitk: bool, each: bool) -> None:
    """Print the table of known moves."""
    print(f"{'way':<10} {'moved':<20} {'of':<4} {'n':>3} {'median mm':>9} {'90 %':>7} {'max':>7} {'refused':>8} "
          f"{'wrong':>6} {'seconds':>8}")  # fmt: skip
    for name, volume in volumes.items():
        points = shown_points(volume)
        for label in kinds:
            kind = KINDS[label]
            rows: dict[str, list[tuple[float, bool, float]]] = {}
            for seed in range(cases):
                b, truth = known_case(volume, kind, seed, points.mean(axis=0))
                begin = time.perf_counter()
                matrix, sure, words = ours(volume, b)
                seconds = time.perf_counter() - begin
                error = float(distances(matrix, truth, points).mean())
                rows.setdefault("ours", []).append((error, sure, seconds))
                if each:
                    print(f"    {name} {label} {seed}: {error:.3f} mm, {words}, {seconds:.1f} s", flush=True)
                if sitk:
                    begin = time.perf_counter()
                    error = float(distances(with_sitk(volume, b), truth, points).mean())
                    rows.setdefault("SimpleITK", []).append((error, True, time.perf_counter() - begin))
            for way, results in rows.items():
                print(line(way, label, name, results), flush=True)


def line(way: str, label: str, name: str, results: list[tuple[float, bool, float]]) -> str:
    """One row; errors of all cases, refused ones too. A case is wrong if it is accepted and off by more than 2 mm."""
    errors, sure, seconds = (np.array(column) for column in zip(*results, strict=True))
    numbers = [np.median(errors), np.quantile(errors, 0.9), errors.max()]
    return (
        f"{way:<10} {label:<20} {name:<4} {len(errors):>3} {numbers[0]:>9.3f} {numbers[1]:>7.3f} {numbers[2]:>7.3f} "
        f"{int((~sure).sum()):>8} {int((sure & (errors > 2)).sum()):>6} {np.median(seconds):>8.1f}"
    )


def real(volumes: dict[str, Volume], starts: int) -> None:
    """Print how well answers for the T1 and the T2 agree."""
    a, b = volumes["T1"], volumes["T2"]
    points = shown_points(a)
    first = register(a, b)
    print(f"T1 to T2: {first.shift:.1f} mm and {first.angle:.1f} degrees, NMI {first.before:.4f} to {first.after:.4f}, "
          f"residual {first.residual:.2f} mm, confidence {first.confidence:.3f}")  # fmt: skip
    back = register(b, a)
    apart = distances(back.matrix @ first.matrix, np.eye(4), points)
    print(f"there and back: {apart.mean():.3f} mm, at most {apart.max():.3f}")
    rng = np.random.default_rng(7)
    drawn = [drawn_move(rng, (5, 30), (5, 40), points.mean(axis=0)) for _ in range(starts)]
    answers = [register(a, b, start @ first.matrix) for start in drawn]
    apart = np.array([distances(answer.matrix, first.matrix, points).max() for answer in answers])
    print(f"{starts} random starts up to 30 degrees and 40 mm away: at most {apart.max():.3f} mm apart, "
          f"{sum(answer.is_accepted for answer in answers)} accepted", flush=True)  # fmt: skip


def control_pairs(volumes: dict[str, Volume], cases: int) -> Iterator[tuple[str, Volume, Volume]]:
    """Pairs that must be refused, the second ones moved and cut."""
    for one in volumes:
        for other in volumes:
            if one == other or {one, other} == {"T1", "T2"}:
                continue
            for seed in range(cases):
                cut = Kind("inverted", 0.03, 0.2 * (seed % 2))
                middle = shown_points(volumes[other]).mean(axis=0)
                yield "another head", volumes[one], known_case(volumes[other], cut, seed, middle)[0]
    rng = np.random.default_rng(3)
    for name in volumes:
        noise = rng.normal(size=volumes[name].shape).astype(np.float32)
        yield "noise", volumes[name], replace(volumes[name], array=noise)
    for one, other in [*zip(volumes, volumes, strict=True), ("T1", "T2"), ("T2", "T1")]:
        volume = volumes[other]
        mirror = np.diag([-1.0, 1, 1, 1])
        mirror[0, 3] = 2 * shown_points(volume).mean(axis=0)[0]
        yield "mirrored", volumes[one], replace(volume, affine=mirror @ volume.affine, name=f"{other} mirrored")


def controls(volumes: dict[str, Volume], cases: int, each: bool) -> None:
    """Print how often pairs that must be refused are."""
    refused: dict[str, list[bool]] = {}
    for label, a, b in control_pairs(volumes, cases):
        _, sure, words = ours(a, b)
        refused.setdefault(label, []).append(not sure)
        if each:
            print(f"    {label}: {a.name}, {b.name}: {words}", flush=True)
    for label, answers in refused.items():
        print(f"{label:<12} refused {sum(answers)} of {len(answers)}", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("../shared/data/volumes"))
    parser.add_argument("--cases", type=int, default=8, help="seeds of each row")
    parser.add_argument("--parts", nargs="*", default=["known", "real", "controls"])
    parser.add_argument("--volumes", nargs="*", default=list(NAMES), help="of these")
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=list(KINDS), help="of moves")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--sitk", action="store_true", help="SimpleITK too")
    parser.add_argument("--each", action="store_true", help="print every case")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    volumes = {name: load(arguments.folder / NAMES[name]) for name in NAMES}
    print(f"# {platform.processor() or platform.machine()}, {os.cpu_count()} cores, {arguments.threads} threads, "
          f"torch {torch.__version__}")  # fmt: skip
    if "known" in arguments.parts:
        chosen = {name: volumes[name] for name in arguments.volumes}
        known(chosen, arguments.kinds, arguments.cases, sitk=arguments.sitk, each=arguments.each)
    if "real" in arguments.parts:
        real(volumes, 10)
    if "controls" in arguments.parts:
        controls(volumes, max(1, arguments.cases // 2), arguments.each)


if __name__ == "__main__":
    main()
