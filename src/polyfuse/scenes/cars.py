"""Cars: a lofted body with windows, lamps, wheels; cold when parked, warm at engine and tyres when driven."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from .geometry import NEAR, GBuffer, Index, Surface
from .materials import Colour, Surroundings, mix
from .noise import Array, smoothstep
from .raster import rasterise_mesh

LENGTH = 4.4
HALF_WIDTH = 0.88
HEIGHT = 1.47
AXLES = (0.86, 3.5)
WHEEL = 0.31

PROFILES: dict[str, tuple[tuple[float, float], ...]] = {
    "sedan": (
        (0.0, 0.6), (0.08, 0.73), (0.45, 0.85), (1.2, 0.97), (1.32, 1.02), (2.0, 1.40), (2.3, 1.45), (2.8, 1.45),
        (3.2, 1.37), (3.8, 1.06), (4.25, 1.0), (4.36, 0.92), (4.4, 0.7),
    ),
    "hatch": (
        (0.0, 0.62), (0.08, 0.76), (0.45, 0.89), (1.05, 1.0), (1.15, 1.05), (1.85, 1.45), (2.3, 1.52), (3.3, 1.5),
        (3.85, 1.42), (4.22, 1.1), (4.32, 1.0), (4.38, 0.85), (4.4, 0.7),
    ),
    "van": (
        (0.0, 0.65), (0.06, 0.85), (0.4, 1.02), (0.7, 1.12), (0.78, 1.16), (1.35, 1.72), (1.8, 1.86), (3.0, 1.9),
        (4.1, 1.87), (4.3, 1.8), (4.36, 1.1), (4.38, 0.9), (4.4, 0.7),
    ),
}  # fmt: skip
"""Height of the outline along the car, from the front bumper."""

PAINTS: tuple[Colour, ...] = (
    (0.32, 0.33, 0.34), (0.03, 0.032, 0.036), (0.2, 0.03, 0.025), (0.04, 0.07, 0.16), (0.48, 0.48, 0.46),
    (0.07, 0.09, 0.08),
)  # fmt: skip


@dataclass(frozen=True)
class Car:
    """One car at one moment; metres and radians."""

    x: float
    z: float
    heading: float
    """Direction of its front: 0 to the right, pi/2 away from the camera, -pi/2 towards it."""
    body: str
    paint: Colour
    engine: float = 0.0
    """Warmth of engine, tyres and exhaust, 0 cold to 1 just driven."""
    head: float = 0.0
    """Brightness of the headlights."""
    tail: float = 0.0
    """Brightness of the tail lights."""

    def world(self, forward: float, up: float, left: float) -> tuple[float, float, float]:
        """World point of a place given from the car's middle on the ground."""
        cos, sin = np.cos(self.heading), np.sin(self.heading)
        return float(self.x + forward * cos - left * sin), up, float(self.z + forward * sin + left * cos)


def draw_car(buffer: GBuffer, env: Surroundings, car: Car, instance: int) -> Index:
    """Draw body and wheels; gives the pixels covered."""
    vertices, normals, triangles, attributes = _mesh(car.body)
    cos, sin = np.float32(np.cos(car.heading)), np.float32(np.sin(car.heading))

    def turn(v: Array) -> Array:
        return np.stack([v[:, 0] * cos - v[:, 2] * sin, v[:, 1], v[:, 0] * sin + v[:, 2] * cos], axis=1)

    world = turn(vertices) + np.array([car.x, 0, car.z], dtype=np.float32)
    if world[:, 2].min() < NEAR:
        return np.zeros(0, dtype=np.int64)
    carried = np.concatenate([turn(normals), attributes], axis=1).astype(np.float32)
    index, depth, values = rasterise_mesh(buffer.camera, world.astype(np.float32), triangles, carried)
    if index.size == 0:
        return index
    normal = values[:, :3] / np.maximum(np.linalg.norm(values[:, :3], axis=1, keepdims=True), 1e-6)
    eye = np.array([0, buffer.camera.altitude, 0], dtype=np.float32)
    surface = _shade(env, car, normal, values[:, 3:], buffer.camera.positions(index, depth), eye)
    return buffer.put(index, depth, normal, surface, instance)


