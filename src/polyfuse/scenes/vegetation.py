"""Trees grown branch by branch with leaves at the twigs, hedges and distant tree lines with ragged edges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .geometry import NEAR, GBuffer, Patch, Surface
from .materials import Surroundings, tint
from .noise import Array, generator
from .raster import Limb, LimbPixels, draw_limb, polygon_ids

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Tree:
    """One tree; metres."""

    x: float
    z: float
    height: float
    seed: int
    leaves: float = 1.0
    """Share of the foliage still on the tree, 0 to 1."""
    levels: int = 5
    """How often branches fork."""


def draw_tree(buffer: GBuffer, env: Surroundings, tree: Tree) -> None:
    """Draw trunk, branches and leaves."""
    rng = generator(tree.seed, "tree")
    limbs, tips = _grow(rng, tree)
    thinnest = 0.18 * tree.z / buffer.camera.focal
    for number, limb in enumerate(limbs):
        if limb.radius_a < thinnest:  # far below a pixel: the leaves around it are seen instead
            continue
        draw_limb(buffer, limb, _bark(env, number))
    if tree.leaves > 0:
        _draw_leaves(buffer, env, rng, tree, np.array(tips, dtype=np.float32))


def _grow(rng: np.random.Generator, tree: Tree) -> tuple[list[Limb], list[tuple[float, float, float]]]:
    limbs: list[Limb] = []
    tips: list[tuple[float, float, float]] = []

    def branch(start: Vector, direction: Vector, length: float, radius: float, level: int) -> None:
        bend = rng.normal(0, 0.1, 3)
        middle = start + direction * length * 0.5
        second = _unit(direction + bend + np.array([0, 0.06, 0]))
        end = middle + second * length * 0.5
        limbs.append(Limb(_point(start), _point(middle), radius, radius * 0.85))
        limbs.append(Limb(_point(middle), _point(end), radius * 0.85, radius * 0.7))
        if level >= 2:
            tips.append(_point(end))
        if level == tree.levels - 1:
            return
        forks = 3 if level < 3 else 2
        turn = rng.uniform(0, 2 * np.pi)
        for k in range(forks):
            angle = turn + 2 * np.pi * (k + rng.uniform(-0.2, 0.2)) / forks
            spread = rng.uniform(0.45, 0.85)
            side = np.array([np.cos(angle), 0.12, np.sin(angle)])
            branch(end, _unit(second + spread * side), length * rng.uniform(0.62, 0.82), radius * 0.62, level + 1)

    trunk = tree.height * 0.31
    branch(
        np.array([tree.x, 0, tree.z]), _unit(np.array([*rng.normal(0, 0.04, 1), 1, 0])), trunk, tree.height * 0.021, 0
    )
    return limbs, tips


def _unit(v: Vector) -> Vector:
    unit: Vector = v / np.linalg.norm(v)
    return unit


def _point(v: Vector) -> tuple[float, float, float]:
    return float(v[0]), float(v[1]), float(v[2])


def _bark(env: Surroundings, salt: int) -> Callable[[LimbPixels], Surface]:
    def shade(p: LimbPixels) -> Surface:
        surface = Surface.plain(p.along.size, (0.075, 0.06, 0.048), env.air + 1.1, 0.95, "vegetation")
        ridges = env.textures.rough(p.across * 0.3, p.position[:, 1] * 0.35, p.pixel, 1.0, salt)
        surface.albedo *= np.clip(1 + 0.35 * ridges, 0.2, 2)[:, None]
        surface.temperature += 0.3 * ridges
        return surface

    return shade


def _draw_leaves(buffer: GBuffer, env: Surroundings, rng: np.random.Generator, tree: Tree, tips: Array) -> None:
    """Leaves as small slanted quadrilaterals around the twigs, lighter on the outside of the crown."""
    each = int(26 * tree.leaves) + 1
    spread = tree.height * 0.055
    middle = np.repeat(tips, each, axis=0) + rng.normal(0, spread, (len(tips) * each, 3)).astype(np.float32)
    middle[:, 1] = np.maximum(middle[:, 1], 1.6)
    middle = middle[middle[:, 2] > NEAR + 1]
    count = len(middle)
    if count == 0:
        return
    screen = buffer.camera.project(middle)
    size = rng.uniform(0.05, 0.13, count).astype(np.float32) * buffer.camera.focal / screen[:, 2]
    size = np.maximum(size, 0.7)
    angle = rng.uniform(0, 2 * np.pi, count)
    long, wide = np.stack([np.cos(angle), np.sin(angle)], 1), np.stack([-np.sin(angle), np.cos(angle)], 1)
    slim = rng.uniform(0.3, 0.75, (count, 1))
    arms = np.stack([long, wide * slim, -long, -wide * slim], axis=1).astype(np.float32)
    corners = screen[:, None, :2] + arms * size[:, None, None]
    index, owner = polygon_ids(buffer.camera, corners.astype(np.float32), np.argsort(-screen[:, 2], kind="stable"))
    if index.size == 0:
        return
    centre = tips.mean(axis=0)
    outward = middle - centre
    outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-3)
    normal = outward + rng.normal(0, 0.45, (count, 3)).astype(np.float32)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    depth_in = np.linalg.norm(middle - centre, axis=1) / (tree.height * 0.35)
    tone = np.clip(0.35 + 0.6 * depth_in, 0.3, 1.2) * rng.uniform(0.55, 1.35, count)
    hue = rng.uniform(0, 1, count).astype(np.float32)[:, None]
    green = (
        np.array([0.05, 0.085, 0.03], dtype=np.float32) * (1 - hue)
        + np.array([0.10, 0.09, 0.03], dtype=np.float32) * hue
    )
    surface = Surface.plain(index.size, (green * tone[:, None].astype(np.float32))[owner], 0.0, 0.96, "vegetation")
    warmth = env.air - 0.3 + rng.normal(0, 0.45, count) - 0.5 * np.clip(normal[:, 1], 0, 1)
    surface.temperature[:] = warmth.astype(np.float32)[owner]
    buffer.put(index, screen[owner, 2].astype(np.float32), normal[owner].astype(np.float32), surface)


def foliage_shader(env: Surroundings, salt: float) -> Callable[[Patch], Surface]:
    """Surface of a hedge or a distant tree line: clumps of leaves, dark between them."""

    def shade(p: Patch) -> Surface:
        clump = env.textures.rough(p.s, p.t, p.foot, 9.0, salt)
        leaf = env.textures.grain(p.s, p.t, p.foot, 14.0, salt + 1)
        surface = Surface.plain(p.s.size, (0, 0, 0), env.air - 0.4, 0.97, "vegetation")
        surface.albedo[:] = tint((0.05, 0.07, 0.03), np.clip(0.7 + 0.35 * clump + 0.3 * leaf, 0.08, 2))
        surface.temperature += 0.5 * clump + 0.3 * leaf
        return surface

    return shade


def ragged_top(env: Surroundings, height: float, rough: float, salt: float) -> Callable[[Patch], npt.NDArray[np.bool_]]:
    """Cutout of foliage below an uneven top edge, with gaps near it."""

    def solid(p: Patch) -> npt.NDArray[np.bool_]:
        crowns = env.textures.soft(p.s, p.s * 0, 0.0, 60.0 * rough, salt)
        leaves = env.textures.rough(p.s, p.t, p.foot, 6.0 * max(rough, 0.3), salt + 2)
        edge: npt.NDArray[np.bool_] = p.t < height + rough * (1.1 * crowns + 0.55 * leaves)
        return edge

    return solid
