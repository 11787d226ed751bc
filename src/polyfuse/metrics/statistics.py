"""What the metrics share: pictures on the scale 0..255 and everything computed from them, once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeVar

import torch
from torch import Tensor

from polyfuse.metrics.grey import half_up, to_grey
from polyfuse.ops.histograms import histogram, joint_histogram

Value = TypeVar("Value")


class Memo:
    """Results by key, computed on first use."""

    def __init__(self) -> None:
        self._results: dict[Hashable, object] = {}

    def once(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Return the result of `make` from the first call with this key."""
        if key not in self._results:
            self._results[key] = make()
        return self._results[key]  # type: ignore[return-value]


class Plane(Memo):
    """One picture as a protocol sees it.

    Args:
        values: (N, H, W) float64 on the scale 0..255.
        channels: How many neighbours along N belong to one colour picture: 3 where colour is scored per channel.
        colour: (N, 3, H, W) float64, the picture that `values` is the grey of; None where it came without colour.
    """

    def __init__(self, values: Tensor, channels: int = 1, colour: Tensor | None = None) -> None:
        super().__init__()
        self.values, self.channels, self.colour = values, channels, colour

    @property
    def num_pixels(self) -> int:
        """Pixels of one picture."""
        return self.values[0].numel()

    @cached_property
    def luma(self) -> Tensor:
        """(N, H, W) float64, BT.601 luma that is not rounded to whole levels."""
        return self.values if self.colour is None else to_grey(self.colour, "float64", whole_levels=False)[:, 0]

    @property
    def rgb(self) -> Tensor:
        """(N, 3, H, W) float64, three equal channels where the picture came without colour."""
        return self.values[:, None].expand(-1, 3, -1, -1) if self.colour is None else self.colour

    @cached_property
    def levels(self) -> Tensor:
        """(N, H, W) int64: values rounded to whole levels."""
        return self.values.round().long()

    @cached_property
    def histogram(self) -> Tensor:
        """(N, 256) float64: share of pixels of each level."""
        return histogram(self.levels)

    @cached_property
    def centred(self) -> Tensor:
        """(N, H, W) float64: values less their mean; exactly zero for a constant picture."""
        return self.values - self.values.mean(dim=(1, 2), keepdim=True)

    def stretched(self, constant: Literal["keep", "zero", "nan"]) -> Plane:
        """Min-max stretch to 0..255, rounded half up.

        Args:
            constant: What a picture without contrast becomes: itself, black, or NaN unless it is black.
        """
        return self.once(("stretched", constant), lambda: Plane(_stretch(self.values, constant), self.channels))


def _stretch(values: Tensor, constant: Literal["keep", "zero", "nan"]) -> Tensor:
    low, high = values.amin(dim=(1, 2), keepdim=True), values.amax(dim=(1, 2), keepdim=True)
    flat = high == low
    stretched = half_up((values - low) / torch.where(flat, 1.0, high - low) * 255)
    if constant == "keep":
        return torch.where(flat, values, stretched)
    if constant == "nan":
        return torch.where(flat & (high != 0), torch.nan, stretched)
    return stretched


class Match(Memo):
    """A source beside the fused picture.

    Args:
        source: The source.
        fused: The picture that is scored.
    """

    def __init__(self, source: Plane, fused: Plane) -> None:
        super().__init__()
        self.source, self.fused = source, fused

    @cached_property
    def joint_histogram(self) -> Tensor:
        """(N, 256, 256) float64: share of pixels of each (level of source, level of fused)."""
        return joint_histogram(self.source.levels, self.fused.levels)

    def stretched(self, constant: Literal["keep", "zero", "nan"]) -> Match:
        """Both pictures stretched."""
        return self.once(
            ("stretched", constant), lambda: Match(self.source.stretched(constant), self.fused.stretched(constant))
        )


@dataclass(frozen=True, eq=False)
class Statistics:
    """The fused picture, its sources and what was computed from them."""

    fused: Plane
    """The picture that is scored."""
    a: Plane
    """First source."""
    b: Plane
    """Second source."""
    match_a: Match
    """First source beside the fused picture."""
    match_b: Match
    """Second source beside the fused picture."""
    memo: Memo = field(default_factory=Memo)
    """What was computed from all three pictures."""

    @classmethod
    def of(cls, fused: Plane, a: Plane, b: Plane) -> Statistics:
        """Statistics of one fused picture and its sources, still empty."""
        return cls(fused, a, b, Match(a, fused), Match(b, fused))

    def one_sided(self) -> tuple[Statistics, Statistics]:
        """The statistics as if `a` were both sources, and as if `b` were; what is known already is kept."""
        return (
            Statistics(self.fused, self.a, self.a, self.match_a, self.match_a),
            Statistics(self.fused, self.b, self.b, self.match_b, self.match_b),
        )
