"""House fronts: walls with floors and bays of windows, doors, shop windows; some lit, some leaking warmth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .geometry import Index, Patch, Surface
from .materials import Colour, Surroundings, brick, concrete, frame, mix, plaster, sheet_metal
from .noise import Array, band, smoothstep, stripes

Wall = Literal["brick", "plaster", "concrete", "metal"]


@dataclass(frozen=True)
class Facade:
    """One house front; lengths in metres, `start` and `stop` along the wall, the wall's foot at height 0."""

    wall: Wall
    colour: Colour
    start: float
    stop: float
    height: float
    salt: int
    """Picks which windows are lit, open or curtained."""
    floor_height: float = 3.1
    bay: float = 2.6
    window: tuple[float, float] = (1.15, 1.55)
    sill: float = 0.95
    lit: float = 0.22
    """Share of windows with light behind them."""
    first_floor: int = 0
    """Floors below this one have no windows of the regular grid."""
    shops: tuple[tuple[float, float], ...] = ()
    """Spans along the wall with a shop window."""
    doors: tuple[float, ...] = ()
    """Middles of doors along the wall."""
    gates: tuple[tuple[float, float], ...] = ()
    """Spans with a roller gate."""


def facade_shader(env: Surroundings, front: Facade) -> Callable[[Patch], Surface]:
    """The shader of one house front."""

    def shade(p: Patch) -> Surface:
        surface = _wall(env, front, p)
        _trim(env, front, p, surface)
        if front.first_floor * front.floor_height < front.height - 2:
            _windows(env, front, p, surface)
        for start, stop in front.shops:
            _shop(env, front, p, surface, start, stop)
        for number, middle in enumerate(front.doors):
            _door(env, p, surface, middle, front.salt + number)
        for start, stop in front.gates:
            _gate(env, p, surface, start, stop)
        return surface

    return shade


def _wall(env: Surroundings, front: Facade, p: Patch) -> Surface:
    makers = {"brick": brick, "plaster": plaster, "concrete": concrete, "metal": sheet_metal}
    return makers[front.wall](env, p, front.colour)


def _trim(env: Surroundings, front: Facade, p: Patch, surface: Surface) -> None:
    """Plinth, floor slabs (thermal bridges), cornice, downpipes."""
    plinth = band(p.t, 0.0, 0.6, p.foot_t)
    mix(surface, plinth * 0.8, (0.12, 0.115, 0.11), env.air + 0.6, 0.94)
    slab = stripes(p.t + 0.12, front.floor_height, 0.25, p.foot_t)
    surface.temperature += 0.9 * slab
    if front.wall == "plaster":
        ledge = stripes(p.t + 0.05, front.floor_height, 0.14, p.foot_t) * band(p.t, 1.0, front.height, p.foot_t)
        surface.albedo *= (1 + 0.18 * ledge)[:, None]
        under = stripes(p.t + 0.17, front.floor_height, 0.12, p.foot_t) * band(p.t, 1.0, front.height, p.foot_t)
        surface.albedo *= (1 - 0.3 * under)[:, None]
    cornice = band(p.t, front.height - 0.3, front.height, p.foot_t)
    mix(surface, cornice * 0.8, (0.19, 0.18, 0.17), env.air - 0.5, 0.92)
    shadow = band(p.t, front.height - 0.62, front.height - 0.3, p.foot_t)
    surface.albedo *= (1 - 0.45 * shadow)[:, None]
    for place in (front.start + 0.35, front.stop - 0.4):
        pipe = band(p.s, place, place + 0.11, p.foot_s)
        mix(surface, pipe * 0.9, (0.10, 0.11, 0.115), env.air - 0.3, 0.75)
        surface.albedo *= (1 - 0.25 * band(p.s, place + 0.11, place + 0.2, p.foot_s))[:, None]


