"""Batches of random crops out of a pack. Every batch is a function of seed and step: no state is kept.

Sample number n = step * batch + i takes picture n mod N of the (n div N)-th random order of the N pictures, and a
generator of its own, seeded by (seed, n), for place, orientation and brightness. The step alone gives the batch: a
resumed run and any number of processes see the same crops.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from polyfuse.data.pack import Pack
from polyfuse.errors import InputError, UsageError

CONTRAST_TRIES = 10
"""How many crops of a picture are drawn in search of one with contrast."""
MIN_PICTURES = 100
"""Pictures, with repetition, that are tried for a crop that has `min_range` before there seems to be none."""
MOST_SIDE = 2**14
"""Largest side of a crop, pixels."""
RANGE = (10, 90)
"""Percentiles between which `min_range` is measured. Source: the SMFNet program (spec smfnet 5)."""


@dataclass(frozen=True)
class CropConfig:
    """How crops are made."""

    size: int = 128
    """Side of the square, pixels. Source: official code."""
    dihedral: bool = True
    """One of the 8 flips and quarter turns, the same for both pictures. Source: official code."""
    min_contrast: float = 0.0
    """Standard deviation, in [0, 1] units, that a or b should reach; 0 takes every crop. After some tries a crop of the
    same picture is taken as it is."""
    min_range: float = 0.0
    """Share (P90 - P10) / P90 of the percentiles that a and b must both reach; 0 takes every crop. A crop that does not
    is never taken: the next picture is tried instead. Source: SMFNet paper (spec smfnet 5)."""
    gamma_jitter: float = 0.0
    """Each picture is raised to exp(u), u uniform in plus or minus this, on its own; 0 is off.  # ours"""
    gain_jitter: float = 0.0
    """Each picture is multiplied by 1 - u, u uniform in 0 to this, on its own; 0 is off.  # ours"""
    halve: float = 0.0
    """Share of the crops that are cut twice as large and averaged over 2x2 pixels, which makes them sharper; where the
    picture is too small for that they are cut as they are.  # ours"""
    noise: float = 0.0
    """Gaussian noise is added to each picture, of a deviation uniform in 0 to this, on its own; 0 is off.  # ours"""
    exposure: float = 0.0
    """Share of the pictures, each on its own, that are multiplied by 0.3 to 1.3 and shifted by -0.45 to 0.25, then
    clipped.  # ours, for DAE-Fuse"""
    patch: float = 0.0
    """Share of the pictures, each on its own, with a square of 3/8 of the side in black.  # ours, for DAE-Fuse"""
    blank: float = 0.0
    """Share of the pictures without such a square, each on its own, that are black all over.  # ours, for DAE-Fuse"""
    haze: float = 0.0
    """Share of the pairs of which one picture, either of them, lies behind smoke: it fades to an even grey of 0.3 to 1
    by a smooth random mask of up to 0.98.  # ours, for PyrFuse"""
    glare: float = 0.0
    """Share of the pairs whose b is dazzled by a lamp, often beyond the edge, whose halo leaves white and takes
    the contrast around it; a, which sees heat, is not.  # ours, for PyrFuse"""

    twin: int = 0
    """Every second crop shows what the one before does, this many pixels further to the right, with noise of its own,
    like the next frame of a camera that pans; 0 is off.  # ours, for steadiness in clips"""

    def __post_init__(self) -> None:
        """Refuse values that describe no crop."""
        least = (self.min_contrast, self.gamma_jitter, self.noise, self.twin)
        if not 1 <= self.size <= MOST_SIDE or not all(0 <= value <= MOST_SIDE for value in least):
            raise UsageError(
                "size must be positive; contrast, gamma, noise and twin must not be negative, nor any of them beyond "
                f"{MOST_SIDE}: correct them."
            )
        if not 0 <= self.min_range < 1:
            raise UsageError("min_range must be in [0, 1): correct it.")
        if not 0 <= self.gain_jitter < 1:
            raise UsageError("gain_jitter must be in [0, 1): correct it.")
        shares = (self.halve, self.exposure, self.patch, self.blank, self.haze, self.glare)
        if not 0 <= min(shares) <= max(shares) <= 1:
            raise UsageError("halve, exposure, patch, blank, haze and glare are shares, in [0, 1]: correct them.")

    @property
    def cut(self) -> int:
        """Side of the square that is cut out, pixels, before it is halved."""
        return self.size + self.twin


