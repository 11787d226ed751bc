"""The two cameras: from light and warmth on the sensor to noisy pictures."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image

from .config import SceneConfig
from .noise import Array, generator

COUNTS_AT_AIR = 7800.0
COUNTS_PER_KELVIN = 24.0
"""Raw counts of an uncooled camera move slowly: tens of counts per kelvin in a 14-bit word."""
SKIN_CELSIUS = 32.0
SKY_LEVELS = 22.0
NETD_KELVIN = 0.07
COLUMN_KELVIN = 0.045
FULL_WELL = 3200.0
"""Electrons at exposure 1: few, since the gain is high at dusk."""
READ_NOISE = 5.0
_CELSIUS = np.linspace(-120.0, 400.0, 1041)


@cache
def _planck_table() -> npt.NDArray[np.float64]:
    """Planck's law integrated over 8-14 um at the temperatures of `_CELSIUS`."""
    wavelength = np.linspace(8e-6, 14e-6, 25)
    planck = 1.191043e-16 / wavelength**5 / np.expm1(1.438777e-2 / (wavelength * (_CELSIUS[:, None] + 273.15)))
    return np.asarray(planck.mean(axis=1) * (wavelength[-1] - wavelength[0]))


def band_radiance(celsius: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Radiance of a black body in the band 8-14 um, W m-2 sr-1."""
    celsius = np.asarray(celsius, dtype=np.float64)
    return np.asarray(np.interp(celsius, _CELSIUS, _planck_table()))


def radiance_to_counts(radiance: Array, air_celsius: float) -> Array:
    """Raw counts, linear in radiance, with air temperature at a fixed count."""
    at_air = float(band_radiance(air_celsius))
    slope = float(band_radiance(air_celsius + 0.5) - band_radiance(air_celsius - 0.5))
    counts = COUNTS_AT_AIR + (radiance - np.float32(at_air)) * np.float32(COUNTS_PER_KELVIN / slope)
    return np.asarray(counts, dtype=np.float32)


def expose_thermal(counts: Array, config: SceneConfig, frame: int) -> npt.NDArray[np.uint16]:
    """Raw 14-bit counts (H, W) from noise-free counts: lens blur, temporal noise and fixed columns."""
    height, width = counts.shape
    blurred = blur(counts[:, :, None], 0.55 + 0.35 * height / 480)[:, :, 0]
    fixed = generator(config.seed, "columns")
    columns = fixed.standard_normal(width, dtype=np.float32) * np.float32(COLUMN_KELVIN)
    pixels = fixed.standard_normal((height, width), dtype=np.float32) * np.float32(0.4 * NETD_KELVIN)
    rng = generator(config.seed, "netd", frame)
    noise = rng.standard_normal((height, width), dtype=np.float32) * np.float32(NETD_KELVIN)
    rows = rng.standard_normal((height, 1), dtype=np.float32) * np.float32(0.4 * NETD_KELVIN)
    noise += pixels + columns + rows
    raw = blurred + np.float32(COUNTS_PER_KELVIN * config.noise) * noise
    return np.clip(np.rint(raw), 0, 16383).astype(np.uint16)


def gain_curve(counts: Array, air_celsius: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Knots (counts, levels 0-255) of a mild gain control: mostly linear, partly equalised over the still scene.

    The window leaves room for skin, so that people do not burn out, and squeezes the clear sky into the lowest levels.

    Args:
        counts: Noise-free counts of what stands still.
        air_celsius: Air temperature.
    """
    sample = np.sort(counts.ravel()[:: max(counts.size // 40000, 1)].astype(np.float64))
    skin, dark = radiance_to_counts(band_radiance([SKIN_CELSIUS, air_celsius - 15]), air_celsius)
    low = max(float(sample[int(0.004 * sample.size)]), float(dark)) - 2 * COUNTS_PER_KELVIN
    high = max(float(sample[int(0.996 * (sample.size - 1))]), float(skin)) + 2 * COUNTS_PER_KELVIN
    knots = np.linspace(low, high, 33)
    density, _ = np.histogram(sample, bins=knots)
    # a plateau keeps large even surfaces from eating all levels
    plateau = np.minimum(density / sample.size, 0.07) + 0.004
    equalised = np.concatenate([[0.0], np.cumsum(plateau)]) / plateau.sum()
    linear = np.linspace(0.0, 1.0, knots.size)
    levels = SKY_LEVELS + (255.0 - SKY_LEVELS) * (0.74 * linear + 0.26 * equalised) ** 1.3
    # below the window a few levels are left for the sky, which may be 60 kelvin colder
    return np.concatenate([[knots[0] - 55 * COUNTS_PER_KELVIN], knots]), np.concatenate([[0.0], levels])


def apply_gain(
    raw: npt.NDArray[np.uint16], knots: npt.NDArray[np.float64], levels: npt.NDArray[np.float64]
) -> npt.NDArray[np.uint8]:
    """8-bit thermal picture from raw counts through a gain curve; the same shape.

    Args:
        raw: Raw counts, any shape.
        knots: Increasing counts (`Scene.agc_counts`).
        levels: Levels 0 to 255 at the knots (`Scene.agc_levels`).
    """
    table = np.interp(np.arange(int(raw.max()) + 1), knots, levels)
    picture: npt.NDArray[np.uint8] = np.rint(table).astype(np.uint8)[raw]
    return picture


def expose_visible(radiance: Array, config: SceneConfig, frame: int) -> Array:
    """Tone-mapped picture (H, W, 3) in [0, 1] from linear light: glare, blur, vignette, noise, sRGB-like curve."""
    height, width = radiance.shape[:2]
    light = _glare(radiance)
    light = blur(light, 0.35 + 0.22 * height / 480)
    y = (np.arange(height, dtype=np.float32)[:, None] + 0.5) / height - 0.5
    x = (np.arange(width, dtype=np.float32)[None, :] + 0.5) / width - 0.5
    light *= (1 - 0.55 * (x * x + y * y))[:, :, None]
    light = _sensor_noise(light, config, frame)
    shoulder = 1 - np.exp(-1.15 * np.clip(light, 0, None))
    return _srgb(shoulder)


def blur(image: Array, sigma: float) -> Array:
    """Gaussian blur of (H, W, C); wide ones are done on a reduced picture, so the cost hardly grows with sigma."""
    height, width = image.shape[:2]
    factor = min(max(int(sigma / 2.5), 1), height, width)
    if factor > 1:
        small = (max(round(width / factor), 1), max(round(height / factor), 1))
        shrunk = _resized(image, small, Image.Resampling.BOX)
        return _resized(_convolved(shrunk, sigma / factor), (width, height), Image.Resampling.BICUBIC)
    return _convolved(image, sigma)


def _convolved(image: Array, sigma: float) -> Array:
    radius = max(int(np.ceil(3 * sigma)), 1)
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    taps = (taps / taps.sum()).astype(np.float32)
    for axis in (0, 1):
        widths = [(radius, radius) if k == axis else (0, 0) for k in range(3)]
        padded = np.pad(image, widths, mode="edge")
        total = np.zeros_like(image)
        for k, tap in enumerate(taps):
            total += tap * (padded[k : k + image.shape[0]] if axis == 0 else padded[:, k : k + image.shape[1]])
        image = total
    return image


def _resized(image: Array, size: tuple[int, int], how: Image.Resampling) -> Array:
    planes = [
        np.asarray(Image.fromarray(np.ascontiguousarray(image[:, :, c])).resize(size, how))
        for c in range(image.shape[2])
    ]
    return np.stack(planes, axis=2)


def _glare(light: Array) -> Array:
    """Light scattered in lens and air: narrow and wide halos and a faint horizontal smear of very bright sources."""
    height, width = light.shape[:2]
    out = light * np.float32(0.89)
    for share, spread in ((0.035, 0.008), (0.055, 0.038), (0.016, 0.11)):
        out += np.float32(share) * np.clip(blur(light, spread * height), 0, None)
    bright = np.clip(light - 6.0, 0, None)
    if bright.any():
        rows = blur(bright.mean(axis=2, keepdims=True), 0.004 * height)
        smear = _resized(rows, (max(width // 16, 1), height), Image.Resampling.BOX)
        smear = _resized(_smeared(smear), (width, height), Image.Resampling.BICUBIC)
        out += np.float32(0.004) * np.clip(smear, 0, None) * np.array([0.8, 0.9, 1.0], np.float32)
    return out


def _smeared(rows: Array) -> Array:
    reach = np.abs(np.arange(rows.shape[1])[:, None] - np.arange(rows.shape[1])[None, :])
    kernel = np.exp(-reach / max(rows.shape[1] * 0.07, 1.0)).astype(np.float32)
    kernel /= np.float32(kernel[:, kernel.shape[1] // 2].sum())
    return np.asarray(np.einsum("hwc,wv->hvc", rows, kernel, optimize=False))


def _sensor_noise(light: Array, config: SceneConfig, frame: int) -> Array:
    if config.noise == 0:
        return light
    rng = generator(config.seed, "photons", frame)
    height, width = light.shape[:2]
    own = rng.standard_normal((height, width, 3), dtype=np.float32)
    shared = rng.standard_normal((height, width, 1), dtype=np.float32)
    # interpolation of the colour mosaic makes channels and neighbours share part of their noise
    own = 0.75 * own + 0.35 * np.roll(own, 1, axis=1)
    electrons = np.clip(light, 0, 4) * np.float32(FULL_WELL)
    spread = np.sqrt(electrons + np.float32(READ_NOISE**2)) / np.float32(FULL_WELL)
    noisy: Array = light + np.float32(config.noise) * spread * (0.72 * own + 0.6 * shared)
    return noisy


def _srgb(linear: Array) -> Array:
    linear = np.clip(linear, 0, 1)
    curve = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** np.float32(1 / 2.4) - 0.055)
    return np.clip(curve, 0, 1).astype(np.float32)