def _shade(env: Surroundings, car: Car, normal: Array, values: Array, position: Array, eye: Array) -> Surface:
    s, ring, side, up, wheel = values.T
    surface = Surface.plain(s.size, car.paint, env.air - 1.5, 0.88, "car")
    view = position - eye
    facing = np.abs((view * normal).sum(axis=1)) / np.linalg.norm(view, axis=1)
    fresnel = 0.05 + 0.7 * (1 - np.clip(facing, 0, 1)) ** 3
    upward = np.clip(normal[:, 1], 0, 1)
    dust = env.textures.rough(s, up + side, 0.02, 3.0, 41.0)
    surface.albedo *= np.clip(1 + 0.07 * dust - 0.35 * smoothstep(up, 0.5, 0.2), 0.2, 2)[:, None]
    surface.gloss[:] = 0.35
    surface.temperature += -1.6 * upward + 0.3 * dust
    sky = np.asarray(env.sky, dtype=np.float32)
    surface.emission += (fresnel * (0.25 + 0.75 * upward))[:, None] * sky
    glass = _glass(car.body, s, ring, up)
    mix(surface, glass, (0.012, 0.014, 0.016), env.air - 0.5 + 3.5 * car.engine, 0.85)
    surface.emission += (glass * (0.10 + 0.3 * upward))[:, None] * sky
    body_side = (ring < 3.0) & (s > 0) & (s < LENGTH) & (wheel < 0.5)
    _seams(surface, s, up, body_side)
    _ends(env, car, surface, s, side, up, wheel)
    _wheels(env, car, surface, s, up, wheel)
    if car.engine:
        hood = np.exp(-(((s - 0.75) / 0.55) ** 2)) * (0.45 + 0.55 * upward) * (1 - wheel)
        surface.temperature += car.engine * (13.0 * hood + 3.0 * smoothstep(up, 0.55, 0.25) * (wheel < 0.5))
        pipe = (s > LENGTH - 0.2) & (np.abs(side - 0.5) < 0.09) & (np.abs(up - 0.29) < 0.06) & (wheel < 0.5)
        near_pipe = np.exp(-(((side - 0.5) / 0.3) ** 2) - ((up - 0.3) / 0.2) ** 2) * (s > LENGTH - 0.3)
        surface.temperature += car.engine * (55.0 * pipe + 9.0 * near_pipe)
        surface.albedo[pipe] = 0.02
    return surface


def _glass(body: str, s: Array, ring: Array, up: Array) -> Array:
    """Coverage of the windows, 1 on glass."""
    outline = np.asarray(PROFILES[body], dtype=np.float32)
    hood_end, roof_start = outline[4, 0], outline[5, 0]
    roof_end, tail = outline[8, 0], outline[9, 0]
    top = np.interp(s, outline[:, 0], outline[:, 1])
    tall = top - 1.02
    side = (
        (ring > 3.12)
        & (ring < 3.86)
        & (tall > 0.1)
        & (s > hood_end + 0.2)
        & (s < tail - (0.35 if body != "van" else 2.3))
    )
    side &= np.abs(s - 2.52) > 0.045
    front = (s > hood_end + 0.03) & (s < roof_start - 0.05) & (ring > 4.12)
    rear = (s > roof_end + 0.06) & (s < tail - 0.06) & (ring > 4.2)
    if body == "van":
        rear = (s > 4.28) & (up > 1.2) & (up < 1.65) & (np.abs(ring) > 3.2)
    return np.asarray(side | front | rear, dtype=np.float32)


def _seams(surface: Surface, s: Array, up: Array, body_side: npt.NDArray[np.bool_]) -> None:
    for place in (1.5, 2.52, 3.42):
        surface.albedo[body_side & (np.abs(s - place) < 0.012) & (up > 0.32)] *= 0.35
    handle = body_side & (np.abs(up - 0.86) < 0.018) & ((np.abs(s - 2.36) < 0.09) | (np.abs(s - 3.28) < 0.09))
    surface.albedo[handle] *= 0.4
    surface.albedo[body_side & (np.abs(up - 0.5) < 0.03)] *= 0.72
    arch = np.minimum(np.hypot(s - AXLES[0], up - WHEEL), np.hypot(s - AXLES[1], up - WHEEL))
    surface.albedo[body_side & (arch < 0.385)] = 0.008


