"""From a config to pictures: each frame draws what moves over the still stage, then both cameras expose it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from polyfuse.errors import InputError

from .cameras import apply_gain, band_radiance, expose_thermal, expose_visible, radiance_to_counts
from .cars import Car, draw_car
from .config import BOXED_LABELS, LABELS, Box, Scene, SceneConfig
from .geometry import GBuffer
from .layout import car_occluder, person_occluder
from .lighting import Lamp, Light, Occluder, light_at, light_pixels, shadow_region
from .noise import Array
from .people import draw_person
from .smoke import THERMAL_SHARE, optical_depth, smoke_tone
from .stage import Stage, build_stage, reduced, thermal_radiance, visible_radiance

MIN_PIXELS = 5
"""Instances of which fewer pixels are seen are dropped."""


def render_scene(config: SceneConfig, *, frame: int = 0, bit_depth: int = 8) -> Scene:
    """One frame of the scene, the same bytes for the same config and frame whatever was rendered before.

    Args:
        config: What to render.
        frame: Index in the sequence, from 0.
        bit_depth: 8, or 16 for a full-range 16-bit visible picture and raw thermal counts.

    Raises:
        InputError: If `frame` is negative or `bit_depth` is neither 8 nor 16.
    """
    _check_request("frame", frame, bit_depth)
    return _render(build_stage(config), frame, bit_depth)


def render_sequence(config: SceneConfig, num_frames: int, *, bit_depth: int = 8) -> Iterator[Scene]:
    """Frames 0 to `num_frames - 1`, each equal to `render_scene(config, frame=...)`, with the still part drawn once.

    Raises:
        InputError: If `num_frames` is negative or `bit_depth` is neither 8 nor 16.
    """
    _check_request("num_frames", num_frames, bit_depth)

    def frames() -> Iterator[Scene]:
        stage = build_stage(config)
        for frame in range(num_frames):
            yield _render(stage, frame, bit_depth)

    return frames()


def _check_request(name: str, number: object, bit_depth: object) -> None:
    if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 0:
        raise InputError(f"{name} is {number!r}: give a whole number from 0.")
    if bit_depth not in (8, 16):
        raise InputError(f"bit depth {bit_depth!r} is not offered: give 8 or 16.")


def _render(stage: Stage, frame: int, bit_depth: int) -> Scene:
    config = stage.config
    seconds = frame / config.fps
    buffer, light = _moved(stage, seconds)
    visible = reduced(visible_radiance(buffer, light, config), stage)
    warmth = reduced(thermal_radiance(buffer, config)[:, None], stage)[:, :, 0]
    if stage.layout.plume is not None:
        visible, warmth = _add_smoke(stage, buffer, visible, warmth, seconds)
    raw = expose_thermal(radiance_to_counts(warmth, config.air_celsius), config, frame)
    picture = expose_visible(visible, config, frame)
    thermal = raw if bit_depth == 16 else apply_gain(raw, stage.knots, stage.levels)
    dtype = np.uint8 if bit_depth == 8 else np.uint16
    instances, classes, boxes = _truth(stage, buffer)
    return Scene(
        thermal=thermal,
        visible=np.rint(picture * np.float32(np.iinfo(dtype).max)).astype(dtype),
        boxes=boxes,
        instances=instances,
        classes=classes,
        labels=LABELS,
        frame=frame,
        agc_counts=stage.knots.copy(),
        agc_levels=stage.levels.copy(),
    )


def _moved(stage: Stage, seconds: float) -> tuple[GBuffer, Light]:
    """The stage with the driven car and the people of this moment, light and shadows brought up to date around them."""
    buffer, light = stage.buffer.copy(), Light(stage.light.diffuse.copy(), stage.light.specular.copy())
    occluders: list[Occluder] = []
    lamps: list[Lamp] = []
    changed = []
    if stage.layout.drive is not None:
        car = stage.layout.drive.at(seconds)
        changed.append(draw_car(buffer, stage.env, car, stage.first_moving))
        occluders.append(car_occluder(car, stage.first_moving))
        lamps.append(_tail_glow(car))
    for number, walk in enumerate(stage.layout.walks):
        person, instance = walk.at(seconds), stage.first_moving + 1 + number
        changed.append(draw_person(buffer, stage.env, person, instance))
        occluders.append(person_occluder(person, instance))
    if occluders:
        changed.append(shadow_region(buffer, occluders))
        touched = np.zeros(buffer.depth.size, dtype=bool)
        touched[np.concatenate(changed)] = True
        index = np.flatnonzero(touched)
        light_pixels(buffer, light, index, stage.sky, [*stage.layout.lamps, *lamps], [*stage.occluders, *occluders])
    return buffer, light


def _tail_glow(car: Car) -> Lamp:
    return Lamp(car.world(-2.5, 0.8, 0.0), (1.0, 0.08, 0.04), 0.9, 4.5, (0.0, -1.0, 0.0), (-1.0, 0.3), False)


def _add_smoke(stage: Stage, buffer: GBuffer, visible: Array, warmth: Array, seconds: float) -> tuple[Array, Array]:
    """Both pictures with smoke before whatever is farther away than it."""
    plume, config, camera = stage.layout.plume, stage.config, buffer.camera
    if plume is None:
        return visible, warmth
    textures = stage.env.textures
    pixel = plume.z / (camera.focal / stage.step)
    x = ((np.arange(config.width, dtype=np.float32) + 0.5) - np.float32(camera.centre / stage.step)) * np.float32(pixel)
    y = (np.float32(camera.horizon / stage.step) - 0.5 - np.arange(config.height, dtype=np.float32)) * np.float32(pixel)
    y = y + np.float32(camera.altitude)
    xx, yy = np.broadcast_arrays(x[None, :], y[:, None])
    tau = optical_depth(plume, xx, yy, pixel, seconds, textures.soft, textures.rough)
    behind = reduced((buffer.depth > np.float32(plume.z)).astype(np.float32)[:, None], stage)[:, :, 0]
    hidden = (behind * (1 - np.exp(-tau)))[:, :, None]
    lit = light_at((plume.x, 1.2, plume.z - 0.3), stage.sky, stage.layout.lamps)
    tone = smoke_tone(tau, xx, yy, pixel, seconds, plume, textures.rough)[:, :, None]
    visible = visible * (1 - hidden) + np.float32(0.33) * lit * tone * hidden
    veil = behind * (1 - np.exp(-np.float32(THERMAL_SHARE) * tau))
    warmth = warmth * (1 - veil) + np.float32(band_radiance(config.air_celsius + plume.warmth)) * veil
    return visible.astype(np.float32), warmth.astype(np.float32)


def _truth(stage: Stage, buffer: GBuffer) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint8], tuple[Box, ...]]:
    """Instance mask, class mask and boxes of the pixel centres."""
    shape = (stage.config.height * stage.step, stage.config.width * stage.step)
    centre = slice(stage.step // 2, None, stage.step)
    instances = buffer.instance.reshape(shape)[centre, centre].copy()
    classes = buffer.surface.label.reshape(shape)[centre, centre].copy()
    boxes = []
    for instance in np.unique(instances[instances > 0]).tolist():
        rows, columns = np.nonzero(instances == instance)
        if rows.size < MIN_PIXELS:
            instances[rows, columns] = 0
            continue
        label = LABELS[int(classes[rows[0], columns[0]])]
        if label in BOXED_LABELS:
            x0, y0 = int(columns.min()), int(rows.min())
            boxes.append(Box(label, x0, y0, int(columns.max()) + 1, int(rows.max()) + 1, instance))
    return instances, classes, tuple(boxes)
