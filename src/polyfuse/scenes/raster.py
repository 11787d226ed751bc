"""Round limbs, poles and polygon meshes drawn into the buffer of visible surfaces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from .geometry import NEAR, Camera, GBuffer, Index, Surface
from .noise import Array


@dataclass(frozen=True)
class Limb:
    """A tapered capsule between two points, in metres: a bone with flesh, a branch, a pole."""

    a: tuple[float, float, float]
    b: tuple[float, float, float]
    radius_a: float
    radius_b: float
    squash: float = 1.0
    """Length of the rounded ends over the radius; small for a cylinder seen nearly from the side."""


@dataclass
class LimbPixels:
    """Pixels of one limb: where along it (0 to 1) and across it (-1 to 1), and how far away, all (N,)."""

    along: Array
    across: Array
    position: Array
    """(N, 3) world points."""
    normal: Array
    """(N, 3), towards the camera in the middle of the limb."""
    pixel: float
    """Size of a pixel there in metres."""


def draw_limb(
    buffer: GBuffer, limb: Limb, material: Callable[[LimbPixels], Surface], instance: int = 0, push: float = 0.0
) -> Index:
    """Draw one limb; `push` moves it that many metres away for the depth test only. Gives the pixels stored."""
    camera = buffer.camera
    screen = camera.project([limb.a, limb.b])
    if screen[:, 2].min() < NEAR:
        return np.zeros(0, dtype=np.int64)
    radii = np.maximum(camera.focal * np.array([limb.radius_a, limb.radius_b]) / screen[:, 2], 0.35)
    window = camera.window(screen[:, 0], screen[:, 1], margin=float(radii.max()) + 1)
    if window is None:
        return np.zeros(0, dtype=np.int64)
    x0, y0, x1, y1 = window
    dx = np.arange(x0, x1, dtype=np.float32)[None, :] + np.float32(0.5 - screen[0, 0])
    dy = np.arange(y0, y1, dtype=np.float32)[:, None] + np.float32(0.5 - screen[0, 1])
    axis = (screen[1, :2] - screen[0, :2]).astype(np.float32)
    length2 = max(float(axis @ axis), 1e-6)
    along = np.clip((dx * axis[0] + dy * axis[1]) / np.float32(length2), 0, 1)
    radius = np.float32(radii[0]) + along * np.float32(radii[1] - radii[0])
    nx, ny = (dx - along * axis[0]) / radius, (dy - along * axis[1]) / radius
    if limb.squash != 1:
        unit = axis / np.float32(np.sqrt(length2))
        beyond = (nx * unit[0] + ny * unit[1]) * np.float32(1 / limb.squash - 1)
        nx, ny = nx + beyond * unit[0], ny + beyond * unit[1]
    inside = nx * nx + ny * ny < 1
    rows, columns = np.nonzero(inside)
    if rows.size == 0:
        return np.zeros(0, dtype=np.int64)
    h, nx, ny = along[inside], nx[inside], ny[inside]
    bulge = np.sqrt(np.maximum(1 - nx * nx - ny * ny, 0))
    depth = screen[0, 2] + h * (screen[1, 2] - screen[0, 2])
    depth = (depth - bulge * (limb.radius_a + h * (limb.radius_b - limb.radius_a)) + push).astype(np.float32)
    index = (rows + y0) * camera.width + columns + x0
    across = (nx * axis[1] - ny * axis[0]) / np.float32(np.sqrt(length2))
    normal = np.stack([nx, -ny, -bulge], axis=1)
    pixels = LimbPixels(h, across, camera.positions(index, depth), normal, float(screen[:, 2].mean()) / camera.focal)
    return buffer.put(index, depth, normal, material(pixels), instance)


def polygon_ids(camera: Camera, corners: Array, order: npt.NDArray[np.int64]) -> tuple[Index, npt.NDArray[np.int64]]:
    """Which polygon covers each pixel when polygons (M, C, 2) in pixels are painted in the given order.

    Returns:
        Flat pixel indices and the polygon number of each.
    """
    empty = np.zeros(0, dtype=np.int64)
    if order.size == 0:
        return empty, empty
    window = camera.window(corners[order, :, 0], corners[order, :, 1], margin=1.0)
    if window is None:
        return empty, empty
    x0, y0, x1, y1 = window
    canvas = Image.new("I", (x1 - x0, y1 - y0), 0)
    draw = ImageDraw.Draw(canvas)
    # Pillow puts pixel centres at whole coordinates
    shifted = (corners - np.array([x0 + 0.5, y0 + 0.5], dtype=np.float32)).reshape(len(corners), -1)
    for number in order.tolist():
        draw.polygon(shifted[number].tolist(), fill=number + 1)
    ids = np.asarray(canvas, dtype=np.int64)
    rows, columns = np.nonzero(ids)
    return (rows + y0) * camera.width + columns + x0, ids[rows, columns] - 1


def rasterise_mesh(
    camera: Camera, vertices: Array, triangles: npt.NDArray[np.int64], attributes: Array
) -> tuple[Index, Array, Array]:
    """The front faces of a closed mesh, nearest last.

    Args:
        camera: The camera.
        vertices: (V, 3) world points in front of the camera.
        triangles: (T, 3) vertex numbers, anticlockwise seen from outside.
        attributes: (V, K) values to interpolate.

    Returns:
        Flat pixel indices (N,), depths (N,) and attributes (N, K).
    """
    screen = camera.project(vertices)
    corners = screen[triangles]
    first, second = corners[:, 1, :2] - corners[:, 0, :2], corners[:, 2, :2] - corners[:, 0, :2]
    area = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    front = np.flatnonzero(area < -1e-6)
    order = front[np.argsort(-corners[front, :, 2].mean(axis=1), kind="stable")]
    index, owner = polygon_ids(camera, corners[:, :, :2], order)
    if index.size == 0:
        return index, np.zeros(0, dtype=np.float32), np.zeros((0, attributes.shape[1]), dtype=np.float32)
    px = (index % camera.width + 0.5).astype(np.float32) - corners[owner, 0, 0]
    py = (index // camera.width + 0.5).astype(np.float32) - corners[owner, 0, 1]
    u = (px * second[owner, 1] - py * second[owner, 0]) / area[owner]
    v = (py * first[owner, 0] - px * first[owner, 1]) / area[owner]
    # edge pixels fall a little outside their triangle: keep them on it
    u, v = np.clip(u, 0, 1), np.clip(v, 0, 1)
    weights = np.stack([np.clip(1 - u - v, 0, 1), u, v], axis=1)
    weights /= weights.sum(axis=1, keepdims=True)
    faces = triangles[owner]
    depth = (screen[faces, 2] * weights).sum(axis=1)
    values = np.einsum("nck,nc->nk", attributes[faces], weights, optimize=False)
    return index, depth.astype(np.float32), values.astype(np.float32)