def _ends(env: Surroundings, car: Car, surface: Surface, s: Array, side: Array, up: Array, wheel: Array) -> None:
    """Bumpers, grille, plates and lamps."""
    across = np.abs(side)
    front, rear = (s < 0.16) & (wheel < 0.5), (s > LENGTH - 0.16) & (wheel < 0.5)
    surface.albedo[(front | rear) & (up < 0.36)] = 0.02
    surface.albedo[front & (across < 0.42) & (up > 0.44) & (up < 0.58)] = 0.012
    plate = (front & (np.abs(up - 0.42) < 0.055)) | (rear & (np.abs(up - 0.6) < 0.06))
    surface.albedo[plate & (across < 0.26)] = 0.6
    lens = front & (across > 0.44) & (up > 0.56) & (up < 0.73)
    surface.albedo[lens] = (0.35, 0.36, 0.38)
    lens_light = np.exp(-(((across - 0.6) / 0.1) ** 2) - ((up - 0.645) / 0.06) ** 2)[:, None]
    surface.emission += lens[:, None] * lens_light * np.array([1.0, 0.95, 0.85], dtype=np.float32) * car.head
    tail = rear & (across > 0.52) & (up > 0.72) & (up < 0.92)
    surface.albedo[tail] = (0.25, 0.012, 0.01)
    surface.emission[tail] += np.array([1.0, 0.06, 0.03], dtype=np.float32) * car.tail
    surface.temperature[lens] += 9.0 * (car.head > 0)
    surface.temperature[tail] += 2.0 * (car.tail > 0)


def _wheels(env: Surroundings, car: Car, surface: Surface, s: Array, up: Array, wheel: Array) -> None:
    on = wheel > 0.5
    axle = np.where(np.abs(s - AXLES[0]) < np.abs(s - AXLES[1]), AXLES[0], AXLES[1])
    radius, angle = np.hypot(s - axle, up - WHEEL), np.arctan2(up - WHEEL, s - axle)
    disc = on & (wheel > 1.5)
    surface.albedo[on] = 0.018
    surface.emission[on] = 0.0
    surface.gloss[on] = 0.0
    rim = disc & (radius < 0.205)
    spokes = np.cos(5 * angle) > -0.15
    surface.albedo[rim & (spokes | (radius < 0.06) | (radius > 0.18))] = (0.22, 0.22, 0.23)
    surface.emissivity[on] = 0.95
    surface.temperature[on] = env.air + 0.3 + 9.0 * car.engine
    surface.temperature[rim] = env.air - 0.5 + car.engine * (6.0 + 20.0 * (~spokes[rim]))


@cache
def _mesh(body: str) -> tuple[Array, Array, npt.NDArray[np.int64], Array]:
    """Vertices, normals, triangles and attributes (along, ring, side, up, wheel) about the car's middle."""
    outline = np.asarray(PROFILES[body])
    stations = np.unique(np.concatenate([outline[:, 0], np.linspace(0.25, 4.15, 17)]))
    rings = np.stack([_ring(outline, s) for s in stations])
    count, points = rings.shape[:2]
    ring_number = np.abs(np.arange(points) - points // 2)
    ring_number = points // 2 - ring_number
    grid = np.arange(count * points).reshape(count, points)
    a, b, c, d = grid[:-1, :-1].ravel(), grid[1:, :-1].ravel(), grid[1:, 1:].ravel(), grid[:-1, 1:].ravel()
    triangles = [np.stack([a, b, c], 1), np.stack([a, c, d], 1)]
    along = np.repeat(stations, points)
    flat = rings.reshape(-1, 2)
    vertices = np.stack([LENGTH / 2 - along, flat[:, 1], flat[:, 0]], 1)
    attributes = np.stack([along, np.tile(ring_number, count), flat[:, 0], flat[:, 1], np.zeros(len(along))], 1)
    sets = [(vertices, np.concatenate(triangles), attributes)]
    for station, mark in ((0, -1.0), (count - 1, LENGTH + 1)):
        sets.append(_cap(vertices[grid[station]], attributes[grid[station]], mark, station == 0))
    sets += [_wheel(axle, side) for axle in AXLES for side in (-1.0, 1.0)]
    return _joined(sets)


MeshPart = tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], npt.NDArray[np.float64]]