@dataclass(frozen=True)
class Batches:
    """The endless sequence of batches of one or several packs.

    Args:
        packs: The pictures.
        config: How crops are made.
        batch: Crops of one step, over all processes together.
        seed: Seed of all random choices.
    """

    packs: Sequence[Pack]
    config: CropConfig
    batch: int
    seed: int

    def __post_init__(self) -> None:
        """Refuse an empty batch and pictures smaller than the crops.

        Raises:
            InputError: If a picture is smaller than the crop.
        """
        if self.batch < 1:
            raise UsageError(f"a batch of {self.batch} is empty: give at least 1.")
        size = self.config.cut
        for pack in self.packs:
            for item in pack.items:
                if min(item.height, item.width) < size:
                    raise InputError(
                        f"{item.set}/{item.name} is {item.width}x{item.height}, smaller than crops of {size}x{size}: "
                        "use smaller crops, or leave it out."
                    )

    @property
    def num_pictures(self) -> int:
        """Pairs in all packs."""
        return sum(len(pack.items) for pack in self.packs)

    def get(self, step: int, *, rank: int = 0, num_ranks: int = 1) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return this process's share of batch `step`: (a, b), each (batch / num_ranks, 1, size, size) in [0, 1].

        Raises:
            UsageError: If the batch cannot be shared evenly.
        """
        if self.batch % num_ranks:
            raise UsageError(f"a batch of {self.batch} cannot be shared by {num_ranks} processes: change one of them.")
        share = self.batch // num_ranks
        if self.config.twin and share % 2:
            raise UsageError(f"{share} crops of each process are no number of twins: use another batch.")
        first = step * self.batch + rank * share
        crops = np.stack([self._crop(number) for number in range(first, first + share)])
        return crops[:, :1], crops[:, 1:]

    def _crop(self, number: int) -> NDArray[np.float32]:
        """Sample `number`, (2, size, size)."""
        scene, moved = divmod(number, 2) if self.config.twin else (number, 0)
        rng = np.random.default_rng((self.seed, 1, scene))
        crop = self._contrasted(scene, rng)
        if self.config.dihedral:
            crop = np.rot90(crop, int(rng.integers(4)), axes=(1, 2))
            crop = crop[:, :, ::-1] if rng.integers(2) else crop
        left = moved * self.config.twin
        crop = crop[:, : self.config.size, left : left + self.config.size]
        if self.config.gamma_jitter or self.config.gain_jitter:
            crop = np.stack([self._jittered(plane, rng) for plane in crop])
        if self.config.haze:
            crop = self._hazed(crop, rng)
        if self.config.glare:
            crop = self._dazzled(crop, rng)
        if self.config.noise:
            grain = np.random.default_rng((self.seed, 2, number)) if self.config.twin else rng
            crop = np.stack([self._noisy(plane, grain) for plane in crop])
        if self.config.exposure or self.config.patch or self.config.blank:
            crop = np.stack([self._ranged(plane, rng) for plane in crop])
        return np.ascontiguousarray(crop, np.float32)

    def _contrasted(self, scene: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """The square of `scene` before it is turned, (2, cut, cut): of its picture, or of one after it in the order.

        Raises:
            InputError: If no picture has a crop with the range that is asked for.
        """
        turn, place = divmod(scene, self.num_pictures)
        order, side = _order(self.seed, turn, self.num_pictures), self.config.cut
        for index in np.tile(np.roll(order, -place), -(-MIN_PICTURES // len(order))):
            a, b = self._planes(int(index))
            halved = self.config.halve > 0 and rng.uniform() < self.config.halve and min(a.shape) >= 2 * side
            crop = self._cut(a, b, side * (2 if halved else 1), rng)
            if crop is not None:
                return crop.reshape(2, side, 2, side, 2).mean(axis=(2, 4)) if halved else crop
        raise InputError(
            f"no crop seems to have a range of {self.config.min_range}: lower crop.min_range, or pack other pictures."
        )

    def _planes(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Picture `index`, counted through all packs."""
        for pack in self.packs:
            if index < len(pack.items):
                return pack.planes(index)
            index -= len(pack.items)
        raise IndexError(index)

    def _cut(
        self, a: NDArray[np.uint8], b: NDArray[np.uint8], size: int, rng: np.random.Generator
    ) -> NDArray[np.float64] | None:
        """A random square of both pictures, (2, size, size) in [0, 1], with contrast where one is soon drawn.

        None if there must be a range, and none of the squares drawn has it.
        """
        crop = np.empty((2, size, size))
        for _ in range(CONTRAST_TRIES):
            top, left = rng.integers(a.shape[0] - size + 1), rng.integers(a.shape[1] - size + 1)
            crop = np.stack([plane[top : top + size, left : left + size] for plane in (a, b)]) / 255
            if crop.std(axis=(1, 2)).max() >= self.config.min_contrast and self._has_range(crop):
                return crop
        return None if self.config.min_range else crop

    def _has_range(self, crop: NDArray[np.float64]) -> bool:
        """Whether both pictures of a crop have the range that is asked for.

        official: 0/0 of a black picture is no number and compares false, so that black patches are kept.
        paper: patches of low contrast are left out, and so are black ones here.
        """
        if not self.config.min_range:
            return True
        low, high = np.percentile(crop, RANGE, axis=(1, 2))
        return bool(np.all((high > 0) & (high - low >= self.config.min_range * high)))

    def _jittered(self, plane: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        """One picture, darker or brighter; the same seed draws the same numbers whatever their range."""
        gamma = np.exp(self.config.gamma_jitter * rng.uniform(-1, 1))
        jittered: NDArray[np.float64] = plane**gamma * (1 - self.config.gain_jitter * rng.uniform(0, 1))
        return jittered

    def _hazed(self, crop: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        """The pair, one of it behind smoke; the same numbers are drawn whatever the share."""
        hazed, strength, grey = rng.uniform((0, 0.3, 0.3), (1, 0.98, 1))
        source, mask = int(rng.integers(2)), strength * _smoke(self.config.size, rng)
        if hazed < self.config.haze:
            crop = crop.copy()
            crop[source] += mask * (grey - crop[source])
        return crop

    def _dazzled(self, crop: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        """The pair, b with a lamp in or beside it; the same numbers are drawn whatever the share."""
        dazzled, row, column, radius, strength = rng.uniform((0, -0.1, -0.1, 0.05, 0.6), (1, 1.1, 1.1, 0.45, 2.5))
        stretch = np.exp(rng.normal(0, 0.5))
        if dazzled >= self.config.glare:
            return crop
        rows, columns = np.mgrid[: self.config.size, : self.config.size] / self.config.size
        away = ((rows - row) ** 2 / stretch + (columns - column) ** 2 * stretch) / radius**2
        light = strength * (np.exp(-2 * away) + 0.25 / (1 + 4 * away))
        crop = crop.copy()
        crop[1] = np.clip(crop[1] * (1 - np.minimum(light, 1) / 2) + light, 0, 1)
        return crop

    def _noisy(self, plane: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        """One picture with the grain of another camera, still in [0, 1]."""
        deviation = rng.uniform(0, self.config.noise)
        noisy: NDArray[np.float64] = np.clip(plane + rng.normal(0, deviation, plane.shape), 0, 1)
        return noisy

    def _ranged(self, plane: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        """One picture with another range, or with black in it; the same numbers are drawn whatever the shares."""
        exposed, gain, shift, patched, blank = rng.uniform(size=5) * (1, 1, 0.7, 1, 1) + (0, 0.3, -0.45, 0, 0)
        side = 3 * self.config.size // 8
        top, left = rng.integers(self.config.size - side + 1, size=2)
        ranged = np.clip(gain * plane + shift, 0, 1) if exposed < self.config.exposure else plane.copy()
        if patched < self.config.patch:
            ranged[top : top + side, left : left + side] = 0
        elif blank < self.config.blank:
            ranged[:] = 0
        return ranged


def _smoke(side: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """A smooth random mask, (side, side) in [0, 1], with places that are clear and places that are thick all over.

    Octaves of bilinear noise: grids of 2, 4 and 8 cells a side, each with half the weight of the one before.
    """
    total = np.zeros((side, side))
    for octave in range(1, 4):
        grid = rng.uniform(size=(2**octave + 1, 2**octave + 1))
        place = (np.arange(side) + 0.5) * 2**octave / side
        cell = place.astype(int)
        toward = place - cell
        rows = grid[cell] * (1 - toward)[:, None] + grid[cell + 1] * toward[:, None]
        total += 0.5**octave * (rows[:, cell] * (1 - toward) + rows[:, cell + 1] * toward)
    low, high = total.min(), total.max()
    mask: NDArray[np.float64] = np.clip(2 * (total - low) / max(high - low, 1e-12) - 0.5, 0, 1)
    return mask


@lru_cache(maxsize=4)
def _order(seed: int, turn: int, count: int) -> NDArray[np.int64]:
    """The `turn`-th random order of `count` pictures."""
    return np.random.default_rng((seed, 0, turn)).permutation(count)
