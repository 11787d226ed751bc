"""Smoke that drifts: thick for visible light, thin for thermal radiation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .noise import Array, NoiseTile, smoothstep

THERMAL_SHARE = 0.03
"""Optical depth at 8-14 um over that in the visible: smoke grains are far smaller than the thermal wavelength."""


@dataclass(frozen=True)
class Plume:
    """A bank of smoke in a vertical plane facing the camera; metres and seconds."""

    x: float
    z: float
    wind: float
    """Sideways drift, metres per second."""
    density: float
    """Optical depth in its thickest part."""
    spread: float
    """Half-width at the ground."""
    height: float
    """Height of the thick part; thin wisps rise above it."""
    warmth: float = 3.0
    """Degrees above the air."""


def optical_depth(
    plume: Plume, x: Array, y: Array, pixel: float, seconds: float, soft: NoiseTile, rough: NoiseTile
) -> Array:
    """Optical depth for visible light at plane coordinates (x, y) in metres."""
    drift, rise = plume.wind * seconds, 0.55 * seconds
    warp = soft(x * 0.8 - drift, y * 0.8 - rise, pixel, 9.0, 71.0)
    wx, wy = x + 0.35 * warp, y + 0.25 * warp
    puffs = soft(wx - drift, wy - rise, pixel, 7.0, 72.0)
    curls = rough(wx - 1.2 * drift, wy - 1.3 * rise, pixel, 6.0, 73.0)
    lean = plume.x + 0.10 * np.sign(plume.wind) * np.clip(y, 0, None) ** 1.6 + 0.12 * np.sin(0.7 * seconds)
    width = plume.spread + 0.30 * np.clip(y, 0, None)
    ragged = (x - lean) / width + 0.10 * puffs + 0.05 * curls
    column = np.exp(-(np.clip(np.abs(ragged) - 0.45, 0, None) ** 2) / 0.16)
    thin = 1 / (1 + (np.clip(y, 0, None) / np.float32(plume.height)) ** 4)
    near_ground = smoothstep(y, -0.35, 0.25)
    lumps = np.clip(1 + 0.22 * puffs + 0.16 * curls, 0.3, 1.8) ** 1.5
    return np.asarray(plume.density * column * thin * near_ground * lumps, dtype=np.float32)


def smoke_tone(tau: Array, x: Array, y: Array, pixel: float, seconds: float, plume: Plume, rough: NoiseTile) -> Array:
    """Brightness of the smoke itself: lit from above, darker in its folds, thinner edges brighter."""
    curls = rough(x - 1.2 * plume.wind * seconds, y - 0.7 * seconds, pixel, 5.0, 74.0)
    return np.asarray(np.clip(0.78 + 0.12 * curls + 0.06 * y - 0.03 * tau, 0.3, 1.4), dtype=np.float32)
