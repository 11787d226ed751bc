"""What a user may ask of the fusion of two volumes, checked before any work."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from polyfuse.errors import UsageError
from polyfuse.video.temporal import parse_temporal
from polyfuse.volumes.colour_maps import COLOUR_MAPS
from polyfuse.volumes.windows import WINDOWS

AxisName = Literal["auto", "i", "j", "k"]


@dataclass(frozen=True)
class VolumeOptions:
    """Options of `fuse_volumes`, beside those of every fusion."""

    window: str = "auto"
    """Window of volumes in HU: "brain", "bone", "lung", "soft"; "auto" is what the file proposes, else "soft". Others
    take percentiles; "percentile" for all."""
    range_a: str | None = None
    """Window of a instead: "minmax", "percentile:LO,HI" or "LO,HI" in its unit."""
    range_b: str | None = None
    """The same for b."""
    interpolation: Literal["linear", "cubic"] = "linear"
    """How b is resampled to a's voxels."""
    axis: AxisName = "auto"
    """Across which slices are fused; "auto" is the axis of the thickest."""
    three_d: bool = False
    """Fuse by the Laplacian pyramid in three dimensions, without slices."""
    across: str = "none"
    """Filter from slice to slice: "exponential" or "exponential:SHARE" of the new slice, as clips have it in time."""
    colour_map: str = "auto"
    """Colours of b: a palette, "none", or "auto": "hot-iron" for PET and SPECT without colours of their own."""
    values: Literal["luminance", "a"] = "luminance"
    """What a grey result holds: luminance in [0, 1], or values in a's unit, the window undone."""
    same_space: bool = False
    """The millimetres of both agree, whatever their headers say."""
    register: bool = False
    """Find the rigid move between a and b, instead of taking the word of their headers."""
    move: str | None = None
    """File of a move between them; None for none."""
    frame: int | None = None
    """Which volume of a 4-D file, from 0."""
    deidentify: bool = False
    """Leave patient data and UIDs of the sources out of the result and its record."""

    def __post_init__(self) -> None:
        """Refuse values that no run could honour.

        Raises:
            UsageError: Naming them.
        """
        allowed = {
            "window": WINDOWS,
            "interpolation": ("linear", "cubic"),
            "axis": ("auto", "i", "j", "k"),
            "colour_map": COLOUR_MAPS,
            "values": ("luminance", "a"),
        }
        for name, choices in allowed.items():
            if getattr(self, name) not in choices:
                raise UsageError(f"{name} cannot be {getattr(self, name)!r}: use one of {', '.join(choices)}.")
        filtering = parse_temporal(self.across)
        if filtering is not None and filtering.kind != "exponential":
            raise UsageError("slices have no motion to follow: use --across exponential, or none.")
        if filtering is not None and self.three_d:
            raise UsageError("--three-d fuses without slices: drop --across.")
        if self.register and self.move is not None:
            raise UsageError("--register finds the move that --warp gives: drop one of them.")
        if self.frame is not None and self.frame < 0:
            raise UsageError(f"frame {self.frame} must not be negative.")

    def to_json(self) -> dict[str, Any]:
        """Plain dictionary for the sidecar."""
        return asdict(self)
