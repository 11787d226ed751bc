"""The camera, axis-aligned rectangles seen through it, and the buffer of visible surfaces that everything is drawn to.

World axes in metres: x to the right, y up, z away from the camera, which looks level along z; the horizon is moved up
in the picture by shifting the sensor, so that vertical edges stay vertical.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .config import LABELS
from .noise import CHUNK_PIXELS, Array

FAR = 1e4
NEAR = 0.5
Index = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Camera:
    """A level pinhole camera on the supersampled grid."""

    width: int
    height: int
    focal: float
    centre: float
    horizon: float
    altitude: float

    def project(self, points: npt.ArrayLike) -> Array:
        """Columns, rows and depths, (N, 3), of points (N, 3) in metres."""
        p = np.asarray(points, dtype=np.float32).reshape(-1, 3)
        depth = np.maximum(p[:, 2], 1e-3)
        scale = self.focal / depth
        return np.stack([self.centre + p[:, 0] * scale, self.horizon - (p[:, 1] - self.altitude) * scale, depth], 1)

    def slopes(self, columns: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]) -> tuple[Array, Array]:
        """Direction x/z and y/z of the rays through pixel centres."""
        across = (columns.astype(np.float32) + np.float32(0.5 - self.centre)) / np.float32(self.focal)
        up = (np.float32(self.horizon - 0.5) - rows.astype(np.float32)) / np.float32(self.focal)
        return across, up

    def positions(self, index: Index, depth: Array) -> Array:
        """World points (N, 3) of flat pixel indices at the given depths."""
        across, up = self.slopes(index % self.width, index // self.width)
        return np.stack([across * depth, np.float32(self.altitude) + up * depth, depth], axis=1)

    def window(self, columns: Array, rows: Array, margin: float = 1.0) -> tuple[int, int, int, int] | None:
        """Pixel bounds (x0, y0, x1, y1) around projected points, clipped to the picture; None if outside."""
        x0 = max(int(np.floor(columns.min() - margin)), 0)
        y0 = max(int(np.floor(rows.min() - margin)), 0)
        x1 = min(int(np.ceil(columns.max() + margin)), self.width)
        y1 = min(int(np.ceil(rows.max() + margin)), self.height)
        return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


@dataclass
class Patch:
    """The pixels of one rectangle: surface coordinates and pixel footprints in metres, all (N,)."""

    s: Array
    t: Array
    foot_s: Array
    foot_t: Array

    @property
    def foot(self) -> Array:
        """Geometric mean of the two footprints, for textures without direction."""
        return np.sqrt(self.foot_s * self.foot_t)


@dataclass
class Surface:
    """What N pixels are made of."""

    albedo: Array
    """(N, 3) linear RGB reflectance."""
    temperature: Array
    """(N,) degrees Celsius."""
    emissivity: Array
    """(N,) between 0 and 1, in the band 8-14 um."""
    emission: Array
    """(N, 3) light given off or mirrored, in units of the exposure."""
    gloss: Array
    """(N,) strength of the mirror-like highlight, 0 to 1."""
    label: npt.NDArray[np.uint8]
    """(N,) class index."""

    @classmethod
    def plain(cls, size: int, albedo: npt.ArrayLike, temperature: float, emissivity: float, label: str) -> Surface:
        """N equal pixels; `albedo` is a colour or (N, 3)."""
        return cls(
            np.broadcast_to(np.asarray(albedo, dtype=np.float32), (size, 3)).copy(),
            np.full(size, temperature, dtype=np.float32),
            np.full(size, emissivity, dtype=np.float32),
            np.zeros((size, 3), dtype=np.float32),
            np.zeros(size, dtype=np.float32),
            np.full(size, LABELS.index(label), dtype=np.uint8),
        )


@dataclass(frozen=True)
class Rect:
    """A rectangle across one world axis: x (s = z, t = y), y (s = x, t = z) or z (s = x, t = y)."""

    axis: int
    offset: float
    low: tuple[float, float]
    high: tuple[float, float]
    shader: Callable[[Patch], Surface]
    facing: float = 1.0
    """Sign of the normal along `axis`."""
    cutout: Callable[[Patch], npt.NDArray[np.bool_]] | None = None
    """Which pixels are solid; all of them if None."""
    instance: int = 0

    def corners(self) -> Array:
        """The four corners, (4, 3), moved in front of the camera where they lie behind it."""
        order = {0: (2, 1), 1: (0, 2), 2: (0, 1)}[self.axis]
        points = np.zeros((4, 3), dtype=np.float32)
        points[:, self.axis] = self.offset
        points[:, order[0]] = [self.low[0], self.high[0], self.high[0], self.low[0]]
        points[:, order[1]] = [self.low[1], self.low[1], self.high[1], self.high[1]]
        points[:, 2] = np.maximum(points[:, 2], NEAR)
        return points


@dataclass
class GBuffer:
    """The nearest surface of every pixel, flat arrays over the supersampled picture."""

    camera: Camera
    depth: Array = field(init=False)
    normal: Array = field(init=False)
    surface: Surface = field(init=False)
    instance: npt.NDArray[np.uint16] = field(init=False)

    def __post_init__(self) -> None:
        size = self.camera.width * self.camera.height
        self.depth = np.full(size, FAR, dtype=np.float32)
        self.normal = np.zeros((size, 3), dtype=np.float32)
        self.surface = Surface.plain(size, (0, 0, 0), 0.0, 1.0, "background")
        self.instance = np.zeros(size, dtype=np.uint16)

    def copy(self) -> GBuffer:
        """An independent copy, to draw what moves over what stands still."""
        other = object.__new__(GBuffer)
        other.camera = self.camera
        other.depth, other.normal, other.instance = self.depth.copy(), self.normal.copy(), self.instance.copy()
        other.surface = Surface(**{name: value.copy() for name, value in vars(self.surface).items()})
        return other

    def put(self, index: Index, depth: Array, normal: Array, surface: Surface, instance: int = 0) -> Index:
        """Store the given pixels where they are nearer than what is there; returns the indices stored."""
        near = depth < self.depth[index]
        where = index[near]
        self.depth[where] = depth[near]
        self.normal[where] = np.broadcast_to(normal, (index.size, 3))[near]
        self.instance[where] = instance
        for name, value in vars(surface).items():
            getattr(self.surface, name)[where] = value[near]
        return where


def draw_rects(buffer: GBuffer, rects: Sequence[Rect]) -> None:
    """Find the nearest rectangle of every pixel first, then shade each pixel once."""
    camera = buffer.camera
    owner = np.full(buffer.depth.size, -1, dtype=np.int32)
    nearest = buffer.depth.copy()
    for number, rect in enumerate(rects):
        index, patch, depth = _hit(camera, rect, nearest)
        if rect.cutout is not None and index.size:
            solid = rect.cutout(patch)
            index, depth = index[solid], depth[solid]
        nearest[index] = depth
        owner[index] = number
    order = np.argsort(owner, kind="stable")
    starts = np.searchsorted(owner[order], np.arange(len(rects) + 1))
    for number, rect in enumerate(rects):
        for start in range(int(starts[number]), int(starts[number + 1]), CHUNK_PIXELS):
            index = order[start : min(start + CHUNK_PIXELS, int(starts[number + 1]))]
            depth = nearest[index]
            patch = _patch(camera, rect, index, depth)
            normal = np.zeros(3, dtype=np.float32)
            normal[rect.axis] = rect.facing
            buffer.put(index, depth, normal, rect.shader(patch), rect.instance)


def _hit(camera: Camera, rect: Rect, nearest: Array) -> tuple[Index, Patch, Array]:
    """Pixels where the rectangle is nearer than `nearest`, with their coordinates and depth."""
    empty = np.zeros(0, dtype=np.int64)
    none = np.zeros(0, dtype=np.float32)
    screen = camera.project(rect.corners())
    window = camera.window(screen[:, 0], screen[:, 1], margin=2.0)
    if window is None:
        return empty, Patch(none, none, none, none), none
    x0, y0, x1, y1 = window
    across, up = camera.slopes(np.arange(x0, x1), np.arange(y0, y1))
    shape = (y1 - y0, x1 - x0)
    depth: Array
    if rect.axis == 2:
        depth = np.full(shape, rect.offset, dtype=np.float32)
    else:
        slope = np.broadcast_to(across[None, :], shape) if rect.axis == 0 else np.broadcast_to(up[:, None], shape)
        drop = np.float32(rect.offset - (camera.altitude if rect.axis == 1 else 0.0))
        safe = np.where(np.abs(slope) < 1e-7, np.float32(1e-7), slope)
        depth = drop / safe
    s = depth if rect.axis == 0 else across[None, :] * depth
    t = depth if rect.axis == 1 else np.float32(camera.altitude) + up[:, None] * depth
    held = nearest.reshape(camera.height, camera.width)[y0:y1, x0:x1]
    hit = (depth > NEAR) & (depth < held)
    hit &= (s >= rect.low[0]) & (s < rect.high[0]) & (t >= rect.low[1]) & (t < rect.high[1])
    rows, columns = np.nonzero(hit)
    index = (rows + y0) * camera.width + columns + x0
    hit_depth = np.broadcast_to(depth, shape)[hit]
    return index, _patch(camera, rect, index, hit_depth), hit_depth


def _patch(camera: Camera, rect: Rect, index: Index, depth: Array) -> Patch:
    position = camera.positions(index, depth)
    pixel = depth / np.float32(camera.focal)
    # along a plane seen at a slant one pixel covers more: its size grows with depth over the plane's distance
    if rect.axis == 0:
        return Patch(position[:, 2], position[:, 1], pixel * depth / max(abs(rect.offset), 0.1), pixel)
    if rect.axis == 1:
        return Patch(
            position[:, 0], position[:, 2], pixel, pixel * depth / max(abs(rect.offset - camera.altitude), 0.1)
        )
    return Patch(position[:, 0], position[:, 1], pixel, pixel)
