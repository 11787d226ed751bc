"""A place with everything that stands still drawn and lit once, ready for any number of frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .cameras import band_radiance, gain_curve, radiance_to_counts
from .cars import draw_car
from .config import SceneConfig
from .furniture import panel_rect
from .geometry import FAR, Camera, GBuffer, draw_rects
from .layout import Layout, car_occluder
from .lighting import Light, Occluder, Sky, light_scene
from .materials import Surroundings
from .noise import CHUNK_PIXELS, Array, Textures, generator
from .raster import draw_limb
from .sky import draw_sky, horizon_colour, sky_light
from .street import build_street
from .vegetation import draw_tree
from .yard import build_yard

ALTITUDE = 3.6
"""Height of the cameras above the ground, metres: on a pole or a wall."""
FOCAL = 1.13
"""Focal length in picture heights."""
HORIZON = 0.38
"""Row of the horizon in picture heights."""
FINE_HEIGHT = 900
"""Supersampling brings the working height to about this."""
MAX_STEP = 3


@dataclass(frozen=True, eq=False)
class Stage:
    """The still part of a scene on the supersampled grid."""

    config: SceneConfig
    layout: Layout
    env: Surroundings
    sky: Sky
    step: int
    """Working pixels per output pixel, each way."""
    buffer: GBuffer
    light: Light
    occluders: tuple[Occluder, ...]
    first_moving: int
    """Instance id of the driven car; people follow."""
    knots: npt.NDArray[np.float64]
    levels: npt.NDArray[np.float64]
    """Gain control of the thermal camera, measured once so that it does not pump."""


def build_stage(config: SceneConfig) -> Stage:
    """Draw and light everything that stands still."""
    step = int(np.clip(round(FINE_HEIGHT / config.height), 1, MAX_STEP))
    env = Surroundings(Textures(config.seed), config.air_celsius, horizon_colour(config), config.wetness)
    layout = (build_street if config.kind == "street" else build_yard)(config, env)
    buffer = GBuffer(_camera(config, step))
    pixel = 1 / buffer.camera.focal
    panels = [panel_rect(env, panel, panel.z * pixel, number + 1) for number, panel in enumerate(layout.panels)]
    draw_rects(buffer, layout.rects + panels)
    for limb, material in layout.limbs:
        draw_limb(buffer, limb, material)
    for tree in layout.trees:
        draw_tree(buffer, env, tree)
    occluders = list(layout.occluders)
    for number, car in enumerate(layout.parked):
        instance = len(panels) + 1 + number
        draw_car(buffer, env, car, instance)
        occluders.append(car_occluder(car, instance))
    draw_sky(buffer, config, env.textures.soft, env.textures.rough)
    sky = sky_light(config)
    light = light_scene(buffer, sky, layout.lamps, occluders)
    counts = radiance_to_counts(thermal_radiance(buffer, config), config.air_celsius)
    knots, levels = gain_curve(counts, config.air_celsius)
    first = len(panels) + 1 + len(layout.parked)
    return Stage(config, layout, env, sky, step, buffer, light, tuple(occluders), first, knots, levels)


def _camera(config: SceneConfig, step: int) -> Camera:
    width, height = config.width * step, config.height * step
    # a narrow upright picture keeps the street's width in view
    focal = FOCAL * min(height, 0.75 * width)
    aim, tilt, climb = generator(config.seed, "camera").uniform(-1, 1, 3).tolist()
    centre, horizon = (0.5 + 0.045 * aim) * width, (HORIZON + 0.02 * tilt) * height
    return Camera(width, height, focal, centre, horizon, ALTITUDE + 0.5 * climb)


def visible_radiance(buffer: GBuffer, light: Light, config: SceneConfig) -> Array:
    """Light towards the camera from every pixel through the hazy air, (N, 3)."""
    out = np.empty_like(light.diffuse)
    surface = buffer.surface
    thickness = np.float32(0.0015 + 0.055 * config.haze**1.7)
    air = np.asarray(horizon_colour(config), np.float32) * np.float32(0.75) + np.float32(0.008)
    for start in range(0, len(out), CHUNK_PIXELS):
        part = slice(start, start + CHUNK_PIXELS)
        seen = surface.albedo[part] * light.diffuse[part] + light.specular[part] + surface.emission[part]
        depth = buffer.depth[part]
        clear = np.where(depth < FAR / 2, np.exp(-thickness * depth), 1.0).astype(np.float32)[:, None]
        out[part] = seen * clear + air * (1 - clear)
    return out


def thermal_radiance(buffer: GBuffer, config: SceneConfig) -> Array:
    """Radiance in the band 8-14 um towards the camera, (N,): own, mirrored from sky and surroundings, and the air's."""
    out = np.empty_like(buffer.depth)
    surface, air = buffer.surface, config.air_celsius
    at_air, at_sky, at_side = (np.float32(band_radiance(t)) for t in (air, air - 38.0, air - 5.0))
    for start in range(0, len(out), CHUNK_PIXELS):
        part = slice(start, start + CHUNK_PIXELS)
        emissivity, depth = surface.emissivity[part], buffer.depth[part]
        upward = np.clip(buffer.normal[part, 1], 0, 1)
        mirrored = at_side + (at_sky - at_side) * upward
        own = band_radiance(surface.temperature[part]).astype(np.float32)
        seen = emissivity * own + (1 - emissivity) * mirrored
        clear = np.where(depth < FAR / 2, np.exp(-np.float32(0.0022 + 0.003 * config.haze) * depth), 1.0)
        out[part] = seen * clear + at_air * (1 - clear)
    return out


def reduced(values: Array, stage: Stage) -> Array:
    """Mean over each output pixel: (N, C) on the fine grid to (H, W, C)."""
    height, width, step = stage.config.height, stage.config.width, stage.step
    if step == 1:
        return values.reshape(height, width, -1)
    blocks = values.reshape(height, step, width, step, -1)
    total = np.zeros((height, width, blocks.shape[-1]), dtype=np.float32)
    for row in range(step):
        for column in range(step):
            total += blocks[:, row, :, column]
    return total / np.float32(step * step)
