"""Seeded randomness and the textures made from it: spectral noise tiles with mip levels, filtered stripes, hashes."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]
"""Real-valued arrays of the renderer: per pixel always float32, a few small tables float64."""

CHUNK_PIXELS = 1 << 14
"""Pixels worked on at a time: their arrays stay in the processor's cache and bound the memory."""

TILE = 512
HASH = 256


def generator(seed: int, purpose: str, *keys: int) -> np.random.Generator:
    """A generator of its own for each (seed, purpose, keys), so no draw depends on the order of calls."""
    return np.random.default_rng(np.random.SeedSequence([seed, zlib.crc32(purpose.encode()), *keys]))


def spectral_noise(rng: np.random.Generator, size: int, slope: float) -> Array:
    """Periodic noise, (size, size), mean 0, deviation 1, whose amplitude falls as frequency ** -slope."""
    spectrum = np.fft.rfft2(rng.standard_normal((size, size)))
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :]) * size
    frequency[0, 0] = 1.0
    spectrum *= frequency**-slope
    spectrum[0, 0] = 0.0
    noise = np.fft.irfft2(spectrum, s=(size, size))
    return np.asarray(noise / noise.std(), dtype=np.float32)


class NoiseTile:
    """A periodic noise picture with mip levels, sampled anywhere in metres at the footprint of a pixel."""

    def __init__(self, rng: np.random.Generator, slope: float) -> None:
        level = spectral_noise(rng, TILE, slope)
        levels, starts = [], [0]
        while level.shape[0] >= 4:
            levels.append(level.ravel())
            starts.append(starts[-1] + level.size)
            level = level.reshape(level.shape[0] // 2, 2, -1, 2).mean(axis=(1, 3))
        self._values = np.concatenate(levels)
        self._starts = np.array(starts[:-1], dtype=np.int64)

    def __call__(self, s: Array, t: Array, footprint: Array | float, span: float, shift: float = 0.0) -> Array:
        """Noise at (s, t) metres where the tile covers `span` metres; `footprint` is the pixel's size in metres.

        `shift` moves to another part of the tile, so that one tile serves several independent uses.
        """
        texel = span / TILE
        deepest = len(self._starts) - 1
        ratio = np.maximum(np.asarray(footprint, dtype=np.float32) / np.float32(texel), 1.0)
        level = np.minimum(np.log2(ratio), deepest).astype(np.int64)
        # 37 and 91 are unrelated to the tile size: shifts by whole numbers do not repeat
        column = np.floor(s * np.float32(1 / texel) + np.float32(shift * 37.0)).astype(np.int64) & (TILE - 1)
        row = np.floor(t * np.float32(1 / texel) + np.float32(shift * 91.0)).astype(np.int64) & (TILE - 1)
        index = self._starts[level] + (row >> level) * (TILE >> level) + (column >> level)
        values: Array = self._values[index]
        return values


class Textures:
    """The noise tiles of one scene.

    `soft` is cloud-like, `rough` has structure at all scales, `grain` is white.
    """

    def __init__(self, seed: int) -> None:
        self.soft = NoiseTile(generator(seed, "soft"), 1.9)
        self.rough = NoiseTile(generator(seed, "rough"), 1.1)
        self.grain = NoiseTile(generator(seed, "grain"), 0.0)
        self._table = generator(seed, "hash").random((HASH, HASH), dtype=np.float32)

    def hash(self, column: Array, row: Array, salt: int = 0) -> Array:
        """A random number in [0, 1) for each pair of whole numbers."""
        i = column.astype(np.int64) + 17 * salt
        j = row.astype(np.int64) + 71 * salt
        values: Array = self._table[(j + (i >> 8)) & (HASH - 1), i & (HASH - 1)]
        return values


def stripes(x: Array, period: float, width: float, footprint: Array | float) -> Array:
    """Coverage in [0, 1] of stripes [0, width) repeated every `period`, exactly box-filtered over the footprint."""
    foot = np.maximum(np.asarray(footprint, dtype=np.float32), np.float32(1e-4))
    return (_stripe_integral(x + foot / 2, period, width) - _stripe_integral(x - foot / 2, period, width)) / foot


def band(x: Array, low: float, high: float, footprint: Array | float) -> Array:
    """Coverage in [0, 1] of the one stripe [low, high], box-filtered over the footprint."""
    foot = np.maximum(np.asarray(footprint, dtype=np.float32), np.float32(1e-4))
    upper = np.clip(x + foot / 2, low, high)
    lower = np.clip(x - foot / 2, low, high)
    return np.asarray((upper - lower) / foot, dtype=np.float32)


def smoothstep(x: Array, low: float, high: float) -> Array:
    """0 below `low`, 1 above `high`, a smooth ramp between; `low` may exceed `high`."""
    t = np.clip((x - np.float32(low)) / np.float32(high - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), dtype=np.float32)


def _stripe_integral(x: Array, period: float, width: float) -> Array:
    whole = np.floor(x / np.float32(period))
    inside = np.minimum(x - whole * np.float32(period), np.float32(width))
    return np.asarray(whole * np.float32(width) + inside, dtype=np.float32)
