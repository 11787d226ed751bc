"""The description of a synthetic scene (`SceneConfig`) and the result of rendering it (`Scene`, `Box`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from polyfuse.errors import InputError

LABELS = ("background", "sky", "building", "road", "pavement", "vegetation", "person", "car", "sign", "lamp", "object")
"""Names of the class mask's values: `LABELS[mask[row, column]]`."""

BOXED_LABELS = ("person", "car", "sign")
"""Labels whose instances get an id, a mask and a box."""

MIN_SIDE = 32
MAX_SIDE = 16384


@dataclass(frozen=True)
class SceneConfig:
    """One scene, fully determined by its fields: the same config and frame give the same bytes.

    Raises:
        InputError: If a field is outside the range its line names.
    """

    width: int = 640
    """Picture width in pixels, 32 to 16384."""
    height: int = 480
    """Picture height in pixels, 32 to 16384; detail scales with it."""
    seed: int = 0
    """Non-negative integer; another seed is another place with other people."""
    kind: Literal["street", "yard"] = "street"
    """A street with houses and traffic, or a walled works yard."""
    num_people: int = 6
    """People in the scene, 0 to 12: the first stands behind the smoke, the second in the glare, the third in the
    dark."""
    num_cars: int = 3
    """Parked cars with cold bodies, 0 to 4; the car that drives and the one that glares come on top."""
    smoke: bool = True
    """Whether smoke drifts through: opaque for the visible camera, nearly clear for the thermal one."""
    glare: bool = True
    """Whether a car's headlights shine into the cameras."""
    haze: float = 0.2
    """Amount of mist in the air, 0 (clear) to 1 (about 60 m of sight)."""
    wetness: float = 0.5
    """How wet the ground is, 0 to 1: wet ground is darker and mirrors the lamps."""
    air_celsius: float = 8.0
    """Air temperature in degrees Celsius, -30 to 40; above about 28 people are no longer warmer than the street."""
    daylight: float = 0.25
    """Light left in the sky, 0 (night) to 1 (bright dusk)."""
    noise: float = 1.0
    """Multiplier on the noise of both sensors, 0 to 4."""
    fps: float = 12.5
    """Frames per second of a sequence, above 0 and at most 1000."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("width", MIN_SIDE, MAX_SIDE),
            ("height", MIN_SIDE, MAX_SIDE),
            ("seed", 0, 2**63 - 1),
            ("num_people", 0, 12),
            ("num_cars", 0, 4),
        ):
            _check_number(name, getattr(self, name), low, high, whole=True)
        for name, low_real, high_real in (
            ("haze", 0.0, 1.0),
            ("wetness", 0.0, 1.0),
            ("air_celsius", -30.0, 40.0),
            ("daylight", 0.0, 1.0),
            ("noise", 0.0, 4.0),
            ("fps", 1e-3, 1000.0),
        ):
            _check_number(name, getattr(self, name), low_real, high_real, whole=False)
        for name in ("smoke", "glare"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"{name} is {getattr(self, name)!r}: give True or False.")
        if self.kind not in ("street", "yard"):
            raise InputError(f"unknown scene kind {self.kind!r}: choose 'street' or 'yard'.")


@dataclass(frozen=True)
class Box:
    """The visible part of one instance, in pixels, half-open: rows `y0:y1`, columns `x0:x1`."""

    label: str
    """"person", "car" or "sign"."""
    x0: int
    """First column."""
    y0: int
    """First row."""
    x1: int
    """One past the last column."""
    y1: int
    """One past the last row."""
    instance: int
    """Value of this instance in the instance mask, the same in every frame."""


@dataclass(frozen=True, eq=False)
class Scene:
    """One rendered frame: the aligned pair and the truth about it."""

    thermal: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
    """(H, W): 8 bit after gain control, or 16-bit raw counts in a narrow window."""
    visible: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
    """(H, W, 3) RGB with an sRGB-like tone curve, full range of its dtype."""
    boxes: tuple[Box, ...]
    """One box per instance of which at least a few pixels are seen; smoke and glare do not count as hiding."""
    instances: npt.NDArray[np.uint16]
    """(H, W) instance ids, 0 is background."""
    classes: npt.NDArray[np.uint8]
    """(H, W) indices into `labels`."""
    labels: tuple[str, ...]
    """Names of the class mask's values."""
    frame: int
    """Frame index within the sequence."""
    agc_counts: npt.NDArray[np.float64]
    """(K,) raw counts at the knots of the gain-control curve, increasing."""
    agc_levels: npt.NDArray[np.float64]
    """(K,) 8-bit levels at those knots, 0 to 255, not decreasing."""


def _check_number(name: str, value: object, low: float, high: float, *, whole: bool) -> None:
    kinds: tuple[type, ...] = (int, np.integer) if whole else (int, float, np.integer, np.floating)
    if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:  # type: ignore[operator]
        wanted = "a whole number" if whole else "a number"
        raise InputError(f"{name} is {value!r}: give {wanted} from {low} to {high}.")
