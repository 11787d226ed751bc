"""How a model's raw output is stretched: what of it becomes black and what white."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from polyfuse.errors import UsageError
from polyfuse.families.facts import ModelSpec
from polyfuse.transforms.ranges import RangeSpec, parse_range

MINMAX = RangeSpec("minmax")
FLAT_BELOW = 1e-6
"""A smaller span counts as constant, and a constant output stays as it is (spec ambiguities S11)."""


@dataclass(frozen=True)
class OutputRange:
    """Raw values that become 0 and 1, measured on one picture, or over all frames of a clip."""

    low: float
    """Raw value that becomes 0."""
    high: float
    """Raw value that becomes 1."""

    @classmethod
    def measured(cls, raw: NDArray[np.float32], how: RangeSpec = MINMAX) -> OutputRange:
        """Smallest and largest value of one raw output, or its percentiles."""
        if how.mode == "percentile":
            low, high = np.percentile(raw, (how.low, how.high))
            return cls(float(low), float(high))
        return cls(float(raw.min()), float(raw.max()))

    def stretch(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map `low` to 0 and `high` to 1, linearly; values outside the range end up below 0 or above 1."""
        if self.high - self.low < FLAT_BELOW:
            return raw
        return cast("NDArray[np.float32]", (raw - np.float32(self.low)) / np.float32(self.high - self.low))

    def joined(self, other: OutputRange) -> OutputRange:
        """The smallest range that holds both."""
        return OutputRange(min(self.low, other.low), max(self.high, other.high))


def parse_stretch(text: str) -> RangeSpec | None:
    """Read the value of `--stretch`: "none", "minmax", "percentile" or "percentile:LO,HI"; None for "none".

    Raises:
        UsageError: If it is none of these.
    """
    if text == "none":
        return None
    if text == "minmax" or text.split(":")[0] == "percentile":
        return parse_range(text)
    raise UsageError(f"stretch {text!r} is unknown: use auto, none, minmax, percentile or percentile:LO,HI.")


def stretched(raw: NDArray[np.float32], spec: ModelSpec, wanted: str) -> NDArray[np.float32]:
    """One raw output, stretched by its own range if a stretch is wanted, else as it is."""
    how = stretch_of(spec, wanted)
    return raw if how is None else OutputRange.measured(raw, how).stretch(raw)


def stretch_of(spec: ModelSpec, wanted: str) -> RangeSpec | None:
    """How the output of a model is stretched; None if it is only clamped.

    Args:
        spec: Of the model; it says what its authors published.
        wanted: The value of `--stretch`; "auto" follows the model.
    """
    if wanted == "auto":
        return MINMAX if spec.output == "minmax" else None
    return parse_stretch(wanted)
