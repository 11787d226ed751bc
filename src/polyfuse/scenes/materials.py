"""Walls and ground as their surface shows them: colour and the small temperature differences the thermal camera sees.

Every function takes the pixels of a rectangle and gives a `Surface`; temperatures are air temperature plus what the
material kept of the day's warmth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .geometry import Patch, Surface
from .noise import Array, Textures, band, smoothstep, stripes

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Surroundings:
    """What every material needs to know about the place."""

    textures: Textures
    air: float
    """Air temperature, degrees Celsius."""
    sky: Colour
    """Light of the sky near the horizon, for glass that mirrors it."""
    wetness: float
    """0 dry to 1 wet."""


def tint(colour: Colour, strength: Array) -> Array:
    """(N, 3) colour scaled by (N,) strength."""
    return np.asarray(colour, dtype=np.float32) * strength[:, None]


def mix(surface: Surface, cover: Array, albedo: Colour | Array, temperature: Array | float, emissivity: float) -> None:
    """Lay another material over the surface with coverage (N,) in place."""
    surface.albedo += cover[:, None] * (np.asarray(albedo, dtype=np.float32) - surface.albedo)
    surface.temperature += cover * (temperature - surface.temperature)
    surface.emissivity += cover * (np.float32(emissivity) - surface.emissivity)


def brick(env: Surroundings, p: Patch, colour: Colour, size: tuple[float, float] = (0.26, 0.085)) -> Surface:
    """Running-bond brickwork with mortar, a tone of its own for each brick, soot and damp."""
    length, height = size
    course = np.floor(p.t / height)
    along = p.s + np.float32(length / 2) * (course % 2)
    joints = stripes(p.t, height, 0.013, p.foot_t)
    joints = np.maximum(joints, stripes(along, length, 0.013, p.foot_s))
    clear = 1 - smoothstep(p.foot / np.float32(height), 0.4, 1.5)
    tone = (env.textures.hash(np.floor(along / length), course) - 0.5) * clear
    stain = env.textures.rough(p.s, p.t, p.foot, 9.0, 1.0)
    grain = env.textures.rough(p.s, p.t, p.foot, 1.3, 2.0)
    surface = Surface.plain(p.s.size, (0, 0, 0), env.air + 2.2, 0.94, "building")
    surface.albedo[:] = tint(colour, np.clip(1 + 0.55 * tone + 0.13 * stain + 0.1 * grain, 0.3, 2))
    mix(surface, joints * 0.8, (0.20, 0.19, 0.175), surface.temperature - 0.25, 0.93)
    surface.temperature += 0.35 * stain + 0.5 * tone
    return surface


def plaster(env: Surroundings, p: Patch, colour: Colour) -> Surface:
    """Rendered wall: clouded paint, trowel grain, rain streaks and a dirty foot."""
    tex = env.textures
    cloud = tex.soft(p.s, p.t, p.foot, 14.0, 3.0)
    grain = tex.rough(p.s, p.t, p.foot, 1.1, 4.0)
    streak = tex.rough(p.s, p.t * 0.07, p.foot, 6.0, 5.0)
    flaking = smoothstep(tex.rough(p.s, p.t, p.foot, 7.0, 6.0) - 0.35 * np.clip(p.t, 0, 4), 0.9, 1.05)
    foot = np.exp(-np.clip(p.t, 0, None) / 0.5)
    surface = Surface.plain(p.s.size, (0, 0, 0), env.air + 1.6, 0.93, "building")
    strength = 1 + 0.09 * cloud + 0.07 * grain - 0.09 * np.clip(streak, 0, 2) - 0.3 * foot
    surface.albedo[:] = tint(colour, np.clip(strength, 0.25, 1.6))
    mix(surface, flaking * 0.7, (0.21, 0.16, 0.13), surface.temperature, 0.93)
    surface.temperature += 0.45 * cloud + 0.12 * grain + 0.5 * flaking - 0.9 * foot
    return surface


def concrete(env: Surroundings, p: Patch, colour: Colour, panel: tuple[float, float] = (3.0, 1.5)) -> Surface:
    """Cast panels with joints, tie holes, streaks and moss at the joints."""
    tex = env.textures
    joints = np.maximum(stripes(p.s, panel[0], 0.035, p.foot_s), stripes(p.t, panel[1], 0.03, p.foot_t))
    tone = tex.hash(np.floor(p.s / panel[0]), np.floor(p.t / panel[1]), 3) - 0.5
    streak = tex.rough(p.s, p.t * 0.06, p.foot, 5.0, 7.0)
    grain = tex.rough(p.s, p.t, p.foot, 2.0, 8.0)
    surface = Surface.plain(p.s.size, (0, 0, 0), env.air + 1.2, 0.94, "building")
    surface.albedo[:] = tint(colour, np.clip(1 + 0.16 * tone + 0.12 * grain - 0.16 * np.clip(streak, 0, 2), 0.25, 1.6))
    mix(surface, joints * 0.75, (0.06, 0.06, 0.055), env.air + 0.8, 0.95)
    surface.temperature += 0.25 * grain + 0.7 * tone + 0.2 * streak
    return surface


def sheet_metal(env: Surroundings, p: Patch, colour: Colour, pitch: float = 0.28) -> Surface:
    """Corrugated steel with rust; shiny to the thermal camera, so it mirrors the cold sky."""
    tex = env.textures
    fold = np.sin(p.s * np.float32(2 * np.pi / pitch)) * (1 - smoothstep(p.foot_s / np.float32(pitch), 0.3, 1.0))
    rust = smoothstep(
        tex.rough(p.s, p.t, p.foot, 5.0, 9.0) + 0.5 * tex.rough(p.s, p.t * 0.1, p.foot, 4.0, 10.0), 0.8, 1.6
    )
    seam = stripes(p.t, 2.4, 0.03, p.foot_t)
    surface = Surface.plain(p.s.size, (0, 0, 0), env.air - 0.5, 0.72, "building")
    strength = np.clip(1 + 0.35 * fold + 0.08 * tex.rough(p.s, p.t, p.foot, 2.0, 11.0) - 0.5 * seam, 0.2, 1.7)
    surface.albedo[:] = tint(colour, strength)
    mix(surface, rust, (0.13, 0.06, 0.03), env.air, 0.9)
    surface.temperature += 0.5 * fold + 0.3 * rust
    return surface


def asphalt(env: Surroundings, p: Patch) -> Surface:
    """Road surface: chippings, patches laid later, cracks, wheel tracks are added by the road itself."""
    tex = env.textures
    cloud = tex.soft(p.s, p.t, p.foot, 16.0, 12.0)
    rough = tex.rough(p.s, p.t, p.foot, 3.0, 13.0)
    chips = tex.grain(p.s, p.t, p.foot, 6.0, 14.0)
    shade = 1 + 0.14 * cloud + 0.2 * rough + 0.4 * chips
    surface = Surface.plain(p.s.size, (0, 0, 0), env.air + 2.6, 0.96, "road")
    surface.albedo[:] = tint((0.098, 0.097, 0.094), np.clip(shade, 0.3, 2.2))
    surface.temperature += 0.5 * cloud + 0.22 * rough + 0.1 * chips
    patch = smoothstep(tex.hash(np.floor(p.s / 1.9), np.floor((p.t + 3.1) / 3.7), 5), 0.9, 0.905)
    mix(surface, patch * 0.55, (0.045, 0.045, 0.047), env.air + 3.3, 0.96)
    crack = np.abs(tex.soft(p.s, p.t, p.foot, 11.0, 15.0) + 0.12 * rough)
    width = 0.02 + 0.2 * p.foot
    crack_cover = np.clip(1 - crack / width, 0, 1) * smoothstep(tex.soft(p.s, p.t, p.foot, 30.0, 16.0), -0.1, 0.5)
    mix(surface, crack_cover * np.clip(0.03 / p.foot, 0, 1), (0.02, 0.02, 0.02), env.air + 1.8, 0.97)
    wet(env, p, surface)
    return surface


def pavers(env: Surroundings, p: Patch, colour: Colour, size: tuple[float, float], warm: float = 1.8) -> Surface:
    """Paving stones with joints, one tone each, chewing gum and moss."""
    tex = env.textures
    row = np.floor(p.t / size[1])
    along = p.s + np.float32(size[0] / 2) * (row % 2)
    joints = np.maximum(stripes(p.t, size[1], 0.022, p.foot_t), stripes(along, size[0], 0.022, p.foot_s))
    clear = 1 - smoothstep(p.foot_t / np.float32(size[1]), 0.5, 1.8)
    tone = (tex.hash(np.floor(along / size[0]), row, 7) - 0.5) * clear
    rough = tex.rough(p.s, p.t, p.foot, 2.5, 17.0)
    stain = tex.rough(p.s, p.t, p.foot, 12.0, 18.0)
    surface = Surface.plain(p.s.size, (0, 0, 0), env.air + warm, 0.95, "pavement")
    surface.albedo[:] = tint(colour, np.clip(1 + 0.38 * tone + 0.13 * rough + 0.13 * stain, 0.3, 1.8))
    mix(surface, joints * 0.85, (0.045, 0.048, 0.04), env.air + warm - 0.5, 0.97)
    surface.temperature += 0.6 * tone + 0.25 * rough + 0.35 * stain
    wet(env, p, surface)
    return surface


def grass(env: Surroundings, p: Patch) -> Surface:
    """Rough turf; it cools fastest under an open sky."""
    tex = env.textures
    tuft = tex.rough(p.s, p.t, p.foot, 1.6, 19.0)
    blade = tex.grain(p.s, p.t * 0.5, p.foot, 4.0, 20.0)
    cloud = tex.soft(p.s, p.t, p.foot, 8.0, 21.0)
    surface = Surface.plain(p.s.size, (0, 0, 0), env.air - 1.6, 0.97, "vegetation")
    dry = np.clip(0.5 + 0.35 * cloud + 0.2 * tuft, 0, 1)
    colour = tint((0.05, 0.085, 0.03), 1 - dry) + tint((0.12, 0.115, 0.055), dry)
    surface.albedo[:] = colour * np.clip(1 + 0.3 * tuft + 0.25 * blade, 0.2, 2)[:, None]
    surface.temperature += 0.7 * tuft + 0.4 * blade + 0.5 * cloud
    return surface


def wet(env: Surroundings, p: Patch, surface: Surface) -> None:
    """Darken and gloss the ground where water lies; puddles are smooth, the rest is damp."""
    level = env.textures.soft(p.s, p.t, p.foot, 13.0, 22.0) + 0.25 * env.textures.rough(p.s, p.t, p.foot, 5.0, 23.0)
    puddle = smoothstep(level, 2.3 - 2.2 * env.wetness, 2.55 - 2.2 * env.wetness)
    damp = np.float32(env.wetness) * (0.55 + 0.45 * smoothstep(level, -1.0, 1.0))
    surface.albedo *= (1 - 0.35 * damp - 0.3 * puddle * damp)[:, None]
    surface.gloss[:] = 0.22 * damp + 0.78 * puddle * env.wetness
    surface.temperature -= 0.8 * puddle * env.wetness
    surface.emissivity -= 0.05 * puddle * env.wetness


def paint_lines(env: Surroundings, p: Patch, surface: Surface, cover: Array) -> None:
    """Worn white road paint; nearly the temperature of the asphalt under it."""
    worn = smoothstep(env.textures.rough(p.s, p.t, p.foot, 2.2, 24.0), -1.9, -0.5)
    specks = smoothstep(env.textures.grain(p.s, p.t, p.foot, 5.0, 25.0), -2.2, -0.9)
    mix(surface, cover * worn * specks * 0.9, (0.56, 0.55, 0.52), surface.temperature - 0.8, 0.94)


def spot(p: Patch, s: float, t: float, radius: float) -> Array:
    """Coverage of a disc, for manhole covers and stains."""
    distance = np.hypot(p.s - np.float32(s), p.t - np.float32(t))
    cover = np.clip((np.float32(radius) - distance) / np.maximum(p.foot, 1e-4) + 0.5, 0, 1)
    return np.asarray(cover, dtype=np.float32)


def frame(p: Patch, s0: float, t0: float, s1: float, t1: float) -> Array:
    """Coverage of the rectangle between two corners."""
    return band(p.s, s0, s1, p.foot_s) * band(p.t, t0, t1, p.foot_t)
