"""Light of sky and lamps on every surface, with soft shadows of whatever stands in the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .geometry import FAR, GBuffer, Index
from .noise import CHUNK_PIXELS, Array, smoothstep

_Box = tuple[tuple[float, float, float], tuple[float, float, float]]


@dataclass(frozen=True)
class Lamp:
    """A small light source; metres."""

    position: tuple[float, float, float]
    colour: tuple[float, float, float]
    power: float
    """Irradiance at one metre, in units of the exposure."""
    reach: float
    """Light is cut off beyond this distance."""
    direction: tuple[float, float, float] = (0.0, -1.0, 0.0)
    cone: tuple[float, float] = (-2.0, -1.5)
    """Cosines to the direction between which light rises from none to all; the default shines everywhere."""
    shadows: bool = True


@dataclass(frozen=True)
class Occluder:
    """Something upright with an elliptic footprint that takes light away; metres and radians."""

    x: float
    z: float
    half_length: float
    half_width: float
    heading: float
    bottom: float
    top: float
    instance: int = 0
    """Pixels of this instance are not shaded by their own occluder."""
    contact: float = 0.6
    """Share of sky light taken away under and next to it."""


@dataclass(frozen=True)
class Sky:
    """Diffuse light from above and the last glow of the sun."""

    ambient: tuple[float, float, float]
    glow: tuple[float, float, float]
    glow_direction: tuple[float, float, float]


@dataclass
class Light:
    """Light that falls on every pixel: (N, 3) diffuse irradiance and (N, 3) highlights."""

    diffuse: Array
    specular: Array


@dataclass
class _Points:
    """Surface points to be lit, coordinate by coordinate: contiguous arrays are several times faster than (N, 3)."""

    x: Array
    y: Array
    z: Array
    normal: tuple[Array, Array, Array]
    gloss: Array
    instance: npt.NDArray[np.uint16]

    def __getitem__(self, which: Index) -> _Points:
        nx, ny, nz = self.normal
        normal = (nx[which], ny[which], nz[which])
        return _Points(self.x[which], self.y[which], self.z[which], normal, self.gloss[which], self.instance[which])

    @property
    def box(self) -> _Box:
        """Lowest and highest coordinates."""
        axes = (self.x, self.y, self.z)
        low, high = [float(v.min()) for v in axes], [float(v.max()) for v in axes]
        return (low[0], low[1], low[2]), (high[0], high[1], high[2])


def light_scene(buffer: GBuffer, sky: Sky, lamps: Sequence[Lamp], occluders: Sequence[Occluder]) -> Light:
    """Light on all surfaces of the buffer."""
    size = buffer.depth.size
    light = Light(np.zeros((size, 3), np.float32), np.zeros((size, 3), np.float32))
    solid = np.flatnonzero(buffer.depth < FAR / 2)
    light_pixels(buffer, light, solid, sky, lamps, occluders)
    return light


def light_pixels(
    buffer: GBuffer, light: Light, index: Index, sky: Sky, lamps: Sequence[Lamp], occluders: Sequence[Occluder]
) -> None:
    """Compute the light on the given pixels afresh, in chunks that stay in the processor's cache."""
    towards = [np.float32(v) for v in sky.glow_direction]
    # neighbours in the picture are mostly neighbours in the place: whole chunks are out of a lamp's reach
    tile = (index // buffer.camera.width // 64) * 4096 + index % buffer.camera.width // 64
    index = index[np.argsort(tile.astype(np.int32), kind="stable")]
    for start in range(0, index.size, CHUNK_PIXELS):
        part = index[start : start + CHUNK_PIXELS]
        points = _points(buffer, part)
        box = points.box
        nx, ny, nz = points.normal
        openness = (0.62 + 0.38 * ny) * _openness(points, box, occluders)
        glow = openness * np.clip(nx * towards[0] + ny * towards[1] + nz * towards[2], 0, None)
        diffuse: list[Array] = [
            openness * np.float32(a) + glow * np.float32(g) for a, g in zip(sky.ambient, sky.glow, strict=True)
        ]
        specular: list[Array] = [np.zeros_like(openness) for _ in range(3)]
        for lamp in lamps:
            _add_lamp(buffer.camera.altitude, lamp, points, box, occluders, diffuse, specular)
        light.diffuse[part] = np.stack(diffuse, axis=1)
        light.specular[part] = np.stack(specular, axis=1)


def _points(buffer: GBuffer, index: Index) -> _Points:
    across, up = buffer.camera.slopes(index % buffer.camera.width, index // buffer.camera.width)
    depth = buffer.depth[index]
    normal = np.ascontiguousarray(buffer.normal[index].T)
    gloss, instance = buffer.surface.gloss[index], buffer.instance[index]
    height = np.float32(buffer.camera.altitude) + up * depth
    return _Points(across * depth, height, depth, (normal[0], normal[1], normal[2]), gloss, instance)


def shadow_region(buffer: GBuffer, occluders: Sequence[Occluder]) -> Index:
    """Pixels close enough to the occluders for their shadow to be seen."""
    camera = buffer.camera
    in_window = np.zeros(buffer.depth.size, dtype=bool)
    for occluder in occluders:
        reach = _shadow_reach(occluder)
        offsets = np.array([[-1, 0, -1], [1, 0, -1], [-1, 0, 1], [1, 0, 1], [0, 1, -1]]) * reach
        corners = np.array([occluder.x, 0, occluder.z]) + offsets
        corners[:, 1] = np.clip(corners[:, 1], 0, 2.5)
        corners[:, 2] = np.maximum(corners[:, 2], 2.0)
        screen = camera.project(corners)
        window = camera.window(screen[:, 0], screen[:, 1])
        if window is not None:
            x0, y0, x1, y1 = window
            in_window.reshape(camera.height, camera.width)[y0:y1, x0:x1] = True
    index = np.flatnonzero(in_window & (buffer.depth < FAR / 2))
    if index.size == 0:
        return index
    depth = buffer.depth[index]
    across = camera.slopes(index % camera.width, index // camera.width)[0] * depth
    near = np.zeros(index.size, dtype=bool)
    for occluder in occluders:
        dx, dz = across - np.float32(occluder.x), depth - np.float32(occluder.z)
        near |= dx * dx + dz * dz < _shadow_reach(occluder) ** 2
    return index[near]


def _shadow_reach(occluder: Occluder) -> float:
    return 2.2 + 1.3 * max(occluder.half_length, occluder.half_width)


def light_at(point: tuple[float, float, float], sky: Sky, lamps: Sequence[Lamp]) -> Array:
    """Light (3,) arriving at a point from all sides, for smoke."""
    total = np.asarray(sky.ambient, np.float32) * np.float32(0.9)
    for lamp in lamps:
        away = np.subtract(lamp.position, point)
        distance2 = float(away @ away) + 1.0
        if distance2 < lamp.reach**2:
            cosine = float(-away @ np.asarray(lamp.direction)) / distance2**0.5
            shape = float(smoothstep(np.asarray(cosine, np.float32), *lamp.cone))
            total = total + np.asarray(lamp.colour, np.float32) * np.float32(0.35 * lamp.power * shape / distance2)
    return total.astype(np.float32)


def _add_lamp(
    eye_height: float,
    lamp: Lamp,
    points: _Points,
    box: _Box,
    occluders: Sequence[Occluder],
    diffuse: list[Array],
    specular: list[Array],
) -> None:
    gap = [max(low - place, place - high, 0.0) for low, high, place in zip(*box, lamp.position, strict=True)]
    if sum(v * v for v in gap) > lamp.reach**2:
        return
    lx, ly, lz = (np.float32(v) for v in lamp.position)
    distance2 = (lx - points.x) ** 2 + (ly - points.y) ** 2 + (lz - points.z) ** 2
    near = np.flatnonzero(distance2 < np.float32(lamp.reach**2))
    if near.size == 0:
        return
    p = points if near.size == points.x.size else points[near]
    distance = np.sqrt(np.maximum(distance2[near], 1e-6))
    inverse = 1 / distance
    tx, ty, tz = (lx - p.x) * inverse, (ly - p.y) * inverse, (lz - p.z) * inverse
    dx, dy, dz = (np.float32(v) for v in lamp.direction)
    beam = smoothstep(-(tx * dx + ty * dy + tz * dz), *lamp.cone) * (
        1 - smoothstep(distance, 0.6 * lamp.reach, lamp.reach)
    )
    nx, ny, nz = p.normal
    cosine = np.clip(nx * tx + ny * ty + nz * tz, 0, None)
    falloff = beam * np.float32(lamp.power) / (distance * distance + np.float32(0.4))
    lit = np.flatnonzero((falloff > 3e-4) & ((cosine > 0) | (p.gloss > 0.01)))
    if lit.size == 0:
        return
    p, falloff, to_lamp, near, cosine = p[lit], falloff[lit], (tx[lit], ty[lit], tz[lit]), near[lit], cosine[lit]
    if lamp.shadows:
        falloff = falloff * transmitted(lamp, p, occluders)
    shine = falloff * _highlight(eye_height, p, to_lamp)
    spread = falloff * cosine
    for channel, colour in enumerate(lamp.colour):
        diffuse[channel][near] += spread * np.float32(colour)
        specular[channel][near] += shine * np.float32(colour)


def _highlight(eye_height: float, p: _Points, to_lamp: tuple[Array, Array, Array]) -> Array:
    """Mirror-like share of the lamp's light (Blinn-Phong): on wet ground it draws long streaks towards the camera."""
    ex, ey, ez = -p.x, np.float32(eye_height) - p.y, -p.z
    inverse = 1 / np.sqrt(ex * ex + ey * ey + ez * ez)
    hx, hy, hz = to_lamp[0] + ex * inverse, to_lamp[1] + ey * inverse, to_lamp[2] + ez * inverse
    nx, ny, nz = p.normal
    shine = (nx * hx + ny * hy + nz * hz) / np.sqrt(np.maximum(hx * hx + hy * hy + hz * hz, 1e-8))
    # a smoother surface has a narrower and stronger highlight
    narrow = np.exp(np.log(np.clip(shine, 1e-6, 1)) * (12 + 160 * p.gloss))
    out: Array = narrow * p.gloss * (0.35 + 1.8 * p.gloss)
    return out


def transmitted(lamp: Lamp, p: _Points, occluders: Sequence[Occluder]) -> Array:
    """Share of the lamp's light that passes the occluders, (N,), with a penumbra that widens with distance."""
    passed = np.ones(p.x.size, dtype=np.float32)
    (low_x, _, low_z), (high_x, _, high_z) = p.box
    lamp_x, _, lamp_z = lamp.position
    run = np.hypot(p.x - np.float32(lamp_x), p.z - np.float32(lamp_z))
    for occluder in occluders:
        size = max(occluder.half_length, occluder.half_width)
        if not min(low_x, lamp_x) - size < occluder.x < max(high_x, lamp_x) + size:
            continue
        if not min(low_z, lamp_z) - size < occluder.z < max(high_z, lamp_z) + size:
            continue
        if np.hypot(occluder.x - lamp_x, occluder.z - lamp_z) > lamp.reach:
            continue
        passed *= _passing(occluder, p, run, lamp.position)
    return passed


def _passing(occluder: Occluder, p: _Points, run: Array, lamp: tuple[float, float, float]) -> Array:
    start_x, start_z = _local(occluder, p.x, p.z)
    end_x, end_z = _local(occluder, np.float32(lamp[0]), np.float32(lamp[2]))
    dx, dz = end_x - start_x, end_z - start_z
    # the point of the ray nearest to the occluder's axis, as a share of the way to the lamp
    k = np.clip(-(start_x * dx + start_z * dz) / np.maximum(dx * dx + dz * dz, 1e-6), 0.0, 1.0)
    gap = np.hypot(start_x + k * dx, start_z + k * dz)
    height = p.y + k * (np.float32(lamp[1]) - p.y)
    soft = 0.08 + 0.10 * k * run
    side = np.clip((1 - gap) * np.float32(min(occluder.half_length, occluder.half_width)) / soft + 0.5, 0, 1)
    over = np.clip((occluder.top - height) / soft + 0.5, 0, 1) * np.clip((height - occluder.bottom) / soft + 0.5, 0, 1)
    out: Array = 1 - 0.93 * side * over * ((p.instance != occluder.instance) | (p.instance == 0))
    return out.astype(np.float32)


def _local(occluder: Occluder, x: Array | np.float32, z: Array | np.float32) -> tuple[Array, Array]:
    """Coordinates in which the occluder's footprint is the unit circle."""
    cos, sin = np.float32(np.cos(occluder.heading)), np.float32(np.sin(occluder.heading))
    dx, dz = x - np.float32(occluder.x), z - np.float32(occluder.z)
    along = (dx * cos + dz * sin) / np.float32(occluder.half_length)
    across = (dz * cos - dx * sin) / np.float32(occluder.half_width)
    return np.asarray(along, dtype=np.float32), np.asarray(across, dtype=np.float32)


def _openness(p: _Points, box: _Box, occluders: Sequence[Occluder]) -> Array:
    """Share of the sky that reaches each point past the occluders above and beside it."""
    share = np.ones(p.x.size, dtype=np.float32)
    (low_x, low_y, low_z), (high_x, _, high_z) = box
    for occluder in occluders:
        reach = 1.7 * max(occluder.half_length, occluder.half_width) + 0.6
        if not low_x - reach < occluder.x < high_x + reach or not low_z - reach < occluder.z < high_z + reach:
            continue
        if low_y >= occluder.top:
            continue
        close = np.abs(p.x - np.float32(occluder.x)) < reach
        close &= np.abs(p.z - np.float32(occluder.z)) < reach
        close &= (p.y < occluder.top) & ((p.instance != occluder.instance) | (p.instance == 0))
        near = np.flatnonzero(close)
        if near.size:
            along, across = _local(occluder, p.x[near], p.z[near])
            # the fourth power makes the footprint of a car nearly rectangular
            gap = np.sqrt(np.hypot(along * along, across * across))
            below = 1 - np.clip(p.y[near] / max(occluder.top, 0.1), 0, 1)
            share[near] *= 1 - occluder.contact * smoothstep(gap, 1.5, 0.7) * below
    return share
