"""People: a jointed skeleton dressed in clothes, warm where skin shows and cooler where cloth is thick."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .geometry import GBuffer, Index, Surface
from .materials import Colour, Surroundings
from .noise import Array, generator
from .raster import Limb, LimbPixels, draw_limb

Pose = Literal["walk", "stand", "phone", "crouch", "lean"]

JACKETS: tuple[Colour, ...] = (
    (0.05, 0.055, 0.07), (0.10, 0.04, 0.035), (0.035, 0.06, 0.05), (0.16, 0.14, 0.11), (0.06, 0.075, 0.14),
    (0.22, 0.2, 0.19),
)  # fmt: skip
TROUSERS: tuple[Colour, ...] = ((0.03, 0.035, 0.055), (0.05, 0.05, 0.05), (0.10, 0.085, 0.065), (0.02, 0.02, 0.022))
SKINS: tuple[Colour, ...] = ((0.42, 0.28, 0.21), (0.30, 0.19, 0.13), (0.13, 0.08, 0.055), (0.36, 0.23, 0.16))


@dataclass(frozen=True)
class Person:
    """One person at one moment; metres and radians."""

    x: float
    z: float
    heading: float
    """0 walks to the right, pi/2 away from the camera, -pi/2 towards it."""
    pose: Pose
    phase: float
    """Phase of the walking cycle, radians."""
    look: int
    """Seed of size and clothes."""
    ground: float = 0.0
    """Height of the ground under the feet."""


@dataclass(frozen=True)
class _Bone:
    limb: Limb
    colour: Colour
    temperature: float
    cloth: float
    """How much the cloth folds; 0 for skin."""


def draw_person(buffer: GBuffer, env: Surroundings, person: Person, instance: int) -> Index:
    """Draw the person; gives the pixels covered."""
    drawn = [
        draw_limb(buffer, bone.limb, _material(env, bone, number + 50 * (person.look % 7)), instance)
        for number, bone in enumerate(_bones(env, person))
    ]
    return np.unique(np.concatenate(drawn))


def _material(env: Surroundings, bone: _Bone, salt: int) -> Callable[[LimbPixels], Surface]:
    def shade(p: LimbPixels) -> Surface:
        surface = Surface.plain(p.along.size, bone.colour, bone.temperature, 0.97, "person")
        tex = env.textures
        length = float(np.linalg.norm(np.subtract(bone.limb.b, bone.limb.a)))
        s, t = p.across * np.float32(bone.limb.radius_a), p.along * np.float32(length)
        folds = tex.rough(s + t * 0.6, t - s * 0.3, p.pixel, 0.9, salt)
        soft = tex.soft(s, t, p.pixel, 1.1, salt + 0.5)
        surface.albedo *= np.clip(1 + bone.cloth * (0.34 * folds + 0.15 * soft), 0.2, 2.2)[:, None]
        # cloth hangs away from the body at the sides; skin seen at a slant shows less of its warmth
        rim = p.across**2
        surface.temperature += bone.cloth * (1.1 * soft + 0.8 * folds) + 0.5 * soft - (1.8 * bone.cloth + 0.8) * rim
        return surface

    return shade


def _bones(env: Surroundings, person: Person) -> list[_Bone]:
    rng = generator(person.look, "person")
    size = float(rng.uniform(0.93, 1.07))
    jacket, trousers = JACKETS[rng.integers(len(JACKETS))], TROUSERS[rng.integers(len(TROUSERS))]
    skin = SKINS[rng.integers(len(SKINS))]
    hair: Colour = ((0.02, 0.015, 0.012), (0.06, 0.04, 0.025), (0.22, 0.2, 0.18))[rng.integers(3)]
    hat, bag, hood = rng.random(3) < (0.25, 0.35, 0.2)
    warm = {
        "skin": 33.0 + float(rng.uniform(-1, 0.7)),
        "hand": 30.0 + float(rng.uniform(-3, 1)),
        "jacket": env.air + (30 - env.air) * float(rng.uniform(0.4, 0.62)),
        "legs": env.air + (30 - env.air) * float(rng.uniform(0.48, 0.66)),
        "shoe": env.air + (30 - env.air) * 0.32,
    }
    joints = _skeleton(person)
    placed = {name: _place(person, size, point) for name, point in joints.items()}
    bones: list[_Bone] = []

    def add(a: str, b: str, ra: float, rb: float, colour: Colour, temperature: float, cloth: float) -> None:
        bones.append(_Bone(Limb(placed[a], placed[b], ra * size, rb * size), colour, temperature, cloth))

    dark = (trousers[0] * 0.5, trousers[1] * 0.5, trousers[2] * 0.5)
    for side in ("left", "right"):
        add(f"{side} hip", f"{side} knee", 0.088, 0.066, trousers, warm["legs"], 0.9)
        add(f"{side} knee", f"{side} ankle", 0.066, 0.05, trousers, warm["legs"] - 1.5, 1.0)
        add(f"{side} ankle", f"{side} toe", 0.048, 0.04, dark, warm["shoe"], 0.3)
        add(f"{side} shoulder", f"{side} elbow", 0.063, 0.055, jacket, warm["jacket"] - 0.5, 1.0)
        add(f"{side} elbow", f"{side} wrist", 0.054, 0.043, jacket, warm["jacket"] - 0.2, 1.0)
        add(f"{side} wrist", f"{side} hand", 0.036, 0.04, skin, warm["hand"], 0.0)
        add(f"{side} shoulder", f"{side} hip", 0.115, 0.12, jacket, warm["jacket"], 1.0)
    add("chest", "waist", 0.135, 0.13, jacket, warm["jacket"] + 0.8, 1.0)
    add("waist", "seat", 0.13, 0.14, jacket, warm["jacket"], 1.0)
    add("chest", "neck", 0.07, 0.055, skin, warm["skin"] + 0.3, 0.2)
    add("chin", "brow", 0.078, 0.092, skin, warm["skin"], 0.0)
    cover = jacket if hood else (dark if hat else hair)
    crown = warm["jacket"] + 2 if hood or hat else warm["skin"] - 6.5
    add("crown", "nape", 0.098, 0.075 if not hood else 0.1, cover, crown, 0.5)
    if bag:
        add("bag top", "bag bottom", 0.15, 0.15, (0.04, 0.045, 0.05), env.air + 2.5, 0.8)
    return bones


def _skeleton(person: Person) -> dict[str, tuple[float, float, float]]:
    """Joints of a person 1.75 m tall who faces +x: (forward, up, left)."""
    swing = 0.48 if person.pose == "walk" else 0.05
    drop = 0.42 if person.pose == "crouch" else 0.0
    lean = {"crouch": 0.30, "lean": -0.12, "walk": 0.05}.get(person.pose, 0.0)
    bob = 0.02 * np.cos(2 * person.phase) if person.pose == "walk" else 0.0
    hip, shoulder = 0.93 - drop + bob, 1.43 - drop * 1.05 + bob
    joints: dict[str, tuple[float, float, float]] = {}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        stride = swing * sign * np.sin(person.phase)
        lift = max(0.0, sign * np.cos(person.phase)) * (swing > 0.1)
        knee_angle = stride * 0.9 + 0.35 * lift + (0.95 if drop else 0.0)
        shin_angle = stride * 0.8 - 0.75 * lift - (0.7 if drop else 0.0)
        across = 0.095 * sign
        knee = (0.44 * np.sin(knee_angle), hip - 0.44 * np.cos(knee_angle), across)
        ankle = (knee[0] + 0.42 * np.sin(shin_angle), knee[1] - 0.42 * np.cos(shin_angle), across)
        ankle = (ankle[0], max(ankle[1], 0.075), ankle[2])
        joints |= {f"{side} hip": (0.0, hip, across), f"{side} knee": knee, f"{side} ankle": ankle}
        joints[f"{side} toe"] = (ankle[0] + 0.17, ankle[1] - 0.035 - 0.05 * lift, across * 1.15)
        arm = -0.75 * stride + lean
        elbow = (lean + 0.29 * np.sin(arm), shoulder - 0.30 * np.cos(arm), 0.235 * sign)
        fore = arm + 0.25 + 0.3 * (swing > 0.1)
        if person.pose == "phone" and sign > 0:
            elbow, fore = (lean + 0.16, shoulder - 0.25, 0.22), 2.5
        if person.pose == "crouch":
            fore = 1.1
        wrist = (elbow[0] + 0.25 * np.sin(fore), elbow[1] - 0.25 * np.cos(fore), 0.22 * sign)
        hand = (wrist[0] + 0.09 * np.sin(fore), wrist[1] - 0.09 * np.cos(fore), 0.215 * sign)
        joints |= {f"{side} shoulder": (lean, shoulder - 0.05, 0.135 * sign), f"{side} elbow": elbow}
        joints |= {f"{side} wrist": wrist, f"{side} hand": hand}
    top = lean * 1.15
    joints |= {
        "chest": (lean, shoulder - 0.08, 0.0),
        "waist": (lean * 0.5, hip + 0.18, 0.0),
        "seat": (-0.02, hip + 0.02, 0.0),
    }
    joints |= {"neck": (top + 0.01, shoulder + 0.1, 0.0), "chin": (top + 0.045, shoulder + 0.17, 0.0)}
    joints |= {"brow": (top + 0.035, shoulder + 0.235, 0.0), "crown": (top - 0.012, shoulder + 0.262, 0.0)}
    joints |= {"nape": (top - 0.05, shoulder + 0.185, 0.0)}
    joints |= {"bag top": (lean - 0.2, shoulder - 0.1, 0.0), "bag bottom": (lean * 0.5 - 0.2, hip + 0.12, 0.0)}
    return joints


def _place(person: Person, size: float, joint: tuple[float, float, float]) -> tuple[float, float, float]:
    forward, up, left = (value * size for value in joint)
    cos, sin = np.cos(person.heading), np.sin(person.heading)
    return (
        float(person.x + forward * cos - left * sin),
        float(person.ground + up),
        float(person.z + forward * sin + left * cos),
    )


def footprint(person: Person) -> Array:
    """Middle of the feet on the ground, (3,), for shadows."""
    return np.array([person.x, person.ground, person.z], dtype=np.float32)