def _ring(outline: npt.NDArray[np.float64], s: float) -> npt.NDArray[np.float64]:
    """Cross-section at `s`: (13, 2) points (side, up) from the left sill over the roof to the right sill."""
    top = float(np.interp(s, outline[:, 0], outline[:, 1]))
    width = float(np.interp(s, [0, 0.1, 0.5, 1.0, 3.7, 4.25, 4.4], [0.68, 0.8, 0.86, 0.88, 0.88, 0.83, 0.74]))
    sill = float(np.interp(s, [0, 0.3, 4.1, 4.4], [0.3, 0.2, 0.2, 0.32]))
    belt = min(float(np.interp(s, [0, 1.2, 4.4], [0.9, 0.93, 1.0])), top - 0.06)
    narrow = width - 0.30 * max(top - 0.06 - belt, 0.0) - 0.02
    half = [
        (width * 0.95, sill), (width, sill + 0.16), (width + 0.01, (sill + belt) / 2), (width - 0.015, belt),
        (narrow, top - 0.06), (narrow * 0.75, top - 0.012), (0.0, top),
    ]  # fmt: skip
    return np.array(half + [(-x, y) for x, y in reversed(half[:-1])])


def _cap(rim: npt.NDArray[np.float64], attributes: npt.NDArray[np.float64], mark: float, front: bool) -> MeshPart:
    """The flat end inside one cross-section, with vertices of its own so that its edge stays sharp."""
    attributes = attributes.copy()
    attributes[:, 0] = mark
    middle = len(rim) // 2
    faces = []
    for k in range(middle):
        left, right = k, len(rim) - 1 - k
        quad = [(left, left + 1, right - 1), (left, right - 1, right)]
        faces += [face if front else face[::-1] for face in quad]
    return rim.copy(), np.array(faces), attributes


def _wheel(axle: float, side: float) -> MeshPart:
    """Outer disc and tread of one wheel."""
    count = 20
    angle = np.arange(count) * 2 * np.pi / count
    along, up = axle + WHEEL * np.cos(angle), WHEEL + WHEEL * np.sin(angle)
    outer, inner = side * (HALF_WIDTH + 0.012), side * (HALF_WIDTH - 0.2)

    def points(x: float, mark: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        vertices = np.stack([LENGTH / 2 - along, up, np.full(count, x)], 1)
        return vertices, np.stack([along, np.zeros(count), np.full(count, x), up, np.full(count, mark)], 1)

    disc, tread_out, tread_in = points(outer, 2.0), points(outer, 1.0), points(inner, 1.0)
    fan = [(0, k, k + 1) for k in range(1, count - 1)]
    belt = []
    for k in range(count):
        n = (k + 1) % count
        belt += [(count + k, 2 * count + k, 2 * count + n), (count + k, 2 * count + n, count + n)]
    faces = np.array([face if side < 0 else face[::-1] for face in fan + belt])
    vertices = np.concatenate([disc[0], tread_out[0], tread_in[0]])
    return vertices, faces, np.concatenate([disc[1], tread_out[1], tread_in[1]])


def _joined(sets: list[MeshPart]) -> tuple[Array, Array, npt.NDArray[np.int64], Array]:
    vertices = np.concatenate([part[0] for part in sets])
    offsets = np.cumsum([0] + [len(part[0]) for part in sets[:-1]])
    triangles = np.concatenate([part[1] + offset for part, offset in zip(sets, offsets, strict=True)])
    corners = vertices[triangles]
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(normals, triangles[:, corner], faces)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    attributes = np.concatenate([part[2] for part in sets])
    return (
        vertices.astype(np.float32),
        normals.astype(np.float32),
        triangles.astype(np.int64),
        attributes.astype(np.float32),
    )
