"""What stands in the street: lamps on poles, signs with text, railings, boxes and barrels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from .geometry import Patch, Rect, Surface
from .lighting import Lamp
from .materials import Colour, Surroundings, brick, frame, mix
from .noise import Array, smoothstep, stripes
from .raster import Limb, LimbPixels

LimbMaterial = Callable[[LimbPixels], Surface]


def painted(
    env: Surroundings, colour: Colour, warmth: float = 0.0, label: str = "object", glow: Colour = (0.0, 0.0, 0.0)
) -> LimbMaterial:
    """Painted metal with a little dirt; `warmth` in degrees above the air, `glow` its own light."""

    def shade(p: LimbPixels) -> Surface:
        surface = Surface.plain(p.along.size, colour, env.air + warmth, 0.9, label)
        dirt = env.textures.rough(p.across * 0.2, p.position[:, 1], p.pixel, 1.7, 51.0)
        surface.albedo *= np.clip(1 + 0.15 * dirt, 0.3, 2)[:, None]
        surface.emission += np.asarray(glow, dtype=np.float32)
        surface.gloss[:] = 0.12
        return surface

    return shade


def street_lamp(
    env: Surroundings, x: float, z: float, reach: float, colour: Colour, power: float, height: float = 5.6
) -> tuple[list[tuple[Limb, LimbMaterial]], Lamp]:
    """A pole with an arm of length `reach` along x (its sign gives the side) and the lamp at its end."""
    metal = painted(env, (0.09, 0.095, 0.1), -0.4, "lamp")
    end = (x + reach, height + 0.12, z)
    shine = max(power, 0.0) / 100.0
    lens = painted(
        env, (0.4, 0.4, 0.4), 16.0 if power else -0.5, "lamp", tuple(np.multiply(colour, 55.0 * shine).tolist())
    )
    limbs = [
        (Limb((x, 0, z), (x, 1.0, z), 0.095, 0.09), metal),
        (Limb((x, 1.0, z), (x, height, z), 0.065, 0.045), metal),
        (Limb((x, height, z), end, 0.04, 0.035), metal),
        (Limb((end[0] - 0.1, end[1], z), (end[0] + 0.32 * np.sign(reach), end[1], z), 0.085, 0.07), metal),
        (
            Limb(
                (end[0], end[1] - 0.07, z - 0.02), (end[0] + 0.24 * np.sign(reach), end[1] - 0.07, z - 0.02), 0.06, 0.05
            ),
            lens,
        ),
    ]
    lamp = Lamp((end[0], end[1] - 0.2, z), colour, power, 17.0, (0.0, -1.0, 0.0), (0.02, 0.6))
    return limbs, lamp


@dataclass(frozen=True)
class Panel:
    """A flat board with text facing the camera; metres."""

    x: float
    y: float
    z: float
    """Middle of the board."""
    width: float
    height: float
    text: str
    ground: Colour
    ink: Colour
    glow: float = 0.0
    """Light of the ink, for lit letters."""
    round: bool = False
    """A disc with a rim in `rim` instead of a board."""
    rim: Colour = (0.5, 0.03, 0.03)


def panel_rect(env: Surroundings, panel: Panel, pixel: float, instance: int) -> Rect:
    """The board as a rectangle; `pixel` is the size of a pixel there in metres.

    Ink and ground have the same temperature and nearly the same emissivity: the thermal camera cannot read it.
    """
    coverage = _text_coverage(panel, pixel)
    rows, columns = coverage.shape
    left, bottom = panel.x - panel.width / 2, panel.y - panel.height / 2

    def shade(p: Patch) -> Surface:
        i = np.clip(((p.s - left) / panel.width * columns).astype(np.int64), 0, columns - 1)
        j = np.clip(((1 - (p.t - bottom) / panel.height) * rows).astype(np.int64), 0, rows - 1)
        ink = coverage[j, i]
        surface = Surface.plain(p.s.size, panel.ground, env.air - 0.6, 0.92, "sign")
        dirt = env.textures.rough(p.s, p.t, p.foot, 2.0, 52.0)
        surface.albedo *= np.clip(1 + 0.06 * dirt, 0.5, 1.5)[:, None]
        surface.temperature += 0.1 * dirt + 0.3 * (p.t - panel.y)
        if panel.round:
            radius = np.hypot(p.s - panel.x, p.t - panel.y) / (panel.width / 2)
            mix(surface, (radius > 0.76).astype(np.float32), panel.rim, surface.temperature, 0.92)
        else:
            inner = frame(p, left + 0.04, bottom + 0.04, left + panel.width - 0.04, bottom + panel.height - 0.04)
            mix(surface, (1 - inner) * 0.8, tuple(np.multiply(panel.ink, 0.6).tolist()), surface.temperature, 0.92)
        mix(surface, ink, panel.ink, surface.temperature, 0.92)
        surface.emission += (ink * panel.glow)[:, None] * np.asarray(panel.ink, dtype=np.float32)
        return surface

    def disc(p: Patch) -> npt.NDArray[np.bool_]:
        inside: npt.NDArray[np.bool_] = np.hypot(p.s - panel.x, p.t - panel.y) < panel.width / 2
        return inside

    high = (left + panel.width, bottom + panel.height)
    return Rect(2, panel.z, (left, bottom), high, shade, -1.0, disc if panel.round else None, instance)


def _text_coverage(panel: Panel, pixel: float) -> Array:
    """Coverage of the text over the board, (rows, columns) in [0, 1], already filtered to the size of a pixel."""
    rows = 96
    columns = max(round(rows * panel.width / panel.height), 8)
    size = rows * (0.5 if panel.round else 0.66)
    font = ImageFont.load_default(size)
    left, top, right, bottom = font.getbbox(panel.text)
    shrink = min(1.0, 0.88 * columns / max(right - left, 1))
    if shrink < 1:
        font = ImageFont.load_default(size * shrink)
        left, top, right, bottom = font.getbbox(panel.text)
    image = Image.new("L", (columns, rows), 0)
    place = ((columns - (right - left)) / 2 - left, (rows - (bottom - top)) / 2 - top)
    weight = 2 if rows > 48 else 0
    ImageDraw.Draw(image).text(place, panel.text, fill=255, font=font, stroke_width=weight, stroke_fill=255)
    # twice as fine as the pixels, which pick their nearest sample
    target = (max(round(2 * panel.width / pixel), 1), max(round(2 * panel.height / pixel), 1))
    if target[0] < columns:
        image = image.resize(target, Image.Resampling.BOX)
    return np.asarray(image, dtype=np.float32) / np.float32(255)


def drum(
    env: Surroundings, x: float, z: float, colour: Colour, warmth: float, fire: bool = False
) -> tuple[tuple[Limb, LimbMaterial], Rect]:
    """An oil drum on the ground and its lid; with `fire`, embers glow in its open top."""
    radius, height = 0.29, 0.92
    body = (Limb((x, 0.06, z), (x, height, z), radius, radius, 0.2), painted(env, colour, warmth))

    def lid(p: Patch) -> Surface:
        surface = Surface.plain(p.s.size, tuple(np.multiply(colour, 0.8).tolist()), env.air + warmth, 0.9, "object")
        inner = smoothstep(np.hypot(p.s - np.float32(x), p.t - np.float32(z)), 0.26, 0.22)
        surface.albedo *= (1 - 0.5 * inner)[:, None]
        if fire:
            embers = inner * np.clip(1 + 0.5 * env.textures.rough(p.s, p.t, p.foot, 0.6, 53.0), 0, 2)
            surface.emission += embers[:, None] * np.array([5.0, 1.5, 0.25], dtype=np.float32)
            surface.temperature += 160.0 * embers
        return surface

    def disc(p: Patch) -> npt.NDArray[np.bool_]:
        inside: npt.NDArray[np.bool_] = np.hypot(p.s - np.float32(x), p.t - np.float32(z)) < radius
        return inside

    return body, Rect(1, height + 0.05, (x - radius, z - radius), (x + radius, z + radius), lid, 1.0, disc)


def chimney(env: Surroundings, x: float, y: float, z: float, warm: float) -> list[Rect]:
    """A brick chimney whose top is warm while a fire burns below."""

    def shade(p: Patch) -> Surface:
        surface = brick(env, p, (0.16, 0.09, 0.07))
        surface.temperature += warm * smoothstep(p.t, y - 0.2, y + 1.3)
        return surface

    return box_rects((x, x + 0.9), (y - 0.5, y + 1.3), (z, z + 0.7), shade)


def railing(height: float, pitch: float = 0.14) -> Callable[[Patch], npt.NDArray[np.bool_]]:
    """Cutout of an iron fence: upright bars between two rails, posts every two metres."""

    def solid(p: Patch) -> npt.NDArray[np.bool_]:
        bars = (stripes(p.s, pitch, 0.035, 0.0) > 0.5) & (p.t < height)
        rails = (np.abs(p.t - height * 0.9) < 0.025) | (np.abs(p.t - 0.15) < 0.025)
        posts = stripes(p.s, 2.0, 0.08, 0.0) > 0.5
        out: npt.NDArray[np.bool_] = bars | (rails & (p.t < height)) | posts
        return out

    return solid


def iron_shader(env: Surroundings) -> Callable[[Patch], Surface]:
    """Dark painted iron."""

    def shade(p: Patch) -> Surface:
        return Surface.plain(p.s.size, (0.03, 0.033, 0.032), env.air - 0.8, 0.9, "object")

    return shade


def box_rects(
    x: tuple[float, float], y: tuple[float, float], z: tuple[float, float], shader: Callable[[Patch], Surface]
) -> list[Rect]:
    """The faces of a box that the camera can see: front, top, and the side turned to the middle."""
    faces = [Rect(2, z[0], (x[0], y[0]), (x[1], y[1]), shader, -1.0), Rect(1, y[1], (x[0], z[0]), (x[1], z[1]), shader)]
    if x[0] > 0:
        faces.append(Rect(0, x[0], (z[0], y[0]), (z[1], y[1]), shader, -1.0))
    if x[1] < 0:
        faces.append(Rect(0, x[1], (z[0], y[0]), (z[1], y[1]), shader, 1.0))
    return faces
