"""One drawn place as two cameras see it: other contrast, other size, other view, and exactly known how."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from polyfuse.alignment.canvas import resized, sampled, scaling


@dataclass(frozen=True, eq=False)
class TwoCameras:
    """A pair and how a lies on b."""

    a: NDArray[np.uint8]
    """(192, 256), reversed contrast."""
    b: NDArray[np.uint8]
    """(480, 640, 3)."""
    matrix: NDArray[np.float64]
    """From pixels of a to those of b."""

    def error(self, matrix: NDArray[np.float64]) -> float:
        """Mean distance of another matrix over a's pixels, pixels of b."""
        x, y = np.meshgrid(np.linspace(0, 255, 9), np.linspace(0, 191, 9))
        points = np.stack([x.ravel(), y.ravel(), np.ones(81)])
        one, other = self.matrix @ points, matrix @ points
        return float(np.hypot(*(one[:2] / one[2] - other[:2] / other[2])).mean())


def place(seed: int) -> NDArray[np.float32]:
    """Boxes and discs one over another, (480, 640) in [0, 1]."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices((480, 640))
    plane = np.full((480, 640), 0.5, np.float32)
    for _ in range(90):
        x, y, size = rng.integers(0, 640), rng.integers(0, 480), rng.integers(8, 60)
        if rng.random() < 0.5:
            inside = (abs(columns - x) < size) & (abs(rows - y) < size * rng.uniform(0.3, 1.5))
        else:
            inside = (columns - x) ** 2 + (rows - y) ** 2 < size**2
        plane[inside] = rng.uniform(0.05, 0.95)
    return plane


def seen(plane: NDArray[np.float32], matrix: NDArray[np.float64]) -> NDArray[np.uint8]:
    """What a camera of 256x192 pixels sees that lies on the place by a matrix, reversed."""
    half = resized(torch.from_numpy(plane)[None, None], (240, 320))
    over = sampled(half, scaling((640, 480), (320, 240)) @ matrix, (192, 256))[0][0, 0].numpy()
    return np.rint(255 * (0.9 - 0.7 * np.clip(over, 0, 1) ** 0.8)).astype(np.uint8)


def cameras(seed: int) -> TwoCameras:
    """A pair of one rig: the place differs from seed to seed, how a lies on b does not."""
    matrix = np.array([[2.2, 0.06, 40.0], [-0.06, 2.15, 35.0], [2e-5, -1e-5, 1.0]])
    plane = place(seed)
    noise = np.random.default_rng(seed + 100).normal(0, 3, (480, 640, 3))
    b = np.clip(np.rint(plane[..., None] * [200, 220, 180] + 20 + noise), 0, 255).astype(np.uint8)
    return TwoCameras(seen(plane, matrix), b, matrix)


@pytest.fixture(scope="session")
def two_cameras() -> TwoCameras:
    """One pair."""
    return cameras(0)


@pytest.fixture(scope="session")
def another() -> TwoCameras:
    """The same cameras somewhere else."""
    return cameras(1)
