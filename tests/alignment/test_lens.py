"""Radial terms of lenses are found from points, from boards and from frames, and left out where they do not help."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from polyfuse.alignment import Warp, find_warp, warp_of_points
from polyfuse.alignment.board import lens_of_boards
from polyfuse.alignment.canvas import projected
from polyfuse.alignment.lens import with_lenses
from polyfuse.alignment.resample import Resampler
from polyfuse.alignment.vote import judged_finding
from polyfuse.alignment.warp import distorted
from polyfuse.errors import InputError, UsageError

SIZE_A, SIZE_B = (256, 192), (640, 480)
MATRIX = np.array([[2.2, 0.06, 40.0], [-0.06, 2.15, 35.0], [2e-5, -1e-5, 1.0]])


def lensed(radial_a: float, radial_b: float) -> Warp:
    """Two cameras with lenses."""
    return Warp(MATRIX, SIZE_A, SIZE_B, "homography-radial", radial_a, radial_b)


def off(warp: Warp, truth: Warp) -> float:
    """Mean distance of two warps over most of b, pixels of b."""
    x, y = np.meshgrid(np.linspace(70, 560, 9), np.linspace(60, 420, 9))
    points = np.stack([x.ravel(), y.ravel()], axis=-1)
    return float(np.hypot(*((warp.to_a(points) - truth.to_a(points)) * truth.scale).T).mean())


@pytest.mark.parametrize(("radial_a", "radial_b"), [(-0.12, 0.0), (0.0, -0.1), (0.08, -0.06)])
def test_points_give_radial_terms(radial_a: float, radial_b: float) -> None:
    truth = lensed(radial_a, radial_b)
    rng = np.random.default_rng(1)
    a = rng.uniform([0, 0], [255, 191], (40, 2))
    b = truth.to_b(a) + rng.normal(0, 0.3, (40, 2))
    seen = ((b >= 0) & (b <= [639, 479])).all(1)
    warp = warp_of_points(a[seen], b[seen], SIZE_A, SIZE_B, "homography-radial")
    plain = warp_of_points(a[seen], b[seen], SIZE_A, SIZE_B, "homography")
    assert off(warp, truth) < 0.35 < off(plain, truth)
    assert warp.residual is not None
    assert warp.residual < 0.6


def test_points_too_few_for_lenses_are_refused() -> None:
    a = np.random.default_rng(0).uniform(0, 190, (7, 2))
    with pytest.raises(InputError, match="needs 8 pairs"):
        warp_of_points(a, a, SIZE_A, SIZE_A, "homography-radial")


def boards(radial: float, noise: float, count: int = 5, shrink: float = 1.0) -> list[NDArray[np.float64]]:
    """A board of 9x6 in several places, as one camera sees it."""
    rng = np.random.default_rng(2)
    x, y = np.meshgrid(np.arange(9.0), np.arange(6.0))
    flat = np.stack([x.ravel(), y.ravel()], axis=-1)
    pictures = []
    for _ in range(count):
        matrix = np.array([[62.0, 6, 60], [-4, 64, 60], [0, 0, 1]]) + rng.uniform(-1, 1, (3, 3)) * [
            [4, 4, 30], [4, 4, 30], [2e-3, 2e-3, 0]]  # fmt: skip
        points = projected(np.diag([shrink, shrink, 1]) @ matrix, flat) + (1 - shrink) * np.array([320, 240])
        pictures.append(distorted(points, SIZE_B, radial) + rng.normal(0, noise, flat.shape))
    return pictures


@pytest.mark.parametrize("radial", [-0.12, -0.05, 0.06])
def test_boards_give_the_term_of_each_camera_by_itself(radial: float) -> None:
    lens = lens_of_boards(boards(radial, 0.15), (9, 6), SIZE_B)
    assert lens.radial == pytest.approx(radial, abs=0.01)
    assert lens.after < 0.25 < lens.before


@pytest.mark.parametrize("how", [{"radial": 0.0}, {"count": 2}, {"shrink": 0.3}])
def test_boards_that_say_nothing_of_a_lens_give_none(how: dict[str, Any]) -> None:
    assert lens_of_boards(boards(**{"radial": -0.1, "noise": 0.15, **how}), (9, 6), SIZE_B).radial == 0


def pair_of(place: NDArray[np.float32], truth: Warp, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """What the two cameras see."""
    a = np.rint(np.clip(230 - 180 * Resampler(truth, "a")(place), 0, 255)).astype(np.uint8)
    noise = np.random.default_rng(seed).normal(0, 3, (480, 640, 3))
    return a, np.clip(np.rint(place[..., None] * [200, 220, 180] + 20 + noise), 0, 255).astype(np.uint8)


def places(two_cameras: Any, another: Any) -> list[NDArray[np.float32]]:
    """Four places: two, and both mirrored."""
    planes = [np.asarray((pair.b[..., 1].astype(np.float32) - 20) / 220, np.float32) for pair in (two_cameras, another)]
    return [*planes, *(np.ascontiguousarray(plane[:, ::-1]) for plane in planes)]


@pytest.mark.slow
@pytest.mark.parametrize("radial_a", [-0.08, 0.06])
def test_frames_give_radial_terms(two_cameras: Any, another: Any, radial_a: float) -> None:
    truth = lensed(radial_a, 0.0)
    pairs = [(str(seed), *pair_of(place, truth, seed)) for seed, place in enumerate(places(two_cameras, another))]
    finding = find_warp(pairs)
    better = with_lenses(finding)
    assert better.warp.kind == "homography-radial"
    assert off(better.warp, truth) < 0.3 * off(finding.warp, truth)


@pytest.mark.slow
def test_frames_without_distortion_stay_a_homography(two_cameras: Any, another: Any) -> None:
    truth = Warp(MATRIX, SIZE_A, SIZE_B)
    pairs = [(str(seed), *pair_of(place, truth, seed)) for seed, place in enumerate(places(two_cameras, another))]
    finding = with_lenses(find_warp(pairs))
    assert finding.warp.kind == "homography"
    assert finding.warp.details["lenses"]["why"] == "fresh blocks fit no better with them"


def test_few_frames_stay_a_homography(two_cameras: Any) -> None:
    finding = with_lenses(judged_finding(Warp(MATRIX, SIZE_A, SIZE_B), two_cameras.a, two_cameras.b))
    assert not finding.warp.details["lenses"]["kept"]
    with pytest.raises(UsageError, match="a homography first"):
        find_warp([("one", two_cameras.a, two_cameras.b)], kind="homography-radial")
