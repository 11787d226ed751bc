"""What a place is made of, before anything is drawn: the still things, those that move, and where people may be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from .cars import Car
from .furniture import LimbMaterial, Panel
from .geometry import Patch, Rect, Surface
from .lighting import Lamp, Occluder
from .noise import generator
from .people import Person, Pose
from .raster import Limb
from .smoke import Plume
from .vegetation import Tree

WALK_SPEED = 1.25
"""Metres per second; 0.72 m a stride."""


@dataclass(frozen=True)
class Walk:
    """A person and the straight path walked to and fro; length 0 stands still."""

    x: float
    z: float
    heading: float
    length: float
    pose: Pose
    look: int
    start: float = 0.0
    """Metres already walked in frame 0."""
    ground: float = 0.0

    def at(self, seconds: float) -> Person:
        """The person at a time."""
        if self.length <= 0:
            return Person(self.x, self.z, self.heading, self.pose, 0.6 * self.look, self.look, self.ground)
        gone = self.start + WALK_SPEED * seconds
        lap = gone % (2 * self.length)
        back = lap > self.length
        along = 2 * self.length - lap if back else lap
        x, z = self.x + along * np.cos(self.heading), self.z + along * np.sin(self.heading)
        heading = self.heading + (np.pi if back else 0.0)
        return Person(float(x), float(z), float(heading), self.pose, gone * np.pi / 0.72, self.look, self.ground)


@dataclass(frozen=True)
class Drive:
    """A car that drives off and comes to a stop far away."""

    car: Car
    distance: float
    seconds: float
    """Time constant of the approach to the end."""

    def at(self, seconds: float) -> Car:
        """The car at a time."""
        gone = self.distance * (1 - np.exp(-seconds / self.seconds))
        x, _, z = self.car.world(float(gone), 0.0, 0.0)
        return replace(self.car, x=x, z=z)


@dataclass
class Layout:
    """Everything in a place."""

    rects: list[Rect] = field(default_factory=list)
    limbs: list[tuple[Limb, LimbMaterial]] = field(default_factory=list)
    trees: list[Tree] = field(default_factory=list)
    panels: list[Panel] = field(default_factory=list)
    parked: list[Car] = field(default_factory=list)
    lamps: list[Lamp] = field(default_factory=list)
    occluders: list[Occluder] = field(default_factory=list)
    walks: list[Walk] = field(default_factory=list)
    drive: Drive | None = None
    plume: Plume | None = None


def car_occluder(car: Car, instance: int) -> Occluder:
    """Shadow of a car: the body blocks lamps, the space under it sees no sky."""
    return Occluder(car.x, car.z, 2.25, 0.93, car.heading, 0.0, 1.15, instance, 0.9)


def person_occluder(person: Person, instance: int) -> Occluder:
    """Shadow of a person."""
    top = 1.35 if person.pose == "crouch" else 1.75
    return Occluder(person.x, person.z, 0.24, 0.24, 0.0, 0.0, person.ground + top, instance, 0.5)


def headlights(car: Car) -> list[Lamp]:
    """Beams of a car's headlights."""
    if car.head <= 0:
        return []
    direction = np.subtract(car.world(10.0, -0.55, 0.0), car.world(0.0, 0.0, 0.0))
    direction /= np.linalg.norm(direction)
    aim = (float(direction[0]), float(direction[1]), float(direction[2]))
    colour, cone = (1.0, 0.95, 0.85), (0.86, 0.985)
    return [Lamp(car.world(2.3, 0.64, side), colour, 26.0, 24.0, aim, cone) for side in (-0.6, 0.6)]


def looks(seed: int, count: int) -> list[int]:
    """Seeds of the appearance of `count` people."""
    return [int(v) for v in generator(seed, "looks").integers(0, 2**31, count)]


Shader = Callable[[Patch], Surface]