def _windows(env: Surroundings, front: Facade, p: Patch, surface: Surface) -> None:
    width, height = front.window
    floor = np.floor(p.t / front.floor_height)
    count = max(int((front.stop - front.start) // front.bay), 1)
    margin = (front.stop - front.start - count * front.bay) / 2
    bay = np.floor((p.s - np.float32(front.start + margin)) / front.bay)
    u = p.s - np.float32(front.start + margin) - (bay + 0.5) * np.float32(front.bay)
    v = p.t - floor * np.float32(front.floor_height) - np.float32(front.sill)
    fits = (floor >= front.first_floor) & ((floor + 1) * front.floor_height <= front.height + 0.2)
    fits &= (bay >= 0) & (bay < count)
    for start, stop in (*front.shops, *front.gates, *((d - 1.0, d + 1.0) for d in front.doors)):
        fits &= ~((floor == 0) & (p.s > start - 0.9) & (p.s < stop + 0.9))
    here = np.flatnonzero(fits)
    if here.size:
        local = Patch(u[here], v[here], p.foot_s[here], p.foot_t[here])
        luck = env.textures.hash(bay[here], floor[here], front.salt)
        other = env.textures.hash(bay[here], floor[here], front.salt + 40)
        _window(env, front, surface, here, local, width, height, luck, other)


def _window(
    env: Surroundings,
    front: Facade,
    surface: Surface,
    here: Index,
    q: Patch,
    width: float,
    height: float,
    luck: Array,
    other: Array,
) -> None:
    """One window about its own middle: surround, frame, glass with what is behind or mirrored in it."""
    part = Surface(**{name: value[here] for name, value in vars(surface).items()})
    half = width / 2
    surround = frame(q, -half - 0.12, -0.1, half + 0.12, height + 0.14)
    mix(part, surround * 0.7, (0.24, 0.23, 0.215), env.air + 1.8, 0.93)
    ledge = frame(q, -half - 0.2, -0.13, half + 0.2, -0.02)
    mix(part, ledge * 0.9, (0.28, 0.27, 0.26), env.air + 0.7, 0.93)
    drip = frame(q, -half - 0.15, -0.75, half + 0.15, -0.13) * np.clip(1 + q.t / 0.75, 0, 1)
    part.albedo *= (1 - 0.28 * drip)[:, None]
    radiator = np.exp(-((q.s / (0.8 * half)) ** 4) - ((q.t + 0.45) / 0.42) ** 4) * (other > 0.45)
    part.temperature += 1.5 * radiator
    hole = frame(q, -half, 0.0, half, height)
    panes = frame(q, -half + 0.06, 0.06, half - 0.06, height - 0.06)
    bars = np.maximum(band(q.s, -0.03, 0.03, q.foot_s), band(q.t, height * 0.68 - 0.03, height * 0.68 + 0.03, q.foot_t))
    glass = panes * (1 - bars)
    lit = luck < front.lit
    leaking = (other > 0.86) | (lit & (other > 0.6))
    mix(part, hole, (0.33, 0.32, 0.30), env.air + 2.5 + 2.0 * lit, 0.92)
    glass_temperature = env.air + 0.8 + 2.6 * lit + 5.5 * leaking + 0.8 * (q.t / height)
    mix(part, glass, (0.015, 0.016, 0.018), glass_temperature, 0.84)
    above = np.clip(q.t - height, 0, 3)
    plume = (
        leaking * (1 - hole) * (q.t > height - 0.1) * np.exp(-above / 0.35 - (q.s / (0.85 * half + 0.15 * above)) ** 4)
    )
    part.temperature += 4.0 * plume
    part.emission += (glass * lit)[:, None] * _room(env, q, width, height, other)
    mirror = (
        0.16 + 0.10 * np.clip(q.t / height, 0, 1) + 0.03 * env.textures.soft(q.s, q.t + 5 * other, q.foot, 5.0, 31.0)
    )
    part.emission += (glass * mirror * (1 - 0.6 * lit))[:, None] * np.asarray(env.sky, dtype=np.float32)
    recess = hole * np.maximum(
        band(q.t, height - 0.16, height, q.foot_t), 0.7 * band(q.s, -half, -half + 0.08, q.foot_s)
    )
    part.albedo *= (1 - 0.7 * recess)[:, None]
    part.emission *= (1 - 0.6 * recess)[:, None]
    for name, value in vars(part).items():
        getattr(surface, name)[here] = value


def _room(env: Surroundings, q: Patch, width: float, height: float, other: Array) -> Array:
    """Light of a room seen through the window: lamp, ceiling, curtains or blinds."""
    up = np.clip(q.t / height, 0, 1)
    lamp = np.exp(-((q.s / width - 0.5 * (other - 0.5)) ** 2 * 9 + (up - 0.8) ** 2 * 7))
    level = 0.18 + 0.25 * up + 0.75 * lamp
    drawn = smoothstep(np.abs(q.s) / np.float32(width / 2), 0.52, 0.6) * (other > 0.3)
    folds = 0.55 + 0.2 * np.sin(q.s * 55.0) * (1 - smoothstep(q.foot_s, 0.03, 0.08))
    level = level * (1 - drawn) + level * drawn * folds * 0.75
    blinds = (other > 0.75) & (up > 0.35)
    slats = 0.4 + 0.25 * stripes(q.t, 0.09, 0.045, q.foot_t)
    level = np.where(blinds, slats, level) * np.where(up < 0.16, 0.55, 1.0)
    warmth = np.where(other > 0.55, 1.0, 0.55)[:, None]
    cold = np.array([0.85, 0.92, 1.0], dtype=np.float32)
    warm = np.array([1.0, 0.66, 0.33], dtype=np.float32)
    colour: Array = (1 - warmth) * cold + warmth * warm
    return (0.9 * level[:, None] * colour).astype(np.float32)


def _shop(env: Surroundings, front: Facade, p: Patch, surface: Surface, start: float, stop: float) -> None:
    """A lit shop window with shelves and goods, and its glazed door."""
    hole = frame(p, start, 0.0, stop, 2.65)
    mix(surface, hole, (0.05, 0.055, 0.06), env.air + 2.0, 0.9)
    pane = (stop - start - 0.1) / max(round((stop - start) / 1.5), 1)
    glass = frame(p, start + 0.1, 0.45, stop - 0.1, 2.5) * (
        1 - stripes(p.s - np.float32(start + 0.1), pane, 0.08, p.foot_s)
    )
    mix(surface, glass, (0.02, 0.02, 0.02), env.air + 5.0 + 0.9 * (p.t - 1.4), 0.85)
    shelf = stripes(p.t - 0.42, 0.52, 0.05, p.foot_t) * band(p.t, 0.4, 2.0, p.foot_t)
    goods = env.textures.hash(np.floor(p.s / 0.19), np.floor((p.t - 0.42) / 0.52), front.salt + 3)
    tall = (p.t - 0.42) % 0.52 < 0.15 + 0.3 * env.textures.hash(np.floor(p.s / 0.19), np.floor((p.t - 0.42) / 0.52), 9)
    stock = tall & (p.t < 2.0) & (goods > 0.22)
    hue = np.stack([0.35 + 0.6 * goods, 0.3 + 0.5 * ((goods * 7) % 1), 0.2 + 0.5 * ((goods * 13) % 1)], axis=1)
    back = np.array([1.0, 0.88, 0.66], dtype=np.float32)
    tubes = np.exp(-((p.t - 2.3) ** 2) / 0.05) * 1.2
    inside = np.where(stock[:, None], 0.62 * hue, 0.42 * back) + tubes[:, None] * back
    surface.emission += (glass * (1 - 0.7 * shelf))[:, None] * inside.astype(np.float32) * 1.25


def _door(env: Surroundings, p: Patch, surface: Surface, middle: float, salt: int) -> None:
    """A panelled door with a fanlight and a step."""
    surround = frame(p, middle - 0.68, 0.0, middle + 0.68, 2.65)
    mix(surface, surround * 0.9, (0.27, 0.26, 0.24), env.air + 1.5, 0.93)
    leaf = frame(p, middle - 0.5, 0.12, middle + 0.5, 2.12)
    colours = ((0.05, 0.09, 0.07), (0.14, 0.04, 0.035), (0.10, 0.065, 0.04), (0.05, 0.07, 0.12))
    mix(surface, leaf, colours[salt % 4], env.air + 3.2, 0.92)
    for low, high in ((0.3, 0.95), (1.1, 1.95)):
        for side in (-0.23, 0.23):
            edge = frame(p, middle + side - 0.17, low, middle + side + 0.17, high)
            inner = frame(p, middle + side - 0.13, low + 0.04, middle + side + 0.13, high - 0.04)
            surface.albedo *= (1 - 0.45 * (edge - inner) + 0.1 * inner)[:, None]
    fanlight = frame(p, middle - 0.45, 2.2, middle + 0.45, 2.52)
    mix(surface, fanlight, (0.02, 0.02, 0.02), env.air + 4.5, 0.85)
    surface.emission += fanlight[:, None] * np.array([0.42, 0.28, 0.13], dtype=np.float32)
    gap = frame(p, middle - 0.55, 0.08, middle + 0.55, 0.14)
    surface.temperature += 3.0 * gap


def _gate(env: Surroundings, p: Patch, surface: Surface, start: float, stop: float) -> None:
    """A steel roller gate with guides and a warm gap at its foot."""
    cover = frame(p, start, 0.0, stop, 3.5)
    slats = 0.75 + 0.5 * stripes(p.t, 0.11, 0.07, p.foot_t)
    dents = env.textures.rough(p.s, p.t, p.foot, 4.0, 33.0)
    paint = np.asarray((0.13, 0.16, 0.18), dtype=np.float32) * (slats + 0.1 * dents)[:, None]
    mix(surface, cover, paint, env.air + 0.6 + 0.35 * dents + 0.5 * slats, 0.8)
    guides = frame(p, start - 0.12, 0.0, stop + 0.12, 3.75) - cover
    mix(surface, np.clip(guides, 0, 1), (0.09, 0.09, 0.05), env.air, 0.85)
    hazard = frame(p, start - 0.12, 0.0, start, 1.4) + frame(p, stop, 0.0, stop + 0.12, 1.4)
    yellow = stripes(p.t + p.s, 0.4, 0.2, p.foot_t)
    mix(surface, np.clip(hazard, 0, 1) * yellow, (0.5, 0.36, 0.03), env.air, 0.9)
    surface.temperature += 4.0 * frame(p, start + 0.2, 0.0, stop - 0.2, 0.09)
