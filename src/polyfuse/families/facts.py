"""Facts that a model states about itself and its weights; without PyTorch, for models that run without it too."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

OutputMapping = Literal["clip", "minmax"]


@dataclass(frozen=True)
class ModelSpec:
    """Facts about one configuration of a model that hold for any weights."""

    family: str
    """Name of the family: "fnet", "laplacian", ..."""
    parameters: int = 0
    """Number of learned values; 0 for classic methods."""
    macs_per_pixel: int = 0
    """Multiply-accumulates for one output pixel, convolutions with their padding counted."""
    receptive_radius: int | None = 0
    """Chebyshev distance in pixels over which an input can reach an output; None where it is global."""
    halo: int = 0
    """Pixels of context that a tile gets on each side; with the receptive radius, tiles give the same as the whole."""
    surveys: int = 0
    """How often `surveyed` goes over all tiles so that fusing them gives the same as the whole; 0: no survey needed."""
    multiple_of: int = 1
    """Row and column at which a tile may start, pixels (pyramids)."""
    blended: bool = False
    """Whether tiles only approximate the whole and are therefore blended where they overlap, over twice the halo."""
    output: OutputMapping = "clip"
    """How the raw output becomes a picture: clamped to [0, 1], or stretched by its minimum and maximum."""
    bytes_per_pixel: int = 64
    """Working memory of `forward`, bytes per input pixel, for choosing tile sizes."""
    margin: int = 0
    """Pixels that `forward` adds on each side of a picture; they take working memory too."""
    fixed_bytes: int = 0
    """Further working memory, bytes, that does not grow with the picture."""
    roles: tuple[str, str] = ("infrared, near-infrared or MRI", "visible, CT, PET or SPECT")
    """What the inputs a and b are meant to be."""

    @property
    def tileable(self) -> bool:
        """Whether pictures may be cut into tiles, after a survey where one is needed."""
        return self.receptive_radius is not None or self.surveys > 0 or self.blended

    def memory(self, height: int, width: int) -> int:
        """Working memory of `forward` that grows with the picture, bytes."""
        return (height + 2 * self.margin) * (width + 2 * self.margin) * self.bytes_per_pixel

    def to_json(self) -> dict[str, Any]:
        """Plain dictionary for sidecars and `models show`."""
        return asdict(self)


@dataclass(frozen=True)
class Provenance:
    """Where a ready model comes from and which picture conventions its weights were made for."""

    name: str
    """Registry name, e.g. "fnet.road"."""
    luma: Literal["full", "studio"] = "full"
    """BT.601 luma the weights saw as b in training."""
    rendering: Literal["safe", "clip", "official"] = "safe"
    """How colour is put back unless the user says otherwise; "official" repeats the published FNet program."""
    weights_sha256: str | None = None
    """SHA-256 of the weights file; None for classic methods."""
    source: str = ""
    """Who trained the weights on what, or the publication of a classic method."""
    rounded_a: bool = False
    """Whether an 8-bit colour picture a becomes grey in whole levels; repeats the published SMFNet program."""
    licence: str = ""
    """What is known about the right to use the weights; empty for classic methods, which are code alone."""
