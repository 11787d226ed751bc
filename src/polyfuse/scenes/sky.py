"""The dusk sky: colours and clouds for the visible camera, apparent cold for the thermal one."""

from __future__ import annotations

import numpy as np

from .config import LABELS, SceneConfig
from .geometry import FAR, GBuffer
from .lighting import Sky
from .noise import CHUNK_PIXELS, Array, NoiseTile, generator, smoothstep


def sky_light(config: SceneConfig) -> Sky:
    """Diffuse light of the scene; a little town glow remains at night."""
    day = config.daylight
    ambient = tuple(float(v) for v in np.array([0.50, 0.62, 0.86]) * day * 0.9 + np.array([0.030, 0.026, 0.024]))
    glow = tuple(float(v) for v in np.array([1.0, 0.62, 0.38]) * day * 0.5)
    angle = generator(config.seed, "sun").uniform(-0.9, 0.9)
    direction = (float(np.sin(angle)), 0.12, float(-abs(np.cos(angle)) * 0.8))
    return Sky((ambient[0], ambient[1], ambient[2]), (glow[0], glow[1], glow[2]), direction)


def horizon_colour(config: SceneConfig) -> tuple[float, float, float]:
    """Radiance of the sky near the horizon."""
    colour = np.array([0.74, 0.55, 0.50]) * config.daylight + np.array([0.012, 0.011, 0.013])
    return float(colour[0]), float(colour[1]), float(colour[2])


def draw_sky(buffer: GBuffer, config: SceneConfig, soft: NoiseTile, rough: NoiseTile) -> None:
    """Fill what nothing covers."""
    index = np.flatnonzero(buffer.depth >= FAR / 2)
    for start in range(0, index.size, CHUNK_PIXELS):
        part = index[start : start + CHUNK_PIXELS]
        across, up = buffer.camera.slopes(part % buffer.camera.width, part // buffer.camera.width)
        elevation = np.arctan(np.clip(up, 0.0, None) / np.sqrt(1 + across**2))
        clouds = _clouds(config, across, up, soft, rough)
        buffer.surface.emission[part] = _colour(config, across, elevation, clouds)
        # overcast is nearly as warm as the air, the clear zenith far colder; the horizon is seen through much air
        clear = config.air_celsius - 6.0 - 42.0 * np.sqrt(np.clip(elevation, 0, 1))
        buffer.surface.temperature[part] = clear + clouds * (config.air_celsius - 9.0 - clear) * 0.75
        buffer.surface.label[part] = LABELS.index("sky")


def _clouds(config: SceneConfig, across: Array, up: Array, soft: NoiseTile, rough: NoiseTile) -> Array:
    """Cloud cover in [0, 1] on a layer overhead, so that clouds shrink towards the horizon."""
    far = 1 / (np.clip(up, 0.0, None) + np.float32(0.09))
    x, y = across * far, far * np.float32(1.6)
    cover = float(generator(config.seed, "clouds").uniform(-0.1, 0.5))
    billow = soft(x + 3.0, y, 0.01, 14.0, 61.0) + 0.55 * rough(x, y, 0.01, 9.0, 62.0)
    return smoothstep(billow + cover, -0.1, 1.7)


def _colour(config: SceneConfig, across: Array, elevation: Array, clouds: Array) -> Array:
    day = config.daylight
    high = smoothstep(elevation, 0.0, 0.55)[:, None]
    horizon = np.asarray(horizon_colour(config), np.float32)
    zenith = np.array([0.13, 0.20, 0.37], np.float32) * np.float32(day) + np.array([0.006, 0.007, 0.012], np.float32)
    sun = float(generator(config.seed, "sunset").uniform(-0.6, 0.6))
    warm = np.exp(-((across - sun) ** 2) / 0.35 - (elevation / 0.16) ** 2)[:, None] * np.float32(day)
    sky = horizon + (zenith - horizon) * high + warm * np.array([0.42, 0.20, 0.05], np.float32)
    lit = np.array([0.50, 0.38, 0.38], np.float32) * (1 - high) + np.array([0.16, 0.17, 0.22], np.float32) * high
    cloud = lit * np.float32(day) + np.array([0.014, 0.013, 0.012], np.float32)
    out: Array = sky + (cloud - sky) * (0.8 * clouds[:, None])
    return out.astype(np.float32)
